/** `trama train`: from data to a saved model and its test accuracy. */
import { Option, type Command } from "commander";
import { OptionError } from "../errors.ts";
import { labelStatistics, type ImageDataset } from "../data/index.ts";
import { adam, build, rateAt, sgd, type Json, type Model, type Optimizer } from "../nn/index.ts";
import { evaluate, fit, hardwareLog, type Evaluation, type TrainingResult } from "../train/index.ts";
import { VERSION } from "../weights/index.ts";
import {
  checkpointPlace,
  takenUp,
  withCheckpointOptions,
  type CheckpointOptions,
  type CheckpointPlace,
} from "./checkpoints.ts";
import { introduceData } from "./datasets.ts";
import { defaultSize, type TrainingSize } from "./defaults.ts";
import { isOwn } from "./data/sources.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import { runExperiment, type ExperimentOptions } from "./experiment.ts";
import { interrupted, stoppable } from "./interruption.ts";
import { networks, type NetworkName } from "./networks.ts";
import { positiveNumber, wholeNumber, withAdapterOption, type AdapterOption } from "./options.ts";
import { Incomplete, perform } from "./perform.ts";
import { keepRun } from "./runRecord.ts";
import { requireWritable, RUNS } from "./runs.ts";
import type { Terminal } from "./terminal.ts";
import { count, duration, fileSize, labelled, listed, memorySize, score, table } from "./text.ts";
import { callbacksFor, diverged, keepModel, settled, summary, warn, type Settled } from "./training.ts";
import { trainingData, withTrainingDataOptions, type TrainingData, type TrainingDataOptions } from "./trainingData.ts";

interface TrainOptions extends TrainingDataOptions, AdapterOption, CheckpointOptions {
  readonly epochs?: number;
  readonly batch: number;
  readonly learningRate?: number;
  readonly optimizer: "adam" | "sgd";
  readonly model: NetworkName;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  trama train                                   defaults that fit the adapter
  trama train --synthetic --images 2000         without any download
  trama train --folder pictures                 one's own: a folder a class, or train/ and test/ with one a class
  trama train --csv fashion-mnist_train.csv fashion-mnist_test.csv
  trama train --epochs 20 --learning-rate 5e-4 --out runs/long.safetensors
  trama train --json > log.jsonl                begin, epoch …, end: one JSON object a line
  trama train --resume                          after a crash or Ctrl-C: go on, with the options of before
  trama train experiments/s2-depth-2.json       redo a study, beside its published figure

An experiment file says all that is trained; --images, --epochs and --seed beside it are stated in its result.
Ctrl-C stops after the current step and saves what was learnt; a second Ctrl-C ends at once.
The last line is \`Test accuracy: 0.nnnn\`. The test images have no part in training or in choosing anything.`;

export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description(
      "train a network on Fashion-MNIST or pictures of one's own, test it, and save it as one safetensors file",
    )
    .argument("[experiment]", "file of an experiment, as experiments/schema.json describes it")
    .option(
      "--images <n>",
      "take only N training images, the first, or any of one's own (default: all; fewer on slow adapters)",
      wholeNumber(1),
    )
    .option(
      "--epochs <n>",
      "passes over the images (default: 12 on a GPU, fewer on a software adapter)",
      wholeNumber(1),
    )
    .option("--batch <n>", "images a step", wholeNumber(1), 128)
    .option("--learning-rate <x>", "step size (default: 0.001 for adam, 0.01 for sgd)", positiveNumber)
    .addOption(new Option("--optimizer <name>", "sgd has momentum 0.9").choices(["adam", "sgd"]).default("adam"))
    .addOption(
      new Option("--model <name>", "convnet: 474,590 parameters; mlp: 203,530")
        .choices(["convnet", "mlp"])
        .default("convnet"),
    )
    .option("--seed <n>", "of initial weights, order and split; equal seeds give equal models", wholeNumber(0), 42)
    .option("--out <file>", `where the model is saved (default: ${RUNS}/<model>.safetensors)`);
  withTrainingDataOptions(withAdapterOption(withCheckpointOptions(command)))
    .addHelpText("after", EXAMPLES)
    .action((file: string | undefined, options: TrainOptions) =>
      perform(options, (terminal) =>
        file === undefined ? train(options, terminal) : runExperiment(file, besides(options, command), terminal),
      ),
    );
}

/** What an experiment file says for itself. */
const IN_THE_FILE =
  "batch learningRate optimizer model validation test allowLeaks csv folder classes groups language size channels fit invert".split(
    " ",
  );

/** What may be said beside an experiment file, without the defaults of the other options. */
function besides(options: TrainOptions, command: Command): ExperimentOptions {
  const isGiven = (option: string): boolean => command.getOptionValueSource(option) === "cli";
  const twice = IN_THE_FILE.find(isGiven);
  if (twice === undefined) {
    const { seed, ...rest } = options;
    return isGiven("seed") ? { ...rest, seed } : rest;
  }
  throw new OptionError({
    where: "train",
    expected: "an experiment file, and beside it --images, --epochs, --seed, --out, --checkpoint, --resume",
    got: `--${twice.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    advice: "change it in the file",
  });
}

/** All that is decided before the first step. */
interface Plan extends TrainingData {
  readonly epochs: number;
  readonly optimizer: Optimizer;
  readonly out: string;
  readonly reduced: string | undefined;
}

async function train(options: TrainOptions, terminal: Terminal): Promise<void> {
  const out = options.out ?? `${RUNS}/${options.model}.safetensors`;
  await requireWritable(out);
  const place = await checkpointPlace(out, options, terminal);
  terminal.say(terminal.bold(`Trama ${VERSION}`), "");
  await stoppable(terminal, (signal) =>
    withDevice(options, async (device) => {
      introduceDevice(device, terminal);
      const size = defaultSize(device);
      const data = await trainingData(options, options.images ?? size.images, terminal, signal);
      const plan = makePlan(data, options, size, out);
      const model = build(device, networks[options.model](plan.test.classNames.length), {
        input: plan.training.shape,
        seed: options.seed,
        classNames: plan.training.classNames,
      });
      introduce(plan, model, options, terminal);
      if (signal.aborted) throw interrupted();
      await run(plan, model, place, options, terminal, signal);
      if (data.failures > 0) throw new Incomplete();
    }),
  );
}

function makePlan(data: TrainingData, options: TrainOptions, size: TrainingSize, out: string): Plan {
  const { optimizer, learningRate } = options;
  const rate = learningRate === undefined ? {} : { learningRate };
  return {
    ...data,
    epochs: options.epochs ?? size.epochs,
    optimizer: optimizer === "adam" ? adam(rate) : sgd({ momentum: 0.9, ...rate }),
    out,
    reduced: options.images === undefined && options.epochs === undefined ? size.reduced : undefined,
  };
}

function introduce(plan: Plan, model: Model, options: TrainOptions, terminal: Terminal): void {
  const { training, validation, test, available, epochs, optimizer, reduced } = plan;
  const parts = [
    `${count(training.count)} images to train on`,
    `${count(validation?.count ?? 0)} to validate`,
    `${count(test.count)} to test`,
  ];
  introduceData(training, listed([...parts, `${training.classNames.length} classes`]), terminal);
  const batch = Math.min(options.batch, training.count);
  const { learningRate, name } = optimizer;
  const settings = listed([
    `${epochs} ${epochs === 1 ? "epoch" : "epochs"}`,
    `batches of ${batch}`,
    `${name}, learning rate ${rateAt(learningRate, 0)}`,
    `seed ${options.seed}`,
  ]);
  terminal.say(...labelled(terminal.bold("Plan"), settings, terminal.width));
  if (reduced !== undefined) {
    const all = `--images ${test.synthetic ? 10_000 : isOwn(options) ? available : 60_000} --epochs 5`;
    terminal.say(
      ...labelled("", terminal.warning(`REDUCED, because ${reduced}; do it all with ${all}`), terminal.width),
    );
  }
  terminal.say("", ...summary(model, terminal), "");
  terminal.event("begin", {
    version: VERSION,
    adapter: adapterFields(model.device),
    data: {
      origin: training.origin,
      synthetic: training.synthetic,
      training: training.count,
      validation: validation?.count ?? 0,
      test: test.count,
      classNames: training.classNames,
    },
    model: { name: options.model, parameters: model.size, layers: model.summaries },
    epochs,
    batchSize: batch,
    optimizer: name,
    learningRate,
    seed: options.seed,
    reduced: reduced ?? null,
  });
}

async function run(
  plan: Plan,
  model: Model,
  place: CheckpointPlace,
  options: TrainOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { training, validation, epochs, optimizer, test, out, leaks } = plan;
  const taken = takenUp(place);
  if (taken !== null) terminal.say(taken, "");
  // The progress line writes over this. Some drivers compile for many seconds, once; then they keep the result.
  if (terminal.showsProgress && process.stdout.isTTY) process.stdout.write(terminal.dim("Compiling kernels …"));
  const hardware = hardwareLog();
  const trained = await fit(model, training, {
    epochs,
    batchSize: options.batch,
    optimizer,
    ...(validation ? { validation } : {}),
    seed: options.seed,
    callbacks: [hardware, ...callbacksFor(terminal), place.callback],
    resume: place.found,
    signal,
  });
  const result = { ...trained, warnings: [...new Set([...leaks, ...trained.warnings])] };
  const last = result.history.at(-1);
  if (!last && result.stopped === "interrupted") throw interrupted();
  // Saved before it is tested: whatever happens from here on, what was learnt is kept. If that fails, the test still
  // runs, because its result is all that will remain.
  const saved = last ? await settled(keepModel(model, out, training, result)) : null;
  const tested = await evaluate(model, test);
  const configuration = configurationOf(plan, options);
  const parts = { training, validation, test };
  const end = { model, out, ...parts, result, evaluation: tested, hardware, configuration };
  const recorded = saved?.ok ? await settled(keepRun({ ...end, bytes: saved.bytes })) : null;
  tell(result, tested, plan, terminal);
  tellSaved(saved, out, result, terminal);
  const { peakBytes, created, reused } = model.device.memory;
  const memory = `${memorySize(peakBytes)} at most, in ${count(created)} buffers, reused ${count(reused)} times`;
  terminal.detail(...labelled(terminal.bold("Memory"), memory, terminal.width), "");
  const accuracy = score(tested.accuracy);
  terminal.event("end", {
    ...endFields(result, tested, test),
    saved: saved?.ok ? out : null,
  });
  warn(result.warnings, terminal);
  if (saved && !saved.ok) throw saved.error;
  if (recorded && !recorded.ok) throw recorded.error;
  if (result.message !== null) throw diverged(result.message);
  if (result.stopped !== "interrupted") await place.clear();
  terminal.result(`Test accuracy: ${accuracy}`);
}

/** What was chosen, for the run's report. */
function configurationOf({ epochs, optimizer, reduced }: Plan, options: TrainOptions): Readonly<Record<string, Json>> {
  const { model, batch, validation } = options;
  const learningRate = optimizer.learningRate as Json;
  return {
    model,
    epochs,
    "batch size": batch,
    optimizer: optimizer.name,
    "learning rate": learningRate,
    "validation share": validation,
    ...(reduced === undefined ? {} : { REDUCED: reduced }),
  };
}

function tell(result: TrainingResult, tested: Evaluation, { test }: Plan, terminal: Terminal): void {
  const { history, seconds, imagesPerSecond, firstStepSeconds, stopped } = result;
  const last = history.at(-1);
  if (stopped === "interrupted") {
    terminal.say(
      "",
      terminal.warning(`Stopped in epoch ${history.length}; what was learnt until then is kept, and --resume goes on.`),
    );
  }
  const speed = listed([
    duration(seconds),
    `${count(imagesPerSecond)} images/s`,
    `first step after ${duration(firstStepSeconds)}, compiling included`,
  ]);
  terminal.say("", ...labelled(terminal.bold("Time"), speed, terminal.width), "");
  const row = (name: string, scores: Pick<Evaluation, "loss" | "accuracy">, note = "") => [
    name,
    score(scores.loss),
    score(scores.accuracy),
    note,
  ];
  const { majorityShare, majorityClass } = labelStatistics(test);
  const rows = [
    ["", "loss", "accuracy", ""],
    ...(last ? [row("training", last, "mean of the last epoch, while it learnt")] : []),
    ...(last?.validation ? [row("validation", last.validation)] : []),
    row("test", tested),
    [
      "baseline",
      "",
      score(majorityShare),
      `always answering "${test.classNames[majorityClass] ?? ""}", the commonest class`,
    ],
  ];
  const [head = "", ...lines] = table(rows, "lrrl");
  terminal.say(terminal.bold(head), ...lines, "");
  if (tested.accuracy <= majorityShare) {
    terminal.notice("The model is no better than the baseline: it has learnt nothing of use.");
  }
}

function tellSaved(saved: Settled | null, out: string, { stopped }: TrainingResult, terminal: Terminal): void {
  if (saved === null || !saved.ok) {
    terminal.say(...labelled(terminal.bold("Saved"), "nothing", terminal.width), "");
    return;
  }
  const part = stopped === "completed" ? "" : ", trained as far as it got";
  const next = out.startsWith(`${RUNS}/`) ? "trama predict photo.jpg" : `trama predict --model ${out} photo.jpg`;
  terminal.say(...labelled(terminal.bold("Saved"), `${out} (${fileSize(saved.bytes)}${part})`, terminal.width));
  const report = out.startsWith(`${RUNS}/`) ? "trama report" : `trama report ${out}`;
  terminal.say(...labelled("", terminal.dim(`try it: ${next}`), terminal.width));
  terminal.say(...labelled("", terminal.dim(`see how it went: ${report}`), terminal.width), "");
}

function endFields(result: TrainingResult, tested: Evaluation, test: ImageDataset): Readonly<Record<string, unknown>> {
  const { history, stopped, steps, seconds, imagesPerSecond, firstStepSeconds, message } = result;
  const last = history.at(-1);
  return {
    stopped,
    message,
    epochs: history.length,
    steps,
    seconds,
    imagesPerSecond,
    firstStepSeconds,
    training: last ? { loss: last.loss, accuracy: last.accuracy } : null,
    validation: last?.validation ?? null,
    test: tested,
    testAccuracy: tested.accuracy,
    baseline: labelStatistics(test).majorityShare,
    synthetic: test.synthetic,
  };
}
