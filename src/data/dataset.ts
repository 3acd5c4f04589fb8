/**
 * Labelled images in memory, as bytes, and what one asks about them: parts, label counts, pixel statistics.
 */
import { DataError, OptionError, ShapeError } from "../errors.ts";

/** Height, width and channels of one image, in pixels. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** Which part of the whole a data set is; guards against validating on the test part ask for it. */
export type SplitName = "train" | "validation" | "test" | "all";

/** Labelled images. Made by `imageDataset`, which checks it; treat it and its arrays as read-only. */
export interface ImageDataset {
  /** Pixels 0…255, shape [count, height, width, channels], row-major. */
  readonly images: Uint8Array;
  /** One class number an image, shape [count], each below `classNames.length`. */
  readonly labels: Uint8Array;
  readonly shape: ImageShape;
  readonly count: number;
  readonly classNames: readonly string[];
  /** Where the data comes from, in words for people; begins with `SYNTHETIC` when it was drawn and not photographed. */
  readonly origin: string;
  readonly synthetic: boolean;
  readonly split: SplitName;
}

/** How often each class occurs, and what always guessing the commonest class would score. */
export interface LabelStatistics {
  /** Examples per class, one entry a class name. */
  readonly counts: readonly number[];
  /** The commonest class; of several the lowest number. */
  readonly majorityClass: number;
  /** Share of the commonest class, 0…1: the accuracy of the trivial baseline. */
  readonly majorityShare: number;
}

/** Of all pixels of all images and channels, in units of 0…255; `std` is the population's (divided by n). */
export interface PixelStatistics {
  readonly mean: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
  /** The middle value; of an even number, the lower of the middle two. */
  readonly median: number;
}

/**
 * Makes a data set, checked and frozen; the arrays are not copied.
 * @throws {ShapeError} when lengths do not fit the shape. @throws {DataError} when a label has no class name.
 */
export function imageDataset(fields: Omit<ImageDataset, "count">): ImageDataset {
  const dataset = Object.freeze({ ...fields, count: fields.labels.length });
  validateImageDataset(dataset);
  return dataset;
}

/**
 * Checks that lengths fit the shape, that every label has a name, and that synthetic data says so.
 * @throws {ShapeError} for lengths and sizes. @throws {DataError} for labels, names and origin.
 */
export function validateImageDataset(dataset: ImageDataset): void {
  requireShape(dataset);
  requireLengths(dataset);
  requireNames(dataset);
  requireLabelsInRange(dataset);
  requireHonestOrigin(dataset);
}

/** Bytes of one image: height · width · channels. */
export function imageLength(shape: ImageShape): number {
  return shape[0] * shape[1] * shape[2];
}

/**
 * The first `count` examples, sharing memory with `dataset`; all of them when there are fewer.
 * @throws {OptionError} when `count` is not a whole number of at least 1.
 */
export function takeImages(dataset: ImageDataset, count: number): ImageDataset {
  if (!Number.isInteger(count) || count < 1) {
    throw new OptionError({ where: "takeImages", expected: "a whole number of at least 1", got: String(count) });
  }
  const kept = Math.min(count, dataset.count);
  const images = dataset.images.subarray(0, kept * imageLength(dataset.shape));
  return imageDataset({ ...withoutCount(dataset), images, labels: dataset.labels.subarray(0, kept) });
}

/**
 * The examples at `indices`, in that order, copied.
 * @param indices positions of [0, count); one may occur several times.
 * @param split what the part is called from now on; default: as `dataset`.
 * @throws {DataError} when an index is out of range or there is none.
 */
export function selectImages(
  dataset: ImageDataset,
  indices: ArrayLike<number>,
  split: SplitName = dataset.split,
): ImageDataset {
  const length = imageLength(dataset.shape);
  const images = new Uint8Array(indices.length * length);
  const labels = new Uint8Array(indices.length);
  for (let position = 0; position < indices.length; position++) {
    const index = requireIndex(dataset, indices[position]);
    images.set(dataset.images.subarray(index * length, (index + 1) * length), position * length);
    labels[position] = dataset.labels[index] ?? 0;
  }
  return imageDataset({ ...withoutCount(dataset), images, labels, split });
}

/** Counts the labels; see `LabelStatistics`. */
export function labelStatistics(dataset: ImageDataset): LabelStatistics {
  const counts = new Array<number>(dataset.classNames.length).fill(0);
  for (const label of dataset.labels) counts[label] = (counts[label] ?? 0) + 1;
  const highest = Math.max(...counts);
  return { counts, majorityClass: counts.indexOf(highest), majorityShare: highest / dataset.count };
}

/** How often each pixel value 0…255 occurs, shape [256]. */
export function pixelHistogram(dataset: ImageDataset): Float64Array {
  const histogram = new Float64Array(256);
  for (const pixel of dataset.images) histogram[pixel] = (histogram[pixel] ?? 0) + 1;
  return histogram;
}

/** Of all pixels; see `PixelStatistics`. */
export function pixelStatistics(dataset: ImageDataset): PixelStatistics {
  return histogramStatistics(pixelHistogram(dataset));
}

/** Statistics of the values that a histogram, shape [256], counts; NaN when it counts none. */
export function histogramStatistics(histogram: Float64Array): PixelStatistics {
  let [total, sum, sumOfSquares] = [0, 0, 0];
  // Sums of whole numbers below 2⁵³ are exact, so that order and size cost no digit.
  histogram.forEach((times, value) => {
    total += times;
    sum += times * value;
    sumOfSquares += times * value * value;
  });
  if (total === 0) return { mean: NaN, std: NaN, min: NaN, max: NaN, median: NaN };
  const mean = sum / total;
  const occurs = (times: number): boolean => times > 0;
  let upTo = 0;
  return {
    mean,
    std: Math.sqrt(Math.max(0, sumOfSquares / total - mean * mean)),
    min: histogram.findIndex(occurs),
    max: histogram.findLastIndex(occurs),
    median: histogram.findIndex((times) => (upTo += times) >= total / 2),
  };
}

function withoutCount(dataset: ImageDataset): Omit<ImageDataset, "count"> {
  const { count: _count, ...fields } = dataset;
  return fields;
}

function requireShape({ shape, origin }: ImageDataset): void {
  if (shape.length === 3 && shape.every((size) => Number.isInteger(size) && size > 0)) return;
  throw new ShapeError({
    where: `data set "${origin}"`,
    expected: "an image shape [height, width, channels] of whole numbers of at least 1",
    got: `[${shape.join(", ")}]`,
  });
}

function requireLengths({ images, labels, shape, count, origin }: ImageDataset): void {
  const where = `data set "${origin}"`;
  if (count < 1) throw new DataError({ where, expected: "at least one image", got: "none" });
  if (labels.length !== count) {
    throw new ShapeError({ where, expected: `${count} labels`, got: String(labels.length) });
  }
  const expected = count * imageLength(shape);
  if (images.length === expected) return;
  throw new ShapeError({
    where,
    expected: `${expected} bytes of pixels for ${count} images of ${shape.join("×")}`,
    got: String(images.length),
    advice: "give as many images as labels, in [count, height, width, channels] order",
  });
}

function requireNames({ classNames, origin }: ImageDataset): void {
  const where = `data set "${origin}"`;
  if (classNames.length < 1 || classNames.length > 256) {
    throw new DataError({
      where,
      expected: "1 to 256 class names, because labels are bytes",
      got: String(classNames.length),
    });
  }
  const twice = classNames.find((name, index) => classNames.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new DataError({ where, expected: "class names that differ", got: `"${twice}" twice` });
}

function requireLabelsInRange({ labels, classNames, origin }: ImageDataset): void {
  const wrong = labels.findIndex((label) => label >= classNames.length);
  if (wrong < 0) return;
  throw new DataError({
    where: `data set "${origin}"`,
    expected: `labels from 0 to ${classNames.length - 1}`,
    got: `label ${labels[wrong]} at index ${wrong}`,
    advice: "give a name for every class, or correct the labels",
  });
}

function requireHonestOrigin({ synthetic, origin }: ImageDataset): void {
  if (!synthetic || origin.startsWith("SYNTHETIC")) return;
  throw new DataError({
    where: "data set",
    expected: "the origin of synthetic data to begin with SYNTHETIC",
    got: `"${origin}"`,
  });
}

function requireIndex(dataset: ImageDataset, index: number | undefined): number {
  if (index !== undefined && Number.isInteger(index) && index >= 0 && index < dataset.count) return index;
  throw new DataError({
    where: "selectImages",
    expected: `indices from 0 to ${dataset.count - 1}`,
    got: String(index),
  });
}
