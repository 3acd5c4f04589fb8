/**
 * Resizing. ONNX' `Resize` computes places in f32 and knows no area; what does not come out the same to the last pixel is
 * spelt out instead: nearest neighbours as gathered rows and columns, wide and area filters as two matrices.
 */
import type { ResizeOptions, UpSamplingOptions } from "../nn/index.ts";
import type { Value } from "./graph.ts";
import { constant, node, type Scope, type Translate } from "./scope.ts";

type Convention = NonNullable<ResizeOptions["convention"]>;

export const upSampling2d: Translate = (scope, x, { config }) => {
  const { interpolation = "nearest" } = config as UpSamplingOptions;
  if (interpolation === "bilinear") return interpolated(scope, x, "halfPixel");
  const source = scope.graph.channelsFirst(scope.path, x);
  // Every place is a whole number divided by a whole factor: rounding down is exact.
  return resized(scope, source, {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  });
};

export const resize2d: Translate = (scope, x, { config }) => {
  const { interpolation = "bilinear", convention = "halfPixel", antialias = false } = config as ResizeOptions;
  if (interpolation === "nearest") return gathered(scope, x, convention);
  const [height = 1, width = 1] = x.shape;
  const shrinks = scope.output[0]! < height || scope.output[1]! < width;
  if (interpolation === "area") return filtered(scope, x, areaWeight);
  return antialias && shrinks ? filtered(scope, x, tentWeight) : interpolated(scope, x, convention);
};

const MODES: Readonly<Record<Convention, string>> = {
  halfPixel: "half_pixel",
  alignCorners: "align_corners",
  asymmetric: "asymmetric",
};

function interpolated(scope: Scope, x: Value, convention: Convention): Value {
  const source = scope.graph.channelsFirst(scope.path, x);
  return resized(scope, source, { mode: "linear", coordinate_transformation_mode: MODES[convention] });
}

function resized(scope: Scope, x: Value, attributes: Readonly<Record<string, string>>): Value {
  // Not `sizes`, which would fix the batch.
  const factors = [1, 1, ...[0, 1].map((axis) => factorOf(x.shape[axis]!, scope.output[axis]!))];
  const name = node(
    scope,
    "Resize",
    [x.name, "", constant(scope, "scales", Float32Array.from(factors), [4])],
    attributes,
  );
  return { ...x, name, shape: scope.output };
}

/** output / input in f32, not below it: the size of the result is the product, rounded down. */
function factorOf(input: number, output: number): number {
  const factor = Math.fround(output / input);
  return Math.fround(factor * input) < output ? Math.fround(factor * (1 + 2 ** -23)) : factor;
}

/** Rows and columns by their numbers. */
function gathered(scope: Scope, x: Value, convention: Convention): Value {
  const source = scope.graph.channelsFirst(scope.path, x);
  const name = [0, 1].reduce((values, axis) => {
    const [input, output] = [x.shape[axis]!, scope.output[axis]!];
    const places = Array.from({ length: output }, (_, o) => nearest(convention, o, input, output));
    const indices = scope.graph.integers(scope.path, axis === 0 ? "rows" : "columns", places);
    return node(scope, "Gather", [values, indices], { axis: axis + 2 });
  }, source.name);
  return { ...source, name, shape: scope.output };
}

/** The input pixel nearest to output pixel o, in whole numbers. */
function nearest(convention: Convention, o: number, input: number, output: number): number {
  if (convention === "asymmetric") return Math.floor((o * input) / output);
  if (convention === "halfPixel") return Math.floor(((2 * o + 1) * input) / (2 * output));
  return output === 1 ? 0 : Math.floor((2 * o * (input - 1) + output - 1) / (2 * (output - 1)));
}

/** The weight of input pixel r in output pixel o, before they are divided by their sum. */
type Weight = (o: number, r: number, input: number, output: number) => number;

/** The overlap of both pixels. */
const areaWeight: Weight = (o, r, input, output) => {
  const scale = input / output;
  return Math.max(0, Math.min((o + 1) * scale, r + 1) - Math.max(o * scale, r));
};

/** A tent of the width of an output pixel, but no narrower than an input pixel. */
const tentWeight: Weight = (o, r, input, output) => {
  const scale = input / output;
  const place = Math.min(
    Math.max((o + 0.5) * scale - 0.5, scale > 1 ? -Infinity : 0),
    scale > 1 ? Infinity : input - 1,
  );
  return Math.max(0, 1 - Math.abs(place - r) / Math.max(scale, 1));
};

/** rows · x · columnsᵀ for each channel. */
function filtered(scope: Scope, x: Value, weight: Weight): Value {
  const source = scope.graph.channelsFirst(scope.path, x);
  const [height = 1, width = 1] = x.shape;
  const [tall = 1, wide = 1] = scope.output;
  const rows = constant(scope, "rows", filterMatrix(height, tall, weight), [tall, height]);
  const columns = filterMatrix(width, wide, weight);
  const across = Float32Array.from(columns, (_, at) => columns[(at % wide) * width + Math.floor(at / wide)]!);
  const narrowed = node(scope, "MatMul", [source.name, constant(scope, "columns", across, [width, wide])]);
  return { ...source, name: node(scope, "MatMul", [rows, narrowed]), shape: scope.output };
}

function filterMatrix(input: number, output: number, weight: Weight): Float32Array {
  const lines = Array.from({ length: output }, (_, o) => {
    const line = Array.from({ length: input }, (_unused, r) => weight(o, r, input, output));
    const sum = line.reduce((total, value) => total + value, 0);
    return line.map((value) => value / sum);
  });
  return Float32Array.from(lines.flat());
}
