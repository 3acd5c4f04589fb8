/** Convolution: forward, and the two gradients. */
import { conv2d } from "../../src/kernels/index.ts";
import { opCase, type Case, type CaseFacts, type Suite } from "../case.ts";
import { jaxGradients, type JaxApi, type JaxArray } from "../engines/jax.ts";
import { gradientOf } from "../engines/trama.ts";
import type { Tf, TfImage, TfTensor } from "../engines/tfjs.ts";

type Four = [number, number, number, number];

interface Layer {
  readonly label: string;
  readonly x: Four;
  readonly w: Four;
  readonly padding: "same" | "valid";
  /** Default: 1. */
  readonly stride?: number;
  readonly when?: NonNullable<CaseFacts["when"]>;
}

const middle: Layer = { label: "32×28×28×32→64, 3×3", x: [32, 28, 28, 32], w: [3, 3, 32, 64], padding: "same" };
const deep: Layer = {
  label: "8×56×56×64→64, 3×3",
  x: [8, 56, 56, 64],
  w: [3, 3, 64, 64],
  padding: "same",
  when: "full",
};
const first: Layer = { label: "128×28×28×1→32, 3×3 valid", x: [128, 28, 28, 1], w: [3, 3, 1, 32], padding: "valid" };
const pointwise: Layer = { label: "8×28×28×128→256, 1×1", x: [8, 28, 28, 128], w: [1, 1, 128, 256], padding: "same" };
const stem: Layer = {
  label: "8×112×112×3→64, 7×7 stride 2",
  x: [8, 112, 112, 3],
  w: [7, 7, 3, 64],
  padding: "same",
  stride: 2,
  when: "full",
};
const large: Layer = {
  label: "64×56×56×64→64, 3×3",
  x: [64, 56, 56, 64],
  w: [3, 3, 64, 64],
  padding: "same",
  when: "gpu",
};

function outputOf({ x, w, padding, stride = 1 }: Layer): Four {
  const lost = padding === "valid" ? w[0] - 1 : 0;
  return [x[0], Math.ceil((x[1] - lost) / stride), Math.ceil((x[2] - lost) / stride), w[3]];
}

function facts(layer: Layer, goal: NonNullable<CaseFacts["goal"]>) {
  const { w, when = "always" } = layer;
  const [batch, height, width] = outputOf(layer);
  return { flops: 2 * batch * height * width * w[0] * w[1] * w[2] * w[3], goal, when };
}

const image = (shape: Four) => ({ shape, layout: "image" }) as const;
const filterOf = ({ w }: Layer) => ({ shape: w, layout: "filter" }) as const;

const onnxPadding = ({ padding }: Layer) => ({ auto_pad: padding === "same" ? "SAME_UPPER" : "VALID" });

/** jax-js knows the paddings by the same names. */
const jaxConv = ({ padding, stride = 1 }: Layer, { lax }: JaxApi, x: JaxArray, w: JaxArray) =>
  lax.convGeneralDilated(x, w, [stride, stride], padding === "same" ? "SAME" : "VALID");

function forward(layer: Layer): Case {
  const { label, x, padding, stride = 1 } = layer;
  return opCase({
    ...facts(layer, "convolutionForward"),
    name: `conv2d ${label}`,
    inputs: [image(x), { ...filterOf(layer), constant: true }],
    layouts: ["image"],
    trama: (images, filter) => conv2d(images, filter, { padding, stride }),
    tfjs: (tf, images, filter) => tf.conv2d(images as TfImage, filter as TfImage, stride, padding),
    ort: (graph, images, filter) =>
      graph.node("Conv", [images, filter], { ...onnxPadding(layer), strides: [stride, stride] }),
    jax: (jax, images, filter) => jaxConv(layer, jax, images, filter),
  });
}

/** The gradient's kernel alone, which spares tfjs the forward pass that its tape would run. */
function runGradient(
  tf: Tf,
  kernel: string,
  inputs: Record<string, TfTensor>,
  { padding, stride = 1 }: Layer,
  shape: Record<string, Four>,
) {
  const attributes = { strides: stride, pad: padding, dataFormat: "NHWC", dimRoundingMode: undefined, ...shape };
  return tf.engine().runKernel<TfTensor>(kernel, inputs, attributes as never);
}

/** In ONNX it is an operator of its own, the transposed convolution. */
function inputGradient(layer: Layer): Case {
  const { label, x, padding, stride = 1 } = layer;
  return opCase({
    ...facts(layer, "convolution"),
    name: `conv2d input gradient ${label}`,
    inputs: [image(x), { ...filterOf(layer), constant: true }, image(outputOf(layer))],
    layouts: ["image"],
    trama: (images, filter, dy) => gradientOf(() => conv2d(images, filter, { padding, stride }), images, dy),
    tfjs: (tf, _images, filter, dy) =>
      runGradient(tf, "Conv2DBackpropInput", { dy: dy, filter: filter }, layer, { inputShape: x }),
    ort: (graph, _images, filter, dy) =>
      graph.node("ConvTranspose", [dy, filter], {
        ...onnxPadding(layer),
        strides: [stride, stride],
        output_shape: [x[1], x[2]],
      }),
    jax(jax, images, filter, dy) {
      const [y, dx] = jaxGradients(jax, (each) => jaxConv(layer, jax, each, filter), [images], dy);
      y!.dispose();
      return dx!;
    },
  });
}

function filterGradient(layer: Layer): Case {
  const { label, x, w, padding, stride = 1 } = layer;
  return opCase({
    ...facts(layer, "filterGradient"),
    name: `conv2d filter gradient ${label}`,
    inputs: [image(x), filterOf(layer), image(outputOf(layer))],
    layouts: ["filter"],
    trama: (images, filter, dy) => gradientOf(() => conv2d(images, filter, { padding, stride }), filter, dy),
    tfjs: (tf, images, _filter, dy) =>
      runGradient(tf, "Conv2DBackpropFilter", { x: images, dy: dy }, layer, { filterShape: w }),
    jax(jax, images, filter, dy) {
      const [y, dw] = jaxGradients(jax, (each) => jaxConv(layer, jax, images, each), [filter], dy);
      y!.dispose();
      return dw!;
    },
  });
}

export const convolutionSuite: Suite = {
  name: "convolution",
  cases: [
    ...[middle, deep, first, pointwise, stem, large].map(forward),
    ...[middle, deep, pointwise, stem, large].map(inputGradient),
    ...[middle, deep, first, pointwise, stem, large].map(filterGradient),
  ],
};
