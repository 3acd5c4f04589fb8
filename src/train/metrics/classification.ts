/**
 * Precision, recall and their kin, for each class and on average.
 *
 * Each class asks of each sample "is it this class?", and an answer has one of four outcomes: true or false positive (tp,
 * fp), true or false negative (tn, fn). Every score is a ratio of their counts (`RATIOS`), undefined where its denominator
 * is 0. Four averages:
 *
 *   macro       mean over classes
 *   weighted    mean over classes, each weighing its support
 *   micro       the ratio of the counts of all classes together
 *   perSample   mean over samples, where each has a set of labels (multiLabel.ts)
 */
import { OptionError } from "../../errors.ts";
import { accuracy, confusionMatrix, margins, type ConfusionMatrix } from "./confusion.ts";

/** Scores from 0 to 1, the higher the better. */
export interface Scores {
  /** Of those taken for the class, the share that is: tp / (tp + fp). */
  readonly precision: number;
  /** Of the class, the share that is recognised: tp / (tp + fn). Also called sensitivity, true positive rate. */
  readonly recall: number;
  /** Of the others, the share that is told apart: tn / (tn + fp). */
  readonly specificity: number;
  /** Of those not taken for the class, the share that is not: tn / (tn + fn). */
  readonly negativePredictiveValue: number;
  /** Harmonic mean of precision and recall: 2·tp / (2·tp + fp + fn). */
  readonly f1: number;
  /** (1 + β²)·tp / ((1 + β²)·tp + fp + β²·fn): recall weighs β times as much as precision (van Rijsbergen 1979). */
  readonly fBeta: number;
}

export interface ClassScores extends Scores {
  /** Samples of the class. */
  readonly support: number;
}

/** A score that is 0/0, and therefore `zeroDivision`. */
export interface UndefinedScore {
  readonly score: keyof Scores;
  /** Number of the class, or the average. */
  readonly at: number | "macro" | "weighted" | "micro" | "perSample";
}

export interface AveragedScores {
  /** One entry a class. */
  readonly perClass: readonly ClassScores[];
  readonly macro: Scores;
  readonly weighted: Scores;
  readonly micro: Scores;
  readonly beta: number;
  /** All scores that are 0/0. */
  readonly undefinedScores: readonly UndefinedScore[];
}

export interface ClassificationMetrics extends AveragedScores {
  readonly samples: number;
  /** Share of samples that were given their own class; equal to the micro-averaged precision, recall and F1. */
  readonly accuracy: number;
}

export interface ZeroDivision {
  /**
   * What 0/0 counts as, in averages too: 0, 1 or NaN, which leaves it out of averages. As in scikit-learn; default 0
   * (`cohenKappa`: NaN).
   */
  readonly zeroDivision?: number;
}

export interface ScoreOptions extends ZeroDivision {
  /** How many times as much recall weighs as precision in `fBeta`. Default: 1, which makes it F1. */
  readonly beta?: number;
}

/** One class for each sample, and the answers. */
export interface Answers {
  readonly truth: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  readonly classes: number;
}

/** Counts of the four outcomes of one question. */
export interface Outcomes {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

const RATIOS: Readonly<Record<keyof Scores, (outcomes: Outcomes, beta: number) => readonly [number, number]>> = {
  precision: ({ tp, fp }) => [tp, tp + fp],
  recall: ({ tp, fn }) => [tp, tp + fn],
  specificity: ({ tn, fp }) => [tn, tn + fp],
  negativePredictiveValue: ({ tn, fn }) => [tn, tn + fn],
  f1: (outcomes) => fRatio(outcomes, 1),
  fBeta: fRatio,
};

function fRatio({ tp, fp, fn }: Outcomes, beta: number): readonly [number, number] {
  const hits = (1 + beta * beta) * tp;
  return [hits, hits + fp + beta * beta * fn];
}

const NAMES = Object.keys(RATIOS) as readonly (keyof Scores)[];

/**
 * Scores of a classifier that answers with one class, per class and averaged. Equal to scikit-learn's
 * `precision_recall_fscore_support`.
 * @throws {OptionError} for a `beta` below 0, or a `zeroDivision` other than 0, 1 and NaN; and as `confusionMatrix` does.
 */
export function classificationMetrics(
  source: ConfusionMatrix | Answers,
  options: ScoreOptions = {},
): ClassificationMetrics {
  const confusion = "counts" in source ? source : confusionMatrix(source.truth, source.predicted, source.classes);
  const averaged = averagedScores("classificationMetrics", outcomesOf(confusion), options);
  return { samples: confusion.samples, accuracy: accuracy(confusion), ...averaged };
}

/** Each class against all others. */
function outcomesOf(confusion: ConfusionMatrix): Outcomes[] {
  const { classes, counts, samples } = confusion;
  const { truths, answers } = margins(confusion);
  // Expected counts are fractions: what is left of none by rounding must not become the denominator of a ratio.
  const rest = (count: number): number => (Math.abs(count) < 1e-9 * samples ? 0 : count);
  return Array.from({ length: classes }, (_, k) => {
    const tp = counts[k * (classes + 1)]!;
    const [fp, fn] = [rest(answers[k]! - tp), rest(truths[k]! - tp)];
    return { tp, fp, fn, tn: rest(samples - tp - fp - fn) };
  });
}

/** Scores from the outcomes of each class. `where` is the function that is blamed for its options. */
export function averagedScores(
  where: string,
  outcomes: readonly Outcomes[],
  { beta = 1, zeroDivision = 0 }: ScoreOptions,
): AveragedScores {
  requireScoreOptions(where, beta, zeroDivision);
  const undefinedScores: UndefinedScore[] = [];
  const settled = (scores: Scores, at: UndefinedScore["at"]): Scores =>
    settle(scores, zeroDivision, (score) => undefinedScores.push({ score, at }));
  const support = outcomes.map(({ tp, fn }) => tp + fn);
  const perClass = outcomes.map((of, k) => ({ ...settled(ratiosOf(of, beta), k), support: support[k]! }));
  return {
    perClass,
    macro: settled(meanScores(perClass), "macro"),
    weighted: settled(meanScores(perClass, support), "weighted"),
    micro: settled(ratiosOf(outcomes.reduce(addOutcomes), beta), "micro"),
    beta,
    undefinedScores,
  };
}

/** Puts `zeroDivision` in the place of what is undefined, and notes each. */
export function settle(scores: Scores, zeroDivision: number, note: (score: keyof Scores) => void): Scores {
  return eachScore((score) => {
    if (!Number.isNaN(scores[score])) return scores[score];
    note(score);
    return zeroDivision;
  });
}

/** NaN where the denominator is 0. */
export function ratiosOf(outcomes: Outcomes, beta: number): Scores {
  return eachScore((score) => {
    const [numerator, denominator] = RATIOS[score](outcomes, beta);
    return denominator === 0 ? NaN : numerator / denominator;
  });
}

/** Means over what is not NaN; NaN where all is, or weighs nothing. */
export function meanScores(rows: readonly Scores[], weights?: readonly number[]): Scores {
  return eachScore((score) => {
    let [sum, total] = [0, 0];
    rows.forEach((row, i) => {
      const weight = weights?.[i] ?? 1;
      if (Number.isNaN(row[score])) return;
      sum += weight * row[score];
      total += weight;
    });
    return total === 0 ? NaN : sum / total;
  });
}

function eachScore(value: (score: keyof Scores) => number): Scores {
  return Object.fromEntries(NAMES.map((score) => [score, value(score)])) as unknown as Scores;
}

function addOutcomes(a: Outcomes, b: Outcomes): Outcomes {
  return { tp: a.tp + b.tp, fp: a.fp + b.fp, fn: a.fn + b.fn, tn: a.tn + b.tn };
}

function requireScoreOptions(where: string, beta: number, zeroDivision: number): void {
  if (!(beta >= 0 && beta < Infinity)) {
    throw new OptionError({ where, expected: "a finite beta of at least 0", got: String(beta) });
  }
  if (zeroDivision !== 0 && zeroDivision !== 1 && !Number.isNaN(zeroDivision)) {
    throw new OptionError({ where, expected: "zeroDivision 0, 1 or NaN", got: String(zeroDivision) });
  }
}
