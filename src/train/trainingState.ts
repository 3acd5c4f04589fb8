/** The state of training on the GPU, which steps read and advance; and its way into checkpoints and back. */
import { learnableRanges, viewsOf, type Model, type ParameterChunk } from "../nn/index.ts";
import { rateAt } from "../kernels/index.ts";
import { copyInto, type Tensor } from "../tensor/index.ts";
import { requireTensor, type Checkpoint, type StateTensor } from "./checkpoint.ts";
import type { Hold } from "./residentDataset.ts";
import type { StepSettings } from "./trainingStep.ts";

/** All that changes from step to step. It lives on the GPU, so that steps follow each other without the CPU. */
export interface TrainingState {
  /** Steps since training began, `[1]`, u32: the clock of schedules, and the key of dropout. */
  readonly step: Tensor;
  /** Updates made since training began, `[1]`, u32: Adam's t. Fewer than steps where some are left out or accumulated. */
  readonly updates: Tensor;
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
  /** `[1]` each: what the loss is multiplied by in half precision, and steps since that changed. */
  readonly lossScale: { readonly scale: Tensor; readonly goodSteps: Tensor };
  /** What is learnt, with its gradients and the optimiser's buffers. */
  readonly learnt: readonly LearntRange[];
}

/** Neighbouring parameters, and flat buffers of the same layout. */
export interface LearntRange extends ParameterChunk {
  readonly gradients: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Sum of the gradients of several batches; null where each batch is an update. */
  readonly sum: Tensor | null;
  /** Moving average of the parameters; null without one. */
  readonly average: Tensor | null;
  /** The parameters in half precision, made anew each step; null in full precision. */
  readonly halves: Tensor | null;
}

/** What the state must have room for. */
export type StateSettings = Pick<StepSettings, "optimizer" | "precision" | "accumulate" | "ema">;

/** Where the loss scale begins: it halves within a few steps where that is too much. */
const FIRST_LOSS_SCALE = 65_536;

export function createState(model: Model, settings: StateSettings, images: number, hold: Hold): TrainingState {
  const { device } = model;
  const { optimizer, precision, accumulate, ema } = settings;
  const counter = () => hold(device.zeros([1], "u32"));
  return {
    step: counter(),
    updates: counter(),
    cursor: counter(),
    order: hold(device.zeros([images], "u32")),
    rate: hold(device.tensor([rateAt(optimizer.learningRate, 0)])),
    rateFactor: hold(device.tensor([1])),
    totals: hold(device.zeros([3])),
    lossScale: { scale: hold(device.tensor([FIRST_LOSS_SCALE])), goodSteps: counter() },
    learnt: learnableRanges(model).map(({ parameters, values }) => {
      const like = () => hold(device.zeros(values.shape));
      const average = ema === null ? null : like();
      if (average) copyInto(values, average);
      return {
        parameters,
        values,
        gradients: like(),
        slots: Object.fromEntries(optimizer.slots.map((slot) => [slot, like()])),
        sum: accumulate > 1 ? like() : null,
        average,
        halves: precision === "mixed" ? hold(device.zeros(values.shape, "f16")) : null,
      };
    }),
  };
}

/**
 * What a checkpoint keeps, by name. The order of images is no part of it: it follows from seed and epoch. `learning` holds
 * the values of the learnt ranges where their averages stand in their places.
 */
function keptTensors(
  model: Model,
  state: TrainingState,
  learning: readonly Tensor[],
): [name: string, tensor: Tensor][] {
  const elsewhere = new Map(
    learning.flatMap((values, index) => {
      const { parameters } = state.learnt[index]!;
      const views = viewsOf(values, parameters);
      return parameters.map((parameter, k) => [parameter, views[k]!] as const);
    }),
  );
  const flat = state.learnt.flatMap(({ slots, sum, average }, range) =>
    Object.entries({ ...slots, ...(sum && { sum }), ...(average && { average }) }).map(
      ([name, tensor]): [string, Tensor] => [`learnt/${range}/${name}`, tensor],
    ),
  );
  const { step, updates, totals, lossScale } = state;
  return [
    ...model.parameters.map((parameter): [string, Tensor] => [
      `model/${parameter.name}`,
      elsewhere.get(parameter) ?? parameter.tensor,
    ]),
    ...flat,
    ...Object.entries({ step, updates, totals, ...lossScale }),
  ];
}

/** The state, and other tensors by the names that they are to have, as they are at this moment. */
export async function readState(
  model: Model,
  state: TrainingState,
  learning: readonly Tensor[],
  others: readonly (readonly [name: string, tensor: Tensor])[],
): Promise<Map<string, StateTensor>> {
  const kept = [...keptTensors(model, state, learning), ...others];
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
  const kept = keptTensors(model, state, []);
  const values = kept.map(([name, { shape }]) => requireTensor(checkpoint, name, shape));
  kept.forEach(([, tensor], index) => model.device.write(tensor, values[index]!));
}
