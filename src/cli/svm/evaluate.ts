/** `trama svm evaluate`: how good a saved SVM is, class by class. */
import type { Command } from "commander";
import { takeImages, type ImageDataset } from "../../data/index.ts";
import { evaluatePipeline, type Evaluation } from "../../svm/index.ts";
import { introduceData, loadData } from "../datasets.ts";
import { stoppable } from "../interruption.ts";
import { wholeNumber, withDataOptions, withOutputOptions, type DataOptions } from "../options.ts";
import { perform } from "../perform.ts";
import { recallsIn, showBaseline, showRecalls } from "../recalls.ts";
import { lastModel } from "../runs.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { count, duration, labelled, score } from "../text.ts";
import { describeSvm, loadSvm, type SvmFile } from "./modelFile.ts";
import { batchOf, ProgressLine, stopped, withWorkers, type WorkersOption } from "./work.ts";

interface EvaluateOptions extends OutputOptions, DataOptions, WorkersOption {
  readonly images?: number;
}

export function addSvmEvaluate(svm: Command): void {
  const command = svm
    .command("evaluate")
    .description("accuracy of a saved SVM on the test images, and the recall of each class")
    .argument("[model]", "safetensors file that `trama svm train` saved (default: the newest SVM in runs/)")
    .option("--images <n>", "take only the first N test images", wholeNumber(1));
  withOutputOptions(withDataOptions(withWorkers(command)))
    .addHelpText("after", "\nRecall: the share of a class's images that the model recognises.")
    .action((model: string | undefined, options: EvaluateOptions) =>
      perform(options, (terminal) => judge(model, options, terminal)),
    );
}

async function judge(file: string | undefined, options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const path = file ?? (await lastModel("svm"));
  // The model first: a file that is none should not cost a download.
  const model = await loadSvm(path);
  terminal.say(...labelled(terminal.bold("Model"), `${path} · ${describeSvm(model)}`, terminal.width));
  await stoppable(
    terminal,
    async (signal) => {
      const { test } = await loadData(options, terminal, { signal });
      const images = options.images === undefined ? test : takeImages(test, options.images);
      introduceData(images, `${count(images.count)} test images · ${images.classNames.length} classes`, terminal);
      const line = new ProgressLine(terminal);
      const work = {
        signal,
        onProgress: line.report,
        ...(options.workers === undefined ? {} : { workers: options.workers }),
      };
      const tested = await evaluatePipeline(model.pipeline, batchOf(images), images.labels, work);
      line.clear();
      tell(path, model, tested, images, terminal);
    },
    { notice: "Stopping; once more ends at once.", reason: () => stopped("svm evaluate", "an interruption") },
  );
}

function tell(path: string, model: SvmFile, tested: Evaluation, images: ImageDataset, terminal: Terminal): void {
  const { labels, confusion, accuracy, baseline, samples, seconds } = tested;
  const names = images.classNames;
  const size = Math.max(names.length, ...[...labels].map((label) => label + 1));
  const whole = names.map(() => new Array<number>(size).fill(0));
  labels.forEach((label, row) =>
    labels.forEach((guess, column) => {
      const counts = whole[label];
      if (counts !== undefined) counts[guess] = confusion[row * labels.length + column] ?? 0;
    }),
  );
  const classes = recallsIn(whole, names);
  if (model.classNames.join() !== names.join()) {
    terminal.notice(
      `The model's classes (${model.classNames.join(", ")}) are not the data's (${names.join(", ")}): the scores compare numbers of classes, not names.`,
    );
  }
  showRecalls(classes, terminal);
  terminal.say(`Time: ${duration(seconds)}, ${count(samples / seconds)} images/s, features included`);
  showBaseline(accuracy, images, terminal);
  terminal.event("evaluation", {
    model: path,
    data: { origin: images.origin, synthetic: images.synthetic },
    images: samples,
    accuracy,
    baseline,
    seconds,
    classes,
  });
  terminal.result(`Test accuracy: ${score(accuracy)}`);
}
