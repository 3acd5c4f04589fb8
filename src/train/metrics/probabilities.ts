/** Losses that are smallest, in expectation, for the true probabilities: log loss and Brier score. */
import { NumericError } from "../../errors.ts";
import { requireLabels, requireLength, requireProbabilities, requireSome, requireWhole, SLACK } from "./check.ts";

/**
 * Mean of −ln p(true class), in nats. Probabilities are kept one rounding of their type away from 0 and 1, so that one
 * sure mistake does not outweigh all else. Equal to scikit-learn's `log_loss`.
 * @param probabilities `[samples, classes]`, row-major, rows of sum 1; for two classes also `[samples]`, of class 1.
 * @throws {NumericError} for rows that do not sum to 1, such as logits.
 */
export function logLoss(truth: ArrayLike<number>, probabilities: ArrayLike<number>, classes = 2): number {
  const probability = distributions("logLoss", truth, probabilities, classes);
  const least = probabilities instanceof Float32Array ? 2 ** -23 : 2 ** -52;
  let sum = 0;
  for (let row = 0; row < truth.length; row++) {
    sum -= Math.log(Math.min(1 - least, Math.max(least, probability(row, truth[row]!))));
  }
  return sum / truth.length;
}

/**
 * Mean of Σₖ (pₖ − [k is the class])² (Brier 1950): 0 … 2, but halved for two classes, where both terms are equal.
 * Equal to scikit-learn's `brier_score_loss`. Parameters and errors as for `logLoss`.
 */
export function brierScore(truth: ArrayLike<number>, probabilities: ArrayLike<number>, classes = 2): number {
  const probability = distributions("brierScore", truth, probabilities, classes);
  let sum = 0;
  for (let row = 0; row < truth.length; row++) {
    for (let k = 0; k < classes; k++) sum += (probability(row, k) - (k === truth[row] ? 1 : 0)) ** 2;
  }
  return sum / truth.length / (classes === 2 ? 2 : 1);
}

/** Checks both arguments; then the probability of class `k` in sample `row`, of rows that sum to 1 exactly. */
function distributions(
  where: string,
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classes: number,
): (row: number, k: number) => number {
  requireWhole(where, "classes", classes, 2);
  requireSome(where, truth);
  requireLabels(where, "true classes", truth, classes);
  requireProbabilities(where, probabilities);
  const samples = truth.length;
  if (classes === 2 && probabilities.length === samples) {
    return (row, k) => (k === 1 ? probabilities[row]! : 1 - probabilities[row]!);
  }
  requireLength(where, `probabilities, ${classes} for each of ${samples} samples`, probabilities, samples * classes);
  const sums = new Float64Array(samples);
  for (let at = 0; at < probabilities.length; at++) sums[Math.floor(at / classes)]! += probabilities[at]!;
  const odd = sums.findIndex((sum) => !(Math.abs(sum - 1) <= SLACK));
  if (odd >= 0) {
    throw new NumericError({
      where,
      expected: "rows of probabilities that sum to 1",
      got: `${sums[odd]!} in row ${odd}`,
      advice: "pass the softmax of logits",
    });
  }
  return (row, k) => probabilities[row * classes + k]! / sums[row]!;
}
