/** Layers as they are used: what they compute, what they refuse, and that a model of them survives training and a file. */
import * as tf from "@tensorflow/tfjs";
import * as assert from "uvu/assert";
import { TramaError } from "../../src/errors.ts";
import { advance, mul, softmaxCrossEntropy, sub } from "../../src/kernels/index.ts";
import {
  activation,
  add,
  averagePool2d,
  batchNorm,
  build,
  concat,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  globalMaxPool2d,
  identity,
  layerNorm,
  maxPool2d,
  multiply,
  reshape,
  sequential,
  spatialDropout2d,
  zeroPad2d,
  type CallContext,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import { layerFrom, recordOf } from "../../src/nn/layers/index.ts";
import { compile, copyInto, scope, valueAndGradients, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { loadBytes, saveBytes } from "../../src/weights/index.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { nd, type Nd } from "../reference/nd.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("layers");

tests.before(async () => {
  tf.env().set("PROD", true); // no console advertisement for the native backend
  await tf.setBackend("cpu");
});

const upload = (x: Nd): Tensor => device.tensor(Float32Array.from(x.data), x.shape);

function contextOf(training: boolean, step = device.tensor(Uint32Array.of(0))): CallContext {
  return { training, random: (layer) => ({ seed: 7, layer, step }) };
}

/** What a model of these layers makes of a batch. */
async function resultOf(layer: Layer, x: Nd, training = false): Promise<{ shape: Shape; data: number[] }> {
  const model = build(device, layer, { input: x.shape.slice(1) });
  const y = model.call(upload(x), contextOf(training));
  assert.equal(y.shape.slice(1), model.output);
  return { shape: y.shape, data: Array.from(await y.read()) };
}

/** 0 … 11 as one picture `[2, 3, 2]`. */
const picture = nd(
  [1, 2, 3, 2],
  Array.from({ length: 12 }, (_, i) => i),
);
const each = (f: (value: number) => number): number[] => Array.from(picture.data, f);

tests("branches get the same input and are added, multiplied or put side by side", async () => {
  const [twice, thrice] = [add([identity(), identity()]), add([identity(), identity(), identity()])];
  assert.equal((await resultOf(twice, picture)).data, each((v) => 2 * v)); // prettier-ignore
  assert.equal((await resultOf(multiply([twice, thrice]), picture)).data, each((v) => 6 * v * v)); // prettier-ignore
  const beside = await resultOf(concat([identity(), twice]), picture);
  assert.equal(beside.shape, [1, 2, 3, 4]);
  assert.equal(beside.data.slice(0, 8), [0, 1, 0, 2, 2, 3, 4, 6]);
  const below = await resultOf(concat([identity(), twice], { axis: 0 }), picture);
  assert.equal(below.shape, [1, 4, 3, 2]);
  assert.equal(below.data, [...each((v) => v), ...each((v) => 2 * v)]);
});

tests("a gate has one value for each channel", async () => {
  const gate = sequential([globalMaxPool2d(), reshape([1, 1, -1])]);
  const { data } = await resultOf(multiply([identity(), gate]), picture);
  assert.equal(data, each((v) => v * (v % 2 === 0 ? 10 : 11))); // prettier-ignore
});

tests("padding, reshaping and global pooling", async () => {
  const padded = await resultOf(zeroPad2d([[0, 1], [2, 0]]), nd([1, 1, 2, 1], [5, 6])); // prettier-ignore
  assert.equal(padded, { shape: [1, 2, 4, 1], data: [0, 0, 5, 6, 0, 0, 0, 0] });
  assert.equal((await resultOf(zeroPad2d(1), picture)).shape, [1, 4, 5, 2]);
  assert.equal((await resultOf(reshape([4, -1]), picture)).shape, [1, 4, 3]);
  assert.equal(await resultOf(globalMaxPool2d(), picture), { shape: [1, 2], data: [10, 11] });
  assert.equal(await resultOf(globalAveragePool2d(), picture), { shape: [1, 2], data: [5, 6] });
});

tests("leaky ReLU has the slope that it is given", async () => {
  const x = nd([1, 2], [-4, 4]);
  assert.equal((await resultOf(activation("leakyRelu", { slope: 0.25 }), x)).data, [-1, 4]);
  assert.equal((await resultOf(activation("leakyRelu"), x)).data, [Math.fround(-4 * Math.fround(0.01)), 4]);
});

tests("spatial dropout drops channels in training only", async () => {
  const ones = nd([4, 5, 5, 16], new Float64Array(1600).fill(1));
  assert.equal((await resultOf(spatialDropout2d(0.5), ones)).data, Array.from(ones.data));
  const { data } = await resultOf(spatialDropout2d(0.5), ones, true);
  const kept = new Set<string>();
  for (let channel = 0; channel < 64; channel++) {
    const image = Math.floor(channel / 16);
    const pixels = Array.from({ length: 25 }, (_, pixel) => data[(image * 25 + pixel) * 16 + (channel % 16)]);
    kept.add([...new Set(pixels)].join());
  }
  assert.equal([...kept].sort(), ["0", "2"]);
});

/** The parameter of a model by its name. */
function parameterOf(model: Model, name: string): Tensor {
  return model.parameters.find((parameter) => parameter.name === name)!.tensor;
}

tests("batch norm is TensorFlow.js' layer, in training, in what it remembers, and in inference", async () => {
  const shape = [4, 3, 5, 6];
  const options = { momentum: 0.8, epsilon: 0.01 };
  const model = build(device, sequential([batchNorm(options)]), { input: shape.slice(1) });
  const theirs = tf.layers.batchNormalization({ ...options, inputShape: shape.slice(1) });
  theirs.build(shape);
  const [gamma, beta] = [values([6], 1, { min: 0.5, max: 2 }), values([6], 2)].map((x) => Float32Array.from(x.data));
  device.write(parameterOf(model, "batchNorm/gamma"), gamma!);
  device.write(parameterOf(model, "batchNorm/beta"), beta!);
  theirs.setWeights([tf.tensor1d(gamma!), tf.tensor1d(beta!), tf.zeros([6]), tf.ones([6])]);
  for (let step = 0; step < 5; step++) {
    const x = values(shape, 10 + step, { min: -1, max: 2 + step });
    for (const training of [true, false]) {
      const want = theirs.apply(tf.tensor(Float32Array.from(x.data), shape), { training }) as tf.Tensor;
      const got = await model.call(upload(x), contextOf(training)).read();
      assertClose(got, nd(shape, want.dataSync()), { name: `step ${step}, training ${training}`, atol: 5e-6 });
    }
  }
  const [, , mean, variance] = theirs.getWeights().map((weight) => nd([6], weight.dataSync()));
  assertClose(await parameterOf(model, "batchNorm/moving_mean").read(), mean!, { name: "moving_mean" });
  assertClose(await parameterOf(model, "batchNorm/moving_variance").read(), variance!, { name: "moving_variance" });
});

tests("a frozen batch norm normalises with its moving statistics in training too, and leaves them", async () => {
  const x = values([8, 3], 1, { min: 3, max: 5 });
  const model = build(device, sequential([batchNorm()]), { input: [3] });
  for (const parameter of model.parameters) parameter.frozen = true;
  const y = await model.call(upload(x), contextOf(true)).read();
  const unchanged = nd([8, 3], x.data.map((value) => value / Math.sqrt(1.001))); // prettier-ignore
  assertClose(y, unchanged, { name: "frozen" });
  assert.equal(Array.from(await parameterOf(model, "batchNorm/moving_mean").read()), [0, 0, 0]);
});

tests("normalisation can do without scale and shift", async () => {
  const x = values([6, 2, 4], 1, { min: 3, max: 5 });
  const names = (layer: Layer) => build(device, layer, { input: [2, 4] }).parameters.map(({ name }) => name);
  assert.equal(names(batchNorm({ scale: false })), ["beta", "moving_mean", "moving_variance"]);
  assert.equal(names(layerNorm({ center: false })), ["gamma"]);
  const bare = { scale: false, center: false };
  for (const [plain, stripped] of [[batchNorm(), batchNorm(bare)], [layerNorm({ axes: 2 }), layerNorm({ ...bare, axes: 2 })]] as const) {
    assert.equal(await resultOf(stripped, x, true), await resultOf(plain, x, true));
  }
}); // prettier-ignore

tests("shapes that do not fit name the layer and both of them", () => {
  const refused = (layer: Layer, message: RegExp, input: Shape = [4, 4, 2]) => {
    const attempt = () => build(device, sequential([sequential([layer], { name: "block" })]), { input });
    assert.throws(attempt, (error: unknown) => error instanceof TramaError && message.test(error.message));
  };
  const half = maxPool2d(2);
  refused(
    add([identity(), half]),
    /^layer "block\/add": expected branches of one shape, got \[4, 4, 2\] and \[2, 2, 2\]/,
  );
  refused(add([identity(), globalMaxPool2d()]), /got \[4, 4, 2\] and \[2\]/);
  refused(multiply([identity(), half]), /^layer "block\/multiply": .*got \[4, 4, 2\] and \[2, 2, 2\]/);
  refused(concat([identity(), half]), /^layer "block\/concat": expected branches that differ along axis -1 only/);
  refused(concat([identity(), identity()], { axis: 3 }), /axes between -3 and 2/);
  refused(add([]), /^layer "block\/add": expected at least one branch/);
  refused(reshape([5, -1]), /^layer "block\/reshape": expected a shape of 32 elements/);
  refused(reshape([-1, -1]), /at most one −1/);
  refused(reshape([0, 2]), /a shape of 32 elements/);
  refused(zeroPad2d(-1), /^layer "block\/zeroPad2d": expected a whole number/);
  refused(zeroPad2d(1), /an input \[height, width, channels\]/, [4]);
  refused(spatialDropout2d(0.5), /an input \[height, width, channels\]/, [4]);
  refused(spatialDropout2d(1), /^layer "block\/spatialDropout2d": expected a rate/);
  refused(layerNorm({ axes: 4 }), /^layer "block\/layerNorm": expected from 1 to 3 axes/);
  assert.throws(() => activation("relu", { slope: 0.1 }), /a slope in \(0, 1\], of leakyRelu only/);
  assert.throws(() => activation("leakyRelu", { slope: 0 }), /a slope in \(0, 1\]/);
});

/** A small network of what larger ones are made of: residual and dense blocks, a gate, norms, dropout. */
function network(): Layer {
  const normalised = [
    conv2d(8, 3, { padding: "same", bias: false, initialiser: "heNormal" }),
    batchNorm({ momentum: 0.9, epsilon: 1e-5, unbiased: true }),
  ];
  const gate = sequential([globalAveragePool2d(), activation("sigmoid"), reshape([1, 1, 16])]);
  return sequential([
    zeroPad2d([[1, 0], [0, 1]]),
    ...normalised,
    activation("leakyRelu", { slope: 0.1 }),
    add([identity(), sequential([...normalised, activation("relu"), spatialDropout2d(0.25)])], { name: "residual" }),
    activation("geluExact"),
    concat([identity(), maxPool2d(3, { stride: 1, padding: 1 })]),
    multiply([identity(), gate]),
    add([globalMaxPool2d(), globalAveragePool2d()]),
    layerNorm(),
    dense(3, { initialiser: { name: "truncatedNormal", deviation: 0.2 } }),
  ]);
} // prettier-ignore

const [BATCH, INPUT] = [6, [5, 5, 3]];
const images = values([BATCH, ...INPUT], 1);
const labels = Uint32Array.from({ length: BATCH }, (_, row) => row % 3);

/** One step of plain gradient descent; the model's parameters move in place. */
function trainStep(model: Model, step: Tensor, x: Tensor, y: Tensor): Tensor {
  const learnt = model.parameters.filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  const forward = () => softmaxCrossEntropy(model.call(x, contextOf(true, step)), y);
  const { value, gradients } = valueAndGradients(forward, learnt);
  learnt.forEach((p, k) => copyInto(sub(p, mul(gradients[k]!, device.constant(0.05))), p));
  advance(step);
  return value;
}

const start = () => ({
  model: build(device, network(), { input: INPUT, seed: 3 }),
  step: device.tensor(Uint32Array.of(0)),
});

const STEPS = 12;

tests("a residual network trains: compiled as eager, moving statistics included, and loss falls", async () => {
  const [eager, compiled] = [start(), start()];
  const losses: number[] = [];
  for (let k = 0; k < STEPS; k++) {
    const [loss] = await readFrom(device, () => [
      scope(device, () => trainStep(eager.model, eager.step, upload(images), device.tensor(labels))),
    ]);
    losses.push(loss![0]!);
  }
  assert.ok(losses.at(-1)! < 0.7 * losses[0]!, `losses ${losses.join(", ")}`);

  const specs = [{ shape: images.shape }, { shape: [BATCH], dtype: "u32" }] as const;
  const program = await compile(device, specs, (x, y) => trainStep(compiled.model, compiled.step, x, y));
  program.run([Float32Array.from(images.data), labels], STEPS);
  assertSame("loss", await program.outputs.read(), Float32Array.of(losses.at(-1)!));
  program.dispose();
  const [want, got] = await Promise.all([eager, compiled].map(({ model }) => valuesOf(model)));
  want!.forEach((value, k) => assertSame(eager.model.parameters[k]!.name, got![k]!, value));
});

const valuesOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));

/** Where fusion brings a product and what follows together, an adapter's compiler may round once instead of twice. */
function assertSame(what: string, got: ArrayLike<number>, want: ArrayLike<number>): void {
  assertClose(got, nd([want.length], want), { name: what, rtol: 1e-4, atol: 1e-5 });
}

tests("a trained network comes back from its file with its branches, options and moving statistics", async () => {
  const { model, step } = start();
  scope(device, () => trainStep(model, step, upload(images), device.tensor(labels)));
  const again = loadBytes(device, await saveBytes(model));
  assert.equal(again.summaries, model.summaries);
  assert.equal(again.parameters.map(({ name }) => name), model.parameters.map(({ name }) => name)); // prettier-ignore
  assert.ok(again.parameters.some(({ name }) => name === "residual/sequential/batchNorm/moving_variance"));
  assert.equal(await valuesOf(again), await valuesOf(model));
  const predictions = await device.readMany(
    [model, again].map((each_) => each_.call(upload(images), contextOf(false))),
  );
  assert.equal(predictions[1], predictions[0]);
});

tests("every layer is written as JSON and made again from it", () => {
  const layers = [
    activation("leakyRelu", { slope: 0.2, name: "leaky" }),
    averagePool2d(2, { countPadding: true, padding: 1 }),
    batchNorm({ momentum: 0.9, epsilon: 1e-5, unbiased: true, center: false, scale: false }),
    dropout(0.1),
    globalMaxPool2d(),
    layerNorm({ axes: 2, epsilon: 1e-6 }),
    reshape([2, -1]),
    spatialDropout2d(0.2),
    zeroPad2d([[1, 2], [3, 4]]),
    conv2d(1, 1, { initialiser: { name: "constant", value: 0.5 } }),
    add([identity({ name: "shortcut" }), multiply([flatten(), concat([identity()], { axis: 0 })])], { name: "sum" }),
  ];
  const record = JSON.parse(JSON.stringify(recordOf(sequential(layers)))) as ReturnType<typeof recordOf>;
  assert.equal(recordOf(layerFrom(record, "file")), record);
}); // prettier-ignore

tests.run();
