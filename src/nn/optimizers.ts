/** Optimisers: a name, the buffers that they keep beside the parameters, and one step over a flat chunk. */
import { OptionError } from "../errors.ts";
import { adamStep, sgdStep, type AdamOptions, type SgdOptions, type UpdateInputs } from "../kernels/index.ts";
import type { Tensor } from "../tensor/index.ts";

export interface Optimizer {
  readonly name: string;
  /** Step size at the start of training. */
  readonly learningRate: number;
  /** Names of the flat buffers that it keeps, each of the size of the parameters, zero at first. */
  readonly slots: readonly string[];
  /** Changes `parameters` and the slots in place. */
  step(parameters: Tensor, slots: Readonly<Record<string, Tensor>>, inputs: UpdateInputs): void;
}

function checkRate(where: string, rate: number): void {
  if (rate > 0 && Number.isFinite(rate)) return;
  throw new OptionError({ where, expected: "a positive learning rate", got: String(rate) });
}

/** Adam (Kingma and Ba 2015). Learning rate: 0.001 by default. */
export function adam(options: AdamOptions & { readonly learningRate?: number } = {}): Optimizer {
  const { learningRate = 1e-3, ...rest } = options;
  checkRate("adam", learningRate);
  return {
    name: "adam",
    learningRate,
    slots: ["mean", "square"],
    step: (parameters, { mean, square }, inputs) =>
      adamStep(parameters, { mean: mean!, square: square! }, inputs, rest),
  };
}

/** Stochastic gradient descent, with momentum where asked for. Learning rate: 0.01 by default. */
export function sgd(options: SgdOptions & { readonly learningRate?: number } = {}): Optimizer {
  const { learningRate = 1e-2, ...rest } = options;
  checkRate("sgd", learningRate);
  return {
    name: "sgd",
    learningRate,
    slots: ["velocity"],
    step: (parameters, { velocity }, inputs) => sgdStep(parameters, { velocity: velocity! }, inputs, rest),
  };
}
