/** Agreement of answers with the truth in one number that a frequent class cannot raise, from the confusion matrix. */
import { classificationMetrics, type ZeroDivision } from "./classification.ts";
import { hitsOf, margins, type ConfusionMatrix } from "./confusion.ts";

/**
 * Mean recall over classes: what accuracy would be if all classes were equally frequent. A class without samples has the
 * recall `zeroDivision` (default 0); NaN leaves it out, as scikit-learn's `balanced_accuracy_score` does.
 */
export function balancedAccuracy(confusion: ConfusionMatrix, options: ZeroDivision = {}): number {
  return classificationMetrics(confusion, options).macro.recall;
}

/**
 * Agreement beyond chance, κ = (pₒ − pₑ) / (1 − pₑ), where pₑ is the agreement of two who answer independently with
 * the same frequencies (Cohen 1960). 0/0, when truth and answers are all one and the same class, is
 * `zeroDivision` (default NaN, as in scikit-learn).
 */
export function cohenKappa(confusion: ConfusionMatrix, { zeroDivision = NaN }: ZeroDivision = {}): number {
  const { samples } = confusion;
  const { truths, answers } = margins(confusion);
  const chance = dot(truths, answers);
  const rest = beyond(chance, samples);
  return rest === 0 ? zeroDivision : (samples * hitsOf(confusion) - chance) / rest;
}

/**
 * Matthews correlation of truth and answer, for any number of classes (Gorodkin 2004, equation 8): 1 for no mistake, 0 for
 * no relation. 0/0, when truth or answers are all one class, is 0.
 */
export function matthewsCorrelation(confusion: ConfusionMatrix): number {
  const { samples } = confusion;
  const { truths, answers } = margins(confusion);
  const spread = beyond(dot(truths, truths), samples) * beyond(dot(answers, answers), samples);
  return spread === 0 ? 0 : (samples * hitsOf(confusion) - dot(truths, answers)) / Math.sqrt(spread);
}

/** N² − `part`; 0 where only the rounding of expected counts, which are fractions, is left. */
function beyond(part: number, samples: number): number {
  const rest = samples * samples - part;
  return rest < 1e-12 * samples * samples ? 0 : rest;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
