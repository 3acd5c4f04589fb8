/**
 * Labelled samples that a program makes as they are needed: read from a database, drawn, simulated.
 *
 *   generatorDataset({ count: 10_000, shape: [13], classNames, batches: async function* (epoch) { yield { values, labels }; } })
 */
import { DataError, DtypeError, OptionError, ShapeError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";
import { classNumbers, requireFiniteRows, requireShape } from "./arrayDataset.ts";
import { unlessAborted } from "./concurrency.ts";
import type { SplitName } from "./dataset.ts";

/** Samples that were made together, any number of them. */
export interface SampleBatch {
  /** `[labels.length, …shape]`: numbers that the first layer sees, or pixels 0…255, as the data set's `dtype` says. */
  readonly values: Float32Array | Uint8Array;
  readonly labels: ArrayLike<number>;
}

/** Samples out of a generator; made by `generatorDataset`, which checks it. */
export interface GeneratorDataset {
  /** Samples an epoch: what more is made is not asked for. */
  readonly count: number;
  /** Of one sample; `[height, width, channels]` for pixels. */
  readonly shape: readonly number[];
  /** `f32`: finite numbers for the first layer. `u8`: pixels, which are normalised, resized and augmented like all others. */
  readonly dtype: "f32" | "u8";
  readonly classNames: readonly string[];
  /** As in `ImageDataset`. */
  readonly origin: string;
  readonly synthetic: boolean;
  readonly split: SplitName;
  /** Begins an epoch (from 0) and makes its batches in the order in which they are trained on. */
  readonly batches: (epoch: number) => AsyncIterable<SampleBatch> | Iterable<SampleBatch>;
}

type Optional = "dtype" | "origin" | "synthetic" | "split";
export type GeneratorFields = Omit<GeneratorDataset, Optional> & Partial<Pick<GeneratorDataset, Optional>>;

/**
 * Makes a data set of a generator's batches, which `fit`, `evaluate` and `predict` take as they take images. `batches` is
 * called anew for each epoch, and with 0 for each evaluation; its batches may have any size, since they are cut to those
 * of the training. Training keeps the generator's order: shuffling is its own affair.
 *
 * A generator has no fingerprint. A training that is resumed calls `batches` for the epoch in which it was cut, and leaves
 * out as many samples as were trained on before: it goes on with the same bits if the generator makes the same samples for the
 * same epoch, and nobody checks that it does.
 * @throws {OptionError} {ShapeError} for a description that makes no sense. While it is read: {DataError} when the generator
 * ends before `count` samples, for a batch without samples, for NaN, infinities and labels that are no class; {ShapeError}
 * and {DtypeError} for batches of another form. Each names the batch.
 */
export function generatorDataset(fields: GeneratorFields): GeneratorDataset {
  const { dtype = "f32", origin = "generator", synthetic = false, split = "all", ...rest } = fields;
  const { count, shape, classNames } = rest;
  const where = `data set "${origin}"`;
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new OptionError({ where, expected: "count: samples an epoch, at least 1", got: String(count) });
  }
  if (dtype !== "f32" && dtype !== "u8") {
    throw new OptionError({ where, expected: 'dtype "f32" or "u8"', got: JSON.stringify(dtype) });
  }
  requireShape(where, shape);
  if (classNames.length < 1) throw new DataError({ where, expected: "names of classes", got: "none" });
  return Object.freeze({ ...rest, dtype, origin, synthetic, split });
}

/** Samples in order, as many at a time as are asked for. */
export interface RowReader {
  /** The next samples. @throws as `generatorDataset` says, and the reason of `signal` as soon as it is aborted. */
  read(rows: number, signal?: AbortSignal): Promise<ReadRows>;
  /** Lets the generator go. */
  close(): void;
}

export interface ReadRows {
  readonly values: Float32Array | Uint8Array;
  readonly labels: Uint32Array<ArrayBuffer>;
}

/** Begins an epoch of a generator, and cuts its batches to the sizes that are asked for. */
export function readRows(dataset: GeneratorDataset, epoch: number): RowReader {
  const size = sizeOf(dataset.shape);
  const source = checkedBatches(dataset, epoch);
  let batch: ReadRows = { values: new Uint8Array(), labels: new Uint32Array() };
  let used = 0;
  return {
    async read(rows, signal) {
      const values = dataset.dtype === "u8" ? new Uint8Array(rows * size) : new Float32Array(rows * size);
      const labels = new Uint32Array(rows);
      for (let at = 0; at < rows;) {
        if (used === batch.labels.length) [batch, used] = [(await unlessAborted(source.next(), signal)).value!, 0];
        const end = Math.min(batch.labels.length, used + rows - at);
        values.set(batch.values.subarray(used * size, end * size), at * size);
        labels.set(batch.labels.subarray(used, end), at);
        at += end - used;
        used = end;
      }
      return { values, labels };
    },
    close() {
      source.return(undefined).catch(() => undefined); // nobody is there any more to hear of it
    },
  };
}

/** Never ends by itself: whoever wants more than there is gets an error. */
async function* checkedBatches(dataset: GeneratorDataset, epoch: number): AsyncGenerator<ReadRows, undefined> {
  const { origin, count } = dataset;
  let [number, seen] = [0, 0];
  for await (const batch of dataset.batches(epoch)) {
    const checked = checkBatch(`data set "${origin}", epoch ${epoch + 1}, batch ${number + 1}`, batch, dataset);
    number++;
    seen += checked.labels.length;
    yield checked;
  }
  throw new DataError({
    where: `data set "${origin}", epoch ${epoch + 1}`,
    expected: `${count} samples`,
    got: `${seen} in ${number} ${number === 1 ? "batch" : "batches"}, then the end`,
    advice: "make the generator yield more, or its count smaller",
  });
}

function checkBatch(where: string, { values, labels }: SampleBatch, dataset: GeneratorDataset): ReadRows {
  const { shape, dtype, classNames } = dataset;
  const type = dtype === "u8" ? Uint8Array : Float32Array;
  if (!(values instanceof type)) {
    const got = (values as object | undefined)?.constructor.name ?? String(values);
    throw new DtypeError({ where, expected: `values as a ${type.name}, since dtype is "${dtype}"`, got });
  }
  const rows = labels.length;
  if (rows === 0) throw new DataError({ where, expected: "at least one sample", got: "none" });
  if (values.length !== rows * sizeOf(shape)) {
    const expected = `${rows * sizeOf(shape)} values for ${rows} samples of [${shape.join(", ")}]`;
    throw new ShapeError({ where, expected, got: String(values.length) });
  }
  if (values instanceof Float32Array) requireFiniteRows(where, values, shape);
  return { values, labels: classNumbers(where, labels, classNames.length) };
}
