/** What a layer's translation may use: the graph, the layer's own parameters, and the translations of the layers inside. */
import type { Layer } from "../nn/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { Attributes, Graph, Value } from "./graph.ts";

export interface Weights {
  readonly shape: Shape;
  readonly values: Float32Array;
}

export interface Scope {
  readonly graph: Graph;
  /** Path of the layer, which its nodes are called after. */
  readonly path: string;
  /** The shape that the layer makes (without the batch). */
  readonly output: Shape;
  /** A parameter of the layer by its own name, `kernel`; undefined where the layer has none such. */
  readonly parameter: (name: string) => Weights | undefined;
  /** Translates a layer inside this one; layers come in the order in which they are built. */
  readonly inner: (layer: Layer, x: Value) => Value;
}

/** Adds what a layer computes from `x`, and names the result. */
export type Translate = (scope: Scope, x: Value, layer: Layer) => Value;

/** A node of this layer. */
export function node(
  { graph, path }: Scope,
  operator: string,
  inputs: readonly string[],
  attributes?: Attributes,
): string {
  return graph.node(path, operator, inputs, attributes);
}

/** A constant of this layer. */
export function constant({ graph, path }: Scope, name: string, values: Float32Array, shape: Shape): string {
  return graph.floats(path, name, values, shape);
}

/** One number, which broadcasts. */
export function scalar(scope: Scope, name: string, value: number): string {
  return constant(scope, name, Float32Array.of(value), []);
}
