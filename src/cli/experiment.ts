/** `trama train FILE`: an experiment as its file says it, and its result beside the published one. */
import { basename, extname } from "node:path";
import { fileExists, readFile, writeFileAtomic } from "#files";
import { DataError, OptionError } from "../errors.ts";
import type { FashionMnist } from "../data/index.ts";
import {
  parseExperiment,
  prepareRun,
  resultTable,
  runResult,
  runsOf,
  scoresOf,
  settingsOf,
  spreadOf,
  type Experiment,
  type ExperimentResult,
  type Run,
  type RunResult,
} from "../experiments/index.ts";
import { build, type Json, type Model } from "../nn/index.ts";
import { foldPlot, powerOf, renderSvg } from "../report/index.ts";
import type { Device } from "../tensor/index.ts";
import { baselineDoubt, evaluate, fit, hardwareLog, leakDoubts, type TrainingResult } from "../train/index.ts";
import { VERSION } from "../weights/index.ts";
import { checkpointPlace, takenUp, type CheckpointOptions } from "./checkpoints.ts";
import { introduceData, loadData } from "./datasets.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import { interrupted, stoppable } from "./interruption.ts";
import type { CommonOptions } from "./options.ts";
import { Incomplete } from "./perform.ts";
import { answersOf, keepRun } from "./runRecord.ts";
import { requireWritable, RUNS } from "./runs.ts";
import type { Terminal } from "./terminal.ts";
import { count, duration, labelled, listed, score } from "./text.ts";
import { callbacksFor, diverged, keepModel, settled, summary, warn } from "./training.ts";
import { learnerOf, takeOver } from "./transfer.ts";

/** What may be said beside the file; each makes a result that is no longer the file's, and is stated in it. */
export interface ExperimentOptions extends CommonOptions, CheckpointOptions {
  readonly images?: number;
  readonly epochs?: number;
  readonly seed?: number;
  readonly out?: string;
}

/** An experiment with what was said beside it. */
interface Plan {
  readonly name: string;
  readonly experiment: Experiment;
  readonly reductions: readonly string[];
  readonly runs: readonly Run[];
  /** The model's file; with several trainings, each has a number before the ending. */
  readonly out: string;
  readonly resultFile: string;
}

/** What the trainings of an experiment share. */
interface Work {
  readonly plan: Plan;
  readonly data: FashionMnist;
  readonly device: Device;
  readonly options: ExperimentOptions;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

export async function runExperiment(file: string, options: ExperimentOptions, terminal: Terminal): Promise<void> {
  const plan = await makePlan(file, options);
  await requireWritable(plan.out);
  await requireWritable(plan.resultFile);
  terminal.say(terminal.bold(`Trama ${VERSION}`), "");
  await stoppable(terminal, (signal) =>
    withDevice(options, async (device) => {
      introduceDevice(device, terminal);
      if (plan.experiment.needs === "gpu" && device.isSoftware) {
        terminal.notice("This experiment needs a GPU: on a software adapter it takes days. Ctrl-C ends it.");
      }
      const data = await loadData(sourceOf(plan.experiment, options), terminal, { signal });
      introduce(plan, data, terminal);
      const result = await trainAll({ plan, data, device, options, terminal, signal });
      const plot = await drawSpread(result, plan, terminal);
      conclude(result, [plan.resultFile, ...plot], terminal);
    }),
  );
}

/** One training after the other; what is done is written down each time. */
async function trainAll(work: Work): Promise<ExperimentResult> {
  const { plan, options, terminal, signal } = work;
  let result = (options.resume === true ? await earlierResult(plan, terminal) : null) ?? emptyResult(work);
  const runs = [...result.runs];
  for (const run of plan.runs.slice(runs.length)) {
    if (signal.aborted) throw interrupted();
    const { done, parameters } = await train(run, work);
    runs.push(done);
    result = Object.assign({}, result, { parameters, runs, complete: isComplete(runs, plan) });
    await writeResult(result, plan.resultFile);
    if (done.stopped === "interrupted") break;
  }
  return result;
}

async function makePlan(file: string, { images, epochs, seed, out }: ExperimentOptions): Promise<Plan> {
  const name = basename(file, extname(file));
  const given = parseExperiment(new TextDecoder().decode(await readFile(file)), file);
  const { data = {}, training, seeds = [42] } = given;
  const reductions = [
    ...(images === undefined ? [] : [`${count(images)} training images instead of ${amount(data.images)}`]),
    ...(epochs === undefined ? [] : [`${epochs} epochs instead of ${training.epochs}`]),
    ...(seed === undefined ? [] : [`seed ${seed} instead of ${seeds.join(", ")}`]),
  ];
  const experiment = {
    ...given,
    data: { ...data, ...(images === undefined ? {} : { images }) },
    training: { ...training, ...(epochs === undefined ? {} : { epochs }) },
    seeds: seed === undefined ? seeds : [seed],
  };
  const model = out ?? `${RUNS}/${name}.safetensors`;
  const resultFile = `${model.replace(/\.safetensors$/, "")}.json`;
  return { name, experiment, reductions, runs: runsOf(experiment), out: model, resultFile };
}

const amount = (images: number | undefined): string => (images === undefined ? "all" : count(images));

/** An experiment on synthetic images stays one; one on real images may be asked for synthetic ones, and says so. */
function sourceOf({ data = {} }: Experiment, options: ExperimentOptions): CommonOptions {
  return data.source === "synthetic" ? { ...options, synthetic: true } : options;
}

function emptyResult({ plan, data: { train: images }, device }: Work): ExperimentResult {
  const { name, experiment, reductions } = plan;
  const { name: adapter, kind } = device.adapter;
  return {
    version: VERSION,
    name,
    experiment,
    reductions,
    adapter: { name: adapter, kind },
    data: { origin: images.origin, synthetic: images.synthetic },
    parameters: 0,
    complete: false,
    runs: [],
  };
}

/** What an interrupted experiment has left: its finished trainings are not repeated. */
async function earlierResult(plan: Plan, terminal: Terminal): Promise<ExperimentResult | null> {
  const { experiment, resultFile } = plan;
  if (!(await fileExists(resultFile))) return null;
  const earlier = JSON.parse(new TextDecoder().decode(await readFile(resultFile))) as ExperimentResult;
  if (JSON.stringify(settingsOf(earlier.experiment)) !== JSON.stringify(settingsOf(experiment))) {
    throw new OptionError({
      where: `--resume ${resultFile}`,
      expected: "a result of the same experiment",
      got: "one of other settings",
      advice: "leave --resume out to begin anew, or give another --out",
    });
  }
  const runs = earlier.runs.filter(({ stopped }) => stopped !== "interrupted");
  if (runs.length > 0) terminal.say(`${runs.length} trainings were done before; see ${resultFile}.`);
  return { ...earlier, runs, complete: isComplete(runs, plan) };
}

function isComplete(runs: readonly RunResult[], plan: Plan): boolean {
  return (
    runs.length === plan.runs.length && runs.every(({ stopped }) => stopped === "completed" || stopped === "stopped")
  );
}

async function writeResult(result: ExperimentResult, file: string): Promise<void> {
  await writeFileAtomic(file, new TextEncoder().encode(`${JSON.stringify(result, null, 2)}\n`));
}

function introduce(plan: Plan, { train: images }: FashionMnist, terminal: Terminal): void {
  const { experiment, reductions, runs } = plan;
  introduceData(images, `${count(images.count)} images in the training file`, terminal);
  const { study, title, training } = experiment;
  terminal.say(...labelled(terminal.bold("Study"), `${study.name}: ${title}`, terminal.width));
  if (study.figure !== null) terminal.say(...labelled("", `published: ${score(study.figure)}`, terminal.width));
  const settings = [
    `${runs.length} ${runs.length === 1 ? "training" : "trainings"}`,
    `${training.epochs} epochs`,
    `batches of ${training.batchSize ?? 128}`,
    training.optimizer?.name ?? "adam",
  ];
  terminal.say(...labelled(terminal.bold("Plan"), listed(settings), terminal.width));
  for (const reduction of reductions) {
    terminal.say(...labelled("", terminal.warning(`REDUCED: ${reduction}`), terminal.width));
  }
  terminal.say("");
}

/** One training of the experiment, tested and saved. */
async function train(run: Run, work: Work): Promise<{ readonly done: RunResult; readonly parameters: number }> {
  const { plan, data, device, options, terminal, signal } = work;
  const prepared = prepareRun(plan.experiment, data, run);
  const { parts, layers, model: modelOptions, fit: fitOptions } = prepared;
  const model = build(device, layers, modelOptions);
  const out = fileOf(plan, run);
  const place = await checkpointPlace(out, options, terminal);
  announce(plan, run, model, terminal, takenUp(place));
  await takeOver(model, prepared.transfer, options, terminal);
  const learner = await learnerOf(model, parts, prepared, terminal, signal);
  const hardware = hardwareLog();
  const before = process.cpuUsage();
  const result = await fit(learner.model, learner.training, {
    ...fitOptions,
    ...(learner.validation ? { validation: learner.validation } : {}),
    callbacks: [hardware, ...(fitOptions.callbacks ?? []), ...callbacksFor(terminal), place.callback],
    resume: place.found,
    signal,
  });
  const { user, system } = process.cpuUsage(before);
  if (result.history.length === 0 && result.stopped === "interrupted") throw interrupted();
  const saved = await settled(keepModel(model, out, parts.training, result));
  const tested = await evaluate(learner.model, learner.test);
  const answers = await answersOf(learner);
  const { training, validation, test } = parts;
  const leaks = leakDoubts({ training, validation, test });
  const trivial = baselineDoubt("test accuracy", tested.accuracy, test) ?? [];
  const doubts = [...new Set([...parts.warnings, ...leaks, ...result.warnings].concat(trivial))];
  const costs = {
    cpuSeconds: place.found ? null : (user + system) / 1e6,
    features: learner.features,
    modelBytes: saved.ok ? saved.bytes : null,
    inferenceSeconds: answers.seconds,
    watts: powerOf({ adapter: device.adapter, hardware: hardware.summary }).value,
  };
  const done = runResult(run, parts, result, { evaluation: tested, answers: answers.predictions }, costs, doubts);
  tell(done, result, out, terminal);
  if (!saved.ok) throw saved.error;
  const judged = { evaluation: tested, result: { ...result, warnings: doubts } };
  await keepRun({
    model,
    out,
    bytes: saved.bytes,
    ...parts,
    ...judged,
    answers,
    hardware,
    configuration: configurationOf(plan),
  });
  if (result.stopped === "diverged") throw diverged(result.message ?? "");
  if (result.stopped !== "interrupted") await place.clear();
  return { done, parameters: model.size };
}

/** What was chosen, for the run's report. */
function configurationOf({ name, experiment, reductions }: Plan): Readonly<Record<string, Json>> {
  const { title, study, data = {}, input = {}, model, weights, freeze, training, callbacks = {} } = experiment;
  const reduced = reductions.length > 0 ? { REDUCED: reductions } : {};
  const transfer = { ...(weights === undefined ? {} : { weights }), ...(freeze === undefined ? {} : { freeze }) };
  return { experiment: name, title, study, data, input, model, ...transfer, training, callbacks, ...reduced };
}

/** A file for each model; several are numbered before the ending. */
function fileOf({ out, runs }: Plan, run: Run): string {
  return runs.length === 1 ? out : out.replace(/(\.safetensors)?$/, `-${runs.indexOf(run) + 1}$1`);
}

function announce({ runs }: Plan, run: Run, model: Model, terminal: Terminal, taken: string | null): void {
  const fold = run.fold === null ? "" : `, fold ${run.fold + 1}`;
  if (runs.length > 1) terminal.say("", terminal.bold(`Seed ${run.seed}${fold}`));
  if (runs[0] === run) terminal.say(...summary(model, terminal), "");
  if (taken !== null) terminal.say(taken, "");
  terminal.event("begin", {
    version: VERSION,
    adapter: adapterFields(model.device),
    seed: run.seed,
    fold: run.fold,
    parameters: model.size,
    takenUp: taken,
  });
}

function tell(done: RunResult, { imagesPerSecond }: TrainingResult, out: string, terminal: Terminal): void {
  const { test, validation, seconds, cpuSeconds, warnings, message } = done;
  const scores = [
    ...(validation ? [`validation accuracy ${score(validation.accuracy)}`] : []),
    `test accuracy ${score(test.accuracy)}`,
    cpuSeconds === null ? duration(seconds) : `${duration(seconds)} (CPU ${duration(cpuSeconds)})`,
    `${count(imagesPerSecond)} images/s`,
  ];
  terminal.say(...labelled(terminal.bold("Result"), listed(scores), terminal.width));
  terminal.say(...labelled("", `saved as ${out}`, terminal.width));
  if (message !== null) terminal.say(...labelled("", message, terminal.width));
  warn(warnings, terminal);
  const { history: _, ...fields } = done;
  terminal.event("run", { ...fields, saved: out });
}

/** Scores of several trainings as a box plot beside the result; its file, or none. */
async function drawSpread(result: ExperimentResult, { resultFile }: Plan, terminal: Terminal): Promise<string[]> {
  const scores = scoresOf(result);
  if (scores.length < 2) return [];
  const file = resultFile.replace(/\.json$/, ".svg");
  const { metric = "test accuracy" } = result.experiment.study;
  const plot = foldPlot([{ name: result.name, scores }], { score: metric });
  try {
    await writeFileAtomic(file, new TextEncoder().encode(await renderSvg(plot)));
    return [file];
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    terminal.notice(`There is no box plot: ${error.message}`);
    return [];
  }
}

/** The row beside the published figure, and how the trainings spread. */
function conclude(result: ExperimentResult, files: readonly string[], terminal: Terminal): void {
  const scores = scoresOf(result);
  const { mean, deviation, five } = spreadOf(scores);
  if (scores.length > 1) {
    const each = scores.map((value) => score(value)).join(", ");
    const quartiles = five.map((value) => score(value)).join(" · ");
    terminal.say("", `${scores.length} scores: ${each}`, `mean ${score(mean)} ± ${score(deviation)}`);
    terminal.say(`least, quartiles and greatest: ${quartiles}`);
  }
  const { columns, rows } = resultTable([result]);
  const lines = columns.map(({ title }, column) => [title, rows[0]?.[column] ?? ""] as const);
  const cells = lines.flatMap(([title, cell]) => (cell === "" ? [] : labelled(title, cell, terminal.width, 18)));
  terminal.say("", ...cells, ...labelled("written to", files.join(", "), terminal.width, 18), "");
  terminal.event("end", { complete: result.complete, scores, result: files[0], plot: files[1] ?? null });
  if (!result.complete) {
    terminal.notice("The experiment is not finished: --resume goes on with it.");
    throw new Incomplete();
  }
  const { metric = "test accuracy" } = result.experiment.study;
  terminal.result(`${metric === "test accuracy" ? "Test" : "Validation"} accuracy: ${score(mean)}`);
}
