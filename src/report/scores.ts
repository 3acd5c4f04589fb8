/**
 * A classifier in single numbers, each beside what the best trivial baseline scores: that shows an accuracy of 0.95 for
 * what it is, where 95 % of the samples are of one class.
 */
import {
  accuracy,
  balancedAccuracy,
  brierScore,
  classificationMetrics,
  cohenKappa,
  confidenceCalibration,
  frequencyScores,
  atThreshold,
  logLoss,
  matthewsCorrelation,
  multiLabelAreas,
  multiLabelMetrics,
  oneVsRestAreas,
  topKAccuracy,
  type Baselines,
  type ConfusionMatrix,
  type MultiLabelMetrics,
  type RankingAreas,
  type ScoreOptions,
} from "../train/index.ts";
import { fixed } from "./table.ts";

export interface Score {
  /** In words: "accuracy", "macro F1". */
  readonly metric: string;
  readonly value: number;
  readonly better: "higher" | "lower";
  /** The best trivial baseline; null where knowing nothing is perfect, as for calibration. */
  readonly baseline: TrivialScore | null;
}

/** What knowing nothing of the input reaches. */
export interface TrivialScore {
  readonly value: number;
  /** What the baseline does: `always "Shirt"`. */
  readonly by: string;
}

/** More than the rounding of a sum, less than what one sample of any data set makes. */
const TOLERANCE = 1e-9;

/**
 * A warning, when a metric is not better than a trivial baseline; else null. A metric that is NaN is never better.
 * @param metric what was reached; `better` says which direction is (default: "higher").
 * @param baseline what the baseline reaches on the same samples.
 */
export function belowBaseline(
  metric: Pick<Score, "metric" | "value"> & Partial<Pick<Score, "better">>,
  baseline: TrivialScore,
): string | null {
  const gain = (metric.value - baseline.value) * (metric.better === "lower" ? -1 : 1);
  if (gain > TOLERANCE) return null;
  const verdict = gain < -TOLERANCE ? "is worse than" : Number.isNaN(gain) ? "cannot be held against" : "only equals";
  const [own, trivial] = [metric, baseline].map(({ value }) => fixed(value, 4));
  return `${metric.metric}, ${own}, ${verdict} the trivial baseline's ${trivial} (${baseline.by})`;
}

/** What there is to score: answers, and probabilities where the model gives them. */
export interface Judged {
  readonly truth: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  readonly classNames: readonly string[];
  /** `[samples, classes]`, row-major. */
  readonly probabilities?: ArrayLike<number>;
}

/** Scores by the confusion matrix, the higher the better, for the model and for baselines alike. */
const BY_CONFUSION: Readonly<Record<string, (confusion: ConfusionMatrix, options: ScoreOptions) => number>> = {
  accuracy,
  "balanced accuracy": (confusion) => balancedAccuracy(confusion, { zeroDivision: NaN }),
  "macro F1": (confusion, options) => classificationMetrics(confusion, options).macro.f1,
  "weighted F1": (confusion, options) => classificationMetrics(confusion, options).weighted.f1,
  "Cohen's kappa": (confusion) => cohenKappa(confusion, { zeroDivision: 0 }),
  "Matthews correlation": matthewsCorrelation,
};

/** The scores of a classifier that answers with one class, and of the best baseline for each. */
export function classifierScores(
  judged: Judged,
  confusion: ConfusionMatrix,
  trivial: Baselines,
  options: ScoreOptions,
): Score[] {
  const always = `always "${judged.classNames[trivial.commonest]}"`;
  const byConfusion = Object.entries(BY_CONFUSION).map(([metric, score]): Score => {
    const [frequent, drawn] = [score(trivial.mostFrequent, options), score(trivial.stratified, options)];
    const baseline = drawn > frequent ? { value: drawn, by: "drawn by frequency" } : { value: frequent, by: always };
    return { metric, value: score(confusion, options), better: "higher", baseline };
  });
  const { truth, probabilities } = judged;
  return probabilities === undefined ? byConfusion : [...byConfusion, ...byProbability(truth, probabilities, trivial)];
}

function byProbability(truth: ArrayLike<number>, probabilities: ArrayLike<number>, trivial: Baselines): Score[] {
  const classes = trivial.prior.length;
  const areas = oneVsRestAreas(truth, probabilities, classes);
  const present = classes - areas.averagePrecision.undefinedClasses.length;
  const higher = (metric: string, value: number, baseline: number, by: string): Score => ({
    metric,
    value,
    better: "higher",
    baseline: { value: baseline, by },
  });
  const lower = (metric: string, value: number, baseline: Score["baseline"]): Score => ({
    metric,
    value,
    better: "lower",
    baseline,
  });
  const by = "frequencies as probabilities";
  return [
    ...[3, 5]
      .filter((k) => k < classes)
      .map((k) => {
        const value = topKAccuracy(truth, probabilities, classes, k);
        return higher(`top-${k} accuracy`, value, trivial.topKAccuracy[k - 1]!, `always the ${k} commonest`);
      }),
    higher("ROC AUC, macro", areas.rocAuc.macro, 0.5, "any constant score"),
    // A constant score has the class's share as its precision at every recall; shares sum to 1.
    higher("average precision, macro", areas.averagePrecision.macro, 1 / present, "any constant score"),
    lower("log loss", logLoss(truth, probabilities, classes), { value: trivial.logLoss, by }),
    lower("Brier score", brierScore(truth, probabilities, classes), { value: trivial.brierScore, by }),
    lower("calibration error", confidenceCalibration(truth, probabilities, classes).expectedError, null),
  ];
}

/** Decisions on sets of labels, `[samples, labels]`, and scores where the model gives them. */
export interface JudgedLabels {
  readonly truth: ArrayLike<number>;
  readonly decisions: ArrayLike<number>;
  readonly labelNames: readonly string[];
  readonly scores?: ArrayLike<number>;
}

/** What gives every sample the same labels. */
export interface MultiLabelBaseline {
  readonly by: string;
  readonly metrics: MultiLabelMetrics;
}

/** Which of the two is better depends on the score: giving more labels than needed has its price in precision only. */
export function multiLabelBaselines({ truth, labelNames }: JudgedLabels, options: ScoreOptions): MultiLabelBaseline[] {
  const labels = labelNames.length;
  const frequencies = frequencyScores(truth, labels, truth.length / labels);
  const at = (threshold: number): MultiLabelMetrics =>
    multiLabelMetrics(truth, atThreshold(frequencies, threshold), labels, options);
  return [
    { by: "labels that half have", metrics: at(0.5) },
    { by: "every label", metrics: at(0) },
  ];
}

/** Scores of a model that gives sets of labels. */
export function multiLabelScores(
  judged: JudgedLabels,
  metrics: MultiLabelMetrics,
  trivial: readonly MultiLabelBaseline[],
): Score[] {
  const row = (metric: string, score: (of: MultiLabelMetrics) => number, better: Score["better"]): Score => {
    const order = better === "higher" ? 1 : -1;
    const [baseline] = trivial
      .map((one) => ({ value: score(one.metrics), by: one.by }))
      .sort((a, b) => order * (b.value - a.value));
    return { metric, value: score(metrics), better, baseline: baseline ?? null };
  };
  const byDecision = [
    row("sample F1", ({ perSample }) => perSample.f1, "higher"),
    row("micro F1", ({ micro }) => micro.f1, "higher"),
    row("macro F1", ({ macro }) => macro.f1, "higher"),
    row("exact sets", ({ subsetAccuracy }) => subsetAccuracy, "higher"),
    row("error rate", ({ errorRate }) => errorRate, "lower"),
  ];
  return judged.scores === undefined ? byDecision : [...byDecision, ...byRanking(judged, judged.scores)];
}

function byRanking({ truth, labelNames }: JudgedLabels, scores: ArrayLike<number>): Score[] {
  const labels = labelNames.length;
  const constant = multiLabelAreas(truth, frequencyScores(truth, labels, truth.length / labels), labels);
  const own = multiLabelAreas(truth, scores, labels);
  const row = (metric: string, area: (of: RankingAreas) => number): Score => {
    const baseline = { value: area(constant), by: "any constant score" };
    return { metric, value: area(own), better: "higher", baseline };
  };
  return [
    row("ROC AUC, macro", ({ rocAuc }) => rocAuc.macro),
    row("average precision, macro", ({ averagePrecision }) => averagePrecision.macro),
  ];
}
