/** What there is to say of a classifier, each score beside what knowing nothing reaches; formats.ts says it. */
import {
  baselines,
  classificationMetrics,
  confusionMatrix,
  multiLabelMetrics,
  type AveragedScores,
  type ClassificationMetrics,
  type ConfusionMatrix,
  type MultiLabelMetrics,
  type ScoreOptions,
} from "../train/index.ts";
import {
  belowBaseline,
  classifierScores,
  multiLabelBaselines,
  multiLabelScores,
  type Judged,
  type JudgedLabels,
  type Score,
} from "./scores.ts";

export interface Report {
  /** Of classes, or of labels. */
  readonly names: readonly string[];
  readonly metrics: ClassificationMetrics | MultiLabelMetrics;
  /** The same metrics of trivial baselines. */
  readonly baselines: readonly { readonly by: string; readonly metrics: ClassificationMetrics | MultiLabelMetrics }[];
  /** Single numbers, each beside the best trivial baseline. */
  readonly scores: readonly Score[];
  /** Null where samples have sets of labels. */
  readonly confusion: ConfusionMatrix | null;
  /** What has to be said aloud: scores that do not beat a trivial baseline, scores that are 0/0. */
  readonly warnings: readonly string[];
}

/** Of a classifier that answers with one class. */
export interface ClassificationReport extends Report {
  readonly metrics: ClassificationMetrics;
  readonly confusion: ConfusionMatrix;
}

export interface ReportOptions extends ScoreOptions {
  /** Labels that the baselines know the frequencies from, such as the training part's. Default: the truth itself. */
  readonly learnt?: ArrayLike<number>;
}

/**
 * Reports on a classifier that answers with one class.
 * @throws as `confusionMatrix`, `classificationMetrics` and, with probabilities, `logLoss` do.
 */
export function classificationReport(judged: Judged, options: ReportOptions = {}): ClassificationReport {
  const { truth, predicted, classNames } = judged;
  const confusion = confusionMatrix(truth, predicted, classNames.length);
  const metrics = classificationMetrics(confusion, options);
  const trivial = baselines(truth, classNames.length, options.learnt);
  const scores = classifierScores(judged, confusion, trivial, options);
  return {
    names: classNames,
    metrics,
    baselines: [
      {
        by: `always "${classNames[trivial.commonest]}"`,
        metrics: classificationMetrics(trivial.mostFrequent, options),
      },
      { by: "drawn by frequency", metrics: classificationMetrics(trivial.stratified, options) },
    ],
    scores,
    confusion,
    warnings: [...unbeaten(scores), ...undefinedScores(classNames, metrics, options)],
  };
}

/**
 * Reports on a model that gives each sample a set of labels.
 * @throws as `multiLabelMetrics` does, and as `multiLabelAreas` with scores.
 */
export function multiLabelReport(judged: JudgedLabels, options: ScoreOptions = {}): Report {
  const { truth, decisions, labelNames } = judged;
  const metrics = multiLabelMetrics(truth, decisions, labelNames.length, options);
  const trivial = multiLabelBaselines(judged, options);
  const scores = multiLabelScores(judged, metrics, trivial);
  return {
    names: labelNames,
    metrics,
    baselines: trivial,
    scores,
    confusion: null,
    warnings: [...unbeaten(scores), ...undefinedScores(labelNames, metrics, options)],
  };
}

function unbeaten(scores: readonly Score[]): string[] {
  return scores.flatMap((score) => (score.baseline && belowBaseline(score, score.baseline)) ?? []);
}

/** One line for each of precision, recall and F1 that is 0/0 somewhere. */
function undefinedScores(
  names: readonly string[],
  metrics: AveragedScores,
  { zeroDivision = 0 }: ScoreOptions,
): string[] {
  const counted = Number.isNaN(zeroDivision) ? "left out" : `counted as ${zeroDivision}`;
  return (["precision", "recall", "f1"] as const).flatMap((score) => {
    const where = metrics.undefinedScores.filter((one) => one.score === score && typeof one.at === "number");
    if (where.length === 0) return [];
    return `${score} is 0/0, ${counted}, for ${where.map(({ at }) => `"${names[at as number]}"`).join(", ")}`;
  });
}
