/** Bias and activation as part of a matmul or convolution: sums begin at the bias, the activation rides on the store. */
import { ShapeError } from "../errors.ts";
import { formatShape, IDENTITY, type MapProgram, type Tensor } from "../tensor/index.ts";
import { activationFunction, activationGradient, type FusedActivation } from "./elementwise.ts";
import { sumTo } from "./reduce.ts";

export interface EpilogueOptions {
  /** One value for each column (output channel, unit). */
  readonly bias?: Tensor;
  /** Applied last. Default: none. */
  readonly activation?: FusedActivation;
}

/** Throws unless the bias has one value for each of `columns`. */
export function checkBias(where: string, columns: number, { bias }: EpilogueOptions): void {
  if (!bias || (bias.shape.length === 1 && bias.size === columns)) return;
  throw new ShapeError({ where, expected: `a bias of shape [${columns}]`, got: formatShape(bias.shape) });
}

/** What an operation's options say of bias and activation. */
export function finishOf({ bias, activation }: EpilogueOptions): EpilogueOptions {
  return { ...(bias && { bias }), ...(activation && { activation }) };
}

/** The activation as an element-wise program on the result. */
export function activationProgram({ activation }: EpilogueOptions): MapProgram {
  if (!activation) return IDENTITY;
  return { steps: [{ call: activationFunction(activation), arguments: [{ step: 0 }] }], operands: [] };
}

/** dL/dz of what came out of the product, before the activation. */
export function throughActivation(dy: Tensor, y: Tensor, { activation }: EpilogueOptions): Tensor {
  return activation ? activationGradient(activation, dy, y) : dy;
}

/** dL/dbias: the sum over everything but the last axis. */
export function biasGradient(dz: Tensor, bias: Tensor): Tensor {
  return sumTo(dz, bias.shape);
}
