/** Metrics that can be asked for by name, in `fit` and `evaluate`. */
import { OptionError } from "../../errors.ts";
import { cohenKappa, matthewsCorrelation } from "./agreement.ts";
import { classificationMetrics, type Scores } from "./classification.ts";
import { confusionMatrix, type ConfusionMatrix } from "./confusion.ts";
import { brierScore, logLoss } from "./probabilities.ts";
import { argMax, topKAccuracy } from "./topK.ts";

/** What a model answered to labelled samples. */
export interface Answered {
  /** `[count, classes]`, row-major; each row sums to 1. */
  readonly probabilities: Float32Array;
  /** The class of each sample. */
  readonly labels: ArrayLike<number>;
  /** The model's outputs. */
  readonly classes: number;
}

/** A metric: those of the box have names, and anybody's own is an object. */
export interface Metric {
  /** Letters, digits, `_`, `-` and `.`; monitors and logs call it `val_` and this. */
  readonly name: string;
  /** Whether less is better. Default: `min` for names with loss or error in them, else `max`. */
  readonly mode?: "min" | "max";
  /** The score. */
  compute(answered: Answered): number;
}

type Average = "macro" | "weighted" | "micro";

/**
 * Averages over classes of the scores of `classificationMetrics` (`Npv`: negative predictive value; `npv` is its macro
 * average), of all outputs that the model has, 0/0 counting as 0; `top3`: the accuracy of three guesses. Equal to
 * scikit-learn's.
 */
export type MetricName =
  | `${Average}${"Precision" | "Recall" | "Specificity" | "Npv" | "F1"}`
  | "npv"
  | "balancedAccuracy"
  | "cohenKappa"
  | "matthewsCorrelation"
  | `top${number}`
  | "logLoss"
  | "brierScore";

const SCORES: Readonly<Record<string, keyof Scores>> = {
  Precision: "precision",
  Recall: "recall",
  Specificity: "specificity",
  Npv: "negativePredictiveValue",
  F1: "f1",
};

const OF_CONFUSION: Readonly<Record<string, (confusion: ConfusionMatrix) => number>> = {
  npv: (confusion) => classificationMetrics(confusion).macro.negativePredictiveValue,
  balancedAccuracy: presentRecall,
  cohenKappa: (confusion) => cohenKappa(confusion),
  matthewsCorrelation,
};

const OF_PROBABILITIES: Readonly<Record<string, typeof logLoss>> = { logLoss, brierScore };

/** Mean recall of the classes that occur, as scikit-learn's `balanced_accuracy_score`. */
function presentRecall(confusion: ConfusionMatrix): number {
  return classificationMetrics(confusion, { zeroDivision: NaN }).macro.recall;
}

/** @throws {OptionError} for a name that is none, with the names that are. */
export function namedMetric(where: string, name: string): Metric {
  const [, average, score] = /^(macro|weighted|micro)(\w+)$/.exec(name) ?? [];
  const key = score === undefined ? undefined : SCORES[score];
  if (average !== undefined && key !== undefined) {
    return ofConfusion(name, (confusion) => classificationMetrics(confusion)[average as Average][key]);
  }
  if (Object.hasOwn(OF_CONFUSION, name)) return ofConfusion(name, OF_CONFUSION[name]!);
  if (Object.hasOwn(OF_PROBABILITIES, name)) {
    const compute = OF_PROBABILITIES[name]!;
    const judge = ({ labels, probabilities, classes }: Answered) => compute(labels, probabilities, classes);
    return { name, mode: "min", compute: judge };
  }
  const [, k] = /^top([1-9]\d*)$/.exec(name) ?? [];
  if (k !== undefined) {
    const compute = ({ labels, probabilities, classes }: Answered) =>
      topKAccuracy(labels, probabilities, classes, Number(k));
    return { name, mode: "max", compute };
  }
  const [scores, others] = [SCORES, { ...OF_CONFUSION, ...OF_PROBABILITIES }].map((table) => Object.keys(table));
  throw new OptionError({
    where,
    expected: `metrics { name, compute } or names: macro, weighted or micro before ${scores!.join(", ")}; ${others!.join(", ")}; top3`,
    got: JSON.stringify(name),
  });
}

function ofConfusion(name: string, score: (confusion: ConfusionMatrix) => number): Metric {
  const compute = ({ labels, probabilities, classes }: Answered) =>
    score(confusionMatrix(labels, argMax(probabilities, classes), classes));
  return { name, mode: "max", compute };
}
