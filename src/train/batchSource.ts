/**
 * Where steps find their samples: all of them on the GPU, or, where they are read or made as they are needed, the next few
 * thousand. Steps read samples by their places in `order`; where samples come in pieces, these places are those of two
 * windows, of which one is filled while steps read the other.
 */
import { DataError } from "../errors.ts";
import { readRows, type GeneratorDataset, type ImageBatch, type ImageStream, type ReadRows } from "../data/index.ts";
import { sizeOf, Tensor, type Device } from "../tensor/index.ts";
import { isGenerator, isStream } from "./dataSource.ts";
import {
  asResident,
  storable,
  upload,
  type Hold,
  type ResidentDataset,
  type UploadableImages,
  type UploadableRows,
} from "./residentDataset.ts";

/** A data set, or what is to be predicted of one. */
export type BatchInput = UploadableImages | UploadableRows | ImageStream | GeneratorDataset;

export interface BatchSource {
  readonly data: ResidentDataset;
  /** Whether all samples are on the device from the beginning. */
  readonly resident: boolean;
  /** Class numbers in the data set's order; of what comes in pieces, those that an epoch in that order has reached. */
  readonly labels: ArrayLike<number>;
  /** What `order` on the GPU must hold for an epoch (from 0) whose samples come in this order. A generator has its own. */
  begin(order: Uint32Array<ArrayBuffer>, signal: AbortSignal | null, epoch?: number): Uint32Array<ArrayBuffer>;
  /** Sees to it that the sample at `position` of the epoch is on the GPU; returns the first position that is not. */
  reach(position: number): Promise<number>;
  /** Lets go of what an epoch has opened. */
  end(): void;
}

export function batchSource(device: Device, source: BatchInput, batchSize: number, hold: Hold): BatchSource {
  if (isGenerator(source)) return inWindows(device, source, batchSize, hold, source.dtype, generated(source));
  if (isStream(source)) return inWindows(device, source, batchSize, hold, "u8", streamed(source));
  const data = upload(device, source, hold);
  const reach = async () => source.count;
  return { data, resident: true, labels: source.labels, begin: (order) => order, reach, end: () => undefined };
}

/** Reads an epoch piece by piece. */
interface Pieces {
  begin(order: Uint32Array<ArrayBuffer>, signal: AbortSignal | undefined, epoch: number): void;
  /** Samples at `start … start + count` of the epoch. Calls come in order and do not overlap. */
  read(start: number, count: number): Promise<ReadRows>;
  end(): void;
}

/** Bytes of a window: seconds of work for the GPU, and little of its memory. */
const WINDOW_BYTES = 8 * 2 ** 20;

function inWindows(
  device: Device,
  { shape, count }: Pick<GeneratorDataset, "shape" | "count">,
  batchSize: number,
  hold: Hold,
  dtype: GeneratorDataset["dtype"],
  pieces: Pieces,
): BatchSource {
  const size = sizeOf(shape);
  const bytes = dtype === "u8" ? size : 4 * size;
  const whole = (batchSize * bytes) % 4 === 0 ? 1 : 4; // batches that fill words: a window begins with one
  const batches = whole * Math.max(1, Math.floor(WINDOW_BYTES / (batchSize * bytes * whole)));
  const capacity = batches * batchSize;
  const words = (capacity * bytes) / 4;
  const stored = hold(device.zeros([2 * words], dtype === "u8" ? "u32" : "f32"));
  const labels = hold(device.zeros([2 * capacity], "u32"));
  const seen = new Uint32Array(count);
  let loaded = -1;
  let ahead: { readonly window: number; readonly rows: Promise<ReadRows> } | null = null;

  const read = (window: number) => {
    const start = window * capacity;
    const rows = pieces.read(start, Math.min(capacity, count - start));
    rows.catch(() => undefined); // awaited when its turn comes: until then its failure is not unhandled
    return { window, rows };
  };
  // WebGPU's queue is in order: steps that were submitted before still see what a window held then.
  const put = (window: number, { values, labels: classes }: ReadRows) => {
    const half = window % 2;
    const numbers = storable(values);
    const place = new Tensor(device, [numbers.length], stored.dtype, stored.storage, half * words * 4);
    device.write(place, numbers);
    device.write(new Tensor(device, [classes.length], "u32", labels.storage, half * capacity * 4), classes);
    seen.set(classes, window * capacity);
  };
  return {
    data: asResident(stored, labels, shape, count),
    resident: false,
    labels: seen,
    begin(order, signal, epoch = 0) {
      [loaded, ahead] = [-1, null];
      pieces.begin(order, signal ?? undefined, epoch);
      return Uint32Array.from(
        order,
        (_, position) => (Math.floor(position / capacity) % 2) * capacity + (position % capacity),
      );
    },
    async reach(position) {
      const window = Math.floor(position / capacity);
      if (window !== loaded) {
        const current = ahead?.window === window ? ahead : read(window);
        put(window, await current.rows);
        loaded = window;
        ahead = (window + 1) * capacity < count ? read(window + 1) : null;
      }
      return Math.min(count, (window + 1) * capacity);
    },
    end: () => pieces.end(),
  };
}

function streamed(stream: ImageStream): Pieces {
  let order: Uint32Array<ArrayBuffer> = new Uint32Array();
  let signal: AbortSignal | undefined;
  return {
    begin(epochOrder, abort) {
      [order, signal] = [epochOrder, abort];
    },
    async read(start, count) {
      const found = await stream.read(order.subarray(start, start + count), signal);
      return completed(found, count, stream);
    },
    end: () => undefined,
  };
}

/** As many images as were asked for: those that did not decode are replaced by others of the same window. */
function completed({ images, labels }: ImageBatch, wanted: number, { origin }: ImageStream): ReadRows {
  const found = labels.length;
  if (found === wanted) return { values: images, labels: Uint32Array.from(labels) };
  if (found === 0) {
    throw new DataError({
      where: `data set "${origin}"`,
      expected: "pictures that decode",
      got: `${wanted} that do not`,
    });
  }
  const size = images.length / found;
  const rows = Uint32Array.from({ length: wanted }, (_, row) => row % found);
  const filled = new Uint8Array(wanted * size);
  rows.forEach((row, at) => filled.set(images.subarray(row * size, (row + 1) * size), at * size));
  return { values: filled, labels: rows.map((row) => labels[row]!) };
}

/** A generator cannot be asked for a place in its epoch: what comes before it is made and left out. */
function generated(dataset: GeneratorDataset): Pieces {
  let reader = readRows(dataset, 0);
  let signal: AbortSignal | undefined;
  let position = 0;
  return {
    begin(_, abort, epoch) {
      reader.close();
      [reader, signal, position] = [readRows(dataset, epoch), abort, 0];
    },
    async read(start, count) {
      for (; position < start; position += count) await reader.read(Math.min(count, start - position), signal);
      position = start + count;
      const rows = await reader.read(count, signal);
      if (position === dataset.count) reader.close();
      return rows;
    },
    end: () => reader.close(),
  };
}
