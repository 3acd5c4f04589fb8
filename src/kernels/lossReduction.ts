/** How single losses become one number. */
import { OptionError, ShapeError } from "../errors.ts";
import { broadcastShapes, formatShape, sameShape, type Shape, type Tensor } from "../tensor/index.ts";
import { div, mul } from "./elementwise.ts";
import { mean, sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/**
 * `mean`: the sum of weighted losses over their number, as in Keras. `weightedMean`: over the sum of their weights, as in
 * PyTorch. `sum`: the sum itself. `none`: each loss by itself.
 */
export type LossReduction = "mean" | "weightedMean" | "sum" | "none";

export interface LossOptions {
  /** What each loss weighs, of a shape that broadcasts to that of the losses: 0 for what is not visible. Default: 1. */
  readonly mask?: Tensor;
  /** `[batch]`: what each row weighs. Default: 1. */
  readonly sampleWeights?: Tensor;
  /** Default: `mean`. */
  readonly reduction?: LossReduction;
}

/**
 * Checks the options, computes losses of the shape `[batch, …]`, weighs and reduces them. Compiled, the weights ride on the
 * kernels of the loss itself.
 */
export function reduceLosses(where: string, shape: Shape, options: LossOptions, losses: () => Tensor): Tensor {
  const { reduction = "mean" } = options;
  checkReduction(where, reduction);
  const weights = weightsOf(where, shape, options);
  const weighted = weights ? mul(losses(), weights) : losses();
  if (reduction === "none") return weighted;
  if (reduction === "sum") return sum(weighted);
  if (reduction === "mean" || !weights) return mean(weighted);
  const copies = weights.device.constant(weighted.size / weights.size);
  return div(sum(weighted), mul(sum(weights), copies));
}

/** The product of mask and sample weights, or whichever is there. */
function weightsOf(where: string, shape: Shape, { mask, sampleWeights }: LossOptions): Tensor | undefined {
  if (mask && !sameShape(broadcastShapes(where, mask.shape, shape), shape)) {
    const expected = `a mask that broadcasts to ${formatShape(shape)}`;
    throw new ShapeError({ where, expected, got: formatShape(mask.shape) });
  }
  if (!sampleWeights) return mask;
  checkWeights(where, "sample weights", sampleWeights, shape[0] ?? 1);
  const rows = reshape(sampleWeights, [-1, ...shape.slice(1).map(() => 1)]);
  return mask ? mul(mask, rows) : rows;
}

const reductions: readonly string[] = ["mean", "weightedMean", "sum", "none"] satisfies LossReduction[];

export function checkReduction(where: string, reduction: LossReduction): void {
  if (reductions.includes(reduction)) return;
  throw new OptionError({ where, expected: `a reduction among ${reductions.join(", ")}`, got: reduction });
}

/** Throws unless `x` and `targets` have one shape. */
export function checkTargets(where: string, x: Tensor, targets: Tensor): void {
  if (sameShape(x.shape, targets.shape)) return;
  const got = `${formatShape(x.shape)} and ${formatShape(targets.shape)}`;
  throw new ShapeError({ where, expected: "values and targets of one shape", got });
}

/** Throws unless `weights`, if given, has the shape `[size]`. */
export function checkWeights(where: string, what: string, weights: Tensor | undefined, size: number): void {
  if (!weights || (weights.shape.length === 1 && weights.size === size)) return;
  throw new ShapeError({ where, expected: `${what} [${size}]`, got: formatShape(weights.shape) });
}
