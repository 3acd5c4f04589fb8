/**
 * ROC and precision–recall curves: what each threshold on a score makes of a binary question, and the areas under them.
 *
 * Scores of positives and negatives are sorted apart and merged from the greatest down. Counts only change where a distinct
 * score is passed, so ties are one step of the curve, whatever the order of the samples.
 */
import { DataError } from "../../errors.ts";
import { requireFinite, requireIndicators, requireLabels, requireLength, requireRows } from "./check.ts";

/** A sample counts as positive where its score is at least the threshold. */
export interface RocCurve {
  /** Of the negatives, the share that is taken for positive; from 0 up to 1. */
  readonly falsePositiveRate: Float64Array;
  /** Of the positives, the share that is found. */
  readonly truePositiveRate: Float64Array;
  /** Descending; the first is ∞, where nothing is positive. */
  readonly thresholds: Float64Array;
  /** Under the curve by trapezoids: the chance that a positive outscores a negative, ties counting half. */
  readonly area: number;
}

export interface PrecisionRecallCurve {
  /** One more than thresholds: the last is 1, at recall 0, where nothing is positive. */
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  /** Ascending. */
  readonly thresholds: Float64Array;
  /** Σ (Rₙ − Rₙ₋₁)·Pₙ over descending thresholds: the area under steps, since lines between points would be too high. */
  readonly averagePrecision: number;
}

/** Cumulative counts from the greatest distinct score down. */
interface Ranking {
  readonly thresholds: Float64Array;
  readonly truePositives: Float64Array;
  readonly falsePositives: Float64Array;
  readonly positives: number;
  readonly negatives: number;
}

/**
 * Receiver operating characteristic, equal to scikit-learn's `roc_curve`.
 * @param truth 1 for positives, 0 for negatives.
 * @param scores one a sample; the greater, the more probably positive.
 * @param dropIntermediate leaves out points on a line between their neighbours, as scikit-learn does. Default: true.
 * @throws {DataError} without a positive or without a negative, for which there is no curve. {NumericError} for scores that
 * are not finite.
 */
export function rocCurve(
  truth: ArrayLike<number>,
  scores: ArrayLike<number>,
  { dropIntermediate = true }: { readonly dropIntermediate?: boolean } = {},
): RocCurve {
  const where = "rocCurve";
  const ranking = binaryRanking(where, truth, scores);
  requireSides(where, ranking, ["positive", "negative"]);
  const { thresholds, truePositives: tp, falsePositives: fp, positives, negatives } = ranking;
  const last = thresholds.length - 1;
  const kept = [...thresholds.keys()].filter((i) => {
    if (!dropIntermediate || i === 0 || i === last) return true;
    return tp[i + 1]! - tp[i]! !== tp[i]! - tp[i - 1]! || fp[i + 1]! - fp[i]! !== fp[i]! - fp[i - 1]!;
  });
  return {
    falsePositiveRate: Float64Array.from([0, ...kept.map((i) => fp[i]! / negatives)]),
    truePositiveRate: Float64Array.from([0, ...kept.map((i) => tp[i]! / positives)]),
    thresholds: Float64Array.from([Infinity, ...kept.map((i) => thresholds[i]!)]),
    area: rocArea(ranking),
  };
}

/**
 * Precision over recall, equal to scikit-learn's `precision_recall_curve` and `average_precision_score`.
 * @throws {DataError} without a positive. {NumericError} for scores that are not finite.
 */
export function precisionRecallCurve(truth: ArrayLike<number>, scores: ArrayLike<number>): PrecisionRecallCurve {
  const where = "precisionRecallCurve";
  const ranking = binaryRanking(where, truth, scores);
  requireSides(where, ranking, ["positive"]);
  const { thresholds, truePositives: tp, falsePositives: fp, positives } = ranking;
  const upwards = [...thresholds.keys()].reverse();
  return {
    precision: Float64Array.from([...upwards.map((i) => tp[i]! / (tp[i]! + fp[i]!)), 1]),
    recall: Float64Array.from([...upwards.map((i) => tp[i]! / positives), 0]),
    thresholds: thresholds.toReversed(),
    averagePrecision: stepArea(ranking),
  };
}

/** An area for each class, and its averages. */
export interface ClassAreas {
  /** NaN for classes that have none, because all samples or no samples are theirs. */
  readonly perClass: Float64Array;
  /** Mean over the classes that have one. */
  readonly macro: number;
  /** The same, each class weighing its support. */
  readonly weighted: number;
  /** Classes without an area, left out of the averages. */
  readonly undefinedClasses: readonly number[];
}

export interface RankingAreas {
  readonly rocAuc: ClassAreas;
  readonly averagePrecision: ClassAreas;
}

/**
 * Areas under the curves of each class against all others, and their averages; equal to scikit-learn's `roc_auc_score`
 * (`multi_class="ovr"`) and `average_precision_score`.
 * @param truth the class of each sample.
 * @param scores `[samples, classes]`, row-major.
 */
export function oneVsRestAreas(truth: ArrayLike<number>, scores: ArrayLike<number>, classes: number): RankingAreas {
  const where = "oneVsRestAreas";
  requireRows(where, truth, scores, classes);
  requireLabels(where, "true classes", truth, classes);
  requireFinite(where, "finite scores", scores);
  return areasOf(classes, (k) =>
    rank(
      truth.length,
      (row) => truth[row] === k,
      (row) => scores[row * classes + k]!,
    ),
  );
}

/**
 * The same for samples with a set of labels each.
 * @param truth 1 where the label is true, else 0; `[samples, labels]`, row-major.
 * @param scores `[samples, labels]`, row-major.
 */
export function multiLabelAreas(truth: ArrayLike<number>, scores: ArrayLike<number>, labels: number): RankingAreas {
  const where = "multiLabelAreas";
  const samples = requireIndicators(where, truth, labels);
  requireLength(where, "scores, one for each label of each sample", scores, truth.length);
  requireFinite(where, "finite scores", scores);
  return areasOf(labels, (k) => {
    const at = (row: number): number => row * labels + k;
    return rank(
      samples,
      (row) => truth[at(row)] === 1,
      (row) => scores[at(row)]!,
    );
  });
}

function areasOf(classes: number, rankingOf: (k: number) => Ranking): RankingAreas {
  const rankings = Array.from({ length: classes }, (_, k) => rankingOf(k));
  const average = (area: (of: Ranking) => number): ClassAreas => {
    const perClass = Float64Array.from(rankings, area);
    const defined = [...perClass.keys()].filter((k) => !Number.isNaN(perClass[k]!));
    const mean = (weight: (k: number) => number): number =>
      defined.reduce((sum, k) => sum + weight(k) * perClass[k]!, 0) / defined.reduce((sum, k) => sum + weight(k), 0);
    return {
      perClass,
      macro: mean(() => 1),
      weighted: mean((k) => rankings[k]!.positives),
      undefinedClasses: [...perClass.keys()].filter((k) => Number.isNaN(perClass[k]!)),
    };
  };
  return { rocAuc: average(rocArea), averagePrecision: average(stepArea) };
}

/** Trapezoids in whole counts, which are exact: NaN without a positive or without a negative. */
function rocArea({ truePositives: tp, falsePositives: fp, positives, negatives }: Ranking): number {
  let doubled = 0;
  tp.forEach((found, i) => (doubled += (fp[i]! - (fp[i - 1] ?? 0)) * (found + (tp[i - 1] ?? 0))));
  return doubled / (2 * positives * negatives);
}

/** NaN without a positive. */
function stepArea({ truePositives: tp, falsePositives: fp, positives }: Ranking): number {
  let area = 0;
  tp.forEach((found, i) => (area += (found - (tp[i - 1] ?? 0)) * (found / (found + fp[i]!))));
  return area / positives;
}

/** The ranking of a binary question, checked. */
function binaryRanking(where: string, truth: ArrayLike<number>, scores: ArrayLike<number>): Ranking {
  requireRows(where, truth, scores, 1);
  requireLabels(where, "labels", truth, 2);
  requireFinite(where, "finite scores", scores);
  return rank(
    truth.length,
    (row) => truth[row] === 1,
    (row) => scores[row]!,
  );
}

function rank(samples: number, isPositive: (row: number) => boolean, score: (row: number) => number): Ranking {
  const scores = { true: new Float64Array(samples), false: new Float64Array(samples) };
  const counts = { true: 0, false: 0 };
  for (let row = 0; row < samples; row++) {
    const side = isPositive(row) ? "true" : "false";
    scores[side][counts[side]++] = score(row);
  }
  const positives = scores.true.subarray(0, counts.true).sort();
  const negatives = scores.false.subarray(0, counts.false).sort();
  const [thresholds, truePositives, falsePositives] = [[] as number[], [] as number[], [] as number[]];
  let [p, n] = [positives.length, negatives.length];
  while (p + n > 0) {
    const threshold = Math.max(positives[p - 1] ?? -Infinity, negatives[n - 1] ?? -Infinity);
    while (p > 0 && positives[p - 1] === threshold) p--;
    while (n > 0 && negatives[n - 1] === threshold) n--;
    thresholds.push(threshold);
    truePositives.push(positives.length - p);
    falsePositives.push(negatives.length - n);
  }
  return {
    thresholds: Float64Array.from(thresholds),
    truePositives: Float64Array.from(truePositives),
    falsePositives: Float64Array.from(falsePositives),
    positives: positives.length,
    negatives: negatives.length,
  };
}

function requireSides(
  where: string,
  { positives, negatives }: Ranking,
  sides: readonly ("positive" | "negative")[],
): void {
  const counts = { positive: positives, negative: negatives };
  const missing = sides.find((side) => counts[side] === 0);
  if (missing === undefined) return;
  throw new DataError({ where, expected: `at least one ${missing} sample`, got: "none" });
}
