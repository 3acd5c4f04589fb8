/** A trained linear machine: plain data. */
import type { LinearLoss } from "./problem.ts";

export interface LinearProblemSummary {
  /** The label that this weight vector speaks for. */
  readonly positive: number;
  readonly epochs: number;
  /** The primal objective; of Crammer–Singer, that of all classes together. */
  readonly objective: number;
  /** (primal − dual) / primal; NaN after SGD, which has no dual. */
  readonly relativeGap: number;
  readonly converged: boolean;
  /** Samples with a dual variable above 0; 0 after SGD. */
  readonly supportVectors: number;
}

export interface LinearModel {
  readonly type: "linear";
  readonly multiclass: "one-vs-rest" | "crammer-singer";
  readonly loss: LinearLoss;
  /** Labels, ascending. */
  readonly classes: Int32Array;
  readonly columns: number;
  /**
   * Vectors × columns, row-major: one vector per class; two classes one-vs-rest share a single one, that speaks for the
   * second.
   */
  readonly weights: Float64Array;
  /** One for each vector. */
  readonly intercepts: Float64Array;
  readonly problems: readonly LinearProblemSummary[];
  /** Dual variables for a warm start: one array per vector, or one of samples × classes (Crammer–Singer). */
  readonly dual: readonly Float64Array[];
}
