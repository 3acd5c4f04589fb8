/**
 * Calibration: whether what is said with 80 % confidence is true 80 times in 100. Probabilities go into bins of equal
 * width, (0, 1/n], (1/n, 2/n], …, where 0 joins the first, and each bin's mean is held against the share that came true.
 */
import { requireLabels, requireProbabilities, requireRows, requireWhole } from "./check.ts";
import { argMax } from "./topK.ts";

export interface CalibrationBin {
  /** Probabilities above this (the first bin: from this on) … */
  readonly lower: number;
  /** … up to and including this. */
  readonly upper: number;
  readonly samples: number;
  readonly meanProbability: number;
  /** Share of the bin's samples that came true. */
  readonly frequency: number;
}

export interface Calibration {
  /** The bins that are not empty, ascending: the calibration curve. */
  readonly bins: readonly CalibrationBin[];
  /** Expected calibration error: mean of |frequency − mean probability| over samples (Naeini et al. 2015; Guo et al. 2017). */
  readonly expectedError: number;
  /** The greatest |frequency − mean probability| of any bin. */
  readonly maximumError: number;
}

export interface CalibrationOptions {
  /** Bins of equal width from 0 to 1. Default: 10. */
  readonly bins?: number;
}

/**
 * Calibration of a binary classifier; the curve is scikit-learn's `calibration_curve` (`strategy="uniform"`).
 * @param truth 1 for positives, 0 for negatives.
 * @param probabilities of being positive, one a sample.
 */
export function calibration(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  { bins = 10 }: CalibrationOptions = {},
): Calibration {
  const where = "calibration";
  requireWhole(where, "bins", bins);
  requireRows(where, truth, probabilities, 1);
  requireLabels(where, "labels", truth, 2);
  requireProbabilities(where, probabilities);
  return calibrate(
    truth.length,
    bins,
    (row) => probabilities[row]!,
    (row) => truth[row]!,
  );
}

/**
 * Calibration of the answers of a classifier of several classes: the greatest probability of each sample, its
 * confidence, against whether its class is the true one.
 * @param probabilities `[samples, classes]`, row-major.
 */
export function confidenceCalibration(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classes: number,
  { bins = 10 }: CalibrationOptions = {},
): Calibration {
  const where = "confidenceCalibration";
  requireWhole(where, "bins", bins);
  requireRows(where, truth, probabilities, classes);
  requireLabels(where, "true classes", truth, classes);
  requireProbabilities(where, probabilities);
  const answers = argMax(probabilities, classes);
  const confidence = (row: number): number => probabilities[row * classes + answers[row]!]!;
  return calibrate(truth.length, bins, confidence, (row) => (truth[row] === answers[row] ? 1 : 0));
}

function calibrate(
  samples: number,
  bins: number,
  probability: (row: number) => number,
  outcome: (row: number) => number,
): Calibration {
  const [counts, sums, trues] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  for (let row = 0; row < samples; row++) {
    const bin = binOf(probability(row), bins);
    counts[bin]! += 1;
    sums[bin]! += probability(row);
    trues[bin]! += outcome(row);
  }
  const filled = [...counts.keys()].filter((bin) => counts[bin]! > 0);
  const curve = filled.map((bin) => ({
    lower: bin / bins,
    upper: (bin + 1) / bins,
    samples: counts[bin]!,
    meanProbability: sums[bin]! / counts[bin]!,
    frequency: trues[bin]! / counts[bin]!,
  }));
  const gaps = curve.map(({ frequency, meanProbability }) => Math.abs(frequency - meanProbability));
  return {
    bins: curve,
    expectedError: gaps.reduce((sum, gap, i) => sum + gap * curve[i]!.samples, 0) / samples,
    maximumError: Math.max(...gaps),
  };
}

/** How many inner edges 1/n, 2/n, … lie below `probability`. */
function binOf(probability: number, bins: number): number {
  let bin = Math.min(bins - 1, Math.floor(probability * bins));
  // The product rounds: only a comparison with the edge itself tells on which side of it a probability is.
  while (bin > 0 && probability <= bin / bins) bin--;
  while (bin < bins - 1 && probability > (bin + 1) / bins) bin++;
  return bin;
}
