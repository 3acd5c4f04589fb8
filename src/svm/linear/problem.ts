/** What the linear solvers are given and give back. */
import type { FeatureMatrix } from "../features.ts";

/** hinge: Σ C_i max(0, 1 − y_i f_i). squared-hinge: Σ C_i max(0, 1 − y_i f_i)². */
export type LinearLoss = "hinge" | "squared-hinge";

export interface LinearSettings {
  readonly loss: LinearLoss;
  /** Value of the constant feature whose weight is the intercept; 0 for none. */
  readonly bias: number;
  /** Stops when the projected gradient varies by less than this. */
  readonly tolerance: number;
  /** Passes over the data. */
  readonly maxEpochs: number;
  readonly shrinking: boolean;
  readonly seed: number;
}

export interface LinearProblem {
  readonly features: FeatureMatrix;
  /** +1 or −1 for each row. */
  readonly y: Int8Array;
  /** C times the weight of its class, for each row. */
  readonly costs: Float64Array;
  /** Dual variables to start from. */
  readonly start?: Float64Array;
}

export interface LinearSolution {
  readonly coefficients: Float64Array;
  readonly intercept: number;
  /** Dual variables; empty where the solver has none (SGD). */
  readonly alpha: Float64Array;
  readonly epochs: number;
  /** ½‖w‖² + Σ loss. */
  readonly objective: number;
  /** (primal − dual) / primal: 0 at the optimum. NaN where there is no dual (SGD). */
  readonly relativeGap: number;
  readonly converged: boolean;
}
