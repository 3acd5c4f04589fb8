/** A trained kernel machine: plain data, everything public. */
import type { FeatureMatrix } from "../features.ts";
import type { KernelSettings } from "../kernel/kernels.ts";

/** What became of one two-class problem. */
export interface ProblemSummary {
  /** Labels: positive first. One-vs-rest: `negative` is null. */
  readonly positive: number;
  readonly negative: number | null;
  readonly samples: number;
  readonly supportVectors: number;
  /** Of these, multipliers at their bound. */
  readonly bounded: number;
  readonly iterations: number;
  readonly objective: number;
  /** The KKT violation that was left; below `tolerance` where `converged`. */
  readonly violation: number;
  readonly converged: boolean;
  readonly kernelRows: number;
}

/** Platt's sigmoid: P(positive | decision f) = 1 / (1 + exp(a f + b)). */
export interface Sigmoid {
  readonly a: number;
  readonly b: number;
}

export interface SvcModel {
  readonly type: "svc";
  readonly kernel: KernelSettings;
  readonly strategy: "one-vs-one" | "one-vs-rest";
  /** Labels, ascending. */
  readonly classes: Int32Array;
  /** Grouped by class, in the order of `classes`; within a class in the order of training. */
  readonly supportVectors: FeatureMatrix;
  /** Row of each support vector in the training features. */
  readonly supportIndices: Int32Array;
  /** Support vectors of each class. */
  readonly supportCounts: Int32Array;
  /**
   * y α of each support vector, `layers` × support vectors, row-major.
   * One-vs-one (LIBSVM's `sv_coef`, classes − 1 layers): a vector of class a takes part in the problems with all other
   * classes b, layer b − 1 where b > a, else b. One-vs-rest: layer = class.
   */
  readonly dualCoefficients: Float64Array;
  /** −ρ of each problem: (0,1), (0,2) … (k−2,k−1), or one for each class. */
  readonly intercepts: Float64Array;
  /** One for each problem where trained with `probability`, else empty. */
  readonly sigmoids: readonly Sigmoid[];
  readonly problems: readonly ProblemSummary[];
}

/** Pairs of class codes in LIBSVM's order. */
export function classPairs(classes: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let a = 0; a < classes; a++) for (let b = a + 1; b < classes; b++) pairs.push([a, b]);
  return pairs;
}

/** Layers of dual coefficients. */
export const layerCount = ({ strategy, classes }: Pick<SvcModel, "strategy" | "classes">): number =>
  strategy === "one-vs-one" ? classes.length - 1 : classes.length;

/** Sum of the dual objectives over all problems. */
export const totalObjective = ({ problems }: SvcModel): number =>
  problems.reduce((sum, { objective }) => sum + objective, 0);
