/** The compiled training step: picking the batch, forward, loss, backward, update, totals. */
import {
  accumulate,
  advance,
  batchOf,
  clipFactor,
  drawMixing,
  emaStep,
  gradientNorm,
  lossScaleStep,
  mixImages,
  mixLabels,
  mul,
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
import type { LearntRange, TrainingState } from "./trainingState.ts";

/** What a step does. */
export interface StepSettings {
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  /** Of dropout, augmentation and mixing. */
  readonly seed: number;
  readonly augmentation: Augmentation | null;
  readonly mix: MixOptions | null;
  readonly precision: Precision;
  /** Bound on the norm of all gradients together; null for none. */
  readonly clipNorm: number | null;
  /** Batches to an update. */
  readonly accumulate: number;
  /** Decay of the moving average of parameters; null for none. */
  readonly ema: number | null;
}

/**
 * `mixed`: activations, their gradients and a copy of the weights are stored as f16; parameters, sums and the optimiser's
 * buffers stay f32. The loss is scaled so that small gradients survive (Micikevicius et al. 2018).
 */
export type Precision = "f32" | "mixed";

/** Where a batch stands among those that make one update. */
export interface Phase {
  readonly first: boolean;
  readonly last: boolean;
  /** Batches to this update. */
  readonly count: number;
}

/** Each batch is an update. */
export const ALONE: Phase = { first: true, last: true, count: 1 };

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
  phase: Phase = ALONE,
): Promise<Program<null>> {
  return compile(model.device, [], () => {
    scheduleRate(settings.optimizer.learningRate, {
      step: state.step,
      rate: state.rate,
      plateauFactor: state.rateFactor,
    });
    addGradients(gradientsOf(model, data, state, place, settings, phase), state.learnt, phase);
    if (phase.last) update(state, settings, phase);
    const counted = phase.last && settings.precision === "f32"; // the loss scale counts its updates itself
    advance(state.step, state.cursor, ...(counted ? [state.updates] : []));
    return null;
  });
}

/** Forward and backward; the gradients of all learnt parameters, in order. */
function gradientsOf(
  model: Model,
  data: ResidentDataset,
  state: TrainingState,
  place: BatchPlace,
  settings: StepSettings,
  { count }: Phase,
): Tensor[] {
  const { device } = model;
  const random = (layer: number): RandomKey => ({ seed: settings.seed, layer, step: state.step });
  const context: CallContext = { training: true, random };
  const { x, labels, targets } = trainingBatch(model, data, place, settings, random);
  const share = device.constant(1 / count);
  const mixed = settings.precision === "mixed";
  const seed = mixed ? mul(state.lossScale.scale, share) : share;
  return withHalves(state.learnt, (variables) => {
    const forward = () => {
      const logits = model.call(x, context);
      const loss = settings.loss.compute(logits, targets);
      tally(state.totals, loss, logits, labels);
      return loss;
    };
    return valueAndGradients(forward, variables, seed).gradients;
  });
}

/**
 * Calls `body` with the tensors that layers see as learnt parameters. In half precision those are copies, made anew: weights
 * as f16, and what has one axis (biases, scales) as it is.
 */
function withHalves<T>(learnt: readonly LearntRange[], body: (variables: Tensor[]) => T): T {
  const parameters = learnt.flatMap((range) => range.parameters);
  const masters = parameters.map(({ tensor }) => tensor);
  const seen = learnt.flatMap(({ values, halves, parameters: within }) => {
    if (!halves) return within.map(({ tensor }) => tensor);
    copyInto(values, halves);
    const views = viewsOf(halves, within);
    return within.map(({ shape, tensor }, index) => (shape.length > 1 ? views[index]! : tensor));
  });
  parameters.forEach((parameter, index) => (parameter.tensor = seen[index]!));
  try {
    return body(seen);
  } finally {
    parameters.forEach((parameter, index) => (parameter.tensor = masters[index]!));
  }
}

/** Images as the model wants them, augmented and mixed; their class numbers; and what the loss compares outputs with. */
function trainingBatch(
  model: Model,
  data: ResidentDataset,
  place: BatchPlace,
  { augmentation, mix, precision }: StepSettings,
  random: (layer: number) => RandomKey,
): { x: Tensor; labels: Tensor; targets: Tensor } {
  const change = augmentation ? { augmentation, random: random(AUGMENTATION_LAYER) } : {};
  const dtype = precision === "mixed" ? "f16" : "f32";
  const { x, y } = batchOf(data, place, { ...lookOf(model, data), ...change, dtype });
  if (!mix) return { x, labels: y, targets: y };
  const mixing = drawMixing(x, mix, random(MIXING_LAYER));
  return { x: mixImages(x, mixing), labels: y, targets: mixLabels(y, model.output[0]!, mixing) };
}

/** Puts gradients where the update finds them: in their own buffer, or added to those of the batches before. */
function addGradients(gradients: readonly Tensor[], learnt: readonly LearntRange[], { first, last }: Phase): void {
  const alone = first && last;
  const targets = learnt.map((range) => (first && !alone ? range.sum! : range.gradients));
  const places = learnt.flatMap(({ parameters }, index) => viewsOf(targets[index]!, parameters));
  gradients.forEach((gradient, index) => copyInto(gradient, places[index]!));
  if (!first) for (const range of learnt) accumulate(range.sum!, range.gradients, false);
}

/** Clips or unscales where asked to, and lets the optimiser take its step. */
function update(state: TrainingState, settings: StepSettings, { first }: Phase): void {
  const { optimizer, precision, clipNorm, ema } = settings;
  const { learnt, rate, updates, lossScale } = state;
  const buffers = learnt.map(({ gradients, sum }) => (first ? gradients : sum!));
  const limit = clipNorm ?? undefined;
  let scaling: { gradientScale?: Tensor; step: Tensor } = { step: updates };
  if (precision === "mixed") {
    const options = limit === undefined ? {} : { maxNorm: limit };
    scaling = lossScaleStep({ ...lossScale, updates }, gradientNorm(buffers), options);
  } else if (limit !== undefined) {
    scaling = { gradientScale: clipFactor(gradientNorm(buffers), limit), step: updates };
  }
  learnt.forEach(({ values, slots, average }, index) => {
    optimizer.step(values, slots, { gradients: buffers[index]!, rate, ...scaling });
    if (average) emaStep(average, values, ema!, scaling.step);
  });
}
