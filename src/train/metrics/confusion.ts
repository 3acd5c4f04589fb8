/**
 * The confusion matrix. Every score of a classifier that answers with one class follows from it alone, so that the matrix
 * of a model and the one of a trivial baseline, whose counts may be fractions, are scored by the same functions.
 */
import { requireLabels, requireLength, requireSome, requireWhole } from "./check.ts";

export interface ConfusionMatrix {
  readonly classes: number;
  readonly samples: number;
  /** Samples of the row's class that were taken for the column's; `[classes, classes]`, row-major. */
  readonly counts: Float64Array;
}

/**
 * Counts how often each class was taken for which.
 * @param truth the class of each sample, from 0 to `classes − 1`.
 * @param predicted the answer for each sample.
 * @throws {ShapeError} when there are more of one than of the other. {DataError} for a label out of range, or no sample.
 */
export function confusionMatrix(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  const where = "confusionMatrix";
  requireWhole(where, "classes", classes);
  requireSome(where, truth);
  requireLength(where, "predictions, one a sample", predicted, truth.length);
  requireLabels(where, "true classes", truth, classes);
  requireLabels(where, "predicted classes", predicted, classes);
  const counts = new Float64Array(classes * classes);
  for (let i = 0; i < truth.length; i++) counts[truth[i]! * classes + predicted[i]!]! += 1;
  return { classes, samples: truth.length, counts };
}

/** How often each class is true, the sums of the rows, and how often it is answered, the sums of the columns. */
export function margins({ classes, counts }: ConfusionMatrix): { truths: Float64Array; answers: Float64Array } {
  const [truths, answers] = [new Float64Array(classes), new Float64Array(classes)];
  counts.forEach((count, at) => {
    truths[Math.floor(at / classes)]! += count;
    answers[at % classes]! += count;
  });
  return { truths, answers };
}

/** Samples that were given their own class. */
export function hitsOf({ classes, counts }: ConfusionMatrix): number {
  let hits = 0;
  for (let i = 0; i < classes; i++) hits += counts[i * (classes + 1)]!;
  return hits;
}

/** Share of samples that were given their own class. */
export function accuracy(confusion: ConfusionMatrix): number {
  return hitsOf(confusion) / confusion.samples;
}
