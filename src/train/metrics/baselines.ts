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
  const prior = frequencies(where, learnt, classes);
  const shares = frequencies(where, truth, classes);
  const commonest = prior.indexOf(Math.max(...prior));
  const always = Float64Array.from(prior, (_, k) => (k === commonest ? 1 : 0));
  const byPrior = [...prior.keys()].sort((a, b) => prior[b]! - prior[a]! || a - b);
  const squares = sum(prior.map((p) => p * p));
  let found = 0;
  return {
    prior,
    commonest,
    mostFrequent: expectedConfusion(shares, always, truth.length),
    stratified: expectedConfusion(shares, prior, truth.length),
    logLoss: sum(shares.map((share, k) => -share * Math.log(Math.max(prior[k]!, 2 ** -52)) || 0)),
    // Σₖ (pₖ − [k is the class])² = Σₖ pₖ² − 2·p(class) + 1
    brierScore: sum(shares.map((share, k) => share * (squares - 2 * prior[k]! + 1))) / (classes === 2 ? 2 : 1),
    topKAccuracy: Float64Array.from(byPrior, (k) => (found += shares[k]!)),
  };
}

/** Share of each class. */
function frequencies(where: string, labels: ArrayLike<number>, classes: number): Float64Array {
  requireSome(where, labels);
  requireLabels(where, "classes", labels, classes);
  const counts = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]! += 1;
  return counts.map((count) => count / labels.length);
}

/** Expected counts of answers that are drawn by `answers`, whatever the sample. */
function expectedConfusion(shares: Float64Array, answers: Float64Array, samples: number): ConfusionMatrix {
  const classes = shares.length;
  const counts = Float64Array.from(
    { length: classes * classes },
    (_, at) => samples * shares[Math.floor(at / classes)]! * answers[at % classes]!,
  );
  return { classes, samples, counts };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
