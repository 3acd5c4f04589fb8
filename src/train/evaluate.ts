/** Loss and accuracy on labelled images, and predictions for unlabelled ones. */
import { OptionError, ShapeError } from "../errors.ts";
import type { ImageStream } from "../data/index.ts";
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
import { compile, holding, sizeOf, type Program, type Shape, type Tensor } from "../tensor/index.ts";
import { batchSource, type BatchSource, type ImageSource } from "./batchSource.ts";
import { checkDataset, lookOf, type Hold, type UploadableImages } from "./residentDataset.ts";

export interface Evaluation {
  /** Mean cross entropy, in nats. */
  readonly loss: number;
  /** Share of images whose greatest output is their class. */
  readonly accuracy: number;
  readonly count: number;
  /** Other metrics that were asked for, by name. */
  readonly metrics?: Readonly<Record<string, number>>;
}

export interface BatchOptions {
  /** Images a batch. Default: 256. */
  readonly batchSize?: number;
}

const DEFAULT_BATCH = 256;

/** Layers outside of training draw no random numbers. */
const INFERENCE: CallContext = {
  training: false,
  random: () => {
    throw new Error("a layer drew random numbers outside of training");
  },
};

/**
 * Compiled inference over a data set: every image once, in order, in batches of one size and a last, smaller one. Made once
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
    images: UploadableImages | ImageStream,
    batchSize: number,
    hold: Hold,
    visit: (logits: Tensor, labels: Tensor, place: BatchPlace) => void,
  ): Promise<Inference> {
    const { device } = model;
    const { count } = images;
    const size = Math.min(batchSize, count);
    const source = batchSource(device, images, size, hold);
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

  /** Runs over all images of a data set that is on the device. Results are where `visit` puts them. */
  submit(): void {
    this.#model.device.write(this.#cursor, new Uint32Array(1));
    for (const { program, times } of this.#programs) program.run([], times);
  }

  /** `submit` for any source: a stream's images are brought to the device on the way. */
  async run(): Promise<void> {
    if (this.#source.resident) return this.submit();
    this.#model.device.write(this.#cursor, new Uint32Array(1));
    this.#source.begin(identity(this.#source.data.count), null);
    let done = 0;
    for (const { program, times } of this.#programs) {
      for (let left = times; left > 0;) {
        const reach = await this.#source.reach(done * this.#batchSize);
        const now = Math.min(left, Math.max(1, Math.floor(reach / this.#batchSize) - done));
        program.run([], now);
        left -= now;
        done += now;
      }
    }
  }

  dispose(): void {
    for (const { program } of this.#programs) program.dispose();
  }
}

const identity = (count: number) => Uint32Array.from({ length: count }, (_, index) => index);

/** Loss and accuracy as a compiled program over a data set, to be run after every epoch. */
export class Evaluator {
  readonly #inference: Inference;
  readonly #totals: Tensor;

  private constructor(inference: Inference, totals: Tensor) {
    this.#inference = inference;
    this.#totals = totals;
  }

  static async compile(model: Model, images: ImageSource, hold: Hold, batchSize = DEFAULT_BATCH): Promise<Evaluator> {
    const totals = hold(model.device.zeros([3]));
    const inference = await Inference.compile(model, images, batchSize, hold, (logits, labels) =>
      tally(totals, softmaxCrossEntropy(logits, labels), logits, labels),
    );
    return new Evaluator(inference, totals);
  }

  async run(): Promise<Evaluation> {
    this.#totals.device.write(this.#totals, new Float32Array(3));
    await this.#inference.run();
    return asEvaluation(await this.#totals.read());
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

/** Loss and accuracy of a model on labelled images. */
export async function evaluate(model: Model, dataset: ImageSource, options: BatchOptions = {}): Promise<Evaluation> {
  checkDataset("evaluate", model, dataset);
  const batchSize = checkBatchSize("evaluate", options.batchSize ?? DEFAULT_BATCH);
  return holding(async (hold) => {
    const evaluator = await Evaluator.compile(model, dataset, hold, batchSize);
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
  /** The most probable class of each image. */
  readonly classes: Uint32Array<ArrayBuffer>;
}

export interface PredictOptions extends BatchOptions {
  /** `[height, width, channels]` of the images. Default: the model's input. */
  readonly shape?: Shape;
}

/** Class probabilities of images given as bytes, `[count, …shape]`; they are brought to the model's input on the GPU. */
export async function predict(model: Model, images: Uint8Array, options: PredictOptions = {}): Promise<Predictions> {
  const { device } = model;
  const { shape = model.input } = options;
  const size = sizeOf(shape);
  const count = images.length / size;
  if (!Number.isInteger(count) || count === 0) {
    throw new ShapeError({
      where: "predict",
      expected: `a multiple of ${size} bytes, one image each`,
      got: `${images.length}`,
    });
  }
  const batchSize = checkBatchSize("predict", options.batchSize ?? DEFAULT_BATCH);
  const classes = model.output[0]!;
  const dataset = { images, labels: new Uint8Array(count), shape, count, origin: "images to predict" };
  const probabilities = await holding(async (hold) => {
    const results = hold(device.zeros([count, classes]));
    const collect = (logits: Tensor, _: Tensor, place: BatchPlace) => collectRows(softmax(logits), place, results);
    const inference = await Inference.compile(model, dataset, batchSize, hold, collect);
    try {
      await inference.run();
      return (await results.read()) as Float32Array<ArrayBuffer>;
    } finally {
      inference.dispose();
    }
  });
  return { probabilities, classes: greatest(probabilities, classes) };
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
