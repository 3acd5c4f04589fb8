/** Scores into answers: the greatest, the k greatest, or all from a threshold on. */
import { OptionError } from "../../errors.ts";
import { requireFinite, requireLabels, requireRows, requireWhole } from "./check.ts";

/** The class of the greatest score of each row of `[samples, classes]`; the first, in a tie. */
export function argMax(scores: ArrayLike<number>, classes: number): Uint32Array<ArrayBuffer> {
  requireWhole("argMax", "classes", classes);
  requireWhole("argMax", `scores a class, ${scores.length} over ${classes}`, scores.length / classes);
  requireFinite("argMax", "finite scores", scores);
  return Uint32Array.from({ length: scores.length / classes }, (_, row) => {
    let best = row * classes;
    for (let at = best + 1; at < (row + 1) * classes; at++) if (scores[at]! > scores[best]!) best = at;
    return best - row * classes;
  });
}

/** 1 for each score of at least `threshold`, else 0: decisions of a binary classifier, or for many labels each. */
export function atThreshold(scores: ArrayLike<number>, threshold = 0.5): Uint8Array<ArrayBuffer> {
  requireFinite("atThreshold", "finite scores", scores);
  if (Number.isNaN(threshold)) {
    throw new OptionError({ where: "atThreshold", expected: "a threshold", got: "NaN" });
  }
  const decisions = new Uint8Array(scores.length);
  for (let at = 0; at < scores.length; at++) decisions[at] = scores[at]! >= threshold ? 1 : 0;
  return decisions;
}

/**
 * Share of samples whose class is among the `k` of greatest scores. In a tie the first class is ahead, as in `argMax`, so
 * that k = 1 is the accuracy; scikit-learn's `top_k_accuracy_score` puts the last one ahead.
 * @param scores `[samples, classes]`, row-major: logits, probabilities, anything that ranks.
 */
export function topKAccuracy(truth: ArrayLike<number>, scores: ArrayLike<number>, classes: number, k: number): number {
  const where = "topKAccuracy";
  requireK(where, k, classes);
  requireRows(where, truth, scores, classes);
  requireLabels(where, "true classes", truth, classes);
  requireFinite(where, "finite scores", scores);
  const all = range(classes);
  let hits = 0;
  for (let row = 0; row < truth.length; row++) if (rankOf(scores, row * classes, all, truth[row]!) < k) hits++;
  return hits / truth.length;
}

export function requireK(where: string, k: number, classes: number): void {
  if (Number.isInteger(k) && k >= 1 && k <= classes) return;
  throw new OptionError({ where, expected: `k from 1 to ${classes}`, got: String(k) });
}

/** How many of the scores at `rivals` (numbers of columns in a row that starts at `start`) are ahead of the one at `own`. */
export function rankOf(scores: ArrayLike<number>, start: number, rivals: ArrayLike<number>, own: number): number {
  const score = scores[start + own]!;
  let rank = 0;
  for (let i = 0; i < rivals.length; i++) {
    const other = scores[start + rivals[i]!]!;
    if (other > score || (other === score && rivals[i]! < own)) rank++;
  }
  return rank;
}

/** 0, 1, …, `count` − 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
