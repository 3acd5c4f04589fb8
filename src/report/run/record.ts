/**
 * What a run leaves behind beside its model: all that a report needs, without the data and without training again. Plain
 * data, written as one JSON file.
 */
import { pixelHistogram, type ImageDataset, type ImageStream, type Picture } from "../../data/index.ts";
import type { Json, Model } from "../../nn/index.ts";
import type { Evaluation, HardwareSummary, Predictions, TrainingResult } from "../../train/index.ts";
import { VERSION } from "../../weights/index.ts";
import type { DescribedModel } from "../model/tree.ts";
import type { Tile } from "../pictures/grid.ts";
import { answerTile, averageTiles, byConfidence, pictureAt, sampleTiles, type Answers } from "../pictures/tiles.ts";
import type { ClassCounts } from "../plots/classCounts.ts";
import { packFloats, packWhole, type Packed } from "./packed.ts";

/** Raised when older versions could not read, or would misread, what newer ones write. */
export const RUN_FORMAT = 1;

export interface RunRecord {
  readonly trama: "run";
  readonly format: typeof RUN_FORMAT;
  /** Of Trama. */
  readonly version: string;
  readonly name: string;
  /** When it ended: ISO 8601, in UTC. */
  readonly ended: string;
  readonly seed: number;
  readonly adapter: RunAdapter;
  readonly data: RunData;
  readonly model: RunModel;
  /** What the user chose, as it was understood. */
  readonly configuration: Readonly<Record<string, Json>>;
  readonly training: TrainingResult;
  /** Null where nothing was tested. */
  readonly test: RunTest | null;
  /** Greatest GPU memory of all buffers together, in bytes. */
  readonly deviceBytes: number;
  /** Null where nothing was measured. */
  readonly hardware: HardwareSummary | null;
  readonly pictures: RunPictures;
}

export interface RunAdapter {
  readonly name: string;
  readonly kind: string;
  readonly reason: string;
  readonly source: string;
  readonly driver: string;
  /** Family of kernels. */
  readonly variant: string;
}

export interface RunData {
  readonly origin: string;
  readonly synthetic: boolean;
  readonly shape: readonly number[];
  readonly classNames: readonly string[];
  readonly parts: readonly ClassCounts[];
  /** How often each pixel value occurs in the training part; null for a stream. */
  readonly pixels: readonly number[] | null;
}

export interface RunModel extends DescribedModel {
  /** Path of its file, and the file's size; null where it was not saved. */
  readonly file: string | null;
  readonly bytes: number | null;
}

export interface RunTest {
  readonly evaluation: Evaluation;
  /** Of predicting all test images, compiling included. */
  readonly seconds: number;
  /** `[samples]` */
  readonly truth: Packed;
  readonly predicted: Packed;
  readonly confidence: Packed;
  /** `[kept samples, classes]`, of every `step`th sample from the first on. */
  readonly probabilities: Packed;
  readonly step: number;
}

/** A tile whose pixels are packed. */
export interface StoredTile extends Omit<Tile, "picture"> {
  readonly shape: Picture["shape"];
  readonly pixels: Packed;
}

export interface RunPictures {
  readonly samples: readonly StoredTile[];
  readonly averages: readonly StoredTile[];
  /** Most confident first. */
  readonly wrong: readonly StoredTile[];
  readonly right: readonly StoredTile[];
  /** Least confident first. */
  readonly unsure: readonly StoredTile[];
}

/** What there is when a run ends. */
export interface FinishedRun {
  readonly name: string;
  readonly model: Model;
  readonly file: { readonly path: string; readonly bytes: number } | null;
  readonly configuration: Readonly<Record<string, Json>>;
  readonly seed: number;
  readonly training: ImageDataset | ImageStream;
  readonly validation: ImageDataset | ImageStream | null;
  readonly result: TrainingResult;
  readonly test: TestedRun | null;
  readonly hardware: HardwareSummary | null;
  /** Default: now. */
  readonly ended?: Date;
}

export interface TestedRun {
  readonly images: ImageDataset;
  readonly evaluation: Evaluation;
  readonly predictions: Predictions;
  readonly seconds: number;
}

/** Probabilities beyond so many are thinned out: 2 MB as bytes. */
const MOST_PROBABILITIES = 2 ** 19;
const SAMPLES = 32;
const ANSWERS = 16;

/** Gathers what there is to report on. */
export function recordRun(run: FinishedRun): RunRecord {
  const {
    name,
    model,
    file,
    configuration,
    seed,
    training,
    validation,
    result,
    test,
    hardware,
    ended = new Date(),
  } = run;
  const { name: adapter, kind, reason, source, driver } = model.device.adapter;
  const parts = [training, ...(validation ? [validation] : []), ...(test ? [test.images] : [])];
  return {
    trama: "run",
    format: RUN_FORMAT,
    version: VERSION,
    name,
    ended: ended.toISOString(),
    seed,
    adapter: { name: adapter, kind, reason, source, driver, variant: model.device.variant },
    data: {
      origin: training.origin,
      synthetic: training.synthetic,
      shape: training.shape,
      classNames: training.classNames,
      parts: parts.map(countsOf),
      pixels: isInMemory(training) ? Array.from(pixelHistogram(training)) : null,
    },
    model: { ...described(model), file: file?.path ?? null, bytes: file?.bytes ?? null },
    configuration,
    training: result,
    test: test && testOf(test),
    deviceBytes: model.device.memory.peakBytes,
    hardware,
    pictures: picturesOf(training, test),
  };
}

function isInMemory(data: ImageDataset | ImageStream): data is ImageDataset {
  return "images" in data;
}

function countsOf({ split, labels, classNames }: ImageDataset | ImageStream): ClassCounts {
  const counts = new Array<number>(classNames.length).fill(0);
  for (const label of labels) counts[label]! += 1;
  return { name: split, counts };
}

/** The model as far as a summary looks, without its device. */
function described({ architecture: { kind, name }, input, output, summaries, parameters }: Model): DescribedModel {
  return {
    architecture: name === undefined ? { kind } : { kind, name },
    input,
    output,
    summaries,
    parameters: parameters.map(({ name: path, shape, trainable, frozen }) => ({
      name: path,
      shape,
      trainable,
      frozen,
    })),
  };
}

function testOf({ images, evaluation, predictions, seconds }: TestedRun): RunTest {
  const { classes, probabilities } = predictions;
  const columns = probabilities.length / classes.length;
  const step = Math.ceil(probabilities.length / MOST_PROBABILITIES);
  const kept = step === 1 ? probabilities : probabilities.filter((_, at) => Math.floor(at / columns) % step === 0);
  return {
    evaluation,
    seconds,
    truth: packWhole(images.labels),
    predicted: packWhole(classes),
    confidence: packFloats(confidenceOf(predictions)),
    probabilities: packFloats(kept),
    step,
  };
}

/** The probability of each answer. */
export function confidenceOf({ classes, probabilities }: Predictions): Float32Array<ArrayBuffer> {
  const columns = probabilities.length / classes.length;
  return Float32Array.from(classes, (answer, row) => probabilities[row * columns + answer]!);
}

function picturesOf(training: ImageDataset | ImageStream, test: TestedRun | null): RunPictures {
  const inMemory = isInMemory(training) ? training : null;
  const answers = test && answersOf(test);
  const galleryOf = (indices: readonly number[]): StoredTile[] =>
    test === null || answers === null
      ? []
      : indices.slice(0, ANSWERS).map((index) => {
          const nameOf = (k: number): string => test.images.classNames[k] ?? String(k);
          const names = { answer: nameOf(answers.predicted[index]!), truth: nameOf(answers.truth[index]!) };
          return stored(answerTile(pictureAt(test.images, index), names, answers.confidence[index]!));
        });
  const [right, wrong] = (["right", "wrong"] as const).map((verdict) =>
    answers ? byConfidence(answers, verdict) : [],
  );
  return {
    samples: inMemory ? sampleTiles(inMemory, SAMPLES).map(stored) : [],
    averages: inMemory ? averageTiles(inMemory).map(stored) : [],
    wrong: galleryOf(wrong!),
    right: galleryOf(right!),
    unsure: galleryOf(right!.toReversed()),
  };
}

function answersOf({ images, predictions }: TestedRun): Answers {
  return { truth: images.labels, predicted: predictions.classes, confidence: confidenceOf(predictions) };
}

function stored({ picture: { shape, pixels }, ...rest }: Tile): StoredTile {
  return { ...rest, shape, pixels: packWhole(pixels) };
}
