/**
 * Soft F-measure as a loss: counts of hits become sums of probabilities p = σ(x), and so have a gradient.
 *
 *   L = 1 − mean over classes of (1 + β²)·Σ p·t / (Σ p + β²·Σ t + ε)
 *
 * The denominator is the sum (1 + β²)·TP + β²·FN + FP of the usual definition. Being made of whole columns, it wants
 * batches in which each class occurs: one that does not has F = 0 and gets no gradient. A composition of other operations.
 */
import { ShapeError } from "../errors.ts";
import { formatShape, type Tensor } from "../tensor/index.ts";
import { cast } from "./cast.ts";
import { add, div, mul, sigmoid, sub } from "./elementwise.ts";
import { checkTargets } from "./lossReduction.ts";
import { checkNumber, range } from "./ranges.ts";
import { mean, sum } from "./reduce.ts";

export interface SoftFBetaOptions {
  /** β: how many times as much recall counts as precision. Default: 1. */
  readonly beta?: number;
  /** Added to the denominator. Default: 1e-7. */
  readonly epsilon?: number;
}

/** Soft F-beta loss of logits `[batch, classes]` against targets of the same shape, 0 or 1; the mean over classes. */
export function softFBeta(
  logits: Tensor,
  targets: Tensor,
  { beta = 1, epsilon = 1e-7 }: SoftFBetaOptions = {},
): Tensor {
  checkTargets("softFBeta", logits, targets);
  checkNumber("softFBeta", "beta", range.positive, beta);
  checkNumber("softFBeta", "epsilon", range.positive, epsilon);
  if (logits.shape.length !== 2) {
    throw new ShapeError({ where: "softFBeta", expected: "logits [batch, classes]", got: formatShape(logits.shape) });
  }
  const number = (value: number): Tensor => logits.device.constant(value);
  const columns = (x: Tensor): Tensor => sum(x, { axes: [0] });
  const p = sigmoid(cast(logits, "f32"));
  const hits = mul(columns(mul(p, targets)), number(1 + beta ** 2));
  const all = add(add(columns(p), mul(columns(targets), number(beta ** 2))), number(epsilon));
  return sub(number(1), mean(div(hits, all)));
}
