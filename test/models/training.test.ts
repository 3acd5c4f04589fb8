/**
 * Networks on the device: each trains, predicts and survives its file, within the memory that was foretold. Small forms
 * here; `npm run test:models` does the same for the full ones, and for the studies' batches.
 */
import * as assert from "uvu/assert";
import { DeviceError } from "../../src/errors.ts";
import { imageDataset, type ImageDataset } from "../../src/data/index.ts";
import {
  buildArchitecture,
  countsOf,
  defaultInputOf,
  estimateMemory,
  fastResnet,
  modelNames,
  studyNetwork,
  wideResnet,
} from "../../src/models/index.ts";
import { adam, build, sgd, type Layer, type Model, type Optimizer } from "../../src/nn/index.ts";
import { openDevice, sizeOf, type Device, type TypedArray } from "../../src/tensor/index.ts";
import { fit, predict } from "../../src/train/index.ts";
import { loadBytes, saveBytes } from "../../src/weights/index.ts";
import { device as sharedDevice, deviceSuite } from "../tensor/device.ts";
import { refusal } from "../weights/refusals.ts";

const tests = deviceSuite("networks on the device");

const CLASSES = 3;

/** Noise with labels: there is nothing to generalise, but anything can be learnt by heart. */
function noise(shape: readonly number[], count: number): ImageDataset {
  const images = new Uint8Array(count * sizeOf(shape));
  let state = 1;
  for (let at = 0; at < images.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    images[at] = state >>> 24;
  }
  const labels = Uint8Array.from({ length: count }, (_, index) => index % CLASSES);
  const classNames = Array.from({ length: CLASSES }, (_, index) => `class ${index}`);
  const [height = 1, width = 1, channels = 1] = shape;
  const rest = {
    shape: [height, width, channels],
    classNames,
    synthetic: true,
    split: "train",
    origin: "SYNTHETIC noise",
  } as const;
  return imageDataset({ images, labels, ...rest });
}

interface Case {
  readonly layer: Layer;
  readonly input: readonly number[];
  readonly batch: number;
  readonly steps: number;
  readonly optimizer?: Optimizer;
}

/** Trains on a device of its own, and compares the memory that it took with what was foretold. */
async function train(name: string, { layer, input, batch, steps, optimizer = adam() }: Case): Promise<void> {
  const own = await openDevice();
  try {
    const model = build(own, layer, { input });
    const before = await valuesOf(model);
    const data = noise(input, batch * steps);
    const { history } = await fit(model, data, { epochs: 1, batchSize: batch, optimizer });
    assert.ok(Number.isFinite(history[0]!.loss), `loss ${history[0]!.loss}`);
    const after = await valuesOf(model);
    const unchanged = model.parameters.filter((_, index) => isSame(before[index]!, after[index]!));
    assert.equal(unchanged.map((parameter) => parameter.name), [], "training reaches every parameter"); // prettier-ignore
    assert.ok(after.every((values) => values.every((value) => Number.isFinite(value))));
    const peak = own.memory.peakBytes - data.images.byteLength;
    const estimate = estimateMemory(layer, { input, batch, optimizer }).total;
    report(name, own, peak, estimate);
    // Buffers come in sizes that waste a quarter at most; 64 KB hold counters, uniforms and the like.
    assert.ok(peak < 1.25 * estimate + 65_536, `${peak} bytes, where ${estimate} were foretold`);
    assert.ok(estimate < 3 * peak, `${estimate} bytes foretold, and ${peak} needed`);
  } finally {
    await own.close();
  }
}

const isLong = process.env["TRAMA_MODELS"] !== undefined;

function report(name: string, { name: adapter }: Device, peak: number, estimate: number): void {
  if (!isLong) return;
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  console.log(`\n  ${name}: at most ${megabytes(peak)} on ${adapter}, ${megabytes(estimate)} foretold`);
}

function valuesOf({ device, parameters }: Model): Promise<TypedArray[]> {
  return device.readMany(parameters.map(({ tensor }) => tensor));
}

function isSame(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const small: Readonly<Record<string, { readonly layer: Layer; readonly input?: readonly number[] }>> = {
  "SqueezeNet 1.1": { layer: buildArchitecture("squeezenet1_1", { classes: CLASSES }) },
  "MobileNetV2, 0.35 as wide": { layer: buildArchitecture("mobilenetv2", { classes: CLASSES, width: 0.35 }) },
  "ResNet18": { layer: buildArchitecture("resnet18", { classes: CLASSES }) },
  "a DenseNet of eight layers": { layer: buildArchitecture("densenet121", { classes: CLASSES, blocks: [2, 2, 2, 2] }) },
  "WRN-10-2 with dropout": { layer: wideResnet(10, 2, { classes: CLASSES, dropout: 0.3 }) },
  "the fast network": { layer: fastResnet({ classes: CLASSES, width: 8 }), input: [28, 28, 1] },
}; // prettier-ignore

for (const [name, { layer, input = [32, 32, 3] }] of Object.entries(small)) {
  tests(`${name} trains`, () => train(name, { layer, input, batch: 12, steps: 2 }));
}

tests("a network comes back from its file: depthwise filters, pooling in ceil mode, statistics", async () => {
  for (const name of ["mobilenetv2", "squeezenet1_1"] as const) {
    const layer = buildArchitecture(name, { classes: CLASSES, convention: "torch" });
    const model = build(sharedDevice, layer, { input: [36, 36, 3] });
    const again = loadBytes(sharedDevice, await saveBytes(model));
    const { images } = noise([36, 36, 3], 2);
    const [one, other] = await Promise.all([model, again].map((each) => predict(each, images)));
    assert.equal(other, one);
    assert.not(one!.probabilities.every((value) => value === one!.probabilities[0]));
  }
});

tests("VGG16 at its full size says what an adapter with small bindings cannot hold, before it allocates", async () => {
  const layer = buildArchitecture("vgg16");
  const input = defaultInputOf("vgg16");
  const { parameters, gradients, moments } = estimateMemory(layer, { input, optimizer: sgd() });
  assert.equal([gradients, moments], [parameters, 0]);
  assert.ok(parameters >= 4 * 138_357_544 && parameters < 4.001 * 138_357_544);
  if (sharedDevice.gpu.limits.maxStorageBufferBindingSize > 4 * 25_088 * 4096) return;
  const before = sharedDevice.memory;
  const error = await refusal(() => build(sharedDevice, layer, { input }));
  assert.instance(error, DeviceError);
  assert.match(error.message, /^parameter "fc1\/kernel": expected at most .* got \[25088, 4096\], 411\.0 MB/);
  assert.equal(sharedDevice.memory, before);
});

if (isLong) {
  for (const name of modelNames) {
    // The classifiers of VGG have a tensor that fits into few adapters' bindings at the size that they were made for.
    const input = name.startsWith("vgg") ? [48, 48, 3] : defaultInputOf(name);
    tests(`${name} predicts and trains at ${input.join("×")}`, async () => {
      const layer = buildArchitecture(name, { classes: CLASSES });
      const model = build(sharedDevice, layer, { input });
      const { probabilities } = await predict(model, noise(input, 1).images);
      assert.ok(Math.abs(probabilities.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
      await train(name, { layer, input: name === "fastresnet" ? input : [48, 48, 3], batch: 3, steps: 1 });
    });
  }

  // 60 and 138 million parameters and their moments lie in several bindings where one holds 33 million.
  tests("ResNet152V2 trains at 48×48 in batches of 32", () =>
    train("ResNet152V2, 32 × 48²", {
      layer: buildArchitecture("resnet152v2", { classes: CLASSES }),
      input: [48, 48, 3],
      batch: 32,
      steps: 1,
    }),
  );

  tests("VGG16 trains at 48×48 in batches of 64", () =>
    train("VGG16, 64 × 48²", {
      layer: buildArchitecture("vgg16", { classes: CLASSES }),
      input: [48, 48, 3],
      batch: 64,
      steps: 1,
    }),
  );

  for (const name of ["s0-vgg16", "s0-resnet152v2", "s0-densenet169"] as const) {
    tests(`the network of ${name} trains`, async () => {
      const layer = studyNetwork(name);
      assert.equal(countsOf(layer, [48, 48, 3]).output, [10]);
      await train(name, { layer, input: [48, 48, 3], batch: 32, steps: 1 });
    });
  }
}

tests.run();
