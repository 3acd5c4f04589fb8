/**
 * Pooling. Windows that reach beyond the padded image (ceil mode) are spelt as padding at the end: a maximum ignores it, and a
 * mean counts it only where it is told to, so that counted padding has to become real zeros first.
 */
import { windowGeometry, type Direction, type Pair } from "../kernels/index.ts";
import type { PoolLayerOptions } from "../nn/index.ts";
import type { Attributes, Value } from "./graph.ts";
import { node, scalar, type Scope, type Translate } from "./scope.ts";

type PoolConfig = PoolLayerOptions & { readonly size: Pair; readonly countPadding?: boolean };

export const maxPool2d: Translate = (scope, x, { config }) => {
  const source = scope.graph.channelsFirst(scope.path, guarded(scope, x));
  const { attributes, before, reach } = windows(x, config as unknown as PoolConfig);
  return pooled(scope, source, "MaxPool", { ...attributes, pads: [...before, ...reach] });
};

export const averagePool2d: Translate = (scope, x, { config }) => {
  const source = scope.graph.channelsFirst(scope.path, x);
  const options = config as unknown as PoolConfig;
  const { attributes, before, after, reach } = windows(x, options);
  const pads = [...before, ...reach];
  if (options.countPadding !== true) return pooled(scope, source, "AveragePool", { ...attributes, pads });
  const beyond = reach.map((width, axis) => Math.max(0, width - after[axis]!));
  if (beyond.every((width) => width === 0)) {
    return pooled(scope, source, "AveragePool", { ...attributes, pads, count_include_pad: 1 });
  }
  const widths = scope.graph.integers(scope.path, "pads", [0, 0, ...before, 0, 0, ...after]);
  const padded = { ...source, name: node(scope, "Pad", [source.name, widths]) };
  return pooled(scope, padded, "AveragePool", { ...attributes, pads: [0, 0, ...beyond] });
};

export const globalAveragePool2d: Translate = (scope, x) => global(scope, x, "GlobalAveragePool");
export const globalMaxPool2d: Translate = (scope, x) => global(scope, x, "GlobalMaxPool");

/**
 * Optimisers take a padding with zeros before a maximum for the pooling's own, which ignores padding (onnxruntime 1.30 and
 * onnxsim do): another node in between, which changes nothing, keeps them apart.
 */
function guarded(scope: Scope, x: Value): Value {
  if (scope.graph.makerOf(x) !== "Pad") return x;
  return { ...x, name: node(scope, "Max", [x.name, scalar(scope, "lowest", -(2 ** 127))]) };
}

function pooled(scope: Scope, x: Value, operator: string, attributes: Attributes): Value {
  return { ...x, name: node(scope, operator, [x.name], attributes), shape: scope.output };
}

function global(scope: Scope, x: Value, operator: string): Value {
  const source = scope.graph.channelsFirst(scope.path, x);
  const name = node(scope, "Flatten", [node(scope, operator, [source.name])], { axis: 1 });
  return { name, shape: scope.output, channelsFirst: false };
}

/** Padding before and after, as asked for, and how far the last windows reach beyond the image. */
function windows({ shape }: Value, { size, stride = size, padding = "valid", ceilMode = false }: PoolConfig) {
  const directions = windowGeometry("pooling", [1, ...shape], size, { stride, padding, ceilMode });
  const each = (of: (direction: Direction) => number): number[] => directions.map(of);
  return {
    attributes: { kernel_shape: each(({ kernel }) => kernel), strides: each((direction) => direction.stride) },
    before: each(({ before }) => before),
    after: each(({ after }) => after),
    reach: each((d) => Math.max(0, (d.output - 1) * d.stride + d.kernel - d.before - d.input)),
  };
}
