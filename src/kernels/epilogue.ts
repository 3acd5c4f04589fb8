/** Bias and activation as work that a matmul or convolution does while it stores. */
import { ShapeError } from "../errors.ts";
import { formatShape, operandFor, type MapProgram, type MapStep, type Shape, type Tensor } from "../tensor/index.ts";
import { activationFunction, activationGradient, addFunction, type FusedActivation } from "./elementwise.ts";
import { sumTo } from "./reduce.ts";

export interface EpilogueOptions {
  /** One value for each column (output channel, unit). */
  readonly bias?: Tensor;
  /** Applied last. Default: none. */
  readonly activation?: FusedActivation;
}

/** The element-wise program that adds the bias and applies the activation to a result of shape `output`. */
export function epilogueOf(where: string, output: Shape, { bias, activation }: EpilogueOptions): MapProgram {
  const steps: MapStep[] = [];
  if (bias) {
    if (bias.shape.length !== 1 || bias.size !== output.at(-1)) {
      throw new ShapeError({ where, expected: `a bias of shape [${output.at(-1)}]`, got: formatShape(bias.shape) });
    }
    steps.push({ call: addFunction, arguments: [{ step: 0 }, { operand: 0 }] });
  }
  if (activation) steps.push({ call: activationFunction(activation), arguments: [{ step: steps.length }] });
  return { steps, operands: bias ? [operandFor(bias, output)] : [] };
}

/** dL/dz of what came out of the product, before bias and activation. */
export function throughActivation(dy: Tensor, y: Tensor, { activation }: EpilogueOptions): Tensor {
  return activation ? activationGradient(activation, dy, y) : dy;
}

/** dL/dbias: the sum over everything but the last axis. */
export function biasGradient(dz: Tensor, bias: Tensor): Tensor {
  return sumTo(dz, bias.shape);
}
