/** The compiled training step: picking the batch, forward, loss, backward, update, totals. */
import {
  advance,
  batchOf,
  drawMixing,
  mixImages,
  mixLabels,
  scheduleRate,
  tally,
  type Augmentation,
  type BatchPlace,
  type MixOptions,
  type RandomKey,
} from "../kernels/index.ts";
import { viewsOf, type CallContext, type Loss, type Model, type Optimizer } from "../nn/index.ts";
import { compile, copyInto, valueAndGradients, type Program, type Tensor } from "../tensor/index.ts";
import { lookOf, type ResidentDataset } from "./residentDataset.ts";
import type { TrainingState } from "./trainingState.ts";

/** What a step does. */
export interface StepSettings {
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  /** Of dropout, augmentation and mixing. */
  readonly seed: number;
  readonly augmentation: Augmentation | null;
  readonly mix: MixOptions | null;
}

/** Numbers of random streams that no layer has: layers are numbered from 0. */
const AUGMENTATION_LAYER = 0xffff;
const MIXING_LAYER = 0xfffe;

/** Compiles one step over the batch at `place`: a full one, or the smaller one at the end of an epoch. */
export function compileStep(
  model: Model,
  data: ResidentDataset,
  state: TrainingState,
  place: BatchPlace,
  settings: StepSettings,
): Promise<Program<null>> {
  const { optimizer, loss: criterion, seed } = settings;
  const random = (layer: number): RandomKey => ({ seed, layer, step: state.step });
  const context: CallContext = { training: true, random };
  const { learnt, rate, rateFactor: plateauFactor } = state;
  const variables = learnt.flatMap(({ parameters }) => parameters.map(({ tensor }) => tensor));
  const places = learnt.flatMap(({ parameters, gradients }) => viewsOf(gradients, parameters));
  return compile(model.device, [], () => {
    const { x, labels, targets } = trainingBatch(model, data, place, settings, random);
    const forward = () => {
      const logits = model.call(x, context);
      const loss = criterion.compute(logits, targets);
      tally(state.totals, loss, logits, labels);
      return loss;
    };
    const { gradients } = valueAndGradients(forward, variables);
    gradients.forEach((gradient, index) => copyInto(gradient, places[index]!));
    scheduleRate(optimizer.learningRate, { step: state.step, rate, plateauFactor });
    for (const range of learnt) {
      optimizer.step(range.values, range.slots, { gradients: range.gradients, rate, step: state.step });
    }
    advance(state.step, state.cursor);
    return null;
  });
}

/** Images as the model wants them, augmented and mixed; their class numbers; and what the loss compares outputs with. */
function trainingBatch(
  model: Model,
  data: ResidentDataset,
  place: BatchPlace,
  { augmentation, mix }: StepSettings,
  random: (layer: number) => RandomKey,
): { x: Tensor; labels: Tensor; targets: Tensor } {
  const change = augmentation ? { augmentation, random: random(AUGMENTATION_LAYER) } : {};
  const { x, y } = batchOf(data, place, { ...lookOf(model, data), ...change });
  if (!mix) return { x, labels: y, targets: y };
  const mixing = drawMixing(x, mix, random(MIXING_LAYER));
  return { x: mixImages(x, mixing), labels: y, targets: mixLabels(y, model.output[0]!, mixing) };
}
