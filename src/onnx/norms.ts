/** Normalisation, with the running statistics of training. */
import type { BatchNormOptions, LayerNormOptions } from "../nn/index.ts";
import { sizeOf, type Shape } from "../tensor/index.ts";
import { constant, node, type Scope, type Translate } from "./scope.ts";

export const batchNorm: Translate = (scope, x, { config }) => {
  const { epsilon = 1e-3 } = config as BatchNormOptions;
  const shape = x.shape.slice(-1);
  const source = scope.graph.channelsFirst(scope.path, x);
  const inputs = [
    source.name,
    parameterOr(scope, "gamma", shape, 1),
    parameterOr(scope, "beta", shape, 0),
    parameterOr(scope, "moving_mean", shape, 0),
    parameterOr(scope, "moving_variance", shape, 1),
  ];
  return { ...source, name: node(scope, "BatchNormalization", inputs, { epsilon: { float: epsilon } }) };
};

export const layerNorm: Translate = (scope, x, { config }) => {
  const { epsilon = 1e-3, axes = 1 } = config as LayerNormOptions;
  const shape = x.shape.slice(-axes);
  const source = scope.graph.channelsLast(scope.path, x);
  const inputs = [source.name, parameterOr(scope, "gamma", shape, 1), parameterOr(scope, "beta", shape, 0)];
  const attributes = { axis: -axes, epsilon: { float: epsilon } };
  return { ...source, name: node(scope, "LayerNormalization", inputs, attributes) };
};

/** A parameter, or one number in the place of each of its elements. */
function parameterOr(scope: Scope, name: string, shape: Shape, otherwise: number): string {
  const values = scope.parameter(name)?.values ?? new Float32Array(sizeOf(shape)).fill(otherwise);
  return constant(scope, name, values, shape);
}
