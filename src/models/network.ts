/** What all architectures have in common: their options, the two programs' conventions, and how a network ends. */
import { OptionError } from "../errors.ts";
import {
  activation,
  batchNorm,
  conv2d,
  dense,
  dropout,
  globalAveragePool2d,
  globalMaxPool2d,
  sequential,
  type BatchNormOptions,
  type Conv2dOptions,
  type Initialiser,
  type Layer,
} from "../nn/index.ts";
import type { Pair } from "../kernels/index.ts";

/**
 * Whose layers to follow where Keras' applications and torchvision differ: padding of strided windows, epsilon and momentum
 * of batch norm, initial values, the pixels that are expected. Weights need the convention that they were trained with.
 */
export type Convention = "keras" | "torch";

export interface ArchitectureOptions {
  /** Classes to tell apart. Default: those of the data that the network was made for: 1000, or 10 for small pictures. */
  readonly classes?: number;
  /** Whether it ends in a classifier, which gives logits; else in features. Default: true. */
  readonly top?: boolean;
  /** How features `[height, width, channels]` become `[channels]` where there is no top. Default: null, they stay. */
  readonly pooling?: "avg" | "max" | null;
  /** Default: of the program that published weights for it. */
  readonly convention?: Convention;
  /** Dropout rate in the classifier. Default: the publication's. */
  readonly dropout?: number;
  /** Of the whole network, as a layer of another. Default: the architecture's. */
  readonly name?: string;
}

/** What an architecture is made of, apart from what the options say. */
export interface Parts {
  readonly name: string;
  readonly features: readonly Layer[];
  /** The classifier's layers. */
  readonly top: (classes: number) => readonly Layer[];
  /** Default number of classes: 1000. */
  readonly classes?: number;
  /** Options of this architecture alone. */
  readonly own?: readonly string[];
}

const COMMON = ["classes", "top", "pooling", "convention", "dropout", "name"];

/** Features, and behind them the classifier, a pooling or nothing. */
export function network(parts: Parts, options: ArchitectureOptions): Layer {
  const { classes = parts.classes ?? 1000, top = true, pooling = null, convention, name = parts.name } = options;
  const refuse = (expected: string, got: unknown): void => {
    throw new OptionError({ where: parts.name, expected, got: JSON.stringify(got) ?? "undefined" });
  };
  const known = [...COMMON, ...(parts.own ?? [])];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) refuse(`options among ${known.join(", ")}`, unknown);
  if (!Number.isInteger(classes) || classes < 1) refuse("a positive whole number of classes", classes);
  if (!["avg", "max", null].includes(pooling)) refuse('pooling "avg", "max" or null', pooling);
  if (top && pooling !== null) refuse("pooling only with top: false", pooling);
  if (!["keras", "torch", undefined].includes(convention)) refuse('a convention "keras" or "torch"', convention);
  return sequential([...parts.features, ...(top ? parts.top(classes) : pooled(pooling))], { name });
}

function pooled(pooling: "avg" | "max" | null): Layer[] {
  if (pooling === null) return [];
  return [pooling === "avg" ? globalAveragePool2d({ name: "avg_pool" }) : globalMaxPool2d({ name: "max_pool" })];
}

/** The classifier of most networks: the mean of each channel, dropout, one dense layer. */
export function meanClassifier(rate: number): (classes: number) => Layer[] {
  return (classes) => [
    globalAveragePool2d({ name: "avg_pool" }),
    ...(rate === 0 ? [] : [dropout(rate, { name: "top_dropout" })]),
    dense(classes, { name: "predictions" }),
  ];
}

export interface Blocks {
  /** A convolution without bias. */
  readonly conv: (filters: number, size: Pair, name: string, options?: Conv2dOptions) => Layer;
  readonly norm: (name: string) => Layer;
  readonly relu: (name: string) => Layer;
  /** Of all filters. */
  readonly initialiser: Initialiser;
}

/** What PyTorch means by `BatchNorm2d()`. */
const TORCH_NORM: BatchNormOptions = { epsilon: 1e-5, momentum: 0.9, unbiased: true };

/** Layers in a convention; `keras` is how that architecture's batch norm differs from Keras' default. */
export function blocksOf(convention: Convention, keras: BatchNormOptions): Blocks {
  const options = convention === "torch" ? TORCH_NORM : keras;
  const initialiser = initialiserOf(convention);
  return {
    conv: (filters, size, name, rest = {}) => conv2d(filters, size, { bias: false, initialiser, name, ...rest }),
    norm: (name) => batchNorm({ ...options, name }),
    relu: (name) => activation("relu", { name }),
    initialiser,
  };
}

/** Keras begins all layers alike; torchvision begins convolutions as He et al. 2015 (equation 10) would. */
export function initialiserOf(convention: Convention): Initialiser {
  return convention === "torch" ? "heNormal" : "glorotUniform";
}
