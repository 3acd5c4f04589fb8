/** Training as a whole: it learns, it repeats, it stops when told, it notices when all is lost, and it leaks nothing. */
import * as assert from "uvu/assert";
import {
  loadFashionMnist,
  selectImages,
  syntheticGarments,
  takeImages,
  type ImageDataset,
} from "../../src/data/index.ts";
import { OptionError, ShapeError, DataError } from "../../src/errors.ts";
import {
  adam,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  maxPool2d,
  sequential,
  sgd,
  type Model,
} from "../../src/nn/index.ts";
import { sizeOf, type Device } from "../../src/tensor/index.ts";
import { evaluate, fit, predict, type EpochResult } from "../../src/train/index.ts";
import { adam as adamReference, type AdamState } from "../reference/optimizers.ts";
import { unary } from "../reference/elementwise.ts";
import { matmul, matmulGrad } from "../reference/matmul.ts";
import { nd, type Nd } from "../reference/nd.ts";
import { softmaxCrossEntropy, softmaxCrossEntropyGrad } from "../reference/softmax.ts";
import { assertClose } from "../reference/compare.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { findFashionMnist } from "./fashionMnist.ts";

const test = deviceSuite("training");
const { train: garments, test: others } = syntheticGarments({ trainCount: 600, testCount: 200, seed: 3 });

function perceptron(on: Device, seed = 5): Model {
  return build(on, sequential([flatten(), dense(32, { activation: "relu" }), dense(10)]), { input: [28, 28, 1], seed });
}

function convolutional(on: Device): Model {
  const block = [conv2d(8, 3, { activation: "relu" }), maxPool2d(2)];
  return build(on, sequential([...block, flatten(), dropout(0.25), dense(10)]), { input: [28, 28, 1], seed: 6 });
}

const weightsOf = (model: Model) => model.device.readMany(model.parameters.map(({ tensor }) => tensor));

test("one batch is learnt by heart", async () => {
  const model = perceptron(device);
  const batch = takeImages(garments, 64);
  const { history } = await fit(model, batch, { epochs: 150, batchSize: 64, optimizer: adam({ learningRate: 0.01 }) });
  assert.ok(history.at(-1)!.loss < 0.01, `loss ${history.at(-1)!.loss}`);
  assert.is((await evaluate(model, batch)).accuracy, 1);
});

test("evaluation and prediction take as many samples at a time as a binding can hold", async () => {
  const layers = sequential([conv2d(256, 1), maxPool2d(28), flatten(), dense(10)]);
  const model = build(device, layers, { input: [28, 28, 1] }); // 200 samples make 161 MB of the first layer, lavapipe holds 134
  const { count, loss } = await evaluate(model, others);
  assert.is(count, others.count);
  assert.ok(Math.abs(loss - (await evaluate(model, others, { batchSize: 50 })).loss) < 1e-5);
  assert.is((await predict(model, others.images)).classes.length, others.count);
});

test("two runs with one seed give the same bits, another seed gives others", async () => {
  const run = async (seed: number) => {
    const model = convolutional(device);
    const { history } = await fit(model, garments, { epochs: 2, batchSize: 96, seed });
    return { losses: history.map(({ loss }) => loss), weights: await weightsOf(model) };
  };
  const [first, second, other] = [await run(1), await run(1), await run(2)];
  assert.equal(first, second);
  assert.not.equal(first.losses, other.losses);
});

test("steps of a perceptron follow the float64 reference", async () => {
  const model = perceptron(device);
  const data = takeImages(garments, 48);
  const [w1, b1, w2, b2] = (await weightsOf(model)).map((values, k) =>
    nd(model.parameters[k]!.shape, Float64Array.from(values)),
  );
  let states: AdamState[] = [w1!, b1!, w2!, b2!].map(startOfAdam);
  const losses: number[] = [];
  await fit(model, data, {
    epochs: 3,
    batchSize: 16,
    shuffle: false,
    callbacks: [{ onEpochEnd: ({ loss }) => losses.push(loss) }],
  });
  const expected: number[] = [];
  for (let epoch = 0; epoch < 3; epoch++) {
    let sum = 0;
    for (let start = 0; start < 48; start += 16) {
      const step = referenceStep(
        states.map(({ p }, k) => nd(model.parameters[k]!.shape, Float64Array.from(p))),
        data,
        start,
        16,
      );
      sum += step.loss;
      states = states.map((state, k) => adamReference(state, step.gradients[k]!.data, { learningRate: 1e-3 }));
    }
    expected.push(sum / 3);
  }
  expected.forEach((loss, epoch) =>
    assert.ok(Math.abs(loss - losses[epoch]!) < 1e-4, `epoch ${epoch}: ${losses[epoch]}, reference ${loss}`),
  );
  const weights = await weightsOf(model);
  weights.forEach((values, k) =>
    assertClose(values, nd(model.parameters[k]!.shape, Float64Array.from(states[k]!.p)), {
      name: model.parameters[k]!.name,
      rtol: 1e-3,
      atol: 1e-4,
    }),
  );
});

function startOfAdam({ data }: Nd) {
  return { p: data, m: new Float64Array(data.length), v: new Float64Array(data.length), step: 0 };
}

/** Loss and gradients of one batch of a 784-32-10 perceptron, from the formulas. */
function referenceStep([w1, b1, w2, b2]: Nd[], { images, labels }: ImageDataset, start: number, rows: number) {
  const x = nd(
    [rows, 784],
    Float64Array.from(images.subarray(start * 784, (start + rows) * 784), (byte) => byte / 255),
  );
  const classes = Array.from(labels.subarray(start, start + rows));
  const hidden = matmul(x, w1!, { bias: b1!, activation: unary.relu });
  const logits = matmul(hidden, w2!, { bias: b2! });
  const { loss } = softmaxCrossEntropy(logits, classes);
  const second = matmulGrad(hidden, w2!, softmaxCrossEntropyGrad(logits, classes), { bias: b2! });
  const first = matmulGrad(x, w1!, second.da, { bias: b1!, activation: unary.relu });
  return { loss, gradients: [first.db, first.dbias, second.db, second.dbias] };
}

test("batches that do not divide the images: every image counts once", async () => {
  const model = perceptron(device);
  const seen: EpochResult[] = [];
  const { steps } = await fit(model, garments, {
    epochs: 1,
    batchSize: 128,
    validation: others,
    callbacks: [{ onEpochEnd: (result) => seen.push(result) }],
  });
  assert.is(steps, 5); // 4 × 128 + 88
  assert.is(seen[0]!.validation!.count, 200);
  const judged = await evaluate(model, garments, { batchSize: 77 });
  assert.is(judged.count, 600);
  const { classes, probabilities } = await predict(model, garments.images, { batchSize: 77 });
  const hits = classes.filter((label, index) => label === garments.labels[index]).length;
  assert.is(judged.accuracy, hits / 600);
  for (let row = 0; row < 600; row += 83) {
    const sum = probabilities.subarray(row * 10, row * 10 + 10).reduce((total, p) => total + p, 0);
    assert.ok(Math.abs(sum - 1) < 1e-5);
  }
});

test("a signal stops training and keeps what was learnt", async () => {
  const model = perceptron(device);
  const before = (await evaluate(model, garments)).loss;
  const stop = new AbortController();
  const onStep = ({ step }: { step: number }) => {
    if (step >= 2) stop.abort();
  };
  const { stopped, steps } = await fit(model, garments, {
    epochs: 50,
    batchSize: 32,
    signal: stop.signal,
    callbacks: [{ onStep }],
  });
  assert.is(stopped, "interrupted");
  assert.ok(steps < 50 * 19, `${steps} steps`);
  assert.ok((await evaluate(model, garments)).loss < before);
});

test("training that diverges stops, says where, and puts good parameters back", async () => {
  const model = perceptron(device);
  const { stopped, message } = await fit(model, garments, { epochs: 20, optimizer: sgd({ learningRate: 1e30 }) });
  assert.is(stopped, "diverged");
  assert.match(message!, /NaN or infinite.*dense/);
  for (const values of await weightsOf(model)) assert.ok(values.every(Number.isFinite));
});

test("memory does not grow from run to run", async () => {
  const on = device;
  const model = convolutional(on);
  const once = async () => {
    await fit(model, garments, { epochs: 1, batchSize: 100, validation: 0.2 });
    await evaluate(model, others);
    await predict(model, others.images);
    return on.memory;
  };
  await once();
  const before = await once();
  for (let round = 0; round < 5; round++) await once();
  const after = await once();
  // Less is possible: models of earlier tests may be collected meanwhile.
  assert.ok(after.buffersInUse <= before.buffersInUse && after.bytesInUse <= before.bytesInUse);
  assert.is(after.created, before.created, "every buffer comes from the pool");
});

test("wrong options and data are refused by name", async () => {
  const model = perceptron(device);
  const refuses = async (action: Promise<unknown>, kind: new (...args: never[]) => Error, message: RegExp) => {
    const error = await action.then(
      () => null,
      (thrown: Error) => thrown,
    );
    assert.instance(error, kind);
    assert.match(error!.message, message);
  };
  await refuses(fit(model, garments, { epochs: 0 }), OptionError, /at least one epoch, got 0/);
  await refuses(fit(model, garments, { batchSize: 1.5 }), OptionError, /batch size/);
  await refuses(fit(model, garments, { validation: 1 }), OptionError, /fraction/);
  await refuses(predict(model, new Uint8Array(100)), ShapeError, /multiple of 784 bytes/);
  const wide = { ...garments, shape: [14, 28, 2] as const };
  await refuses(evaluate(model, wide), ShapeError, /images that can be brought to \[28, 28, 1\].*\[14, 28, 2\]/);
  const narrow = build(device, sequential([flatten(), dense(3)]), { input: [28, 28, 1] });
  await refuses(fit(narrow, garments), DataError, /one output for each of 10 classes/);
});

test("a layer that does not fit is named when the model is built", async () => {
  const on = device;
  const wrong = sequential([conv2d(4, 3), dense(10)]);
  assert.throws(() => build(on, wrong, { input: [28, 28, 1] }), /layer "dense": expected an input \[features\]/);
  const small = sequential([conv2d(4, 3, { name: "too_large" })]);
  assert.throws(
    () => build(on, small, { input: [2, 2, 1] }),
    /layer "too_large": expected an image of at least 3 pixels/,
  );
});

test("real images: 150 steps of the ConvNet pass 0.77 on the test file", async () => {
  const directory = findFashionMnist();
  if (directory === null) {
    console.log("    (skipped: no Fashion-MNIST in TRAMA_DATA or ../device/data)");
    return;
  }
  const on = device;
  const data = await loadFashionMnist({ directory, synthetic: "never" });
  const layers = [
    conv2d(28, 3, { activation: "relu" }),
    maxPool2d(2),
    flatten(),
    dense(100, { activation: "relu" }),
    dense(10),
  ] as const;
  const model = build(on, sequential(layers), { input: [28, 28, 1] });
  assert.is(model.size, 474_590);
  // Software adapters that are slow see fewer images, more often the same ones.
  const images = on.name.includes("SwiftShader") ? 3200 : 19_200;
  await fit(
    model,
    selectImages(
      data.train,
      Uint32Array.from({ length: images }, (_, index) => index),
    ),
    { epochs: 19_200 / images },
  );
  const { accuracy } = await evaluate(model, takeImages(data.test, 2000));
  assert.ok(accuracy > 0.77, `accuracy ${accuracy}`);
});

test("parameter counts of the studies' perceptrons", async () => {
  const on = device;
  const sizes = [[256], [256, 128], [256, 128, 64], [552, 336], [504, 288, 408]].map((hidden) => {
    const layers = [flatten(), ...hidden.map((units) => dense(units, { activation: "relu" })), dense(10)];
    const model = build(on, sequential(layers), { input: [28, 28, 1] });
    assert.is(
      model.size,
      model.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    );
    return model.size;
  });
  assert.equal(sizes, [203_530, 235_146, 242_762, 622_498, 663_082]);
});

test.run();
