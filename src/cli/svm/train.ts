/** `trama svm train`: from data to a saved SVM and its test accuracy. */
import type { Command } from "commander";
import type { ImageDataset } from "../../data/index.ts";
import {
  evaluatePipeline,
  supportVectorCount,
  trainPipeline,
  type Evaluation,
  type PipelineOptions,
  type SvmPipeline,
} from "../../svm/index.ts";
import { VERSION } from "../../weights/index.ts";
import { introduceData, loadFirstImages } from "../datasets.ts";
import { stoppable } from "../interruption.ts";
import { positiveNumber, wholeNumber, withDataOptions, withOutputOptions, type DataOptions } from "../options.ts";
import { perform } from "../perform.ts";
import { showBaseline } from "../recalls.ts";
import { requireWritable, RUNS } from "../runs.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { count, duration, fileSize, labelled, listed, memorySize, score } from "../text.ts";
import { saveSvm } from "./modelFile.ts";
import {
  classifierOf,
  describeFeatures,
  describeMachine,
  featuresOf,
  PRESET_NOTES,
  requireFeatures,
  settingsFrom,
  withPreset,
  withSettings,
  type PresetOption,
  type Settings,
  type SolverOptions,
} from "./settings.ts";
import { batchOf, ProgressLine, stopped, withWorkers, type WorkersOption } from "./work.ts";

interface TrainOptions
  extends OutputOptions, DataOptions, PresetOption, SolverOptions, WorkersOption, Partial<Settings> {
  readonly images?: number;
  readonly out: string;
}

const EXAMPLES = `${PRESET_NOTES}

Examples:
  trama svm train --preset tuned                all 60,000 images: minutes on many cores, 0.9400
  trama svm train --synthetic --images 2000     without any download
  trama svm train --kernel linear --C 0.1 --out runs/linear.safetensors
  trama svm train --json > log.jsonl            begin, progress …, end: one JSON object a line

Ctrl-C stops; a machine trained by half is none, so nothing is saved then, unless only its test was left.
The last line is \`Test accuracy: 0.nnnn\`. The test images have no part in training or in choosing anything.`;

export function addSvmTrain(svm: Command): void {
  const command = svm
    .command("train")
    .description("train an SVM on HOG features of Fashion-MNIST, test it, and save it as one safetensors file")
    .option("--images <n>", "take only the first N training images", wholeNumber(1));
  withWorkers(withSettings(withPreset(command)))
    .option("--tolerance <x>", "greatest violation of the KKT conditions at the end (default: 0.001)", positiveNumber)
    .option("--balanced", "weigh classes so that all weigh the same together")
    .option("--probability", "also learn probabilities, by cross validation: five times the work")
    .option("--cache <MiB>", "memory for rows of the kernel matrix, of all threads together", positiveNumber, 512)
    .option("--seed <n>", "of the linear solver's order and of cross validation", wholeNumber(0), 42)
    .option("--out <file>", "where the model is saved", `${RUNS}/svm.safetensors`);
  withOutputOptions(withDataOptions(command))
    .addHelpText("after", EXAMPLES)
    .action((options: TrainOptions) => perform(options, (terminal) => train(options, terminal)));
}

async function train(options: TrainOptions, terminal: Terminal): Promise<void> {
  const settings = settingsFrom(options.preset, options);
  const plan = { features: featuresOf(settings), scale: settings.scale, classifier: classifierOf(settings, options) };
  await requireWritable(options.out);
  terminal.say(terminal.bold(`Trama ${VERSION}`), "");
  await stoppable(
    terminal,
    async (signal) => {
      const { train: images, test } = await loadFirstImages(options, options.images, terminal, { signal });
      signal.throwIfAborted();
      introduce(images, test, settings, plan, options, terminal);
      await run(images, test, plan, options, terminal, signal);
    },
    {
      notice: "Stopping; once more ends at once.",
      reason: () => stopped("svm train", "an interruption before the machine was trained; nothing was saved"),
    },
  );
}

function introduce(
  images: ImageDataset,
  test: ImageDataset,
  settings: Settings,
  plan: Required<PipelineOptions>,
  options: TrainOptions,
  terminal: Terminal,
): void {
  const columns = requireFeatures(plan.features, images.shape);
  const counts = [
    `${count(images.count)} images to train on`,
    `${count(test.count)} to test`,
    `${images.classNames.length} classes`,
  ];
  introduceData(images, listed(counts), terminal);
  const features = listed([...describeFeatures(settings), `${count(columns)} features`]);
  terminal.say(...labelled(terminal.bold("Features"), features, terminal.width));
  const cache = settings.kernel === "linear" ? [] : [`kernel cache ${memorySize(options.cache * 2 ** 20)}`];
  const machine = listed([...describeMachine(settings), ...cache, `seed ${options.seed}`]);
  terminal.say(...labelled(terminal.bold("Machine"), machine, terminal.width), "");
  terminal.event("begin", {
    version: VERSION,
    data: {
      origin: images.origin,
      synthetic: images.synthetic,
      training: images.count,
      test: test.count,
      classNames: images.classNames,
    },
    preset: options.preset,
    options: plan,
    features: columns,
    workers: options.workers ?? null,
    seed: options.seed,
  });
}

async function run(
  images: ImageDataset,
  test: ImageDataset,
  plan: PipelineOptions,
  options: TrainOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { out, workers } = options;
  const line = new ProgressLine(terminal);
  const work = {
    signal,
    onProgress: line.report,
    onWarning: (message: string) => terminal.notice(message),
    ...(workers === undefined ? {} : { workers }),
  };
  const begun = performance.now();
  let saved = false;
  try {
    const pipeline = await trainPipeline(batchOf(images), images.labels, plan, work);
    const featureSeconds = line.secondsUntil("hog");
    const trainSeconds = (performance.now() - begun) / 1000 - featureSeconds;
    // Saved before it is tested: whatever happens from here on, what was learnt is kept.
    const notes = { data: images.origin, images: String(images.count) };
    const bytes = await saveSvm({ pipeline, classNames: images.classNames, notes }, out);
    saved = true;
    const tested = await evaluatePipeline(pipeline, batchOf(test), test.labels, work);
    line.clear();
    tell(pipeline, tested, test, { featureSeconds, trainSeconds, bytes }, out, terminal);
  } catch (error) {
    line.clear();
    if (!saved || !signal.aborted) throw error;
    throw stopped("svm train", `an interruption before the test was done; the model is saved in ${out}`);
  }
}

function tell(
  pipeline: SvmPipeline,
  tested: Evaluation,
  test: ImageDataset,
  { featureSeconds, trainSeconds, bytes }: Readonly<Record<"featureSeconds" | "trainSeconds" | "bytes", number>>,
  out: string,
  terminal: Terminal,
): void {
  const { classifier } = pipeline;
  const vectors = supportVectorCount(classifier);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const time = [
    `features ${duration(featureSeconds)}`,
    `training ${duration(trainSeconds)}`,
    `testing ${duration(tested.seconds)}`,
  ];
  const support = `${count(vectors)} support vectors${classifier.type === "linear" ? " in the problem with most" : ""}`;
  const solved = `${classifier.problems.length} two-class problems`;
  terminal.say(...labelled(terminal.bold("Learnt"), listed([support, solved]), terminal.width));
  terminal.say(...labelled(terminal.bold("Time"), listed(time), terminal.width));
  terminal.say(...labelled(terminal.bold("Memory"), `${memorySize(peakBytes)} at most, all told`, terminal.width));
  terminal.say(...labelled(terminal.bold("Saved"), `${out} (${fileSize(bytes)})`, terminal.width));
  const next = out.startsWith(`${RUNS}/`) ? "" : `--model ${out} `;
  terminal.say(...labelled("", terminal.dim(`try it: trama svm predict ${next}photo.jpg`), terminal.width), "");
  showBaseline(tested.accuracy, test, terminal);
  terminal.event("end", {
    testAccuracy: tested.accuracy,
    baseline: tested.baseline,
    supportVectors: vectors,
    seconds: { features: featureSeconds, training: trainSeconds, testing: tested.seconds },
    peakBytes,
    synthetic: test.synthetic,
    saved: out,
  });
  terminal.result(`Test accuracy: ${score(tested.accuracy)}`);
}
