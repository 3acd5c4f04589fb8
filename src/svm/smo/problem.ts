/**
 * The dual problem of a two-class support vector machine, and its solution.
 *
 *   min ½ αᵀQα − Σα   subject to  yᵀα = 0,  0 ≤ α_t ≤ C_t,   Q_ts = y_t y_s K(x_t, x_s)
 *
 * (Chang & Lin 2011, eq. 2.) The decision value of x is Σ y_t α_t K(x_t, x) − ρ; positive means y = +1.
 */
import type { RowSelection } from "../kernel/rows.ts";

export interface BinaryProblem extends RowSelection {
  /** +1 or −1 for each index. */
  readonly y: Int8Array;
  /** The upper bound C_t of each α_t: C times the weight of its class. */
  readonly bounds: Float64Array;
}

export interface SmoOptions {
  /** Stops when the greatest violation of the KKT conditions is below this. */
  readonly tolerance: number;
  readonly shrinking: boolean;
  /** Bytes for cached kernel rows. */
  readonly cacheBytes: number;
  readonly maxIterations: number;
}

export interface BinarySolution {
  readonly alpha: Float64Array;
  readonly rho: number;
  /** ½ αᵀQα − Σα: never above 0, lower is better. */
  readonly objective: number;
  readonly iterations: number;
  /** m(α) − M(α): the greatest violation of the KKT conditions that was left (eq. 6 of Fan, Chen, Lin 2005). */
  readonly violation: number;
  readonly converged: boolean;
  /** Kernel rows computed, whole or in part. */
  readonly kernelRows: number;
}
