/** Convolution layers: what TensorFlow.js' layers compute with the same weights, what they cost, and what they refuse. */
import * as tf from "@tensorflow/tfjs";
import * as assert from "uvu/assert";
import { TramaError } from "../../src/errors.ts";
import {
  build,
  conv2d,
  depthwiseConv2d,
  separableConv2d,
  sequential,
  transposedConv2d,
  type Layer,
} from "../../src/nn/index.ts";
import { layerFrom, recordOf } from "../../src/nn/layers/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import * as reference from "../reference/conv.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("convolution layers");

tests.before(async () => {
  tf.env().set("PROD", true); // no console advertisement for the native backend
  await tf.setBackend("cpu");
});

const INPUT = [6, 7, 4];
const x = values([2, ...INPUT], 1);
const upload = () => device.tensor(Float32Array.from(x.data), x.shape);
const context = { training: false, random: () => ({ seed: 1, layer: 0, step: device.zeros([1], "u32") }) };

/** A model of one layer with drawn weights, and those weights in order. */
function modelOf(layer: Layer) {
  const model = build(device, sequential([layer], { name: "model" }), { input: INPUT });
  const weights = model.parameters.map(({ shape }, index) => values(shape, 10 + index));
  model.parameters.forEach(({ tensor }, index) => device.write(tensor, Float32Array.from(weights[index]!.data)));
  return { model, weights };
}

interface Twin {
  readonly ours: Layer;
  readonly theirs: tf.layers.Layer;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly flops: number;
}

const twins: readonly Twin[] = [
  {
    ours: depthwiseConv2d(3, { stride: 2, padding: "same", multiplier: 2, activation: "relu" }),
    theirs: tf.layers.depthwiseConv2d({
      kernelSize: 3,
      strides: 2,
      padding: "same",
      depthMultiplier: 2,
      activation: "relu",
    }),
    parameters: { depthwise_kernel: [3, 3, 4, 2], bias: [8] },
    flops: 2 * 3 * 4 * 9 * 8,
  },
  {
    ours: separableConv2d(5, [3, 2], { multiplier: 2, activation: "sigmoid" }),
    theirs: tf.layers.separableConv2d({ filters: 5, kernelSize: [3, 2], depthMultiplier: 2, activation: "sigmoid" }),
    parameters: { depthwise_kernel: [3, 2, 4, 2], pointwise_kernel: [1, 1, 8, 5], bias: [5] },
    flops: 2 * 4 * 6 * (6 * 8 + 8 * 5),
  },
  {
    ours: transposedConv2d(3, 4, { stride: 2, padding: "same", bias: false }),
    theirs: tf.layers.conv2dTranspose({ filters: 3, kernelSize: 4, strides: 2, padding: "same", useBias: false }),
    parameters: { kernel: [4, 4, 3, 4] },
    flops: 2 * 6 * 7 * 16 * 3 * 4,
  },
  {
    ours: transposedConv2d(3, [3, 2], { stride: [2, 3], activation: "tanh" }),
    theirs: tf.layers.conv2dTranspose({ filters: 3, kernelSize: [3, 2], strides: [2, 3], activation: "tanh" }),
    parameters: { kernel: [3, 2, 3, 4], bias: [3] },
    flops: 2 * 6 * 7 * 6 * 3 * 4,
  },
];

for (const { ours, theirs, parameters, flops } of twins) {
  tests(`${ours.kind} ${JSON.stringify(ours.config)} is TensorFlow.js' layer`, async () => {
    const { model, weights } = modelOf(ours);
    assert.equal(
      Object.fromEntries(model.parameters.map(({ name, shape }) => [name.split("/").at(-1)!, shape])),
      parameters,
    );
    assert.is(model.summaries[0]!.flops, flops);
    theirs.build([null, ...INPUT]);
    theirs.setWeights(weights.map(({ data, shape }) => tf.tensor(Float32Array.from(data), [...shape])));
    const want = theirs.apply(tf.tensor(Float32Array.from(x.data), [...x.shape])) as tf.Tensor;
    assert.equal(model.output, want.shape.slice(1));
    assertClose(await model.call(upload(), context).read(), nd(want.shape, want.dataSync()), { name: ours.kind });
  });
}

tests("groups see their own channels", async () => {
  const { model, weights } = modelOf(conv2d(6, 3, { groups: 2, padding: "same", activation: "relu6" }));
  const [kernel, bias] = weights;
  assert.equal(kernel!.shape, [3, 3, 2, 6]);
  assert.is(model.summaries[0]!.flops, 2 * 6 * 7 * 9 * 2 * 6);
  const padding = { top: 1, bottom: 1, left: 1, right: 1 };
  const linear = reference.conv2d(x, kernel!, { groups: 2, padding, bias: bias! });
  const want = nd(linear.shape, linear.data.map((value) => Math.min(Math.max(value, 0), 6))); // prettier-ignore
  assertClose(await model.call(upload(), context).read(), want, { name: "conv2d in groups" });
});

tests("initial values are as large as what a unit sees asks for", () => {
  const fans = (layer: Layer) => build(device, layer, { input: INPUT }).parameters.map((parameter) => parameter.fans);
  assert.equal(fans(conv2d(6, 3, { groups: 2, bias: false })), [{ fanIn: 18, fanOut: 27 }]);
  assert.equal(fans(depthwiseConv2d(3, { multiplier: 2, bias: false })), [{ fanIn: 9, fanOut: 18 }]);
  assert.equal(fans(transposedConv2d(6, 3, { bias: false })), [{ fanIn: 36, fanOut: 54 }]);
});

tests("what does not fit is refused by name", () => {
  const refused = (layer: Layer, message: RegExp, input = INPUT) =>
    assert.throws(
      () => build(device, layer, { input }),
      (error: unknown) => error instanceof TramaError && message.test(error.message),
    );
  refused(conv2d(6, 3, { groups: 3 }), /groups that divide 4 channels, got 3/);
  refused(conv2d(5, 3, { groups: 2 }), /groups that divide 5 channels, got 2/);
  refused(depthwiseConv2d(3, { multiplier: 0.5 }), /a positive whole number of filters a channel, got 0.5/);
  refused(depthwiseConv2d(9), /an image of at least 9 pixels high/);
  refused(separableConv2d(0, 3), /a positive whole number of filters, got 0/);
  refused(transposedConv2d(2, 3, { stride: 2, outputPadding: 1 }), /with explicit padding, got 1, with "valid"/);
  refused(transposedConv2d(2, 3), /an input \[height, width, channels\]/, [sizeOf(INPUT)]);
});

tests("every convolution layer is written as JSON and made again from it", () => {
  const layers = [
    conv2d(6, 3, { groups: 2 }),
    depthwiseConv2d([3, 5], { multiplier: 2, dilation: 2, name: "mix" }),
    separableConv2d(8, 3, { padding: "same", stride: 2, activation: "relu" }),
    transposedConv2d(2, 4, { stride: 2, padding: 1, outputPadding: 1, bias: false }),
  ];
  for (const layer of layers) {
    const record = JSON.parse(JSON.stringify(recordOf(layer))) as ReturnType<typeof recordOf>;
    assert.equal(recordOf(layerFrom(record, "file")), record);
  }
});

tests.run();
