/** The state of training on the GPU, which steps read and advance; and its way into checkpoints and back. */
import { learnableRanges, type Model, type Optimizer, type ParameterChunk } from "../nn/index.ts";
import { rateAt } from "../kernels/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { requireTensor, type Checkpoint, type StateTensor } from "./checkpoint.ts";
import type { Hold } from "./residentDataset.ts";

/** All that changes from step to step. It lives on the GPU, so that steps follow each other without the CPU. */
export interface TrainingState {
  /** Steps since training began, `[1]`, u32: Adam's t and the key of dropout. */
  readonly step: Tensor;
  /** Batches since the epoch began, `[1]`, u32. */
  readonly cursor: Tensor;
  /** The epoch's order of images, u32. */
  readonly order: Tensor;
  /** `[1]`: of this step; a schedule writes it. */
  readonly rate: Tensor;
  /** `[1]`: multiplies every rate; callbacks lower it. */
  readonly rateFactor: Tensor;
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
    rate: hold(device.tensor([rateAt(optimizer.learningRate, 0)])),
    rateFactor: hold(device.tensor([1])),
    totals: hold(device.zeros([3])),
    learnt: learnableRanges(model).map(({ parameters, values }) => ({
      parameters,
      values,
      gradients: hold(device.zeros(values.shape)),
      slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, hold(device.zeros(values.shape))])),
    })),
  };
}

/** What a checkpoint keeps, by name. The order of images is no part of it: it follows from seed and epoch. */
function keptTensors(model: Model, state: TrainingState): [name: string, tensor: Tensor][] {
  const moments = state.learnt.flatMap(({ slots }, range) =>
    Object.entries(slots).map(([slot, tensor]): [string, Tensor] => [`optimizer/${range}/${slot}`, tensor]),
  );
  return [
    ...model.parameters.map(({ name, tensor }): [string, Tensor] => [`model/${name}`, tensor]),
    ...moments,
    ["step", state.step],
    ["totals", state.totals],
  ];
}

/** The state, and other tensors by the names that they are to have, as they are at this moment. */
export async function readState(
  model: Model,
  state: TrainingState,
  others: readonly (readonly [name: string, tensor: Tensor])[],
): Promise<Map<string, StateTensor>> {
  const kept = [...keptTensors(model, state), ...others];
  const values = await model.device.readMany(kept.map(([, tensor]) => tensor));
  return new Map(
    kept.map(([name, { dtype, shape }], index) => [
      name,
      { dtype: dtype as StateTensor["dtype"], shape, values: values[index]! },
    ]),
  );
}

/** Puts a checkpoint's tensors in their places; all of them, or none where one does not fit. */
export function writeState(model: Model, state: TrainingState, checkpoint: Checkpoint): void {
  const kept = keptTensors(model, state);
  const values = kept.map(([name, { shape }]) => requireTensor(checkpoint, name, shape));
  kept.forEach(([, tensor], index) => model.device.write(tensor, values[index]!));
}
