/**
 * Where training steps find their images: all of them on the GPU, or, for a stream that fits into no memory, the next few
 * thousand. Steps read images by their places in `order`; a stream's places are those of two windows, of which one is filled
 * while steps read the other.
 */
import { DataError } from "../errors.ts";
import type { ImageBatch, ImageDataset, ImageStream } from "../data/index.ts";
import { sizeOf, Tensor, type Device } from "../tensor/index.ts";
import { upload, type Hold, type ResidentDataset, type UploadableImages } from "./residentDataset.ts";

export type ImageSource = ImageDataset | ImageStream;

export interface BatchSource {
  readonly data: ResidentDataset;
  /** Whether all images are on the device from the beginning. */
  readonly resident: boolean;
  /** What `order` on the GPU must hold for an epoch whose images come in this order. */
  begin(order: Uint32Array<ArrayBuffer>, signal: AbortSignal | null): Uint32Array<ArrayBuffer>;
  /** Sees to it that the image at `position` of the epoch is on the GPU; returns the first position that is not. */
  reach(position: number): Promise<number>;
}

export const isStream = (source: UploadableImages | ImageStream): source is ImageStream => "read" in source;

export function batchSource(
  device: Device,
  source: UploadableImages | ImageStream,
  batchSize: number,
  hold: Hold,
): BatchSource {
  return isStream(source) ? streamed(device, source, batchSize, hold) : resident(device, source, hold);
}

function resident(device: Device, dataset: UploadableImages, hold: Hold): BatchSource {
  const data = upload(device, dataset, hold);
  return { data, resident: true, begin: (order) => order, reach: async () => dataset.count };
}

/** Bytes of a window: seconds of work for the GPU, and little of its memory. */
const WINDOW_BYTES = 8 * 2 ** 20;

function streamed(device: Device, stream: ImageStream, batchSize: number, hold: Hold): BatchSource {
  const { shape, count } = stream;
  const size = sizeOf(shape);
  const whole = (batchSize * size) % 4 === 0 ? 1 : 4; // batches that fill words: a window begins with one
  const batches = whole * Math.max(1, Math.floor(WINDOW_BYTES / (batchSize * size * whole)));
  const capacity = batches * batchSize;
  const words = (capacity * size) / 4;
  const pixels = hold(device.zeros([2 * words], "u32"));
  const labels = hold(device.zeros([2 * capacity], "u32"));
  let order: Uint32Array<ArrayBuffer> = new Uint32Array();
  let signal: AbortSignal | null = null;
  let loaded = -1;
  let ahead: { readonly window: number; readonly batch: Promise<ImageBatch> } | null = null;

  const read = (window: number) => {
    const wanted = order.subarray(window * capacity, (window + 1) * capacity);
    const batch = stream.read(wanted, signal ?? undefined).then((found) => completed(found, wanted.length, stream));
    batch.catch(() => undefined); // awaited when its turn comes: until then its failure is not unhandled
    return { window, batch };
  };
  // WebGPU's queue is in order: steps that were submitted before still see what a window held then.
  const put = (window: number, { images, labels: classes }: ImageBatch) => {
    const half = window % 2;
    const bytes = new Uint32Array(Math.ceil(images.length / 4));
    new Uint8Array(bytes.buffer).set(images);
    device.write(new Tensor(device, [bytes.length], "u32", pixels.storage, half * words * 4), bytes);
    const all = new Uint32Array(classes.length);
    all.set(classes);
    device.write(new Tensor(device, [classes.length], "u32", labels.storage, half * capacity * 4), all);
  };
  return {
    data: { pixels, labels, imageShape: shape, count },
    resident: false,
    begin(epochOrder, abort) {
      [order, signal, loaded, ahead] = [epochOrder, abort, -1, null];
      return Uint32Array.from(
        order,
        (_, position) => (Math.floor(position / capacity) % 2) * capacity + (position % capacity),
      );
    },
    async reach(position) {
      const window = Math.floor(position / capacity);
      if (window !== loaded) {
        const current = ahead?.window === window ? ahead : read(window);
        put(window, await current.batch);
        loaded = window;
        ahead = (window + 1) * capacity < count ? read(window + 1) : null;
      }
      return Math.min(count, (window + 1) * capacity);
    },
  };
}

/** As many images as were asked for: those that did not decode are replaced by others of the same window. */
function completed({ images, labels, indices }: ImageBatch, wanted: number, { origin }: ImageStream): ImageBatch {
  const found = labels.length;
  if (found === wanted) return { images, labels, indices };
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
  return {
    images: filled,
    labels: Uint8Array.from(rows, (row) => labels[row]!),
    indices: rows.map((row) => indices[row]!),
  };
}
