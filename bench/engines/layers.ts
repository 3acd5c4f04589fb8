/** Networks of our layers in the words of other libraries: one walk over the tree, a dozen words for each library. */
import { windowGeometry, type PaddingOption, type Pair } from "../../src/kernels/index.ts";
import { outlineOf, type Layer } from "../../src/nn/index.ts";
import type { Shape } from "../../src/tensor/index.ts";

export type Two<T> = readonly [T, T];

/** A window in numbers, vertical first. */
export interface Window {
  readonly size: Two<number>;
  readonly stride: Two<number>;
  readonly dilation: Two<number>;
  /** Before and after, in each direction. */
  readonly padding: Two<Two<number>>;
}

export type ActivationWord = "relu" | "relu6" | "sigmoid";

/** What a layer with weights computes: f(x·kernel + bias). */
export interface Weighted<T> {
  readonly kernel: T;
  readonly bias: T | null;
  readonly activation: ActivationWord | null;
}

export interface Normed<T> {
  readonly gamma: T;
  readonly beta: T;
  readonly mean: T;
  readonly variance: T;
  readonly epsilon: number;
  readonly momentum: number;
}

export interface LayerWords<T> {
  conv2d(x: T, weights: Weighted<T>, window: Window): T;
  depthwiseConv2d(x: T, weights: Weighted<T>, window: Window): T;
  dense(x: T, weights: Weighted<T>): T;
  maxPool2d(x: T, window: Window): T;
  averagePool2d(x: T, window: Window): T;
  globalAveragePool2d(x: T): T;
  globalMaxPool2d(x: T): T;
  batchNorm(x: T, norm: Normed<T>): T;
  activation(x: T, name: ActivationWord): T;
  /** Images to rows in our order of axes, whatever the library's. `shape` is that of an image. */
  flatten(x: T, shape: Shape): T;
  add(a: T, b: T): T;
  concat(values: readonly T[]): T;
  /** The same value for one more use. */
  share(x: T): T;
}

/** The options of all layers that are understood here. */
interface Config {
  readonly size: Pair;
  readonly stride?: Pair;
  readonly padding?: PaddingOption;
  readonly dilation?: Pair;
  readonly ceilMode?: boolean;
  readonly bias?: boolean;
  readonly activation?: ActivationWord;
  readonly kind: ActivationWord;
  readonly epsilon?: number;
  readonly momentum?: number;
  readonly rate?: number;
}

/** The layer applied to `x`, a batch of images of this shape; `next` hands out parameters in the layers' order. */
export function applyLayer<T>(words: LayerWords<T>, layer: Layer, x: T, shape: Shape, next: () => T): T {
  const config = layer.config as unknown as Config;
  const branches = () =>
    layer.children.map((child, index) => {
      const last = index === layer.children.length - 1;
      return applyLayer(words, child, last ? x : words.share(x), shape, next);
    });
  switch (layer.kind) {
    case "sequential":
      return inSequence(words, layer, x, shape, next);
    case "conv2d":
    case "depthwiseConv2d":
      return words[layer.kind](x, weightsOf(config, next), windowOf(config, shape));
    case "dense":
      return words.dense(x, weightsOf(config, next));
    case "maxPool2d":
    case "averagePool2d":
      return words[layer.kind](x, windowOf({ ...config, stride: config.stride ?? config.size }, shape));
    case "globalAveragePool2d":
    case "globalMaxPool2d":
      return words[layer.kind](x);
    case "batchNorm": {
      const [gamma, beta, mean, variance] = [next(), next(), next(), next()];
      const { epsilon = 1e-3, momentum = 0.99 } = config;
      return words.batchNorm(x, { gamma, beta, mean, variance, epsilon, momentum });
    }
    case "activation":
      return words.activation(x, config.kind);
    case "flatten":
      return words.flatten(x, shape);
    case "add":
      return branches().reduce((a, b) => words.add(a, b));
    case "concat":
      return words.concat(branches());
    case "identity":
      return x;
    default:
      if (layer.kind === "dropout" && config.rate === 0) return x;
      throw new Error(`the layer ${layer.kind} has not been described for peers`);
  }
}

function inSequence<T>(words: LayerWords<T>, { children }: Layer, x: T, shape: Shape, next: () => T): T {
  let [value, extent] = [x, shape];
  for (const child of children) {
    value = applyLayer(words, child, value, extent, next);
    extent = outlineOf(child, extent).output;
  }
  return value;
}

function weightsOf<T>({ bias = true, activation }: Config, next: () => T): Weighted<T> {
  const kernel = next();
  return { kernel, bias: bias ? next() : null, activation: activation ?? null };
}

/** What a cut-off window of `ceilMode` lacks is padding. */
function windowOf(config: Config, shape: Shape): Window {
  const { size, stride = 1, padding = "valid", dilation = 1, ceilMode = false } = config;
  const both = windowGeometry("bench", [1, ...shape], size, { stride, padding, dilation, ceilMode });
  const each = <R>(of: (direction: (typeof both)[0]) => R): Two<R> => [of(both[0]), of(both[1])];
  return {
    size: each(({ kernel }) => kernel),
    stride: each((direction) => direction.stride),
    dilation: each((direction) => direction.dilation),
    padding: each(({ input, output, before, after, span, stride: step }) => [
      before,
      Math.max(after, (output - 1) * step + span - input - before),
    ]),
  };
}

export const isUnpadded = ({ padding }: Window): boolean => padding.flat().every((width) => width === 0);
