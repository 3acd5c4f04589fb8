/**
 * Grid search over features *and* machine, by stratified cross validation, on all cores.
 *
 * Why both at once: the best C and γ depend on the features. Features are extracted once per setting, and every
 * candidate is scored on the same folds, so that differences are differences of the candidates.
 *
 * A search takes hours, so it can be stopped and taken up again: every finished fold is in `GridState`, plain JSON.
 */
import { OptionError } from "../../errors.ts";
import type { ImageBatch } from "../hog/hog.ts";
import { encodeLabels } from "../labels.ts";
import type { LongWork, Progress } from "../workers/job.ts";
import { runJobs } from "../workers/pool.ts";
import type { Classifier } from "./classifier.ts";
import { foldCount, type FoldScore, gridJob, type GridJobInput, type Validation } from "./gridJob.ts";
import { extractFeatures, type FeatureOptions, featureSettings, type PipelineOptions } from "./pipeline.ts";

/** All combinations are tried. Lists are written out, or made by `combinations`. */
export interface GridSpace {
  readonly features: readonly FeatureOptions[];
  /** Default [false]. */
  readonly scale?: readonly boolean[];
  readonly classifiers: readonly Classifier[];
}

export interface GridOptions {
  /** Default 5 folds. */
  readonly validation?: Validation;
  /** Of the folds. Default 0. */
  readonly seed?: number;
  /** Where an earlier search stopped; its space, data and seed must be the same. */
  readonly state?: GridState;
}

export interface GridWork extends LongWork {
  /** Called after every finished fold: save it, and a stopped search loses at most the folds that were running. */
  readonly onState?: (state: GridState) => void;
}

export type Candidate = Required<PipelineOptions>;

/** Finished folds: `scores[candidate][fold]`, null where open. Plain JSON. */
export interface GridState {
  /** What was searched: candidates, validation, seed, numbers of pictures and of classes. */
  readonly key: string;
  readonly scores: readonly (readonly (FoldScore | null)[])[];
}

/** One line of the result table. */
export interface GridRow {
  /** Position in the list of candidates. */
  readonly candidate: number;
  readonly options: Candidate;
  readonly mean: number;
  /** Standard deviation over the folds (of the sample; 0 for one fold). */
  readonly deviation: number;
  readonly scores: readonly FoldScore[];
}

export interface GridResult {
  /** Best mean first; ties in the order of candidates. */
  readonly rows: readonly GridRow[];
  readonly best: GridRow;
  readonly state: GridState;
}

/** Candidates in the order: features outermost, then scaling, then machine. */
export function gridCandidates({ features, scale = [false], classifiers }: GridSpace): Candidate[] {
  const candidates = features.flatMap((feature) =>
    scale.flatMap((scaled) => classifiers.map((classifier) => ({ features: feature, scale: scaled, classifier }))),
  );
  if (candidates.length > 0) return candidates;
  throw new OptionError({
    where: "grid search",
    expected: "at least one features entry, scale entry and classifier",
    got: "an empty list",
  });
}

/** `{ C: [1, 10], loss: ["hinge"] }` → every combination as an object; keys vary slowest first. */
export function combinations<T extends object>(lists: { readonly [K in keyof T]: readonly T[K][] }): T[] {
  let partial: Partial<T>[] = [{}];
  for (const key of Object.keys(lists) as (keyof T)[]) {
    partial = partial.flatMap((base) => lists[key].map((value) => ({ ...base, [key]: value })));
  }
  return partial as T[];
}

/**
 * Scores every candidate. Rejects with the signal's reason when aborted; what was finished is in the last `onState`.
 * Throws `OptionError` where `state` belongs to another search, and the errors of training.
 */
export async function gridSearch(
  images: ImageBatch,
  labels: ArrayLike<number>,
  space: GridSpace,
  options: GridOptions = {},
  work: GridWork = {},
): Promise<GridResult> {
  const { validation = { folds: 5 }, seed = 0 } = options;
  const { codes, classes } = encodeLabels("grid search", labels, images.count);
  const candidates = gridCandidates(space);
  const folds = foldCount(validation);
  const key = JSON.stringify({ candidates, validation, seed, pictures: images.count, classes: classes.length });
  const scores = openScores(options.state, key, candidates.length, folds);
  const state = (): GridState => ({ key, scores: scores.map((row) => [...row]) });
  const total = candidates.length * folds;

  for (const features of space.features) {
    const open = openFolds(candidates, scores, features);
    if (open.length === 0) continue;
    const done = scores.flat().filter((score) => score !== null).length;
    const forward = (progress: Progress): void => work.onProgress?.({ ...progress, done: done + progress.done, total });
    const plain = {
      ...(work.workers === undefined ? {} : { workers: work.workers }),
      ...(work.signal === undefined ? {} : { signal: work.signal }),
    };
    const matrix = await extractFeatures(images, featureSettings(features), plain);
    const inputs = open.map(({ candidate, fold }): GridJobInput => {
      const { scale, classifier } = candidates[candidate] as Candidate;
      return { columns: matrix.columns, scale, classifier, validation, fold, seed };
    });
    const shared = { features: matrix.data, codes };
    const cost = (): number => 0.05 * images.count ** 2 * matrix.columns;
    await runJobs(
      gridJob,
      inputs,
      { stage: "grid search", ...plain, onProgress: forward, shared, cost },
      (score, index) => {
        const { candidate, fold } = open[index] as (typeof open)[number];
        (scores[candidate] as (FoldScore | null)[])[fold] = score;
        work.onState?.(state());
      },
    );
  }
  const rows = candidates.map((candidate, index) => gridRow(candidate, index, scores[index] as FoldScore[]));
  rows.sort((a, b) => b.mean - a.mean || a.candidate - b.candidate);
  return { rows, best: rows[0] as GridRow, state: state() };
}

function openScores(
  state: GridState | undefined,
  key: string,
  candidates: number,
  folds: number,
): (FoldScore | null)[][] {
  if (state === undefined) {
    return Array.from({ length: candidates }, () => new Array<FoldScore | null>(folds).fill(null));
  }
  if (state.key === key) return state.scores.map((row) => [...row]);
  throw new OptionError({
    where: "grid search",
    expected: "a state of this very search (space, validation, seed and data)",
    got: "that of another",
    advice: "start anew, or restore the settings that the state was made with",
  });
}

function openFolds(
  candidates: readonly Candidate[],
  scores: readonly (readonly (FoldScore | null)[])[],
  features: FeatureOptions,
): { candidate: number; fold: number }[] {
  return candidates.flatMap((options, candidate) => {
    if (options.features !== features) return [];
    return (scores[candidate] as FoldScore[]).flatMap((score, fold) => (score === null ? [{ candidate, fold }] : []));
  });
}

function gridRow(options: Candidate, candidate: number, scores: readonly FoldScore[]): GridRow {
  const mean = scores.reduce((sum, { accuracy }) => sum + accuracy, 0) / scores.length;
  const squares = scores.reduce((sum, { accuracy }) => sum + (accuracy - mean) ** 2, 0);
  return {
    candidate,
    options,
    mean,
    deviation: scores.length > 1 ? Math.sqrt(squares / (scores.length - 1)) : 0,
    scores,
  };
}
