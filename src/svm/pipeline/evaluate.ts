/** How well a pipeline does on labelled pictures, beside what guessing would get. */
import { ShapeError } from "../../errors.ts";
import type { ImageBatch } from "../hog/hog.ts";
import type { LongWork } from "../workers/job.ts";
import { predictPipeline, type SvmPipeline } from "./pipeline.ts";

export interface Evaluation {
  readonly samples: number;
  readonly accuracy: number;
  /** Accuracy of always answering the most frequent label. */
  readonly baseline: number;
  /** Labels in the order of rows and columns of `confusion`: those of the model and of the samples, ascending. */
  readonly labels: Int32Array;
  /** Samples of the row's label that were given the column's label; row-major. */
  readonly confusion: Int32Array;
  readonly predicted: Int32Array;
  readonly seconds: number;
}

export async function evaluatePipeline(
  pipeline: SvmPipeline,
  images: ImageBatch,
  labels: ArrayLike<number>,
  work: LongWork = {},
): Promise<Evaluation> {
  if (labels.length !== images.count) {
    throw new ShapeError({
      where: "svm evaluate",
      expected: `one label for each of ${images.count} pictures`,
      got: `${labels.length}`,
    });
  }
  const start = performance.now();
  const predicted = await predictPipeline(pipeline, images, work);
  const seconds = (performance.now() - start) / 1000;
  return { ...compareLabels(Int32Array.from(labels), predicted, pipeline.classifier.classes), seconds };
}

/** Accuracy, baseline and confusion of predicted against true labels. */
export function compareLabels(
  truth: Int32Array,
  predicted: Int32Array,
  known: Int32Array,
): Omit<Evaluation, "seconds"> {
  const labels = Int32Array.from(new Set([...known, ...truth])).sort();
  const row = new Map(Array.from(labels, (label, at) => [label, at]));
  const confusion = new Int32Array(labels.length ** 2);
  const counts = new Int32Array(labels.length);
  let hits = 0;
  truth.forEach((label, i) => {
    const at = row.get(label) as number;
    const cell = at * labels.length + (row.get(predicted[i] as number) as number);
    confusion[cell] = (confusion[cell] as number) + 1;
    counts[at] = (counts[at] as number) + 1;
    if (label === predicted[i]) hits++;
  });
  const samples = truth.length;
  return { samples, accuracy: hits / samples, baseline: Math.max(...counts) / samples, labels, confusion, predicted };
}
