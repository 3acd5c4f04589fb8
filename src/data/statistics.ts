/** What each class is like: how many, how bright, how it looks on average; and weights that make up for rare ones. */
import { DataError } from "../errors.ts";
import {
  histogramStatistics,
  imageLength,
  labelStatistics,
  type ImageDataset,
  type PixelStatistics,
} from "./dataset.ts";

/** Of all pixels of a class's images, in units of 0…255. For a class without images all but `count` are NaN. */
export interface ClassStatistics extends PixelStatistics {
  readonly name: string;
  /** Images of the class. */
  readonly count: number;
}

/**
 * "Balanced" weights, n / (k · count): every class then weighs the same in all, and the mean weight of an example is 1
 * (King and Zeng, "Logistic Regression in Rare Events Data", 2001; scikit-learn's `class_weight="balanced"`).
 * @param counts examples of each class, or a data set whose labels are counted.
 * @throws {DataError} when a class has no examples.
 */
export function classWeights(counts: readonly number[] | ImageDataset): readonly number[] {
  const known = "labels" in counts ? labelStatistics(counts).counts : counts;
  const total = known.reduce((sum, count) => sum + count, 0);
  return known.map((count, label) => {
    if (count > 0) return total / (known.length * count);
    throw new DataError({
      where: "classWeights",
      expected: "examples of every class",
      got: `none of class ${label}`,
      advice: "leave the class out with mapLabels",
    });
  });
}

/** Counts and pixels, class by class; for groups, of `applyLabelMap(dataset, fashionGroups())`. */
export function classStatistics(dataset: ImageDataset): readonly ClassStatistics[] {
  const histograms = dataset.classNames.map(() => new Float64Array(256));
  const counts = new Array<number>(dataset.classNames.length).fill(0);
  const length = imageLength(dataset.shape);
  dataset.labels.forEach((label, index) => {
    const histogram = histograms[label]!;
    counts[label]! += 1;
    for (let at = index * length; at < (index + 1) * length; at++) histogram[dataset.images[at]!]! += 1;
  });
  return dataset.classNames.map((name, label) => ({
    name,
    count: counts[label]!,
    ...histogramStatistics(histograms[label]!),
  }));
}

/**
 * The average image of each class, in units of 0…255.
 * @returns shape [classes, height, width, channels]; zeros for a class without images.
 */
export function averageImages(dataset: ImageDataset): Float32Array<ArrayBuffer> {
  const length = imageLength(dataset.shape);
  const { counts } = labelStatistics(dataset);
  const sums = new Float64Array(counts.length * length);
  dataset.labels.forEach((label, index) => {
    for (let at = 0; at < length; at++) sums[label * length + at]! += dataset.images[index * length + at]!;
  });
  return Float32Array.from(sums, (sum, at) => sum / Math.max(1, counts[Math.floor(at / length)]!));
}
