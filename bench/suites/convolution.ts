/** Convolution: forward, and the two gradients. */
import { conv2d } from "../../src/kernels/index.ts";
import { opCase, type Case, type CaseFacts, type Suite } from "../case.ts";
import { gradientOf } from "../engines/trama.ts";
import type { Tf, TfTensor } from "../engines/tfjs.ts";

type Four = [number, number, number, number];

interface Layer {
  readonly label: string;
  readonly x: Four;
  readonly w: Four;
  readonly padding: "same" | "valid";
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
const large: Layer = {
  label: "64×56×56×64→64, 3×3",
  x: [64, 56, 56, 64],
  w: [3, 3, 64, 64],
  padding: "same",
  when: "gpu",
};

function outputOf({ x, w, padding }: Layer): Four {
  const lost = padding === "valid" ? w[0] - 1 : 0;
  return [x[0], x[1] - lost, x[2] - lost, w[3]];
}

function facts(layer: Layer, goal: NonNullable<CaseFacts["goal"]>) {
  const { w, when = "always" } = layer;
  const [batch, height, width] = outputOf(layer);
  return { flops: 2 * batch * height * width * w[0] * w[1] * w[2] * w[3], goal, when };
}

function forward(layer: Layer): Case {
  const { label, x, w, padding } = layer;
  return opCase({
    ...facts(layer, "convolutionForward"),
    name: `conv2d ${label}`,
    inputs: [{ shape: x }, { shape: w }],
    op: (image, filter) => conv2d(image, filter, { padding }),
    peer: (tf, image, filter) => tf.conv2d(image as TfImage, filter as TfImage, 1, padding),
  });
}

type TfImage = ReturnType<Tf["tensor4d"]>;

/** The gradient's kernel alone, which spares tfjs the forward pass that its tape would run. */
function runGradient(
  tf: Tf,
  kernel: string,
  inputs: Record<string, TfTensor>,
  layer: Layer,
  shape: Record<string, Four>,
) {
  const attributes = { strides: 1, pad: layer.padding, dataFormat: "NHWC", dimRoundingMode: undefined, ...shape };
  return tf.engine().runKernel<TfTensor>(kernel, inputs, attributes as never);
}

function inputGradient(layer: Layer): Case {
  const { label, x, w, padding } = layer;
  return opCase({
    ...facts(layer, "convolution"),
    name: `conv2d input gradient ${label}`,
    inputs: [{ shape: x }, { shape: w }, { shape: outputOf(layer) }],
    op: (image, filter, dy) => gradientOf(() => conv2d(image, filter, { padding }), image, dy),
    peer: (tf, _image, filter, dy) =>
      runGradient(tf, "Conv2DBackpropInput", { dy: dy, filter: filter }, layer, { inputShape: x }),
  });
}

function filterGradient(layer: Layer): Case {
  const { label, x, w, padding } = layer;
  return opCase({
    ...facts(layer, "filterGradient"),
    name: `conv2d filter gradient ${label}`,
    inputs: [{ shape: x }, { shape: w }, { shape: outputOf(layer) }],
    op: (image, filter, dy) => gradientOf(() => conv2d(image, filter, { padding }), filter, dy),
    peer: (tf, image, _filter, dy) =>
      runGradient(tf, "Conv2DBackpropFilter", { x: image, dy: dy }, layer, { filterShape: w }),
  });
}

export const convolutionSuite: Suite = {
  name: "convolution",
  cases: [
    ...[middle, deep, first, pointwise, large].map(forward),
    ...[middle, deep, pointwise, large].map(inputGradient),
    ...[middle, deep, first, pointwise, large].map(filterGradient),
  ],
};
