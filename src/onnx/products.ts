/** Dense layers and convolutions, with their biases and activations. Filters HWIO become OIHW. */
import { transposedGeometry, windowGeometry, type Direction, type FusedActivation } from "../kernels/index.ts";
import type {
  Conv2dOptions,
  ConvLayerOptions,
  DenseOptions,
  DepthwiseConv2dOptions,
  TransposedConv2dOptions,
} from "../nn/index.ts";
import type { Pair } from "../kernels/index.ts";
import { activated } from "./activations.ts";
import type { Attributes, Value } from "./graph.ts";
import { constant, node, type Scope, type Translate, type Weights } from "./scope.ts";
import { permuted } from "./weights.ts";

/** y = x·W + b */
export const dense: Translate = (scope, x, { config }) => {
  const { activation } = config as DenseOptions;
  const { shape, values } = scope.parameter("kernel")!;
  const inputs = [x.name, constant(scope, "kernel", values, shape), ...biasOf(scope)];
  return activated(scope, { ...x, name: node(scope, "Gemm", inputs), shape: scope.output }, activation);
};

export const conv2d: Translate = (scope, x, { config }) => {
  const { size, groups = 1, activation, ...options } = config as unknown as Conv2dOptions & { readonly size: Pair };
  const kernel = oihw(scope, "kernel");
  return convolved(scope, x, kernel, { ...windowAttributes(x, size, options), group: groups }, activation);
};

export const depthwiseConv2d: Translate = (scope, x, { config }) => {
  const { activation, ...options } = config as unknown as DepthwiseOptions;
  return convolved(scope, x, ...depthwise(scope, x, options), activation);
};

/** Depthwise, then across the channels of each pixel. */
export const separableConv2d: Translate = (scope, x, { config }) => {
  const { activation, ...options } = config as unknown as DepthwiseOptions;
  const [kernel, attributes] = depthwise(scope, x, options);
  const source = scope.graph.channelsFirst(scope.path, x);
  const filtered = node(scope, "Conv", [source.name, kernel], attributes);
  return convolved(scope, { ...source, name: filtered }, oihw(scope, "pointwise_kernel"), {}, activation);
};

/** Filters `[height, width, out, in]` become `[in, out, height, width]`. */
export const transposedConv2d: Translate = (scope, x, { config }) => {
  const { size, activation, ...options } = config as unknown as TransposedConv2dOptions & { readonly size: Pair };
  const directions = transposedGeometry("transposedConv2d", [1, ...x.shape], size, options);
  const [v, h] = directions;
  // What padding takes off the end, output padding adds: one of the two is nothing.
  const attributes = {
    ...movesOf(directions),
    pads: [v.before, h.before, Math.max(v.after, 0), Math.max(h.after, 0)],
    output_padding: [Math.max(-v.after, 0), Math.max(-h.after, 0)],
  };
  return convolved(scope, x, oihw(scope, "kernel"), attributes, activation, "ConvTranspose");
};

type DepthwiseOptions = DepthwiseConv2dOptions & { readonly size: Pair };

/** Filters `[height, width, in, multiplier]` as those of a convolution with a group for each channel. */
function depthwise(scope: Scope, x: Value, { size, ...options }: DepthwiseOptions): [kernel: string, Attributes] {
  const { shape, values } = scope.parameter("depthwise_kernel")!;
  const [height = 1, width = 1, channels = 1, multiplier = 1] = shape;
  const filters = permuted(values, shape, [2, 3, 0, 1]);
  const kernel = constant(scope, "depthwise_kernel", filters, [channels * multiplier, 1, height, width]);
  return [kernel, { ...windowAttributes(x, size, options), group: channels }];
}

function convolved(
  scope: Scope,
  x: Value,
  kernel: string,
  attributes: Attributes,
  activation: FusedActivation | undefined,
  operator = "Conv",
): Value {
  const source = scope.graph.channelsFirst(scope.path, x);
  const name = node(scope, operator, [source.name, kernel, ...biasOf(scope)], attributes);
  return activated(scope, { name, shape: scope.output, channelsFirst: true }, activation);
}

/** `[height, width, a, b]` as `[b, a, height, width]`. */
function oihw(scope: Scope, name: string): string {
  const { shape, values }: Weights = scope.parameter(name)!;
  const order = [3, 2, 0, 1];
  return constant(scope, name, permuted(values, shape, order), order.map((axis) => shape[axis]!)); // prettier-ignore
}

function biasOf(scope: Scope): string[] {
  const bias = scope.parameter("bias");
  return bias ? [constant(scope, "bias", bias.values, bias.shape)] : [];
}

function windowAttributes({ shape }: Value, size: Pair, options: ConvLayerOptions): Attributes {
  const { stride = 1, padding = "valid", dilation = 1 } = options;
  const directions = windowGeometry("convolution", [1, ...shape], size, { stride, padding, dilation });
  const [v, h] = directions;
  return { ...movesOf(directions), pads: [v.before, h.before, v.after, h.after] };
}

function movesOf([v, h]: readonly [Direction, Direction]): Attributes {
  return {
    kernel_shape: [v.kernel, h.kernel],
    strides: [v.stride, h.stride],
    dilations: [v.dilation, h.dilation],
  };
}
