/**
 * Variance over any axes, in two passes: E[x²] − E[x]² would cancel.
 *
 *   y = Σ (x − μ)² / (n − c),  μ = Σ x / n          dx = 2 (x − μ) · dy / (n − c)
 *
 * The gradient through μ is −2 Σ (x − μ) · dy / (n − c) = 0.
 */
import { OptionError } from "../errors.ts";
import { defineOp, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";
import { sumOver, sumTermsOver } from "./reduce.ts";
import { planReduction, type ReduceOptions } from "./reduction.ts";
import { reshape } from "./reshape.ts";

const GRADIENT: MapFunction = {
  name: "variance_derivative",
  parameters: ["x", "m", "dy", "factor"],
  body: "(x - m) * dy * factor",
};

export interface VarianceOptions extends ReduceOptions {
  /** c: 0 for the variance of a population (default), 1 for the unbiased estimate from a sample. */
  readonly correction?: number;
}

/** Mean squared deviation from the mean over axes, in f32. Throws `OptionError` where n − correction is not positive. */
export const variance = defineOp("variance", {
  forward(x: Tensor, { correction = 0, ...options }: VarianceOptions = {}) {
    const where = "variance";
    const reduction = planReduction(where, x.shape, options);
    const { kept, count } = reduction;
    const divisor = count - correction;
    if (!(divisor > 0)) {
      throw new OptionError({ where, expected: `a correction below the ${count} elements`, got: String(correction) });
    }
    const center = reshape.raw(sumOver(x, reduction, 1 / count), kept);
    const output = sumTermsOver("squaredDeviation", x, center, reduction, 1 / divisor);
    return { output, saved: { x, center, divisor } };
  },
  backward(dy, { x, center, divisor }) {
    const operands = [x, center, reshape.raw(dy, center.shape), x.device.constant(2 / divisor)];
    return [runMap(GRADIENT, operands, x.shape, { dtype: x.dtype })];
  },
});
