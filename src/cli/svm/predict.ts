/** `trama svm predict`: what garment is in a picture, as an SVM sees it. */
import type { Command } from "commander";
import type { PreparedPicture } from "../../data/index.ts";
import {
  linearDecisions,
  pipelineFeatures,
  predictLabels,
  svcDecisions,
  svcProbabilities,
  type FeatureMatrix,
  type SvcModel,
  type SvmPipeline,
} from "../../svm/index.ts";
import { wholeNumber, withOutputOptions } from "../options.ts";
import { Incomplete, perform } from "../perform.ts";
import { requirePictureInput } from "../pictures.ts";
import { decodeAll } from "../predict.ts";
import { lastModel } from "../runs.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { labelled, table } from "../text.ts";
import { describeSvm, loadSvm, type SvmFile } from "./modelFile.ts";
import { withWorkers, type WorkersOption } from "./work.ts";

interface PredictOptions extends OutputOptions, WorkersOption {
  readonly model?: string;
  readonly top: number;
}

const NOTES = `
Beside each class stands its probability, where the model was trained with --probability; else the votes that it won
against the other classes, or its score. Pictures are prepared as \`trama predict\` prepares them.
A file that does not decode is named and skipped; the exit code is then 1.`;

export function addSvmPredict(svm: Command): void {
  const command = svm
    .command("predict")
    .description("name the garment in each picture, by an SVM")
    .argument("<image...>", "picture files")
    .option("--model <file>", "safetensors file that `trama svm train` saved (default: the newest SVM in runs/)")
    .option("--top <n>", "classes a picture", wholeNumber(1), 3);
  withOutputOptions(withWorkers(command))
    .addHelpText("after", NOTES)
    .action((images: string[], options: PredictOptions) =>
      perform(options, (terminal) => recognise(images, options, terminal)),
    );
}

async function recognise(files: readonly string[], options: PredictOptions, terminal: Terminal): Promise<void> {
  const path = options.model ?? (await lastModel("svm"));
  const model = await loadSvm(path);
  const { height, width, channels } = model.pipeline.image;
  const input = [height, width, channels];
  requirePictureInput(input, path);
  const pictures = await decodeAll(files, input, terminal);
  if (pictures.size > 0) {
    const origin = model.notes["data"];
    terminal.say(...labelled(terminal.bold("Model"), `${path} · ${describeSvm(model)}`, terminal.width));
    if (origin !== undefined) terminal.say(...labelled("", `trained on ${origin}`, terminal.width));
    terminal.event("begin", { model: path, trainedOn: origin ?? null, pictures: pictures.size });
    if (origin?.startsWith("SYNTHETIC")) {
      terminal.notice("This model has seen synthetic garments only: do not expect it to know photographs.");
    }
    show(await classify(model, pictures, options), terminal);
  }
  terminal.event("end", { predicted: pictures.size, failed: files.length - pictures.size });
  if (pictures.size < files.length) throw new Incomplete();
}

/** What a class's number means. */
type Measure = "probability" | "votes" | "score";

interface Answer {
  readonly file: string;
  readonly inverted: boolean;
  readonly measure: Measure;
  readonly top: readonly { readonly class: string; readonly value: number }[];
}

async function classify(
  { pipeline, classNames }: SvmFile,
  pictures: ReadonlyMap<string, PreparedPicture>,
  { top, workers }: PredictOptions,
): Promise<Answer[]> {
  const list = [...pictures.values()];
  const data = Buffer.concat(list.map(({ pixels }) => pixels));
  const work = workers === undefined ? {} : { workers };
  const features = await pipelineFeatures(pipeline, { data, count: list.length, ...pipeline.image }, work);
  const { measure, values } = await valuesOf(pipeline, features);
  const labels = await predictLabels(pipeline.classifier, features, work);
  const { classes } = pipeline.classifier;
  return [...pictures].map(([file, { inverted }], at) => {
    const first = measure === "probability" ? -1 : labels[at];
    const ranked = Array.from(classes, (label, code) => ({ label, value: values[at * classes.length + code] ?? 0 }));
    // Of equal votes the one that the machine answers comes first.
    ranked.sort((a, b) => Number(b.label === first) - Number(a.label === first) || b.value - a.value);
    const named = ranked.map(({ label, value }) => ({ class: classNames[label] ?? `class ${label}`, value }));
    return { file, inverted, measure, top: named.slice(0, top) };
  });
}

/** A number for each sample and class: the higher, the likelier. */
async function valuesOf(
  { classifier }: SvmPipeline,
  features: FeatureMatrix,
): Promise<{ readonly measure: Measure; readonly values: Float64Array }> {
  if (classifier.type === "linear") {
    const scores = linearDecisions(classifier, features);
    const single = classifier.intercepts.length === 1;
    return { measure: "score", values: single ? Float64Array.from([...scores].flatMap((one) => [-one, one])) : scores };
  }
  if (classifier.sigmoids.length > 0) {
    return { measure: "probability", values: await svcProbabilities(classifier, features) };
  }
  const decisions = await svcDecisions(classifier, features);
  if (classifier.strategy === "one-vs-rest") return { measure: "score", values: decisions };
  return { measure: "votes", values: votes(classifier, decisions) };
}

/** How many of its two-class problems each class wins. */
function votes({ classes, problems }: SvcModel, decisions: Float64Array): Float64Array {
  const place = new Map(Array.from(classes, (label, code) => [label, code]));
  const won = new Float64Array((decisions.length / problems.length) * classes.length);
  decisions.forEach((decision, at) => {
    const { positive, negative } = problems[at % problems.length]!;
    const winner = place.get(decision > 0 ? positive : (negative ?? positive)) ?? 0;
    won[Math.floor(at / problems.length) * classes.length + winner]! += 1;
  });
  return won;
}

function show(answers: readonly Answer[], terminal: Terminal): void {
  for (const answer of answers) terminal.event("prediction", { ...answer });
  const rows = answers.map(({ file, inverted, measure, top }) => [
    file,
    ...top.map(({ class: name, value }, at) => {
      const text = `${name} ${inWords(measure, value)}`;
      return at === 0 ? terminal.bold(text) : text;
    }),
    inverted ? terminal.dim("inverted: its background is light") : "",
  ]);
  const places = answers[0]?.top.map((_, at) => `${at + 1}.`) ?? [];
  const head = ["picture", ...places, ""];
  terminal.say("");
  terminal.result(...table([head, ...rows], "l".repeat(head.length)));
}

function inWords(measure: Measure, value: number): string {
  if (measure === "probability") return `${(100 * value).toFixed(1)} %`;
  return measure === "votes" ? `${value} ${value === 1 ? "vote" : "votes"}` : value.toFixed(2);
}
