/** What changes how a step is made, and must not change what it learns: precision, accumulation, clipping, averages. */
import * as assert from "uvu/assert";
import { syntheticGarments, takeImages } from "../../src/data/index.ts";
import {
  activation,
  adam,
  add,
  batchNorm,
  build,
  conv2d,
  dense,
  flatten,
  globalAveragePool2d,
  identity,
  maxPool2d,
  sequential,
  sgd,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import { evaluate, fit, type Callback, type Checkpoint, type FitOptions } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("training variants");
const { train: garments, test: others } = syntheticGarments({ trainCount: 1200, testCount: 400, seed: 3 });

const convolutional = (): Layer =>
  sequential([
    conv2d(8, 3, { activation: "relu" }),
    maxPool2d(2),
    flatten(),
    dense(32, { activation: "relu" }),
    dense(10),
  ]);

/** A small residual net with batch norm. */
function residual(): Layer {
  const block = (filters: number) => [
    conv2d(filters, 3, { padding: "same", bias: false, initialiser: "heNormal" }),
    batchNorm({ momentum: 0.9 }),
    activation("relu"),
  ];
  return sequential([
    ...block(12),
    maxPool2d(4),
    add([identity(), sequential(block(12))]),
    globalAveragePool2d(),
    dense(10),
  ]);
}

const built = (architecture: Layer, seed = 6): Model => build(device, architecture, { input: [28, 28, 1], seed });
const weightsOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));
const perceptron = (): Model => built(sequential([flatten(), dense(16, { activation: "relu" }), dense(10)]));

/** The largest difference between two models' parameters, against the largest parameter. */
async function distance(a: Model, b: Model): Promise<number> {
  const [x, y] = [await weightsOf(a), await weightsOf(b)];
  const pairs = x.flatMap((values, k) => Array.from(values, (value, at) => [value, y[k]![at]!] as const));
  const most = (list: readonly number[]) => list.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  return most(pairs.map(([p, q]) => p - q)) / most(pairs.map(([p]) => p));
}

if (device.gpu.features.has("shader-f16")) {
  for (const [name, architecture, least] of [
    ["ConvNet", convolutional, 0.6],
    ["residual net", residual, 0.3],
  ] as const) {
    tests(`mixed precision learns as f32 does, over three seeds: ${name}`, async () => {
      const accuracies = { f32: [] as number[], mixed: [] as number[] };
      for (const seed of [1, 2, 3]) {
        for (const precision of ["f32", "mixed"] as const) {
          const model = built(architecture(), seed);
          const optimizer = adam({ learningRate: 3e-3 });
          const { stopped } = await fit(model, takeImages(garments, 800), {
            epochs: 4,
            batchSize: 40,
            optimizer,
            seed,
            precision,
          });
          assert.is(stopped, "completed");
          accuracies[precision].push((await evaluate(model, others)).accuracy);
        }
      }
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const [full, half] = [mean(accuracies.f32), mean(accuracies.mixed)];
      assert.ok(full > least && Math.abs(full - half) < 0.03, JSON.stringify(accuracies));
    });
  }

  tests("an overflow halves the loss scale and leaves that update out", async () => {
    const taken: Checkpoint[] = [];
    const take: Callback = { onEpochEnd: async (_, training) => taken.push(await training.checkpoint()) };
    // A batch of one that the model is sure and wrong about: its gradient is 1, and 65,536 is no half.
    const model = build(device, sequential([flatten(), dense(10)]), {
      input: [28, 28, 1],
      normalisation: { scale: 5000, shift: 0 },
    });
    const options: FitOptions = { epochs: 2, batchSize: 1, precision: "mixed", optimizer: sgd({ learningRate: 1e-9 }) };
    await fit(model, takeImages(garments, 4), { ...options, callbacks: [take] });
    const tensor = (name: string) => taken[1]!.tensors.get(name)!.values[0]!;
    assert.ok(tensor("scale") < 65_536, `scale ${tensor("scale")}`);
    assert.is(tensor("updates"), 8 - Math.log2(65_536 / tensor("scale")));
  });
}

tests("batches accumulated to one update teach what one large batch teaches", async () => {
  const [large, small] = [perceptron(), perceptron()];
  const options: FitOptions = { epochs: 2, shuffle: false, optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) };
  await fit(large, garments, { ...options, batchSize: 96 });
  const { steps } = await fit(small, garments, { ...options, batchSize: 24, accumulate: 4 });
  assert.is(steps, 100);
  assert.ok((await distance(large, small)) < 1e-4, `${await distance(large, small)}`);
});

tests("the last, shorter group of an epoch counts its own batches", async () => {
  const [large, small] = [perceptron(), perceptron()];
  const some = {
    ...garments,
    count: 144,
    images: garments.images.subarray(0, 144 * 784),
    labels: garments.labels.subarray(0, 144),
  };
  const options: FitOptions = { epochs: 1, shuffle: false, optimizer: sgd({ learningRate: 0.1 }) };
  await fit(large, some, { ...options, batchSize: 96 }); // 96 and 48
  await fit(small, some, { ...options, batchSize: 24, accumulate: 4 }); // 4 × 24 and 2 × 24
  assert.ok((await distance(large, small)) < 1e-4, `${await distance(large, small)}`);
});

tests("clipping bounds the length of an update", async () => {
  const model = perceptron();
  const before = await weightsOf(model);
  const some = {
    ...garments,
    count: 48,
    images: garments.images.subarray(0, 48 * 784),
    labels: garments.labels.subarray(0, 48),
  };
  await fit(model, some, { epochs: 1, batchSize: 48, clipNorm: 0.01, optimizer: sgd({ learningRate: 1 }) });
  const after = await weightsOf(model);
  const squares = after.flatMap((values, k) => Array.from(values, (value, at) => (value - before[k]![at]!) ** 2));
  const length = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
  assert.ok(Math.abs(length - 0.01) < 1e-5, `${length}`);
});

tests("a moving average of the parameters is what is judged and kept, and survives a resumption", async () => {
  const options: FitOptions = { epochs: 3, batchSize: 96, ema: 0.9, validation: others };
  const whole = perceptron();
  const seen: Checkpoint[] = [];
  const take: Callback = { onEpochEnd: async (_, training) => seen.push(await training.checkpoint()) };
  const { history } = await fit(whole, garments, { ...options, callbacks: [take] });
  assert.is((await evaluate(whole, others)).loss, history[2]!.validation!.loss);
  const resumed = perceptron();
  const second = await fit(resumed, garments, { ...options, resume: seen[0]! });
  assert.equal(await weightsOf(resumed), await weightsOf(whole));
  assert.is(second.history[2]!.validation!.loss, history[2]!.validation!.loss);
  const plain = perceptron();
  await fit(plain, garments, { ...options, ema: null });
  assert.ok((await distance(plain, whole)) > 1e-3);
});

tests.run();
