/** What can be said of an architecture before anything is built. */
import type { Normalisation } from "../kernels/index.ts";
import { outlineOf, type Layer } from "../nn/index.ts";
import { sizeOf, type Shape } from "../tensor/index.ts";
import { buildArchitecture, defaultInputOf, pixelsFor, type BuildOptions, type ModelName } from "./zoo.ts";

export interface LayerCounts {
  readonly input: Shape;
  readonly output: Shape;
  /** Numbers that make up the model, running statistics included, as Keras counts. */
  readonly parameters: number;
  /** Those that are learnt, as PyTorch counts. */
  readonly trainable: number;
  /** Of the parameters, in full precision. */
  readonly bytes: number;
  /** Operations for one picture; a multiplication and an addition are two. */
  readonly flops: number;
  /** Convolutions and dense layers on the longest path, which is what the names of networks count. */
  readonly depth: number;
}

export interface ArchitectureDescription extends LayerCounts {
  readonly name: ModelName;
  readonly normalisation: Normalisation;
}

/** Describes an architecture; `input` defaults to the shape that it was made for. */
export function describe<N extends ModelName>(name: N, options: BuildOptions<N> = {}): ArchitectureDescription {
  const { input = defaultInputOf(name), convention } = options;
  const layer = buildArchitecture(name, { ...options, input });
  return { name, normalisation: pixelsFor(name, convention), ...countsOf(layer, input) };
}

/** Counts the parameters and operations of any layers. */
export function countsOf(layer: Layer, input: Shape): LayerCounts {
  const { output, parameters, summaries } = outlineOf(layer, input);
  const count = (all: typeof parameters): number => all.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const total = count(parameters);
  return {
    input,
    output,
    parameters: total,
    trainable: count(parameters.filter(({ trainable }) => trainable)),
    bytes: 4 * total,
    flops: summaries.reduce((sum, { flops }) => sum + flops, 0),
    depth: depthOf(layer),
  };
}

/** Layers with weights that follow each other, by kind. */
const DEPTHS: Readonly<Record<string, number>> = {
  conv2d: 1,
  dense: 1,
  depthwiseConv2d: 1,
  separableConv2d: 2,
  transposedConv2d: 1,
};

function depthOf({ kind, children }: Layer): number {
  const depths = children.map(depthOf);
  if (kind === "sequential") return depths.reduce((sum, depth) => sum + depth, 0);
  return Math.max(DEPTHS[kind] ?? 0, ...depths);
}
