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
import { countOf, densenet, mobilenetV2, resnet, squeezenet, vgg, type Shapes } from "./torchvisionShapes.ts";

const names = suite("weight names");

function infosOf(shapes: Shapes): ReadonlyMap<string, TensorInfo> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name, { name, dtype: "F32", shape }]));
}

/** Our names of all weights, sorted; no two may be the same. */
function ours(map: NameMap, shapes: Shapes): readonly string[] {
  const renamed = [...rename(map, infosOf(shapes)).values()].filter((name) => name !== null);
  assert.is(new Set(renamed).size, renamed.length);
  return renamed.sort();
}

const parts = (path: string, ...own: readonly string[]): string[] => own.map((part) => `${path}/${part}`);
const normParts = (path: string): string[] => parts(path, "gamma", "beta", "moving_mean", "moving_variance");

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
    const shapes = densenet(blocks, isOld);
    const wanted = ["conv1_conv/kernel", ...normParts("conv1_bn"), ...normParts("bn")];
    blocks.forEach((count, block) => {
      for (let layer = 1; layer <= count; layer++) {
        const own = `conv${block + 2}_block${layer}`;
        wanted.push(...normParts(`${own}_0_bn`), `${own}_1_conv/kernel`);
        wanted.push(...normParts(`${own}_1_bn`), `${own}_2_conv/kernel`);
      }
      if (block < 3) wanted.push(...normParts(`pool${block + 2}_bn`), `pool${block + 2}_conv/kernel`);
    });
    assert.is(countOf(shapes), 14_149_480);
    assert.equal(ours(torchvision.densenet, shapes), [...wanted, ...parts("predictions", "kernel", "bias")].sort());
  });
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
