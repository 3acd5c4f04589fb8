/** What came of an experiment: a record, its summary, and the row that stands beside the published figure. */
import type { Json } from "../nn/index.ts";
import { fixed, type Table } from "../report/index.ts";
import type { EpochResult, Evaluation, StopReason, TrainingResult } from "../train/index.ts";
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
  readonly warnings: readonly string[];
  readonly history: readonly EpochResult[];
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

/** The result of a training, with the evaluation that belongs to the parameters that it left. */
export function runResult(
  run: Run,
  { training, validation, test }: DataParts,
  result: TrainingResult,
  tested: Evaluation,
  cpuSeconds: number | null,
  warnings: readonly string[],
): RunResult {
  const { history, stopped, message, steps, seconds, imagesPerSecond, firstStepSeconds, parametersOf } = result;
  const kept = parametersOf === null ? history.at(-1) : history.find(({ epoch }) => epoch === parametersOf);
  return {
    ...run,
    images: { training: training.count, validation: validation?.count ?? 0, test: test.count },
    test: tested,
    validation: kept?.validation ?? null,
    stopped,
    message,
    steps,
    seconds,
    cpuSeconds,
    imagesPerSecond,
    firstStepSeconds,
    warnings,
    history,
  };
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
  const { study, training, data: { folds } = {}, seeds = [42] } = experiment;
  const { metric = "test accuracy" } = study;
  const isRun = runs.length > 0;
  return [
    `${name}: ${experiment.title}`,
    study.figure === null ? "–" : fixed(study.figure, 4),
    isRun ? scoreText(scoresOf(result)) : "not yet run",
    folds === undefined ? metric : `${metric}, ${folds} folds`,
    isRun ? parameters.toLocaleString("en-US") : "",
    isRun ? epochsText(runs, training.epochs) : String(training.epochs),
    seeds.join(", "),
    durationText(runs),
    adapter.name,
    remarksOn(result).join("; "),
  ];
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
  const { note, aim } = experiment.study;
  const best = runs.length === 0 ? null : Math.max(...runs.map(({ test }) => test.accuracy));
  return [
    ...(data.synthetic ? ["SYNTHETIC DATA"] : []),
    ...reductions.map((reduction) => `REDUCED: ${reduction}`),
    ...(complete || runs.length === 0 ? [] : ["unfinished"]),
    ...(aim !== undefined && best !== null ? [`aim ${aim} ${best >= aim ? "reached" : "missed"}`] : []),
    ...(note === undefined ? [] : [note]),
    ...runs.flatMap(({ stopped, message }) => (stopped === "stopped" && message !== null ? [message] : [])),
    ...[...new Set(runs.flatMap(({ warnings }) => warnings))].map((doubt) => `doubt: ${doubt.replace(/\.$/, "")}`),
  ];
}

function durationText(runs: readonly RunResult[]): string {
  if (runs.length === 0) return "";
  const wall = runs.reduce((total, { seconds }) => total + seconds, 0);
  const cpu = runs.reduce((total, { cpuSeconds }) => total + (cpuSeconds ?? NaN), 0);
  return Number.isNaN(cpu) ? `${duration(wall)}, taken up again` : `${duration(wall)} (CPU ${duration(cpu)})`;
}

function duration(seconds: number): string {
  return seconds < 100 ? `${fixed(seconds, 0)} s` : `${fixed(seconds / 60, 1)} min`;
}

/** What must be equal for the trainings of two results to be of one experiment. */
export function settingsOf({ title: _, study: __, $schema: ___, ...settings }: Experiment): Json {
  return settings;
}
