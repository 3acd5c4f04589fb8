/**
 * Training. A whole step — picking the batch, forward, loss, backward, update, totals — is one compiled program; several
 * go into one submit, and the CPU only reads three numbers now and then.
 */
import { OptionError } from "../errors.ts";
import type { Augmentation, MixOptions } from "../kernels/index.ts";
import { adam, crossEntropy, type Json, type Loss, type Model, type Optimizer } from "../nn/index.ts";
import { holding } from "../tensor/index.ts";
import type { Callback, TrainingResult } from "./callback.ts";
import { metricsFrom, type MetricChoice } from "./chosenMetrics.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { divided, fingerprintOf, type DataSource } from "./dataSource.ts";
import { checkBatchSize } from "./evaluate.ts";
import type { Metric } from "./metrics/named.ts";
import { checkDataset } from "./residentDataset.ts";
import type { Precision } from "./trainingStep.ts";
import { TrainingRun } from "./trainingRun.ts";

export interface FitOptions {
  /** Passes over the training images. Default: 5. */
  readonly epochs?: number;
  /** Images a step. Default: 128. */
  readonly batchSize?: number;
  /** Default: `adam()`. */
  readonly optimizer?: Optimizer;
  /** Default: `crossEntropy()`. Validation is always judged by the plain cross entropy. */
  readonly loss?: Loss;
  /** Changes to training images, drawn anew for each. Default: none. */
  readonly augmentation?: Augmentation | null;
  /** Mixes training images and their labels in pairs. Default: none. */
  readonly mix?: MixOptions | null;
  /** `mixed`: activations and weights in half precision, sums and parameters in full. Default: `f32`. */
  readonly precision?: Precision;
  /** Bound on the norm of all gradients together. Default: none. */
  readonly clipNorm?: number | null;
  /** Batches to an update, for batches that do not fit into memory. Default: 1. */
  readonly accumulate?: number;
  /** Decay of a moving average of the parameters, which is what is judged and kept: 0.999. Default: none. */
  readonly ema?: number | null;
  /** What to judge by after each epoch: a data set, or the share of the training samples to set aside. Default: none. */
  readonly validation?: DataSource | number;
  /** Metrics of each validation besides loss and accuracy, which callbacks may monitor: `val_macroF1`. Default: none. */
  readonly metrics?: readonly MetricChoice[];
  /** Of the order of images, of dropout and of the split. Default: the model's seed. */
  readonly seed?: number;
  /** New order every epoch. Default: true. A generator keeps its own. */
  readonly shuffle?: boolean;
  readonly callbacks?: readonly Callback[];
  /** Stops training after the current step; what was learnt is kept. */
  readonly signal?: AbortSignal;
  /** Whether layers may be frozen that were neither loaded nor trained; a mistake, unless they are random on purpose. */
  readonly allowUntrainedFrozen?: boolean;
  /** Goes on from a checkpoint of the same training: on the same adapter, with the bits of an uninterrupted run. */
  readonly resume?: Checkpoint | null;
}

/** Trains a model on labelled images or numbers: all in memory, or read or made as they are needed (see `DataSource`). */
export async function fit(model: Model, dataset: DataSource, options: FitOptions = {}): Promise<TrainingResult> {
  const settings = settle(model, dataset, options, await metricsFrom("fit, metrics", options.metrics));
  return holding(async (hold) => {
    const run = await TrainingRun.prepare(model, settings, hold);
    try {
      const result = await run.train();
      for (const parameter of model.parameters) parameter.untrained &&= parameter.frozen && !options.resume;
      return result;
    } finally {
      run.dispose();
    }
  });
}

/** Options with every default filled in. */
export type FitSettings = Required<Omit<FitOptions, "validation" | "metrics" | "signal" | "allowUntrainedFrozen">> & {
  readonly training: DataSource;
  readonly validation: DataSource | null;
  readonly metrics: readonly Metric[];
  readonly signal: AbortSignal | null;
  /** What a checkpoint must agree with. */
  readonly settings: Readonly<Record<string, Json>>;
};

/** Checks the options and fills in the defaults. */
function settle(model: Model, dataset: DataSource, options: FitOptions, metrics: readonly Metric[]): FitSettings {
  const {
    epochs = 5,
    batchSize = 128,
    optimizer = adam(),
    loss = crossEntropy(),
    precision = "f32",
    accumulate = 1,
    seed = model.seed,
    shuffle = true,
    callbacks = [],
  } = options;
  if (!Number.isInteger(epochs) || epochs < 1) {
    throw new OptionError({ where: "fit", expected: "at least one epoch", got: String(epochs) });
  }
  checkBatchSize("fit", batchSize);
  if (!Number.isInteger(accumulate) || accumulate < 1) {
    throw new OptionError({ where: "fit", expected: "accumulate: at least one batch", got: String(accumulate) });
  }
  if (!options.resume && !options.allowUntrainedFrozen) checkFrozen("fit", model);
  const { validation: judges = null } = options;
  if (metrics.length > 0 && judges === null) {
    const advice = "say validation: 0.1, or give a data set";
    throw new OptionError({ where: "fit, metrics", expected: "a validation to compute them in", got: "none", advice });
  }
  const [training, validation] = typeof judges === "number" ? divided(dataset, judges, seed) : [dataset, judges];
  checkDataset("fit", model, training);
  if (validation) checkDataset("fit, validation", model, validation);
  const size = Math.min(batchSize, training.count);
  return {
    epochs,
    batchSize: size,
    optimizer,
    loss,
    augmentation: options.augmentation ?? null,
    mix: options.mix ?? null,
    precision: checkPrecision(model, precision),
    clipNorm: options.clipNorm ?? null,
    accumulate,
    ema: options.ema ?? null,
    seed,
    shuffle,
    callbacks,
    training,
    validation,
    metrics,
    signal: options.signal ?? null,
    resume: options.resume ?? null,
    settings: {
      seed,
      shuffle,
      batchSize: size,
      optimizer: optimizer.name,
      learningRate: optimizer.learningRate as Json,
      loss: loss.name,
      augmentation: (options.augmentation ?? null) as Json,
      mix: (options.mix ?? null) as Json,
      precision,
      clipNorm: options.clipNorm ?? null,
      accumulate,
      ema: options.ema ?? null,
      images: training.count,
      data: fingerprintOf(training),
      parameters: model.parameters.map(
        ({ name, shape, frozen }) => `${name} ${shape.join("×")}${frozen ? " frozen" : ""}`,
      ),
    },
  };
}

/** Frozen layers that know nothing make noise of their input for good. A checkpoint brings the values of all layers. */
export function checkFrozen(where: string, { parameters }: Model): void {
  const untrained = parameters.filter(({ frozen, untrained: isNew }) => frozen && isNew);
  if (untrained.length === 0) return;
  throw new OptionError({
    where,
    expected: "frozen layers that were loaded or trained before",
    got: `${untrained.length} frozen parameters with initial values: ${untrained[0]!.name}${untrained.length > 1 ? ", …" : ""}`,
    advice: "call loadWeights first, unfreeze them, or say allowUntrainedFrozen: true",
  });
}

function checkPrecision({ device }: Model, precision: Precision): Precision {
  if (precision !== "f32" && precision !== "mixed") {
    throw new OptionError({ where: "fit", expected: 'precision "f32" or "mixed"', got: JSON.stringify(precision) });
  }
  if (precision === "mixed") device.checkDtype("fit, precision", "f16");
  return precision;
}
