/** The compiled training step, and the state on the GPU that it reads and advances. */
import { advance, gatherBatch, softmaxCrossEntropy, tally, type BatchPlace, type RandomKey } from "../kernels/index.ts";
import {
  learnableRanges,
  viewsOf,
  type CallContext,
  type Model,
  type Optimizer,
  type ParameterChunk,
} from "../nn/index.ts";
import { compile, copyInto, valueAndGradients, type Program, type Tensor } from "../tensor/index.ts";
import type { Hold, ResidentDataset } from "./residentDataset.ts";

/** All that changes from step to step. It lives on the GPU, so that steps follow each other without the CPU. */
export interface TrainingState {
  /** Steps since training began, `[1]`, u32: Adam's t and the key of dropout. */
  readonly step: Tensor;
  /** Batches since the epoch began, `[1]`, u32. */
  readonly cursor: Tensor;
  /** The epoch's order of images, u32. */
  readonly order: Tensor;
  /** `[1]` */
  readonly learningRate: Tensor;
  /** Sums of loss, hits and rows since the epoch began, `[3]`. */
  readonly totals: Tensor;
  /** What is learnt, with its gradients and the optimiser's buffers. */
  readonly learnt: readonly LearntRange[];
}

/** Neighbouring parameters, and flat buffers of the same layout. */
export interface LearntRange extends ParameterChunk {
  readonly gradients: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
}

export function createState(model: Model, optimizer: Optimizer, images: number, hold: Hold): TrainingState {
  const { device } = model;
  return {
    step: hold(device.zeros([1], "u32")),
    cursor: hold(device.zeros([1], "u32")),
    order: hold(device.zeros([images], "u32")),
    learningRate: hold(device.tensor([optimizer.learningRate])),
    totals: hold(device.zeros([3])),
    learnt: learnableRanges(model).map(({ parameters, values }) => ({
      parameters,
      values,
      gradients: hold(device.zeros(values.shape)),
      slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, hold(device.zeros(values.shape))])),
    })),
  };
}

/** Compiles one step over the batch at `place`: a full one, or the smaller one at the end of an epoch. */
export function compileStep(
  model: Model,
  optimizer: Optimizer,
  data: ResidentDataset,
  state: TrainingState,
  place: BatchPlace,
  seed: number,
): Promise<Program<null>> {
  const random = (layer: number): RandomKey => ({ seed, layer, step: state.step });
  const context: CallContext = { training: true, random };
  const { learnt, learningRate: rate } = state;
  const variables = learnt.flatMap(({ parameters }) => parameters.map(({ tensor }) => tensor));
  const places = learnt.flatMap(({ parameters, gradients }) => viewsOf(gradients, parameters));
  return compile(model.device, [], () => {
    const { x, y } = gatherBatch(data, place, model.normalisation);
    const forward = () => {
      const logits = model.call(x, context);
      const loss = softmaxCrossEntropy(logits, y);
      tally(state.totals, loss, logits, y);
      return loss;
    };
    const { gradients } = valueAndGradients(forward, variables);
    gradients.forEach((gradient, index) => copyInto(gradient, places[index]!));
    for (const range of learnt) {
      optimizer.step(range.values, range.slots, { gradients: range.gradients, rate, step: state.step });
    }
    advance(state.step);
    advance(state.cursor);
    return null;
  });
}
