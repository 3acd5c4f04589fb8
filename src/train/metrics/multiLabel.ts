/** Scores of models that give each sample a set of labels: attributes of a garment, say. */
import { DataError, OptionError } from "../../errors.ts";
import { requireFinite, requireIndicators, requireLength, requireWhole } from "./check.ts";
import {
  averagedScores,
  meanScores,
  ratiosOf,
  settle,
  type AveragedScores,
  type Outcomes,
  type ScoreOptions,
  type Scores,
} from "./classification.ts";
import { range, rankOf, requireK } from "./topK.ts";

/** `perClass` has an entry for each label. */
export interface MultiLabelMetrics extends AveragedScores {
  readonly samples: number;
  /** Mean of the scores of each sample's labels against its decisions. */
  readonly perSample: Scores;
  /** Error rate: share of wrong decisions, one decision a label of a sample (Hamming loss). */
  readonly errorRate: number;
  /** Share of samples of which every label is right. */
  readonly subsetAccuracy: number;
}

/**
 * Scores of decisions, label by label, averaged in four ways. Equal to scikit-learn's
 * `precision_recall_fscore_support` and `hamming_loss`. One label makes the scores of a binary classifier.
 * @param truth 1 where the label is true, else 0; `[samples, labels]`, row-major.
 * @param decisions the same of the model's, as `atThreshold` makes them of scores.
 * @throws {ShapeError} for arrays of other lengths. {DataError} for other values than 0 and 1. {OptionError} as
 * `classificationMetrics` does.
 */
export function multiLabelMetrics(
  truth: ArrayLike<number>,
  decisions: ArrayLike<number>,
  labels: number,
  options: ScoreOptions = {},
): MultiLabelMetrics {
  const where = "multiLabelMetrics";
  const samples = requireIndicators(where, truth, labels);
  requireLength(where, "decisions, one for each label of each sample", decisions, truth.length);
  requireIndicators(where, decisions, labels);
  const counts = { labels: new Uint32Array(4 * labels), samples: new Uint32Array(4 * samples) };
  for (let at = 0; at < truth.length; at++) {
    const outcome = 2 * truth[at]! + decisions[at]!;
    counts.labels[4 * (at % labels) + outcome]! += 1;
    counts.samples[4 * Math.floor(at / labels) + outcome]! += 1;
  }
  const perSample = outcomesIn(counts.samples);
  const { beta = 1, zeroDivision = 0 } = options;
  const averaged = averagedScores(where, outcomesIn(counts.labels), options);
  const undefinedHere = new Set<keyof Scores>();
  const rows = perSample.map((of) => settle(ratiosOf(of, beta), zeroDivision, (score) => undefinedHere.add(score)));
  const mistakes = perSample.map(({ fp, fn }) => fp + fn);
  return {
    ...averaged,
    samples,
    perSample: meanScores(rows),
    errorRate: mistakes.reduce((sum, wrong) => sum + wrong, 0) / truth.length,
    subsetAccuracy: mistakes.filter((wrong) => wrong === 0).length / samples,
    undefinedScores: [
      ...averaged.undefinedScores,
      ...Array.from(undefinedHere, (score) => ({ score, at: "perSample" as const })),
    ],
  };
}

/** Four counts each, at 2·truth + decision. */
function outcomesIn(counts: Uint32Array): Outcomes[] {
  return Array.from({ length: counts.length / 4 }, (_, i) => {
    const [tn, fp, fn, tp] = counts.subarray(4 * i, 4 * i + 4);
    return { tn: tn!, fp: fp!, fn: fn!, tp: tp! };
  });
}

/** Labels of one kind: the attributes that describe a texture, say. */
export interface LabelType {
  readonly name: string;
  readonly labels: readonly number[];
}

export interface TypeRecall {
  readonly name: string;
  /** NaN where no sample has a label of the type. */
  readonly recall: number;
  /** Labels of the type that samples have, in all. */
  readonly positives: number;
}

export interface TopKRecall {
  readonly k: number;
  /** Of all labels that samples have, the share among the k of greatest scores of all labels. */
  readonly overall: number;
  /** The same for the labels of each type, ranked among themselves. */
  readonly types: readonly TypeRecall[];
}

/**
 * Recall of the k labels of greatest scores, over all labels and within each type (Liu et al. 2016, DeepFashion, section
 * 4.2; types ranked among themselves as by Liu & Lu 2018). Labels of all samples are counted together, so a sample
 * without labels weighs nothing, and one with more than k cannot have them all found. Of equal scores the first is ahead.
 * @param truth 1 where the label is true, else 0; `[samples, labels]`, row-major.
 * @param scores `[samples, labels]`, row-major.
 * @throws {DataError} when no sample has a label. {OptionError} for a `k` above the number of labels, or a type that is
 * empty or names a label that there is not.
 */
export function recallAtK(
  truth: ArrayLike<number>,
  scores: ArrayLike<number>,
  labels: number,
  k: number,
  types: readonly LabelType[] = [],
): TopKRecall {
  const where = "recallAtK";
  requireK(where, k, labels);
  const samples = requireIndicators(where, truth, labels);
  requireLength(where, "scores, one for each label of each sample", scores, truth.length);
  requireFinite(where, "finite scores", scores);
  types.forEach((type) => requireType(where, type, labels));
  const recallOf = (chosen: readonly number[]): Omit<TypeRecall, "name"> => {
    let [hits, positives] = [0, 0];
    for (let start = 0; start < samples * labels; start += labels) {
      for (const label of chosen) {
        if (truth[start + label] !== 1) continue;
        positives++;
        if (rankOf(scores, start, chosen, label) < k) hits++;
      }
    }
    return { recall: hits / positives, positives };
  };
  const all = recallOf(range(labels));
  if (all.positives === 0) throw new DataError({ where, expected: "at least one label of a sample", got: "none" });
  return { k, overall: all.recall, types: types.map((type) => ({ name: type.name, ...recallOf(type.labels) })) };
}

function requireType(where: string, { name, labels: members }: LabelType, labels: number): void {
  const odd = members.find(
    (label, i) => !(Number.isInteger(label) && label >= 0 && label < labels) || members.indexOf(label) !== i,
  );
  if (members.length > 0 && odd === undefined) return;
  throw new OptionError({
    where: `${where}, type "${name}"`,
    expected: `different labels from 0 to ${labels - 1}`,
    got: String(odd ?? "none"),
  });
}

/**
 * The trivial baseline: for every sample, the share of samples that have each label. Its scores are made for the functions
 * above, as are its decisions, `atThreshold(…)`.
 * @param learnt labels `[any samples, labels]` that the shares are taken from.
 * @returns `[samples, labels]`
 */
export function frequencyScores(learnt: ArrayLike<number>, labels: number, samples: number): Float32Array<ArrayBuffer> {
  const where = "frequencyScores";
  const known = requireIndicators(where, learnt, labels);
  requireWhole(where, "samples", samples);
  const counts = new Float64Array(labels);
  for (let at = 0; at < learnt.length; at++) counts[at % labels]! += learnt[at]!;
  const scores = new Float32Array(samples * labels);
  const shares = counts.map((count) => count / known);
  for (let start = 0; start < scores.length; start += labels) scores.set(shares, start);
  return scores;
}
