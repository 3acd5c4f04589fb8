/** Loss, accuracy and other metrics on labelled samples, and predictions for unlabelled ones. */
import { DataError, OptionError, ShapeError } from "../errors.ts";
import { requireFiniteRows, type ImageStream } from "../data/index.ts";
import {
  advance,
  collectRows,
  batchOf,
  softmax,
  softmaxCrossEntropy,
  tally,
  type BatchPlace,
} from "../kernels/index.ts";
import type { CallContext, Model } from "../nn/index.ts";
import { bytesPerElement, compile, holding, sizeOf, type Program, type Shape, type Tensor } from "../tensor/index.ts";
import { batchSource, type BatchInput, type BatchSource } from "./batchSource.ts";
import { metricsFrom, scoresOf, type MetricChoice } from "./chosenMetrics.ts";
import { isStream, type DataSource } from "./dataSource.ts";
import type { Metric } from "./metrics/named.ts";
import { checkDataset, checkShape, lookOf, type Hold } from "./residentDataset.ts";

export interface Evaluation {
  /** Mean cross entropy, in nats. */
  readonly loss: number;
  /** Share of samples whose greatest output is their class. */
  readonly accuracy: number;
  readonly count: number;
  /** Other metrics that were asked for, by name. */
  readonly metrics?: Readonly<Record<string, number>>;
}

export interface BatchOptions {
  /** Samples a batch. Default: 256, or as many as the adapter can hold of the model's largest layer. */
  readonly batchSize?: number;
}

export interface EvaluateOptions extends BatchOptions {
  /** Metrics besides loss and accuracy: `macroF1`, `top3`, …, or `{ name, compute }` of one's own. Default: none. */
  readonly metrics?: readonly MetricChoice[];
}

const MOST_SAMPLES = 256;

/** Samples a batch where nobody says, at most `most`. What a layer makes of them must fit into one binding. */
export function defaultBatch({ device, input, summaries }: Model, most = MOST_SAMPLES): number {
  const largest = Math.max(...[input, ...summaries.map(({ output }) => output)].map(sizeOf));
  const fitting = device.gpu.limits.maxStorageBufferBindingSize / (largest * bytesPerElement("f32"));
  return Math.max(1, Math.min(most, Math.floor(fitting)));
}

/** Layers outside of training draw no random numbers. */
export const INFERENCE: CallContext = {
  training: false,
  random: () => {
    throw new Error("a layer drew random numbers outside of training");
  },
};

/**
 * Compiled inference over a data set: every sample once, in order, in batches of one size and a last, smaller one. Made once
 * and run as often as parameters change.
 */
export class Inference {
  readonly #model: Model;
  readonly #source: BatchSource;
  readonly #batchSize: number;
  readonly #cursor: Tensor;
  readonly #programs: readonly { program: Program<null>; times: number }[];

  private constructor(
    model: Model,
    source: BatchSource,
    batchSize: number,
    cursor: Tensor,
    programs: readonly { program: Program<null>; times: number }[],
  ) {
    this.#model = model;
    this.#source = source;
    this.#batchSize = batchSize;
    this.#cursor = cursor;
    this.#programs = programs;
  }

  /** `visit` receives each batch's logits, labels and place while the programs are recorded. */
  static async compile(
    model: Model,
    samples: BatchInput,
    batchSize: number,
    hold: Hold,
    visit: (logits: Tensor, labels: Tensor, place: BatchPlace) => void,
  ): Promise<Inference> {
    const { device } = model;
    const { count } = samples;
    const size = Math.min(batchSize, count);
    const source = batchSource(device, samples, size, hold);
    const full = Math.floor(count / size);
    const rest = count - full * size;
    const order = hold(device.tensor(source.begin(identity(count), null)));
    const cursor = hold(device.zeros([1], "u32"));
    const place = { order, cursor, stride: size };
    const parts: { place: BatchPlace; times: number }[] = [
      { place: { ...place, rows: size, batches: full }, times: full },
    ];
    if (rest > 0) parts.push({ place: { ...place, rows: rest, batches: 1, offset: full * size }, times: 1 });
    const programs = await Promise.all(
      parts.map(async (part) => {
        const program = await compile(device, [], () => {
          const { x, y } = batchOf(source.data, part.place, lookOf(model, source.data));
          visit(model.call(x, INFERENCE), y, part.place);
          advance(cursor);
          return null;
        });
        return { program, times: part.times };
      }),
    );
    return new Inference(model, source, size, cursor, programs);
  }

  /** Class numbers in the data set's order, as far as `run` has seen them. */
  get labels(): ArrayLike<number> {
    return this.#source.labels;
  }

  /** Runs over all samples of a data set that is on the device. Results are where `visit` puts them. */
  submit(): void {
    this.#model.device.write(this.#cursor, new Uint32Array(1));
    for (const { program, times } of this.#programs) program.run([], times);
  }

  /** `submit` for any source: what is not on the device is brought there on the way. */
  async run(): Promise<void> {
    if (this.#source.resident) return this.submit();
    this.#model.device.write(this.#cursor, new Uint32Array(1));
    this.#source.begin(identity(this.#source.data.count), null);
    let done = 0;
    try {
      for (const { program, times } of this.#programs) {
        for (let left = times; left > 0;) {
          const reach = await this.#source.reach(done * this.#batchSize);
          const now = Math.min(left, Math.max(1, Math.floor(reach / this.#batchSize) - done));
          program.run([], now);
          left -= now;
          done += now;
        }
      }
    } finally {
      this.#source.end();
    }
  }

  dispose(): void {
    for (const { program } of this.#programs) program.dispose();
  }
}

const identity = (count: number) => Uint32Array.from({ length: count }, (_, index) => index);

/** Loss, accuracy and metrics as a compiled program over a data set, to be run after every epoch. */
export class Evaluator {
  readonly #inference: Inference;
  readonly #totals: Tensor;
  readonly #metrics: readonly Metric[];
  /** `[count, classes]`; null where loss and accuracy are all that is wanted. */
  readonly #probabilities: Tensor | null;

  private constructor(inference: Inference, totals: Tensor, metrics: readonly Metric[], probabilities: Tensor | null) {
    this.#inference = inference;
    this.#totals = totals;
    this.#metrics = metrics;
    this.#probabilities = probabilities;
  }

  static async compile(
    model: Model,
    data: DataSource,
    hold: Hold,
    metrics: readonly Metric[],
    batchSize = defaultBatch(model),
  ): Promise<Evaluator> {
    const { device, output } = model;
    const totals = hold(device.zeros([3]));
    const probabilities = metrics.length > 0 ? hold(device.zeros([data.count, output[0]!])) : null;
    const inference = await Inference.compile(model, data, batchSize, hold, (logits, labels, place) => {
      tally(totals, softmaxCrossEntropy(logits, labels), logits, labels);
      if (probabilities) collectRows(softmax(logits), place, probabilities);
    });
    return new Evaluator(inference, totals, metrics, probabilities);
  }

  async run(): Promise<Evaluation> {
    const [totals, metrics, probabilities] = [this.#totals, this.#metrics, this.#probabilities];
    totals.device.write(totals, new Float32Array(3));
    await this.#inference.run();
    if (!probabilities) return asEvaluation(await totals.read());
    const [sums, rows] = await totals.device.readMany([totals, probabilities]);
    const { labels } = this.#inference;
    const answered = { probabilities: rows as Float32Array, labels, classes: probabilities.shape[1]! };
    return { ...asEvaluation(sums!), metrics: scoresOf(metrics, answered) };
  }

  dispose(): void {
    this.#inference.dispose();
  }
}

/** `[sum of losses, hits, rows]` as means. */
export function asEvaluation(totals: ArrayLike<number>): Evaluation {
  const [loss = 0, hits = 0, count = 0] = Array.from(totals);
  return { loss: loss / count, accuracy: hits / count, count };
}

/** Loss, accuracy and chosen metrics of a model on labelled samples. */
export async function evaluate(model: Model, dataset: DataSource, options: EvaluateOptions = {}): Promise<Evaluation> {
  checkDataset("evaluate", model, dataset);
  const metrics = await metricsFrom("evaluate, metrics", options.metrics);
  const batchSize = checkBatchSize("evaluate", options.batchSize ?? defaultBatch(model));
  return holding(async (hold) => {
    const evaluator = await Evaluator.compile(model, dataset, hold, metrics, batchSize);
    try {
      return await evaluator.run();
    } finally {
      evaluator.dispose();
    }
  });
}

export interface Predictions {
  /** `[count, classes]`, row-major; each row sums to 1. */
  readonly probabilities: Float32Array<ArrayBuffer>;
  /** The most probable class of each sample. */
  readonly classes: Uint32Array<ArrayBuffer>;
}

export interface PredictOptions extends BatchOptions {
  /** Of one sample where bytes or numbers are given: `[height, width, channels]` of images. Default: the model's input. */
  readonly shape?: Shape;
}

/**
 * Class probabilities of samples in their order: of a data set, of images given as bytes, `[count, …shape]`, which are brought
 * to the model's input on the GPU, or of numbers, `[count, …input]`, which reach the first layer as they are.
 * @throws {DataError} for NaN and infinities, and for pictures of a stream that do not decode.
 */
export async function predict(
  model: Model,
  inputs: Uint8Array | Float32Array | DataSource,
  options: PredictOptions = {},
): Promise<Predictions> {
  const { device } = model;
  const samples = samplesOf(model, inputs, options);
  const batchSize = checkBatchSize("predict", options.batchSize ?? defaultBatch(model));
  const classes = model.output[0]!;
  const probabilities = await holding(async (hold) => {
    const results = hold(device.zeros([samples.count, classes]));
    const collect = (logits: Tensor, _: Tensor, place: BatchPlace) => collectRows(softmax(logits), place, results);
    const inference = await Inference.compile(model, samples, batchSize, hold, collect);
    try {
      await inference.run();
      return (await results.read()) as Float32Array<ArrayBuffer>;
    } finally {
      inference.dispose();
    }
  });
  return { probabilities, classes: greatest(probabilities, classes) };
}

function samplesOf(
  model: Model,
  inputs: Uint8Array | Float32Array | DataSource,
  { shape = model.input }: PredictOptions,
): BatchInput {
  if (!(inputs instanceof Uint8Array || inputs instanceof Float32Array)) {
    checkShape("predict", model, inputs);
    return isStream(inputs) ? whole(inputs) : inputs;
  }
  const size = sizeOf(shape);
  const count = inputs.length / size;
  const isBytes = inputs instanceof Uint8Array;
  if (!Number.isInteger(count) || count === 0) {
    throw new ShapeError({
      where: "predict",
      expected: isBytes
        ? `a multiple of ${size} bytes, one image each`
        : `a multiple of ${size} numbers, one sample each`,
      got: `${inputs.length}`,
    });
  }
  const described = { labels: new Uint32Array(count), shape, count, origin: "samples to predict" };
  if (isBytes) return { ...described, labels: new Uint8Array(count), images: inputs };
  requireFiniteRows("predict", inputs, shape);
  return { ...described, values: inputs };
}

/** A stream that gives all that it is asked for: the answer to one picture must not stand in the place of another's. */
function whole(stream: ImageStream): ImageStream {
  return {
    ...stream,
    async read(indices, signal) {
      const batch = await stream.read(indices, signal);
      const found = new Set(batch.indices);
      const missing = Array.from(indices).find((index) => !found.has(index));
      if (missing === undefined) return batch;
      const got = `one that does not, number ${missing}`;
      throw new DataError({ where: `data set "${stream.origin}"`, expected: "pictures that decode", got });
    },
  };
}

/** Index of the greatest of each row; the first, in a tie. */
function greatest(values: Float32Array, columns: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: values.length / columns }, (_, row) => {
    const line = values.subarray(row * columns, (row + 1) * columns);
    return line.indexOf(Math.max(...line));
  });
}

export function checkBatchSize(where: string, batchSize: number): number {
  if (Number.isInteger(batchSize) && batchSize > 0) return batchSize;
  throw new OptionError({ where, expected: "a batch size of at least 1", got: String(batchSize) });
}
