/** `trama evaluate`: how good a saved model is, class by class, beside what knowing nothing would score. */
import { writeFileAtomic } from "#files";
import { Option, type Command } from "commander";
import { labelStatistics, takeImages, type ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import {
  classificationReport,
  classTable,
  confusionAsText,
  reportAsCsv,
  reportAsJson,
  scoreTable,
  textTable,
  type ClassificationReport,
  type Judged,
  type Table,
} from "../report/index.ts";
import { evaluate, oneVsRestAreas, predict, type Predictions } from "../train/index.ts";
import { load } from "../weights/index.ts";
import { introduceData, loadData } from "./datasets.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import {
  fileNamed,
  JSON_LINES,
  wholeNumber,
  withAdapterOption,
  withDataOptions,
  withOutputOptions,
  type CommonOptions,
} from "./options.ts";
import { perform } from "./perform.ts";
import { recallsIn, type Recall } from "./recalls.ts";
import { lastModel, requireNetwork, requireWritable } from "./runs.ts";
import type { Terminal } from "./terminal.ts";
import { count, labelled, score } from "./text.ts";

interface EvaluateOptions extends Omit<CommonOptions, "json"> {
  readonly images?: number;
  /** True for events on stdout, or the file of a report. */
  readonly json?: boolean | string;
  readonly csv?: string;
  readonly confusion?: boolean;
  readonly perClass?: boolean;
}

const HELP = `
Examples:
  trama evaluate --per-class --confusion        all there is to see, for the newest model
  trama evaluate --json report.json --csv report.csv

Precision: of the images taken for a class, the share that is of it. Recall: of a class's images, the share
that is recognised. Each score stands beside the best that an answer without looking at images reaches.`;

export function addEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("scores of a saved model on the test images: a report for each class, beside a trivial baseline")
    .argument("[model]", "safetensors file that Trama saved (default: the newest in runs/)")
    .option("--images <n>", "take only the first N test images", wholeNumber(1))
    .option("--per-class", "show more of each class: specificity, negative predictive value, areas, mistakes")
    .option("--confusion", "show how often each class is taken for which")
    .addOption(new Option("--csv <file>", "write the scores of classes to a .csv file").argParser(fileNamed(".csv")));
  withAdapterOption(withDataOptions(command));
  const json = new Option("--json [file]", `write the report to a .json file; without a name, ${JSON_LINES}`);
  withOutputOptions(command, json.argParser(fileNamed(".json")))
    .addHelpText("after", HELP)
    .action((model: string | undefined, options: EvaluateOptions) =>
      perform({ ...options, json: options.json === true }, (terminal) => judge(model, options, terminal)),
    );
}

async function judge(file: string | undefined, options: EvaluateOptions, terminal: Terminal): Promise<void> {
  const path = file ?? (await lastModel());
  await requireNetwork(path);
  const jsonFile = typeof options.json === "string" ? options.json : undefined;
  if (jsonFile !== undefined) await requireWritable(jsonFile, "--json");
  if (options.csv !== undefined) await requireWritable(options.csv, "--csv");
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
    const judged = judgedBy(await predict(model, images.images), images);
    const report = classificationReport(judged);
    const fields = {
      model: path,
      adapter: adapterFields(device),
      data: { origin: images.origin, synthetic: images.synthetic },
      ...overall,
      baseline: labelStatistics(images).majorityShare,
      classes: recallsOf(report),
      report: reportAsJson(report),
    };
    if (jsonFile !== undefined) await writeText(jsonFile, `${JSON.stringify(fields, null, 2)}\n`);
    if (options.csv !== undefined) await writeText(options.csv, reportAsCsv(report));
    terminal.event("evaluation", fields);
    show(report, judged, options, terminal);
    terminal.result(`Test accuracy: ${score(overall.accuracy)}`);
  });
}

function warnOfOtherClasses({ classNames }: Model, { classNames: theirs }: ImageDataset, terminal: Terminal): void {
  if (classNames.length === 0 || classNames.join() === theirs.join()) return;
  terminal.notice(
    `The model's classes (${classNames.join(", ")}) are not the data's (${theirs.join(", ")}): the scores compare numbers of classes, not names.`,
  );
}

/** Answers and probabilities over the classes of the data and the outputs of the model, where these differ in number. */
function judgedBy({ classes: predicted, probabilities }: Predictions, { labels, classNames }: ImageDataset): Judged {
  const outputs = probabilities.length / predicted.length;
  const classes = Math.max(outputs, classNames.length);
  const names = Array.from({ length: classes }, (_, k) => classNames[k] ?? String(k));
  const rows = new Float32Array(predicted.length * classes);
  predicted.forEach((_, i) => rows.set(probabilities.subarray(i * outputs, (i + 1) * outputs), i * classes));
  return { truth: labels, predicted, classNames: names, probabilities: rows };
}

function show(report: ClassificationReport, judged: Judged, options: EvaluateOptions, terminal: Terminal): void {
  const extended = options.perClass === true;
  const section = ([head = "", ...lines]: readonly string[]): void => terminal.say("", terminal.bold(head), ...lines);
  section(textTable(classTable(report, { digits: 4, extended }), { gap: 1 }));
  if (extended) section(textTable(areaTable(report, judged)));
  if (options.confusion === true) {
    const lines = confusionAsText(report.confusion, report.names, { width: terminal.width });
    section(["Rows: what it is. Columns: what it was taken for.", ...lines]);
  }
  section(textTable(scoreTable(report)));
  terminal.say("");
  for (const warning of report.warnings) terminal.notice(`Warning: ${warning}.`);
}

/** Areas under the curves of each class against all others, and what it is mistaken for. */
function areaTable(report: ClassificationReport, { truth, probabilities = [] }: Judged): Table {
  const { rocAuc, averagePrecision } = oneVsRestAreas(truth, probabilities, report.names.length);
  const area = (value: number): string => (Number.isNaN(value) ? "–" : score(value));
  return {
    columns: [
      { title: "", width: 12 },
      { title: "ROC AUC" },
      { title: "average precision" },
      { title: "most often mistaken for", align: "left" },
    ],
    rows: recallsOf(report).map(({ name, mistakenFor }, k) => [
      name,
      area(rocAuc.perClass[k]!),
      area(averagePrecision.perClass[k]!),
      mistakenFor === null ? "" : `${mistakenFor.name} (${count(mistakenFor.images)})`,
    ]),
  };
}

function recallsOf({ confusion, names }: ClassificationReport): Recall[] {
  const rows = names.map((_, k) => [...confusion.counts.subarray(k * names.length, (k + 1) * names.length)]);
  return recallsIn(rows, names);
}

async function writeText(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(text));
}
