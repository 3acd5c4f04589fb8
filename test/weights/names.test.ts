/** Name maps and layouts: torchvision's state dictionaries, written down from their architectures, land where they belong. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  kerasApplications,
  parseSafetensors,
  torch,
  torchvision,
  type NameMap,
  type StoredTensor,
  type TensorInfo,
} from "../../src/weights/index.ts";
import { rename } from "../../src/weights/names/index.ts";
import { arranged, planFit, type FitOptions } from "../../src/weights/weights.ts";

const names = suite("weight names");

type Shapes = Readonly<Record<string, readonly number[]>>;

function infosOf(shapes: Shapes): ReadonlyMap<string, TensorInfo> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, { name, dtype: "F32", shape }]));
}

// Modules of PyTorch and what they put into a state dictionary.

const norm = (path: string, channels: number): Shapes => ({
  [`${path}.weight`]: [channels],
  [`${path}.bias`]: [channels],
  [`${path}.running_mean`]: [channels],
  [`${path}.running_var`]: [channels],
  [`${path}.num_batches_tracked`]: [],
});
const conv = (path: string, inputs: number, out: number, size: number, bias = false): Shapes => ({
  [`${path}.weight`]: [out, inputs, size, size],
  ...(bias ? { [`${path}.bias`]: [out] } : {}),
});
const linear = (path: string, inputs: number, out: number): Shapes => ({
  [`${path}.weight`]: [out, inputs],
  [`${path}.bias`]: [out],
});

function merged(parts: readonly Shapes[]): Shapes {
  return Object.assign({}, ...parts) as Shapes;
}

/** Numbers that training changes; PyTorch counts no others. */
function countOf(shapes: Shapes): number {
  const learnt = Object.entries(shapes).filter(([name]) => /(weight|bias)$/.test(name));
  return learnt.reduce((sum, [, shape]) => sum + shape.reduce((product, extent) => product * extent, 1), 0);
}

/** Our names of all weights, sorted; no two may be the same. */
function ours(map: NameMap, shapes: Shapes): readonly string[] {
  const renamed = [...rename(map, infosOf(shapes)).values()].filter((name) => name !== null);
  assert.is(new Set(renamed).size, renamed.length);
  return renamed.sort();
}

const parts = (path: string, ...own: readonly string[]): string[] => own.map((part) => `${path}/${part}`);
const normParts = (path: string): string[] => parts(path, "gamma", "beta", "moving_mean", "moving_variance");

function vgg(blocks: readonly number[], isNorm: boolean): Shapes {
  const found: Shapes[] = [];
  let [module, inputs] = [0, 3];
  blocks.forEach((count, block) => {
    for (let index = 0; index < count; index++) {
      const out = Math.min(64 * 2 ** block, 512);
      found.push(conv(`features.${module++}`, inputs, out, 3, true));
      if (isNorm) found.push(norm(`features.${module++}`, out));
      module++; // ReLU
      inputs = out;
    }
    module++; // pooling
  });
  const top = [
    linear("classifier.0", 512 * 49, 4096),
    linear("classifier.3", 4096, 4096),
    linear("classifier.6", 4096, 1000),
  ];
  return merged([...found, ...top]);
}

for (const [name, blocks, isNorm, count] of [
  ["vgg16", [2, 2, 3, 3, 3], false, 138_357_544],
  ["vgg16_bn", [2, 2, 3, 3, 3], true, 138_365_992],
  ["vgg19", [2, 2, 4, 4, 4], false, 143_667_240],
  ["vgg19_bn", [2, 2, 4, 4, 4], true, 143_678_248],
] as const) {
  names(name, () => {
    const shapes = vgg(blocks, isNorm);
    assert.is(countOf(shapes), count);
    const layers = blocks.flatMap((convolutions, block) =>
      Array.from({ length: convolutions }, (_, index) => `block${block + 1}_conv${index + 1}`),
    );
    const dense = [...layers, "fc1", "fc2", "predictions"].flatMap((layer) => parts(layer, "kernel", "bias"));
    const norms = isNorm ? layers.flatMap((layer) => normParts(`${layer}_bn`)) : [];
    assert.equal(ours(torchvision[name], shapes), [...dense, ...norms].sort());
  });
}

/** @param width of the last convolution of a block, as a multiple of the others. */
function resnet(blocks: readonly number[], width: 1 | 4): Shapes {
  const found: Shapes[] = [conv("conv1", 3, 64, 7), norm("bn1", 64)];
  let inputs = 64;
  blocks.forEach((count, stage) => {
    const channels = 64 * 2 ** stage;
    for (let index = 0; index < count; index++) {
      const path = `layer${stage + 1}.${index}`;
      const sizes = width === 1 ? [3, 3] : [1, 3, 1];
      let last = inputs;
      sizes.forEach((size, place) => {
        const out = place === sizes.length - 1 ? channels * width : channels;
        found.push(conv(`${path}.conv${place + 1}`, last, out, size), norm(`${path}.bn${place + 1}`, out));
        last = out;
      });
      if (index === 0 && inputs !== last) {
        found.push(conv(`${path}.downsample.0`, inputs, last, 1), norm(`${path}.downsample.1`, last));
      }
      inputs = last;
    }
  });
  return merged([...found, linear("fc", inputs, 1000)]);
}

for (const [name, blocks, width, count] of [
  ["ResNet18", [2, 2, 2, 2], 1, 11_689_512],
  ["ResNet50", [3, 4, 6, 3], 4, 25_557_032],
  ["ResNet152", [3, 8, 36, 3], 4, 60_192_808],
] as const) {
  names(name, () => {
    const shapes = resnet(blocks, width);
    assert.is(countOf(shapes), count);
    const convolutions = blocks.flatMap((number, stage) =>
      Array.from({ length: number }, (_, block) => {
        const hasShortcut = block === 0 && (width === 4 || stage > 0);
        const numbers = [...(hasShortcut ? [0] : []), 1, 2, ...(width === 4 ? [3] : [])];
        return numbers.map((index) => `conv${stage + 2}_block${block + 1}_${index}`);
      }).flat(),
    );
    const layers = ["conv1", ...convolutions].flatMap((path) => normParts(`${path}_bn`).concat(`${path}_conv/kernel`));
    assert.equal(ours(torchvision.resnet, shapes), [...layers, ...parts("predictions", "kernel", "bias")].sort());
  });
}

for (const isOld of [false, true]) {
  names(`DenseNet169${isOld ? ", as files of before 2019 write it" : ""}`, () => {
    const blocks = [6, 12, 32, 32];
    const found: Shapes[] = [conv("features.conv0", 3, 64, 7), norm("features.norm0", 64)];
    const wanted = ["conv1_conv/kernel", ...normParts("conv1_bn"), ...normParts("bn")];
    const dot = isOld ? "." : "";
    let channels = 64;
    blocks.forEach((count, block) => {
      for (let layer = 1; layer <= count; layer++) {
        const path = `features.denseblock${block + 1}.denselayer${layer}`;
        found.push(norm(`${path}.norm${dot}1`, channels), conv(`${path}.conv${dot}1`, channels, 128, 1));
        found.push(norm(`${path}.norm${dot}2`, 128), conv(`${path}.conv${dot}2`, 128, 32, 3));
        const own = `conv${block + 2}_block${layer}`;
        wanted.push(
          ...normParts(`${own}_0_bn`),
          `${own}_1_conv/kernel`,
          ...normParts(`${own}_1_bn`),
          `${own}_2_conv/kernel`,
        );
        channels += 32;
      }
      if (block === 3) return;
      const path = `features.transition${block + 1}`;
      found.push(norm(`${path}.norm`, channels), conv(`${path}.conv`, channels, channels / 2, 1));
      wanted.push(...normParts(`pool${block + 2}_bn`), `pool${block + 2}_conv/kernel`);
      channels /= 2;
    });
    const shapes = merged([...found, norm("features.norm5", channels), linear("classifier", channels, 1000)]);
    assert.is(countOf(shapes), 14_149_480);
    assert.equal(ours(torchvision.densenet, shapes), [...wanted, ...parts("predictions", "kernel", "bias")].sort());
  });
}

/** MobileNetV2 (arXiv:1801.04381, table 2): expansion, channels, blocks of each stage. */
function mobilenetV2(classes: number): Shapes {
  const stages = [
    [1, 16, 1],
    [6, 24, 2],
    [6, 32, 3],
    [6, 64, 4],
    [6, 96, 3],
    [6, 160, 3],
    [6, 320, 1],
  ] as const;
  const found = [conv("features.0.0", 3, 32, 3), norm("features.0.1", 32)];
  let [inputs, module] = [32, 1];
  for (const [expansion, channels, blocks] of stages) {
    for (let block = 0; block < blocks; block++) {
      const path = `features.${module++}.conv`;
      const inner = inputs * expansion;
      if (expansion > 1) found.push(conv(`${path}.0.0`, inputs, inner, 1), norm(`${path}.0.1`, inner));
      const next = expansion > 1 ? 1 : 0;
      found.push(conv(`${path}.${next}.0`, 1, inner, 3), norm(`${path}.${next}.1`, inner));
      found.push(conv(`${path}.${next + 1}`, inner, channels, 1), norm(`${path}.${next + 2}`, channels));
      inputs = channels;
    }
  }
  const top = [conv("features.18.0", 320, 1280, 1), norm("features.18.1", 1280), linear("classifier.1", 1280, classes)];
  return merged([...found, ...top]);
}

function squeezenet(fires: readonly number[], first: readonly [out: number, size: number], classes: number): Shapes {
  const squeezes = [16, 16, 32, 32, 48, 48, 64, 64];
  let inputs = first[0];
  const blocks = fires.map((module, index) => {
    const [path, squeeze] = [`features.${module}`, squeezes[index]!];
    const block = merged([
      conv(`${path}.squeeze`, inputs, squeeze, 1, true),
      conv(`${path}.expand1x1`, squeeze, 4 * squeeze, 1, true),
      conv(`${path}.expand3x3`, squeeze, 4 * squeeze, 3, true),
    ]);
    inputs = 8 * squeeze;
    return block;
  });
  return merged([conv("features.0", 3, ...first, true), ...blocks, conv("classifier.1", 512, classes, 1, true)]);
}

names("counts of MobileNetV2 and SqueezeNet", () => {
  assert.is(countOf(mobilenetV2(1000)), 3_504_872);
  assert.is(countOf(squeezenet([3, 4, 5, 7, 8, 9, 10, 12], [96, 7], 1000)), 1_248_424);
  assert.is(countOf(squeezenet([3, 4, 6, 7, 9, 10, 11, 12], [64, 3], 1000)), 1_235_496);
  assert.equal(
    ours(torchvision.squeezenet1_0, squeezenet([3, 4, 5, 7, 8, 9, 10, 12], [96, 7], 1000)),
    ours(torchvision.squeezenet1_1, squeezenet([3, 4, 6, 7, 9, 10, 11, 12], [64, 3], 1000)),
  );
});

/** Weights with Keras's names and layouts, where the checkout has them beside it. */
const samples = join(import.meta.dirname, "../../../shared/data/weights");

for (const [sample, map, shapes] of [
  ["mobilenet_v2", torchvision.mobilenet_v2, mobilenetV2(1001)],
  ["squeezenet1_1", torchvision.squeezenet1_1, squeezenet([3, 4, 6, 7, 9, 10, 11, 12], [64, 3], 1000)],
] as const) {
  const path = join(samples, `${sample}.safetensors`);
  if (!existsSync(path)) continue;
  names(`torchvision's ${sample} has a place for each tensor of the published file in Keras's layout`, () => {
    const { tensors } = parseSafetensors(new Uint8Array(readFileSync(path)), sample);
    const wanted = [...tensors.values()].map(({ name, shape }) => ({ name, shape }));
    const { report } = planFit(wanted, { file: sample, tensors: infosOf(shapes) }, { map });
    assert.is(report.loaded.length, tensors.size);
    assert.ok(report.skipped.every((name) => name.endsWith("num_batches_tracked")));
  });
}

names("older names of keras.applications", () => {
  const shapes = {
    "conv1/conv/kernel:0": [1],
    "conv1/bn/gamma:0": [1],
    "fc1000/bias:0": [1],
    "Logits/kernel": [1],
    "fc2/bias": [1],
  };
  const renamed = rename(kerasApplications, infosOf(shapes));
  assert.equal(
    [...renamed.values()],
    ["conv1_conv/kernel", "conv1_bn/gamma", "predictions/bias", "predictions/kernel", "fc2/bias"],
  );
});

// Layouts.

/** A tensor whose elements are their own places in row-major order. */
function counting(name: string, shape: readonly number[]): StoredTensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from({ length: size }, (_, index) => index);
  return { name, dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
}

/** What a parameter gets from a tensor of PyTorch's. */
function brought(tensor: StoredTensor, name: string, shape: readonly number[], options: FitOptions = {}): number[] {
  const plan = planFit(
    [{ name, shape }],
    { file: "x", tensors: new Map([[tensor.name, tensor]]) },
    { map: torch, ...options },
  );
  return [...arranged(plan.fits.get(tensor.name)!, tensor, "x")];
}

const extent = fc.integer({ min: 1, max: 5 });

names("convolutions: [out, in, height, width] → [height, width, in, out]", () => {
  fc.assert(
    fc.property(extent, extent, extent, extent, (out, inputs, height, width) => {
      const got = brought(counting("a.weight", [out, inputs, height, width]), "a/kernel", [height, width, inputs, out]);
      let place = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let i = 0; i < inputs; i++) {
            for (let o = 0; o < out; o++) assert.is(got[place++], ((o * inputs + i) * height + y) * width + x);
          }
        }
      }
    }),
  );
});

names("depthwise: [c·m, 1, height, width] → [height, width, c, m]", () => {
  fc.assert(
    fc.property(extent, extent, extent, extent, (channels, multiplier, height, width) => {
      const tensor = counting("a.weight", [channels * multiplier, 1, height, width]);
      for (const part of ["kernel", "depthwise_kernel"]) {
        const got = brought(tensor, `a/${part}`, [height, width, channels, multiplier]);
        let place = 0;
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            for (let c = 0; c < channels * multiplier; c++) assert.is(got[place++], (c * height + y) * width + x);
          }
        }
      }
    }),
  );
});

names("linear: [out, in] → [in, out], also for a convolution of 1×1, and the other way round", () => {
  fc.assert(
    fc.property(extent, fc.integer({ min: 1, max: 200 }), (out, inputs) => {
      const expected = Array.from(
        { length: inputs * out },
        (_, place) => (place % out) * inputs + Math.floor(place / out),
      );
      assert.equal(brought(counting("a.weight", [out, inputs]), "a/kernel", [inputs, out]), expected);
      assert.equal(brought(counting("a.weight", [out, inputs]), "a/kernel", [1, 1, inputs, out]), expected);
      assert.equal(brought(counting("a.weight", [out, inputs, 1, 1]), "a/kernel", [inputs, out]), expected);
    }),
  );
});

names("after a flatten: channel, row, column → row, column, channel", () => {
  fc.assert(
    fc.property(extent, extent, extent, extent, (height, width, channels, out) => {
      const flattened = { "a/kernel": [height, width, channels], "n/gamma": [height, width, channels] };
      const inputs = height * width * channels;
      const kernel = brought(counting("a.weight", [out, inputs]), "a/kernel", [inputs, out], { flattened });
      const gamma = brought(counting("n.weight", [inputs]), "n/gamma", [inputs], { flattened });
      let place = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < channels; c++) {
            const theirs = (c * height + y) * width + x;
            assert.is(gamma[place / out], theirs);
            for (let o = 0; o < out; o++) assert.is(kernel[place++], o * inputs + theirs);
          }
        }
      }
    }),
  );
});

names("shapes that cannot be the same tensor are refused", () => {
  for (const [theirs, own] of [
    [
      [4, 3, 3, 3],
      [3, 3, 3, 5],
    ],
    [
      [4, 3, 3, 5],
      [5, 3, 3, 4],
    ],
    [
      [6, 1, 3, 3],
      [3, 3, 2, 2],
    ],
    [
      [6, 1, 3, 5],
      [5, 3, 6, 1],
    ],
    [
      [2, 3],
      [2, 3],
    ],
    [[7], [8]],
  ] as const) {
    assert.throws(() => brought(counting("a.weight", theirs), "a/kernel", own), /of another shape|missing/);
  }
});

names.run();
