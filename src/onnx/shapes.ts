/** Layers that move elements, and layers of layers. */
import type { ConcatOptions, Layer, ZeroPadding } from "../nn/index.ts";
import { normaliseAxes } from "../tensor/index.ts";
import { axisOf, type Value } from "./graph.ts";
import { node, type Scope, type Translate } from "./scope.ts";

/** Of the layers that do nothing once training is over. */
export const nothing: Translate = (_, x) => x;

export const sequential: Translate = (scope, x, { children }) =>
  children.reduce((value, layer) => scope.inner(layer, value), x);

export const flatten: Translate = (scope, x) => scope.graph.reshaped(scope.path, x, scope.output);
export const reshape = flatten;

export const zeroPad2d: Translate = (scope, x, { config }) => {
  const { padding } = config as { readonly padding: ZeroPadding };
  const [rows, columns] = typeof padding === "number" ? ([[padding, padding], [padding, padding]] as const) : padding; // prettier-ignore
  const widths = (side: 0 | 1): number[] => {
    const [height, width] = [rows[side], columns[side]];
    return x.channelsFirst ? [0, 0, height, width] : [0, height, width, 0];
  };
  const pads = scope.graph.integers(scope.path, "pads", [...widths(0), ...widths(1)]);
  return { ...x, name: node(scope, "Pad", [x.name, pads]), shape: scope.output };
};

export const add: Translate = (scope, x, layer) => combined(scope, x, layer, "Add");
export const multiply: Translate = (scope, x, layer) => combined(scope, x, layer, "Mul");

export const concat: Translate = (scope, x, layer) => {
  const { axis = -1 } = layer.config as ConcatOptions;
  const values = branches(scope, x, layer);
  const [along] = normaliseAxes("concat", [axis], scope.output.length) as [number];
  const names = values.map(({ name }) => name);
  const name = node(scope, "Concat", names, { axis: axisOf(values[0]!, along) });
  return { ...values[0]!, name, shape: scope.output };
};

function combined(scope: Scope, x: Value, layer: Layer, operator: string): Value {
  const values = branches(scope, x, layer);
  const name = values.map((value) => value.name).reduce((a, b) => node(scope, operator, [a, b]));
  return { ...values[0]!, name, shape: scope.output };
}

/** What each branch makes of `x`, all in one order of axes: channels first, if one of them has them so. */
function branches(scope: Scope, x: Value, { children }: Layer): Value[] {
  const values = children.map((child) => scope.inner(child, x));
  if (!values.some(({ channelsFirst }) => channelsFirst)) return values;
  return values.map((value) => scope.graph.channelsFirst(scope.path, value));
}
