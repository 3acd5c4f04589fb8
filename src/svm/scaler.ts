/**
 * The standard scaler: every feature to mean 0 and variance 1.
 *
 * Why: a kernel sees distances, and a distance is ruled by the features with the largest numbers. (HOG features are already
 * comparable, and do better without.) Mean and variance come from the training part alone; test data is
 * scaled by the same numbers, or it would leak into them.
 */
import { type FeatureMatrix, type Features, requireColumns, toFeatures } from "./features.ts";
import { sharedFloats } from "./workers/pool.ts";

export interface Scaler {
  readonly mean: Float64Array;
  /** Standard deviation (of the population); 1 where a feature is constant, so that it becomes 0, not NaN. */
  readonly scale: Float64Array;
}

/** Mean and deviation of each column; two passes, in float64. */
export function fitScaler(features: Features): Scaler {
  const { data, rows, columns } = toFeatures("standard scaler", features);
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at++) mean[c] = (mean[c] as number) + (data[at] as number);
  }
  for (let c = 0; c < columns; c++) mean[c] = (mean[c] as number) / rows;
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at++) {
      const difference = (data[at] as number) - (mean[c] as number);
      squares[c] = (squares[c] as number) + difference * difference;
    }
  }
  // Rounding leaves a constant column with a tiny variance: less than its mean can resolve counts as none.
  const deviation = squares.map((sum, c) =>
    Math.sqrt(sum / rows) > 1e-12 * Math.abs(mean[c] as number) ? Math.sqrt(sum / rows) : 1,
  );
  return { mean, scale: deviation };
}

/** (x − mean) / scale. Throws `ShapeError` for another number of features. */
export function applyScaler({ mean, scale }: Scaler, features: Features): FeatureMatrix {
  const matrix = toFeatures("standard scaler", features);
  requireColumns("standard scaler", matrix, mean.length);
  return map(matrix, (value, c) => (value - (mean[c] as number)) / (scale[c] as number));
}

/** The inverse of `applyScaler`. */
export function invertScaler({ mean, scale }: Scaler, features: Features): FeatureMatrix {
  const matrix = toFeatures("standard scaler", features);
  requireColumns("standard scaler", matrix, mean.length);
  return map(matrix, (value, c) => value * (scale[c] as number) + (mean[c] as number));
}

function map({ data, rows, columns }: FeatureMatrix, change: (value: number, column: number) => number): FeatureMatrix {
  const out = sharedFloats(data.length);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at++) out[at] = change(data[at] as number, c);
  }
  return { data: out, rows, columns };
}
