/**
 * What knows nothing of its input, to hold every score against: always the commonest class, a class drawn by the
 * frequencies, and the frequencies themselves as probabilities (scikit-learn's `DummyClassifier`: "most_frequent",
 * "stratified", "prior"). A model that does not beat all three has learnt nothing.
 */
import { requireLabels, requireSome, requireWhole } from "./check.ts";
import type { ConfusionMatrix } from "./confusion.ts";

export interface Baselines {
  /** Share of each class among the labels learnt from. */
  readonly prior: Float64Array;
  /** The commonest class; of several the lowest number. */
  readonly commonest: number;
  /** Always answering the commonest class. */
  readonly mostFrequent: ConfusionMatrix;
  /**
   * Expected counts of drawing each answer by the prior. What is linear in them, such as accuracy and recall, is thereby an
   * exact expectation; other scores are those of the expected matrix.
   */
  readonly stratified: ConfusionMatrix;
  /** The same sample after sample: `[classes]` probabilities, log loss and Brier score of answering with the prior. */
  readonly logLoss: number;
  readonly brierScore: number;
  /** Entry k − 1: top-k accuracy of always naming the k commonest classes. */
  readonly topKAccuracy: Float64Array;
}

/**
 * Trivial baselines on samples of classes `truth`.
 * @param learnt labels that the baselines know the frequencies from, such as those of the training part. Default: `truth`
 * itself, which makes them as good as they can be.
 */
export function baselines(truth: ArrayLike<number>, classes: number, learnt: ArrayLike<number> = truth): Baselines {
  const where = "baselines";
  requireWhole(where, "classes", classes);
  const [counts, prior] = [countsOf(where, truth, classes), shareOf(countsOf(where, learnt, classes))];
  const shares = shareOf(counts);
  const commonest = prior.indexOf(Math.max(...prior));
  const always = Float64Array.from(prior, (_, k) => (k === commonest ? 1 : 0));
  const byPrior = [...prior.keys()].sort((a, b) => prior[b]! - prior[a]! || a - b);
  const squares = sum(prior.map((p) => p * p));
  let found = 0;
  return {
    prior,
    commonest,
    mostFrequent: expectedConfusion(counts, always),
    stratified: expectedConfusion(counts, prior),
    logLoss: sum(shares.map((share, k) => -share * Math.log(Math.max(prior[k]!, 2 ** -52)))),
    // Σₖ (pₖ − [k is the class])² = Σₖ pₖ² − 2·p(class) + 1
    brierScore: sum(shares.map((share, k) => share * (squares - 2 * prior[k]! + 1))) / (classes === 2 ? 2 : 1),
    topKAccuracy: Float64Array.from(byPrior, (k) => (found += shares[k]!)),
  };
}

function countsOf(where: string, labels: ArrayLike<number>, classes: number): Float64Array {
  requireSome(where, labels);
  requireLabels(where, "classes", labels, classes);
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]! += 1;
  return counts;
}

function shareOf(counts: Float64Array): Float64Array {
  const total = sum(counts);
  return counts.map((count) => count / total);
}

/** Expected counts, where answers are drawn by `answers` whatever the sample. */
function expectedConfusion(truths: Float64Array, answers: Float64Array): ConfusionMatrix {
  const counts = Array.from(truths, (count) => Array.from(answers, (share) => count * share));
  return { classes: truths.length, samples: sum(truths), counts: Float64Array.from(counts.flat()) };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
