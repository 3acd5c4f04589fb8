/** What a linear machine says about new samples. */
import { type Features, requireColumns, toFeatures } from "../features.ts";
import { firstMaximum } from "../svc/predict.ts";
import type { LinearModel } from "./linearModel.ts";

/**
 * Scores: samples × vectors, row-major. Throws `ShapeError` for another number of features than in training.
 */
export function linearDecisions(model: LinearModel, features: Features): Float64Array {
  const { data, rows, columns } = checked(model, features);
  const vectors = model.intercepts.length;
  const scores = new Float64Array(rows * vectors);
  for (let i = 0; i < rows; i++) {
    for (let v = 0; v < vectors; v++) {
      scores[i * vectors + v] =
        (model.intercepts[v] as number) + dot(data, i * columns, model.weights, v * columns, columns);
    }
  }
  return scores;
}

function checked(model: LinearModel, features: Features) {
  const matrix = toFeatures("linear predict", features);
  requireColumns("linear predict", matrix, model.columns);
  return matrix;
}

/** Four sums: the additions of one would wait for each other. */
function dot(a: Float32Array, aStart: number, b: Float64Array, bStart: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += (a[aStart + k] as number) * (b[bStart + k] as number);
    s1 += (a[aStart + k + 1] as number) * (b[bStart + k + 1] as number);
    s2 += (a[aStart + k + 2] as number) * (b[bStart + k + 2] as number);
    s3 += (a[aStart + k + 3] as number) * (b[bStart + k + 3] as number);
  }
  for (; k < length; k++) s0 += (a[aStart + k] as number) * (b[bStart + k] as number);
  return s0 + s1 + (s2 + s3);
}

/** The label of each sample: the largest score; with a single vector, its sign. */
export function linearPredict(model: LinearModel, features: Features): Int32Array {
  const scores = linearDecisions(model, features);
  const vectors = model.intercepts.length;
  return Int32Array.from({ length: scores.length / vectors }, (_, i) => {
    const row = scores.subarray(i * vectors, (i + 1) * vectors);
    const code = vectors === 1 ? Number((row[0] as number) > 0) : firstMaximum(row);
    return model.classes[code] as number;
  });
}
