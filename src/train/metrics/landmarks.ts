/** How far predicted landmarks of pictures are from the true ones. */
import { DataError, OptionError } from "../../errors.ts";
import { requireFinite, requireIndicators, requireLength, requireWhole } from "./check.ts";

export interface LandmarkDistance {
  /** Mean distance of each part over the samples where it is visible; NaN where it never is. */
  readonly perPart: Float64Array;
  /** In how many samples each part is visible. */
  readonly visible: Float64Array;
  /** Mean of `perPart` over parts that are ever visible: "normalised error" of DeepFashion. */
  readonly mean: number;
  /** Mean over all visible landmarks, so that frequent parts weigh more. */
  readonly pooled: number;
}

export interface LandmarkOptions {
  /** Width and height that x and y are divided by. Default: `[1, 1]`, for coordinates that are normalised already. */
  readonly extent?: readonly [width: number, height: number];
}

/**
 * Distance of landmarks in units of the picture's width and height (Liu et al. 2016, DeepFashion, section 4.2).
 * @param truth x and y of each part, `[samples, parts, 2]`, row-major.
 * @param predicted the same of the model's.
 * @param visible 1 for the landmarks that count, else 0; `[samples, parts]`.
 * @throws {ShapeError} for arrays of other lengths. {DataError} when nothing is visible. {NumericError} when a coordinate of
 * a visible landmark is not finite; where nothing is visible, it may be anything.
 */
export function landmarkDistance(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  visible: ArrayLike<number>,
  parts: number,
  { extent = [1, 1] }: LandmarkOptions = {},
): LandmarkDistance {
  const where = "landmarkDistance";
  requireVisible(where, visible, parts);
  for (const points of [truth, predicted]) requireLength(where, "coordinates", points, 2 * visible.length);
  if (!extent.every((size) => size > 0 && size < Infinity)) {
    throw new OptionError({ where, expected: "a width and height above 0", got: extent.join(" × ") });
  }
  const [sums, counts] = [new Float64Array(parts), new Float64Array(parts)];
  for (let at = 0; at < visible.length; at++) {
    if (visible[at] !== 1) continue;
    const offsets = extent.map((size, axis) => (predicted[2 * at + axis]! - truth[2 * at + axis]!) / size);
    requireFinite(`${where}, landmark ${at}`, "finite coordinates", offsets);
    sums[at % parts]! += Math.hypot(...offsets);
    counts[at % parts]! += 1;
  }
  const perPart = sums.map((sum, part) => sum / counts[part]!);
  const seen = perPart.filter((distance) => !Number.isNaN(distance));
  return { perPart, visible: counts, mean: total(seen) / seen.length, pooled: total(sums) / total(counts) };
}

/**
 * The trivial baseline: each part at its mean visible position, in every sample.
 * @param truth,visible of the samples learnt from, as for `landmarkDistance`.
 * @returns `[samples, parts, 2]`; a part that is never visible is at the mean of all others.
 */
export function meanLandmarks(
  truth: ArrayLike<number>,
  visible: ArrayLike<number>,
  parts: number,
  samples: number,
): Float32Array<ArrayBuffer> {
  const where = "meanLandmarks";
  requireVisible(where, visible, parts);
  requireLength(where, "coordinates", truth, 2 * visible.length);
  requireWhole(where, "samples", samples);
  const meanOf = (axis: number, isChosen: (part: number) => boolean): number => {
    let [sum, count] = [0, 0];
    for (let at = 0; at < visible.length; at++) {
      if (visible[at] !== 1 || !isChosen(at % parts)) continue;
      sum += truth[2 * at + axis]!;
      count++;
    }
    return sum / count;
  };
  const means = Array.from({ length: 2 * parts }, (_, i) => {
    const own = meanOf(i % 2, (part) => part === Math.floor(i / 2));
    return Number.isNaN(own) ? meanOf(i % 2, () => true) : own;
  });
  requireFinite(where, "finite coordinates", means);
  return Float32Array.from({ length: samples * 2 * parts }, (_, i) => means[i % (2 * parts)]!);
}

function requireVisible(where: string, visible: ArrayLike<number>, parts: number): void {
  requireIndicators(where, visible, parts, "parts");
  if (Array.from(visible).includes(1)) return;
  throw new DataError({ where, expected: "at least one visible landmark", got: "none" });
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
