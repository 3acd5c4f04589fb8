/** From an experiment's words to what trains: parts of the data, layers, options. */
import { DataError, OptionError } from "../errors.ts";
import {
  applyLabelMap,
  classWeights,
  fashionGroups,
  mapLabels,
  pixelStatistics,
  randomSplit,
  selectImages,
  stratifiedKFold,
  stratifiedSplit,
  studySplit,
  takeImages,
  type FashionMnist,
  type ImageDataset,
} from "../data/index.ts";
import { normalisationFor, type Normalisation } from "../kernels/index.ts";
import { buildArchitecture, denseHead, pixelsFor } from "../models/index.ts";
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamW,
  crossEntropy,
  hingeLoss,
  layerFrom,
  nadam,
  rmsprop,
  sequential,
  sgd,
  type Layer,
  type ModelOptions,
  type Optimizer,
} from "../nn/index.ts";
import { divergenceGuard, earlyStopping, reduceOnPlateau, type Callback, type FitOptions } from "../train/index.ts";
import type { Experiment } from "./experiment.ts";
import { layerRecord } from "./layers.ts";
import { convnet, perceptron } from "./networks.ts";
import { rateInSteps, type Pace } from "./schedule.ts";
import { HEAD, transferOf, type Transfer } from "./transfer.ts";

/** One training of an experiment. */
export interface Run {
  readonly seed: number;
  /** From 0; null without folds. */
  readonly fold: number | null;
}

/** Images by what they are used for. */
export interface DataParts {
  readonly training: ImageDataset;
  readonly validation: ImageDataset | null;
  readonly test: ImageDataset;
  /** What is doubtful about the split itself. */
  readonly warnings: readonly string[];
}

/**
 * A training, ready to begin: `fit(build(device, layers, model), parts.training, fit)`, after the weights of `transfer` were
 * loaded and its layers frozen.
 */
export interface PreparedRun {
  readonly parts: DataParts;
  readonly layers: Layer;
  readonly model: ModelOptions;
  readonly transfer: Transfer;
  readonly fit: FitOptions;
  /** Whether features of frozen layers may be kept. */
  readonly keepsFeatures: boolean;
}

/** Every training of an experiment: seed by seed, fold by fold. */
export function runsOf({ seeds = [42], data: { folds } = {} }: Experiment): readonly Run[] {
  const each = folds === undefined ? [null] : Array.from({ length: folds }, (_, fold) => fold);
  return seeds.flatMap((seed) => each.map((fold) => ({ seed, fold })));
}

/**
 * Prepares one training.
 * @throws {OptionError} for settings that do not go together.
 */
export function prepareRun(experiment: Experiment, source: FashionMnist, run: Run): PreparedRun {
  const parts = splitData(experiment, source, run);
  const { training, validation } = parts;
  const { input: { size, channels, resize = "bilinear", antialias = false } = {} } = experiment;
  const [height, width] = size ?? training.shape;
  return {
    parts,
    layers: layersOf(experiment, training.classNames.length),
    model: {
      input: [height, width, channels ?? training.shape[2]],
      seed: run.seed,
      normalisation: normalisationOf(experiment, training),
      resize: { mode: resize, antialias },
      classNames: training.classNames,
    },
    transfer: transferOf(experiment),
    keepsFeatures: experiment.training.features !== "never",
    fit: {
      ...fitOptions(experiment, training),
      ...(validation ? { validation } : {}),
      seed: run.seed,
      callbacks: callbacksOf(experiment),
    },
  };
}

function splitData({ data = {} }: Experiment, source: FashionMnist, { fold }: Run): DataParts {
  const { images, testImages, split = "none", folds, seed = 42 } = data;
  const part = (of: ImageDataset, count: number | undefined): ImageDataset =>
    relabelled(count === undefined ? of : takeImages(of, count), data.labels);
  const whole = { train: part(source.train, images), test: part(source.test, testImages) };
  const divide = (parts: { train: Uint32Array; validation: Uint32Array }): DataParts => ({
    training: selectImages(whole.train, parts.train, "train"),
    validation: selectImages(whole.train, parts.validation, "validation"),
    test: whole.test,
    warnings: [],
  });
  if (folds !== undefined) {
    if (split !== "none") {
      throw new OptionError({ where: "data", expected: "folds or a split", got: "both", advice: "leave one out" });
    }
    return divide(stratifiedKFold(whole.train.labels, { folds, seed })[fold ?? 0]!);
  }
  if (typeof split === "object") {
    const options = { fraction: split.validation, seed };
    const { labels, count } = whole.train;
    return divide(split.stratified === true ? stratifiedSplit(labels, options) : randomSplit(count, options));
  }
  if (split === "none") return { training: whole.train, validation: null, test: whole.test, warnings: [] };
  const { train: training, validation, test, warning } = studySplit(whole, split, seed);
  return { training, validation, test, warnings: warning === null ? [] : [warning] };
}

function relabelled(dataset: ImageDataset, labels: NonNullable<Experiment["data"]>["labels"]): ImageDataset {
  if (labels === undefined) return dataset;
  if (labels === "groups") return applyLabelMap(dataset, fashionGroups());
  return mapLabels(dataset, labels.classes, labels.names);
}

function layersOf({ model }: Experiment, classes: number): Layer {
  if ("kind" in model) return layerFrom(layerRecord(model), "model");
  if (model.name === "convnet") return convnet(classes);
  if (model.name === "mlp") return perceptron(classes, model);
  const { name, head, pooling, ...options } = model;
  if (head !== undefined) {
    const base = buildArchitecture(name, { ...options, top: false, pooling: pooling ?? null });
    return sequential([base, denseHead(head, classes, { name: HEAD })]);
  }
  if (pooling === undefined) return buildArchitecture(name, { ...options, classes });
  const expected = "pooling with a head, which it comes before";
  throw new OptionError({ where: "model", expected, got: "no head", advice: 'say "head": [] for one dense layer' });
}

function normalisationOf({ input = {}, model }: Experiment, training: ImageDataset): Normalisation {
  const { normalisation = "scale" } = input;
  if (typeof normalisation === "object") return normalisation;
  switch (normalisation) {
    case "scale":
      return { scale: 1, shift: 0 };
    case "none":
      return { scale: 255, shift: 0 };
    case "standardise":
      return standardisationBy(training);
    case "network":
      return pixelsOf(model);
    case "caffe":
    case "tf":
    case "torch":
      return normalisationFor(normalisation);
  }
}

function pixelsOf(model: Experiment["model"]): Normalisation {
  if ("name" in model && model.name !== "mlp" && model.name !== "convnet") {
    return pixelsFor(model.name, model.convention);
  }
  const expected = "a published network, which says what it was fed";
  throw new OptionError({ where: "input.normalisation", expected, got: "name" in model ? model.name : model.kind });
}

/** Mean and deviation of the training part alone: those of all images would tell something of the others. */
function standardisationBy(training: ImageDataset): Normalisation {
  const { mean, std } = pixelStatistics(training);
  if (std > 0) return { mean, std };
  throw new DataError({ where: "standardise", expected: "images that differ", got: `pixels of ${mean} only` });
}

function fitOptions({ training: settings }: Experiment, training: ImageDataset): FitOptions {
  const { epochs, batchSize = 128, precision = "f32", accumulate = 1 } = settings;
  const stepsPerEpoch = Math.ceil(training.count / Math.min(batchSize, training.count));
  return {
    epochs,
    batchSize,
    optimizer: optimizerOf(settings, { stepsPerEpoch, epochs }),
    loss: lossOf(settings, training),
    augmentation: settings.augmentation ?? null,
    mix: settings.mix ?? null,
    precision,
    clipNorm: settings.clipNorm ?? null,
    accumulate,
    ema: settings.ema ?? null,
    ...(settings.allowUntrainedFrozen === undefined ? {} : { allowUntrainedFrozen: settings.allowUntrainedFrozen }),
  };
}

const optimizers = { adadelta, adagrad, adam, adamax, adamW, nadam, rmsprop, sgd } as const;

function optimizerOf({ optimizer = { name: "adam" } }: Experiment["training"], pace: Pace): Optimizer {
  const { name, learningRate, ...rest } = optimizer;
  const rate = learningRate === undefined ? {} : { learningRate: rateInSteps(learningRate, pace) };
  return optimizers[name]({ ...rest, ...rate });
}

function lossOf(
  { loss = { name: "crossEntropy" }, classWeights: weights }: Experiment["training"],
  data: ImageDataset,
) {
  if (loss.name === "hinge") {
    if (weights === undefined) return hingeLoss();
    throw new OptionError({ where: "training", expected: "classWeights of the cross entropy only", got: "hinge" });
  }
  const { labelSmoothing = 0 } = loss;
  if (weights === undefined) return crossEntropy({ labelSmoothing });
  const classes = data.classNames.length;
  const each = weights === "balanced" ? classWeights(data) : weights;
  if (each.length === classes) return crossEntropy({ labelSmoothing, classWeights: each });
  throw new OptionError({
    where: "training.classWeights",
    expected: `${classes} weights, one a class`,
    got: String(each.length),
  });
}

function callbacksOf({ callbacks = {} }: Experiment): Callback[] {
  const { earlyStopping: stopping, reduceOnPlateau: plateau, divergenceGuard: divergence } = callbacks;
  return [
    ...(divergence ? [divergenceGuard(divergence)] : []),
    ...(plateau ? [reduceOnPlateau(plateau)] : []),
    ...(stopping ? [earlyStopping(stopping)] : []),
  ];
}
