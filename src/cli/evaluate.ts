/** `trama evaluate`: how good a saved model is, class by class. */
import type { Command } from "commander";
import { labelStatistics, takeImages, type ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import { evaluate, predict, type Evaluation } from "../train/index.ts";
import { load } from "../weights/index.ts";
import { introduceData, loadData } from "./datasets.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import { wholeNumber, withAdapterOption, withDataOptions, withOutputOptions, type CommonOptions } from "./options.ts";
import { perform } from "./perform.ts";
import { recallsIn, showBaseline, showRecalls, type Recall } from "./recalls.ts";
import { lastModel, requireNetwork } from "./runs.ts";
import type { Terminal } from "./terminal.ts";
import { count, labelled, score } from "./text.ts";

interface EvaluateOptions extends CommonOptions {
  readonly images?: number;
}

export function addEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("loss and accuracy of a saved model on the test images, and the recall of each class")
    .argument("[model]", "safetensors file that Trama saved (default: the newest in runs/)")
    .option("--images <n>", "take only the first N test images", wholeNumber(1));
  withAdapterOption(withDataOptions(command));
  withOutputOptions(command)
    .addHelpText("after", "\nRecall: the share of a class's images that the model recognises.")
    .action((model: string | undefined, options: EvaluateOptions) =>
      perform(options, (terminal) => judge(model, options, terminal)),
    );
}

async function judge(file: string | undefined, options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const path = file ?? (await lastModel());
  await requireNetwork(path);
  await withDevice(options, async (device) => {
    // The model first: a file that is none should not cost a download.
    const model = await load(device, path);
    introduceDevice(device, terminal);
    terminal.say(...labelled(terminal.bold("Model"), `${path} · ${count(model.size)} parameters`, terminal.width));
    const { test } = await loadData(options, terminal);
    const images = options.images === undefined ? test : takeImages(test, options.images);
    introduceData(images, `${count(images.count)} test images · ${images.classNames.length} classes`, terminal);
    warnOfOtherClasses(model, images, terminal);
    const overall = await evaluate(model, images);
    const { classes } = await predict(model, images.images);
    show(overall, recalls(images, classes, model), images, terminal);
    terminal.event("evaluation", {
      model: path,
      adapter: adapterFields(device),
      data: { origin: images.origin, synthetic: images.synthetic },
      ...overall,
      baseline: labelStatistics(images).majorityShare,
      classes: recalls(images, classes, model),
    });
    terminal.result(`Test accuracy: ${score(overall.accuracy)}`);
  });
}

function warnOfOtherClasses({ classNames }: Model, { classNames: theirs }: ImageDataset, terminal: Terminal): void {
  if (classNames.length === 0 || classNames.join() === theirs.join()) return;
  terminal.notice(
    `The model's classes (${classNames.join(", ")}) are not the data's (${theirs.join(", ")}): the scores compare numbers of classes, not names.`,
  );
}

function recalls({ labels, classNames }: ImageDataset, predicted: Uint32Array, model: Model): Recall[] {
  const outputs = model.output[0] ?? classNames.length;
  const confusion = classNames.map(() => new Array<number>(outputs).fill(0));
  labels.forEach((label, index) => (confusion[label]![predicted[index]!]! += 1));
  return recallsIn(confusion, classNames);
}

function show(
  { loss, accuracy }: Evaluation,
  classes: readonly Recall[],
  images: ImageDataset,
  terminal: Terminal,
): void {
  showRecalls(classes, terminal);
  terminal.say(`Test loss: ${score(loss)}`);
  showBaseline(accuracy, images, terminal);
}
