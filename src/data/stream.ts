/**
 * Data sets that need not fit in memory: labels are known at once, images are read when they are asked for.
 *
 *   for await (const batch of prefetch(batches(stream, { batchSize: 128, seed: 42, epoch }))) …
 */
import { DataError, OptionError } from "../errors.ts";
import { unlessAborted } from "./concurrency.ts";
import { imageDataset, imageLength, type ImageDataset, type ImageShape, type SplitName } from "./dataset.ts";
import { derivedSeed, seededRandom, shuffleInPlace } from "./random.ts";

/** Labelled images of one shape that are read on demand. */
export interface ImageStream {
  readonly count: number;
  readonly shape: ImageShape;
  readonly classNames: readonly string[];
  /** One class number an image, shape [count], known without reading any: splits and class weights need no more. */
  readonly labels: Uint8Array;
  /** As in `ImageDataset`. */
  readonly origin: string;
  readonly synthetic: boolean;
  readonly split: SplitName;
  /**
   * The images at `indices`, in that order. Where a stream leaves out what does not decode, its labels and indices are left
   * out with it. Calls may overlap.
   * @throws {DataError} when an index is out of range. @throws the reason of `signal`, as soon as it is aborted.
   */
  read(indices: ArrayLike<number>, signal?: AbortSignal): Promise<ImageBatch>;
  /** Lets go of files; nothing can be read afterwards. */
  close(): Promise<void>;
}

/** Images that were read, row by row beside their labels. */
export interface ImageBatch {
  /** Pixels 0…255, shape [labels.length, height, width, channels]. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  /** Where in the stream they stand. */
  readonly indices: Uint32Array;
}

export interface BatchesOptions {
  /** Images a batch; the last one has what is left. Default: 128. */
  readonly batchSize?: number;
  /** Default: true. Otherwise the images come in the stream's order. */
  readonly shuffle?: boolean;
  /** Whole number; the same seed and epoch give the same order. Default: 42. */
  readonly seed?: number;
  /** From 0; each has an order of its own. Default: 0. */
  readonly epoch?: number;
  /** Leaves out a last batch that is not full. Default: false. */
  readonly dropLast?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * One pass over a stream. Every batch but the last has exactly `batchSize` images: where some were left out because they do
 * not decode, the next ones move up.
 * @throws {OptionError} for options out of range. @throws the reason of `signal` when it is aborted.
 */
export function batches(stream: ImageStream, options: BatchesOptions = {}): AsyncGenerator<ImageBatch, void, void> {
  const { batchSize = 128, shuffle = true, seed = 42, epoch = 0 } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new OptionError({ where: "batches", expected: "a batch size of at least 1", got: String(batchSize) });
  }
  const order = shuffle ? epochOrder(stream.count, seed, epoch) : range(stream.count);
  return batchesInOrder(stream, order, { ...options, batchSize });
}

/** The order of an epoch's images: a pure function of its arguments. */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  return shuffleInPlace(range(count), seededRandom(derivedSeed(seed, epoch)));
}

async function* batchesInOrder(
  stream: ImageStream,
  order: Uint32Array,
  { batchSize, dropLast = false, signal }: BatchesOptions & { readonly batchSize: number },
): AsyncGenerator<ImageBatch, void, void> {
  for (let at = 0; at < order.length;) {
    const parts: ImageBatch[] = [];
    let missing = batchSize;
    while (missing > 0 && at < order.length) {
      signal?.throwIfAborted();
      const part = await stream.read(order.subarray(at, at + missing), signal);
      at += missing;
      missing -= part.labels.length;
      parts.push(part);
    }
    if (missing === batchSize || (missing > 0 && dropLast)) return;
    yield joined(parts);
  }
}

/** The examples at `indices` of a stream, as a stream; closing it closes the whole. */
export function selectFromStream(
  stream: ImageStream,
  indices: ArrayLike<number>,
  split: SplitName = stream.split,
): ImageStream {
  const chosen = Uint32Array.from(indices);
  requireIndices("selectFromStream", chosen, stream.count);
  const positions = new Map<number, number>();
  chosen.forEach((index, position) => positions.set(index, position));
  if (positions.size < chosen.length) {
    throw new DataError({ where: "selectFromStream", expected: "each index once", got: "some of them twice" });
  }
  return {
    ...descriptionOf(stream),
    count: chosen.length,
    labels: Uint8Array.from(chosen, (index) => stream.labels[index]!),
    split,
    read: async (wanted, signal) => {
      requireIndices("read", wanted, chosen.length);
      const batch = await stream.read(
        Uint32Array.from(wanted, (position) => chosen[position]!),
        signal,
      );
      return { ...batch, indices: batch.indices.map((index) => positions.get(index)!) };
    },
    close: () => stream.close(),
  };
}

/** A data set in memory as a stream. */
export function streamOf(dataset: ImageDataset): ImageStream {
  const { count, labels, images } = dataset;
  const length = imageLength(dataset.shape);
  return {
    ...descriptionOf(dataset),
    count,
    labels,
    read: async (indices, signal) => {
      signal?.throwIfAborted();
      requireIndices("read", indices, count);
      const batch = emptyBatch(indices, labels, length);
      batch.indices.forEach((index, row) => {
        batch.images.set(images.subarray(index * length, (index + 1) * length), row * length);
      });
      return batch;
    },
    close: async () => undefined,
  };
}

/**
 * Reads a whole stream into memory, in its order.
 * @throws {DataError} when nothing could be read, or it does not fit.
 */
export async function collect(stream: ImageStream, signal?: AbortSignal): Promise<ImageDataset> {
  const where = `data set "${stream.origin}"`;
  const length = imageLength(stream.shape);
  const images = allocate(where, stream.count * length);
  const labels = new Uint8Array(stream.count);
  let rows = 0;
  for await (const batch of batches(stream, { shuffle: false, batchSize: 256, ...(signal && { signal }) })) {
    images.set(batch.images, rows * length);
    labels.set(batch.labels, rows);
    rows += batch.labels.length;
  }
  const { shape, classNames, origin, synthetic, split } = stream;
  const kept = { images: images.subarray(0, rows * length), labels: labels.subarray(0, rows) };
  return imageDataset({ ...kept, shape, classNames, origin, synthetic, split });
}

/** A batch with labels and indices in place and room for the images. */
export function emptyBatch(indices: ArrayLike<number>, labels: Uint8Array, length: number): ImageBatch {
  const wanted = Uint32Array.from(indices);
  return {
    images: new Uint8Array(wanted.length * length),
    labels: Uint8Array.from(wanted, (index) => labels[index]!),
    indices: wanted,
  };
}

/** @throws {DataError} unless all are whole numbers below `count`. */
export function requireIndices(where: string, indices: ArrayLike<number>, count: number): void {
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at]!;
    if (Number.isInteger(index) && index >= 0 && index < count) continue;
    throw new DataError({ where, expected: `indices from 0 to ${count - 1}`, got: String(index) });
  }
}

/** Fails as soon as the signal is aborted, whatever `work` is waiting for. */
export function readable(work: () => Promise<ImageBatch>, signal: AbortSignal | undefined): Promise<ImageBatch> {
  signal?.throwIfAborted();
  return unlessAborted(work(), signal);
}

function descriptionOf({ shape, classNames, origin, synthetic, split }: ImageStream | ImageDataset) {
  return { shape, classNames, origin, synthetic, split };
}

function joined(parts: readonly ImageBatch[]): ImageBatch {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const bytes = (pick: (part: ImageBatch) => Uint8Array): Uint8Array => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + pick(part).length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(pick(part), at);
      at += pick(part).length;
    }
    return whole;
  };
  return {
    images: bytes((part) => part.images),
    labels: bytes((part) => part.labels),
    indices: Uint32Array.from(parts.flatMap((part) => [...part.indices])),
  };
}

function allocate(where: string, bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    const got = `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    const advice = "read it as a stream, or make the images smaller";
    throw new DataError({ where, expected: "images that fit in memory", got, advice }, { cause });
  }
}

function range(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}
