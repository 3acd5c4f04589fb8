/**
 * Histograms of oriented gradients of a batch of pictures: features for a classifier that does not learn its own.
 *
 * Stages, a file each: `gradients.ts` (how steep, which way), `cells.ts` (histograms of directions), `blocks.ts`
 * (normalisation). Several options at once give features at several scales, one after another.
 */
import { DataError, ShapeError } from "../../errors.ts";
import type { FeatureMatrix } from "../features.ts";
import type { LongWork } from "../workers/job.ts";
import { runJobs, sharedFloats } from "../workers/pool.ts";
import type { Pixels } from "./gradients.ts";
import { HogExtractor, hogJob, type HogJobInput } from "./hogJob.ts";
import { hogGeometry, type HogOptions, hogSettings, type HogSettings } from "./options.ts";

/** Pictures of one size: `count` × `height` × `width` × `channels`, row-major (NHWC). */
export interface ImageBatch {
  readonly data: Pixels;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** Default 1. */
  readonly channels?: number;
}

const imagesPerJob = 2048;

/** Number of features that `hog` gives for a picture of that size. */
export function hogLength(height: number, width: number, options: HogOptions | readonly HogOptions[]): number {
  return scalesOf(options).reduce((sum, settings) => sum + hogGeometry(height, width, settings).features, 0);
}

/**
 * HOG features of every picture: a matrix of `count` rows. Equal to scikit-image's `hog` with the same options
 * (whose `feature_vector=False` is the same numbers in `hogGeometry(…).shape`).
 * Throws `OptionError` for impossible options, `ShapeError` for a picture smaller than a block, `DataError` for
 * NaN or (with `transformSqrt`) negative pixels.
 */
export async function hog(
  images: ImageBatch,
  options: HogOptions | readonly HogOptions[] = {},
  work: LongWork = {},
): Promise<FeatureMatrix> {
  const scales = scalesOf(options);
  checkImages(images, scales);
  const { data, count, height, width, channels = 1 } = images;
  const columns = hogLength(height, width, scales);
  const jobs: HogJobInput[] = [];
  for (let from = 0; from < count; from += imagesPerJob) {
    jobs.push({ height, width, channels, scales, from, to: Math.min(count, from + imagesPerJob) });
  }
  const features = sharedFloats(count * columns);
  const pixels = data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data;
  const cost = ({ from, to }: HogJobInput): number => (to - from) * scales.length * height * width * 100;
  await runJobs(hogJob, jobs, { stage: "hog", shared: { pixels }, cost, ...work }, (block, index) =>
    features.set(block, index * imagesPerJob * columns),
  );
  return { data: features, rows: count, columns };
}

/** Features of one picture in block layout: `shape` is block rows, block columns, cell rows, cell columns, orientations. */
export function hogBlocks(
  image: Omit<ImageBatch, "count">,
  options: HogOptions = {},
): { shape: readonly number[]; data: Float32Array } {
  const settings = hogSettings(options);
  checkImages({ ...image, count: 1 }, [settings]);
  const { shape, features } = hogGeometry(image.height, image.width, settings);
  const data = new Float32Array(features);
  new HogExtractor(image.height, image.width, image.channels ?? 1, settings).extract(image.data, 0, data, 0);
  return { shape, data };
}

function scalesOf(options: HogOptions | readonly HogOptions[]): HogSettings[] {
  const list = Array.isArray(options) ? (options as readonly HogOptions[]) : [options as HogOptions];
  if (list.length === 0) throw new ShapeError({ where: "hog", expected: "at least one set of options", got: "none" });
  return list.map(hogSettings);
}

export function checkImages(
  { data, count, height, width, channels = 1 }: ImageBatch,
  scales: readonly HogSettings[],
): void {
  const sizes = [count, height, width, channels];
  if (
    count < 1 ||
    sizes.some((size) => !Number.isInteger(size) || size < 1) ||
    data.length !== count * height * width * channels
  ) {
    throw new ShapeError({
      where: "hog",
      expected: "count × height × width × channels pixels of at least one picture",
      got: `${sizes.join("×")} with ${data.length} values`,
    });
  }
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return;
  const least = scales.some(({ transformSqrt }) => transformSqrt) ? 0 : -Infinity;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (value - value === 0 && value >= least) continue;
    const expected = least === 0 ? "finite pixels ≥ 0 (transformSqrt takes their root)" : "finite pixels";
    throw new DataError({
      where: "hog",
      expected,
      got: `${value} in picture ${Math.floor(i / (height * width * channels))}`,
    });
  }
}
