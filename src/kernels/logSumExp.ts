/**
 * Logarithm of a sum of exponentials over any axes.
 *
 *   y = m + ln Σ exp(x − m),  m = max x          dx = exp(x − y) · dy
 *
 * Subtracting the maximum keeps exp from overflowing, and keeps one term at 1.
 */
import { defineOp, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";
import { maxOver } from "./extremum.ts";
import { sumTermsOver } from "./reduce.ts";
import { planReduction, type ReduceOptions } from "./reduction.ts";
import { reshape } from "./reshape.ts";

const JOIN: MapFunction = { name: "logPlus", parameters: ["sum", "m"], body: "log(sum) + m" };
const GRADIENT: MapFunction = { name: "logSumExp_derivative", parameters: ["x", "y", "dy"], body: "exp(x - y) * dy" };

/** ln Σ eˣ over axes, without overflow; in f32. */
export const logSumExp = defineOp("logSumExp", {
  forward(x: Tensor, options: ReduceOptions = {}) {
    const where = "logSumExp";
    const reduction = planReduction(where, x.shape, options);
    const { kept, outShape } = reduction;
    const greatest = maxOver(x, reduction);
    const output = runMap(JOIN, [sumTermsOver("shiftedExp", x, greatest, reduction), greatest], outShape);
    return { output, saved: { x, y: reshape.raw(output, kept) } };
  },
  backward(dy, { x, y }) {
    return [runMap(GRADIENT, [x, y, reshape.raw(dy, y.shape)], x.shape, { dtype: x.dtype })];
  },
});
