/** Losses by what they ask for: a name, the targets that they compare outputs with, and how. */
import { OptionError } from "../errors.ts";
import {
  add,
  categoricalHinge,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  mul,
  sigmoidCrossEntropy,
  softFBeta,
  softmaxCrossEntropy,
} from "../kernels/index.ts";
import type { Tensor } from "../tensor/index.ts";

export interface Loss {
  readonly name: string;
  /** `classes`: class numbers `[batch]`, or distributions over the classes. `values`: of the shape of the outputs. */
  readonly targets: "classes" | "values";
  /** The loss of a batch, a scalar. */
  compute(outputs: Tensor, targets: Tensor): Tensor;
}

const weightsOn = ({ device }: Tensor, weights: readonly number[] | undefined) =>
  weights ? { weights: device.tensor(Float32Array.from(weights)) } : {};

export interface CrossEntropyLossOptions {
  /** Share of each target that is spread over all classes. Default: 0. */
  readonly labelSmoothing?: number;
  /** What each class weighs, such as `balancedWeights(labels)`. Default: 1. */
  readonly classWeights?: readonly number[];
}

/** Softmax cross entropy of logits: one class an image. */
export function crossEntropy({ labelSmoothing = 0, classWeights }: CrossEntropyLossOptions = {}): Loss {
  return {
    name: "crossEntropy",
    targets: "classes",
    compute(logits, targets) {
      const { weights } = weightsOn(logits, classWeights);
      return softmaxCrossEntropy(logits, targets, { labelSmoothing, ...(weights && { classWeights: weights }) });
    },
  };
}

export interface BinaryCrossEntropyLossOptions {
  /** What the positive targets of each output weigh against the negative ones. Default: 1. */
  readonly positiveWeights?: readonly number[];
}

/** Sigmoid cross entropy of logits: any number of labels an image. */
export function binaryCrossEntropy({ positiveWeights }: BinaryCrossEntropyLossOptions = {}): Loss {
  return {
    name: "binaryCrossEntropy",
    targets: "values",
    compute(logits, targets) {
      const { weights } = weightsOn(logits, positiveWeights);
      return sigmoidCrossEntropy(logits, targets, weights && { positiveWeights: weights });
    },
  };
}

/** Squared distance of outputs from values. */
export const squaredError = (): Loss => valueLoss("squaredError", meanSquaredError);
/** Absolute distance of outputs from values. */
export const absoluteError = (): Loss => valueLoss("absoluteError", meanAbsoluteError);
/** Squared distance up to `delta` (default: 1), absolute beyond. */
export const huberLoss = (delta = 1): Loss => valueLoss("huber", (x, targets) => huber(x, targets, { delta }));
/** 1 − the soft F-measure of labels of which several may apply. `beta` (default 1): the weight of recall. */
export const fBetaLoss = (beta = 1): Loss => valueLoss("fBeta", (x, targets) => softFBeta(x, targets, { beta }));

function valueLoss(name: string, compute: Loss["compute"]): Loss {
  return { name, targets: "values", compute };
}

/** Multi-class hinge loss (Crammer and Singer 2001). */
export function hingeLoss(): Loss {
  return { name: "hinge", targets: "classes", compute: (scores, labels) => categoricalHinge(scores, labels) };
}

/** Several losses of the same outputs, each with its weight. */
export function weightedLoss(parts: readonly (readonly [weight: number, loss: Loss])[]): Loss {
  const [first, ...others] = parts;
  if (!first || others.some(([, { targets }]) => targets !== first[1].targets)) {
    throw new OptionError({
      where: "weightedLoss",
      expected: "one loss or more, of one kind of targets",
      got: parts.map(([, { name, targets }]) => `${name} (${targets})`).join(", ") || "none",
    });
  }
  return {
    name: parts.map(([weight, { name }]) => `${weight}·${name}`).join(" + "),
    targets: first[1].targets,
    compute: (outputs, targets) =>
      parts
        .map(([weight, loss]) => mul(loss.compute(outputs, targets), outputs.device.constant(weight)))
        .reduce((sum, part) => add(sum, part)),
  };
}
