/** What came of an experiment: a record, its summary, and the row that stands beside the published figure. */
import type { Json } from "../nn/index.ts";
import { fixed, type Table } from "../report/index.ts";
import type { ImageDataset } from "../data/index.ts";
import {
  classificationMetrics,
  type ClassScores,
  type EpochResult,
  type Evaluation,
  type Predictions,
  type StopReason,
  type TrainingResult,
} from "../train/index.ts";
import type { Experiment } from "./experiment.ts";
import type { DataParts, Run } from "./prepare.ts";

/** One training and its test. */
export interface RunResult extends Run {
  readonly images: { readonly training: number; readonly validation: number; readonly test: number };
  readonly test: Evaluation;
  /** Of the epoch whose parameters were kept. */
  readonly validation: Evaluation | null;
  readonly stopped: StopReason;
  readonly message: string | null;
  readonly steps: number;
  /** Of training and validation, without compiling. */
  readonly seconds: number;
  /**
   * Of all threads of the process meanwhile, compiling included: on a software adapter it says more than `seconds`. Null
   * where another process had begun the training.
   */
  readonly cpuSeconds: number | null;
  readonly imagesPerSecond: number;
  readonly firstStepSeconds: number;
  /** Features of frozen layers that it was trained on; null where it was trained on images. */
  readonly features: RunFeatures | null;
  /** Of the model's file; null where it could not be written. */
  readonly modelBytes: number | null;
  /** From the test images to their classes. */
  readonly inferenceSeconds: number;
  /** Mean power while it learnt, of what computed; null where it is unknown. */
  readonly watts: number | null;
  /** Of the test images, class by class. */
  readonly classes: readonly ClassResult[];
  readonly warnings: readonly string[];
  readonly history: readonly EpochResult[];
}

export interface RunFeatures {
  readonly images: number;
  /** Of computing them, whenever that was. */
  readonly seconds: number;
  /** Whether they were found where an earlier run kept them. */
  readonly found: boolean;
}

export interface ClassResult extends Pick<ClassScores, "precision" | "recall" | "negativePredictiveValue" | "support"> {
  readonly name: string;
}

/** What a training took, and what its model takes. */
export type RunCosts = Pick<RunResult, "cpuSeconds" | "features" | "modelBytes" | "inferenceSeconds" | "watts">;

/** Scores of the test images, and what each was taken for. */
export interface Tested {
  readonly evaluation: Evaluation;
  readonly answers: Pick<Predictions, "classes">;
}

/** The file that an experiment leaves. */
export interface ExperimentResult {
  /** Of Trama. */
  readonly version: string;
  /** The experiment file's name, without folder and ending. */
  readonly name: string;
  readonly experiment: Experiment;
  /** How it was made smaller than its file says, in words; a result with any is not the experiment's. */
  readonly reductions: readonly string[];
  readonly adapter: { readonly name: string; readonly kind: string };
  readonly data: { readonly origin: string; readonly synthetic: boolean };
  /** Number of parameters of the network. */
  readonly parameters: number;
  /** Whether every training is done. */
  readonly complete: boolean;
  readonly runs: readonly RunResult[];
}

/** The result of a training, with the test that belongs to the parameters that it left. */
export function runResult(
  run: Run,
  { training, validation, test }: DataParts,
  result: TrainingResult,
  { evaluation, answers }: Tested,
  { cpuSeconds, features, modelBytes, inferenceSeconds, watts }: RunCosts,
  warnings: readonly string[],
): RunResult {
  const { history, stopped, message, steps, seconds, imagesPerSecond, firstStepSeconds, parametersOf } = result;
  const kept = parametersOf === null ? history.at(-1) : history.find(({ epoch }) => epoch === parametersOf);
  return {
    ...run,
    images: { training: training.count, validation: validation?.count ?? 0, test: test.count },
    test: evaluation,
    validation: kept?.validation ?? null,
    stopped,
    message,
    steps,
    seconds,
    cpuSeconds,
    imagesPerSecond,
    firstStepSeconds,
    features: features && { images: features.images, seconds: features.seconds, found: features.found },
    modelBytes,
    inferenceSeconds,
    watts,
    classes: classResults(test, answers),
    warnings,
    history,
  };
}

function classResults({ labels, classNames }: ImageDataset, { classes }: Tested["answers"]): ClassResult[] {
  const { perClass } = classificationMetrics({ truth: labels, predicted: classes, classes: classNames.length });
  return classNames.map((name, index) => {
    const { precision, recall, negativePredictiveValue, support } = perClass[index]!;
    return { name, precision, recall, negativePredictiveValue, support };
  });
}

/** Of the scores of several trainings. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  /** Of the sample (divided by n − 1); 0 for a single score. */
  readonly deviation: number;
  /** Least, lower quartile, median, upper quartile, greatest: what a box plot draws. */
  readonly five: readonly [number, number, number, number, number];
}

/** Describes scores; quartiles are interpolated linearly, as NumPy does. */
export function spreadOf(scores: readonly number[]): Spread {
  const sorted = [...scores].sort((a, b) => a - b);
  const count = sorted.length;
  const mean = sorted.reduce((sum, score) => sum + score, 0) / count;
  const squares = sorted.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const quantile = (share: number): number => {
    const place = share * (count - 1);
    const below = Math.floor(place);
    const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, count - 1)]!];
    return low + (place - below) * (high - low);
  };
  return {
    count,
    mean,
    deviation: count < 2 ? 0 : Math.sqrt(squares / (count - 1)),
    five: [quantile(0), quantile(0.25), quantile(0.5), quantile(0.75), quantile(1)],
  };
}

/** The scores that are held against the published figure, one a training. */
export function scoresOf({ experiment, runs }: ExperimentResult): readonly number[] {
  const judged = experiment.study.metric === "validation accuracy" ? "validation" : "test";
  return runs.flatMap((run) => run[judged]?.accuracy ?? []);
}

const COLUMNS = [
  { title: "experiment", align: "left" },
  { title: "study" },
  { title: "ours" },
  { title: "what is measured", align: "left" },
  { title: "parameters" },
  { title: "epochs" },
  { title: "seed" },
  { title: "training" },
  { title: "adapter", align: "left" },
  { title: "remarks", align: "left" },
] as const;

/** Results beside what was published, one a row. */
export function resultTable(results: readonly ExperimentResult[]): Table {
  return { columns: COLUMNS, rows: results.map(rowOf) };
}

function rowOf(result: ExperimentResult): string[] {
  const { name, experiment, runs, adapter, parameters } = result;
  const { study, training, data: { folds, testImages } = {}, seeds = [42] } = experiment;
  const { metric = "test accuracy" } = study;
  const isRun = runs.length > 0;
  return [
    `${name}: ${experiment.title}`,
    study.figure === null ? "–" : fixed(study.figure, 4),
    isRun ? scoreText(scoresOf(result)) : notYet(experiment),
    listed([metric, folds && `${folds} folds`, testImages && `${count(testImages)} images`]),
    isRun ? count(parameters) : "",
    isRun ? epochsText(runs, training.epochs) : String(training.epochs),
    seeds.join(", "),
    durationText(runs),
    adapter.name,
    remarksOn(result).join("; "),
  ];
}

function listed(parts: readonly (string | 0 | undefined)[]): string {
  return parts.filter(Boolean).join(", ");
}

function notYet({ needs }: Experiment): string {
  return needs === undefined ? "not yet run" : "not yet run (needs a GPU)";
}

function scoreText(scores: readonly number[]): string {
  const { mean, deviation } = spreadOf(scores);
  return scores.length === 1 ? fixed(mean, 4) : `${fixed(mean, 4)} ± ${fixed(deviation, 4)}`;
}

/** Fewer than planned were done where training was stopped. */
function epochsText(runs: readonly RunResult[], planned: number): string {
  const done = [...new Set(runs.map(({ history }) => history.length))];
  return done.length === 1 && done[0] === planned ? String(planned) : `${done.join(", ")} of ${planned}`;
}

function remarksOn({ experiment, reductions, data, complete, runs }: ExperimentResult): string[] {
  const { study, reduced } = experiment;
  const { note, aim } = study;
  const best = runs.length === 0 ? null : Math.max(...runs.map(({ test }) => test.accuracy));
  return [
    ...(data.synthetic ? ["SYNTHETIC DATA"] : []),
    ...[...(reduced === undefined ? [] : [reduced]), ...reductions].map((reduction) => `REDUCED: ${reduction}`),
    ...(complete || runs.length === 0 ? [] : ["unfinished"]),
    ...(aim !== undefined && best !== null ? [`aim ${aim} ${best >= aim ? "reached" : "missed"}`] : []),
    ...(note === undefined ? [] : [note]),
    ...featuresText(runs),
    ...runs.flatMap(({ stopped, message }) => (stopped === "stopped" && message !== null ? [message] : [])),
    ...[...new Set(runs.flatMap(({ warnings }) => warnings))].map((doubt) => `doubt: ${doubt.replace(/\.$/, "")}`),
  ];
}

/** The cost of features is not in the duration of the training. */
function featuresText(runs: readonly RunResult[]): string[] {
  const computed = runs.flatMap(({ features }) => features ?? []);
  if (computed.length === 0) return [];
  const seconds = computed.reduce((sum, features) => sum + features.seconds, 0);
  return [`trained on features of ${count(computed[0]!.images)} images, computed once in ${duration(seconds)}`];
}

const count = (number: number): string => number.toLocaleString("en-US");

function durationText(runs: readonly RunResult[]): string {
  if (runs.length === 0) return "";
  const wall = runs.reduce((total, { seconds }) => total + seconds, 0);
  const cpu = runs.reduce((total, { cpuSeconds }) => total + (cpuSeconds ?? NaN), 0);
  return Number.isNaN(cpu) ? `${duration(wall)}, taken up again` : `${duration(wall)} (CPU ${duration(cpu)})`;
}

function duration(seconds: number): string {
  return seconds < 100 ? `${fixed(seconds, 0)} s` : `${fixed(seconds / 60, 1)} min`;
}

/**
 * Class by class, beside what a model takes: a table for each set of classes, of the experiments that take weights over or
 * freeze layers, and have run.
 */
export function transferTables(results: readonly ExperimentResult[]): readonly Table[] {
  const shown = results.filter(
    ({ experiment: { weights, freeze }, runs }) => (weights ?? freeze) !== undefined && runs[0]?.classes !== undefined,
  );
  const namesOf = ({ runs }: ExperimentResult): string => JSON.stringify(runs[0]!.classes.map(({ name }) => name));
  const sets = [...new Set(shown.map(namesOf))];
  return sets.map((names) => transferTable(shown.filter((result) => namesOf(result) === names)));
}

function transferTable(results: readonly ExperimentResult[]): Table {
  const names = results[0]!.runs[0]!.classes.map(({ name }) => name);
  return {
    columns: [
      { title: "experiment", align: "left" },
      ...["study", "ours", "parameters", "MB", "inference", "W"].map((title) => ({ title })),
      ...names.map((title) => ({ title })),
    ],
    rows: results.map(transferRow),
  };
}

/** Of several trainings the first one. */
function transferRow(result: ExperimentResult): string[] {
  const { name, experiment, parameters, runs } = result;
  const { modelBytes, inferenceSeconds, watts, classes, test } = runs[0]!;
  const { figure } = experiment.study;
  return [
    result.reductions.length > 0 ? `${name}, REDUCED` : name,
    figure === null ? "–" : fixed(figure, 4),
    fixed(test.accuracy, 4),
    count(parameters),
    modelBytes === null ? "unknown" : fixed(modelBytes / 1e6, 1),
    duration(inferenceSeconds),
    watts === null ? "unknown" : fixed(watts, 1),
    ...classes.map(({ recall, precision, negativePredictiveValue: npv }) =>
      [recall, precision, npv].map((score) => fixed(score, 3)).join(" / "),
    ),
  ];
}

/** What must be equal for the trainings of two results to be of one experiment. */
export function settingsOf({
  title: _,
  study: __,
  $schema: ___,
  needs: ____,
  reduced: _____,
  ...settings
}: Experiment): Json {
  return settings;
}
