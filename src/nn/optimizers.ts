/** Optimisers: a name, a learning rate, the buffers that they keep beside the parameters, and one step over a flat chunk. */
import {
  adadeltaStep,
  adagradStep,
  adamaxStep,
  adamStep,
  nadamStep,
  rmspropStep,
  sgdStep,
  type AdadeltaOptions,
  type AdagradOptions,
  type AdamaxOptions,
  type AdamOptions,
  type NadamOptions,
  type RmspropOptions,
  type Schedule,
  type SgdOptions,
  type Update,
  type UpdateInputs,
} from "../kernels/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { checkRate } from "./schedules.ts";

export interface Optimizer {
  readonly name: string;
  /** Step size, for good or as it moves from step to step. */
  readonly learningRate: number | Schedule;
  /** Names of the flat buffers that it keeps, each of the size of the parameters, zero at first. */
  readonly slots: readonly string[];
  /** Changes `parameters` and the slots in place. */
  step(parameters: Tensor, slots: Readonly<Record<string, Tensor>>, inputs: UpdateInputs): void;
}

/** An optimiser's options, and how far it goes. */
export type WithRate<O> = O & { readonly learningRate?: number | Schedule };

function define<O extends object>(name: string, update: Update<O>, rate: number, preset: Partial<O> = {}) {
  return (options: WithRate<O> = {} as WithRate<O>): Optimizer => {
    const { learningRate = rate, ...rest } = options;
    const settings = { ...preset, ...rest } as unknown as O;
    checkRate(name, learningRate);
    update.check(settings);
    return {
      name,
      learningRate,
      slots: update.slots(settings),
      step: (parameters, slots, inputs) => update(parameters, slots, inputs, settings),
    };
  };
}

/** Stochastic gradient descent, with momentum where asked for. Learning rate: 0.01 by default. */
export const sgd = define<SgdOptions>("sgd", sgdStep, 1e-2);
/** Adam (Kingma and Ba 2015). Learning rate: 0.001 by default. */
export const adam = define<AdamOptions>("adam", adamStep, 1e-3);
/** Adam with decoupled weight decay (Loshchilov and Hutter 2019), by default 0.01. Learning rate: 0.001 by default. */
export const adamW = define<AdamOptions>("adamW", adamStep, 1e-3, { weightDecay: 1e-2, decoupled: true });
/** Adam with Nesterov's momentum (Dozat 2016). Learning rate: 0.001 by default. */
export const nadam = define<NadamOptions>("nadam", nadamStep, 1e-3);
/** Adam with the maximum norm (Kingma and Ba 2015). Learning rate: 0.001 by default. */
export const adamax = define<AdamaxOptions>("adamax", adamaxStep, 1e-3);
/** RMSprop (Tieleman and Hinton 2012). Learning rate: 0.001 by default. */
export const rmsprop = define<RmspropOptions>("rmsprop", rmspropStep, 1e-3);
/** Adagrad (Duchi et al. 2011). Learning rate: 0.01 by default. */
export const adagrad = define<AdagradOptions>("adagrad", adagradStep, 1e-2);
/** Adadelta (Zeiler 2012). Learning rate: 1 by default, as in the paper. */
export const adadelta = define<AdadeltaOptions>("adadelta", adadeltaStep, 1);
