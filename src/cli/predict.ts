/** `trama predict`: what garment is in a picture. */
import type { Command } from "commander";
import { FileError, type PreparedPicture } from "../data/index.ts";
import { FormatError } from "../errors.ts";
import type { Model } from "../nn/index.ts";
import { predict } from "../train/index.ts";
import { describeModel, load } from "../weights/index.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import { wholeNumber, withAdapterOption, withOutputOptions, type AdapterOption } from "./options.ts";
import { Incomplete, perform } from "./perform.ts";
import { readPicture, requirePictureInput } from "./pictures.ts";
import { lastModel, requireNetwork } from "./runs.ts";
import type { OutputOptions, Terminal } from "./terminal.ts";
import { count, labelled, table } from "./text.ts";

interface PredictOptions extends AdapterOption, OutputOptions {
  readonly model?: string;
  readonly top: number;
}

const NOTES = `
Pictures are fitted into the model's size without stretching. Grey models know light garments on black, so
a picture whose border is light is inverted, and the table says so. Best are pictures of one garment,
upright, on a plain background. A file that does not decode is named and skipped; the exit code is then 1.`;

export function addPredict(program: Command): void {
  const command = program
    .command("predict")
    .description("name the garment in each picture, with probabilities")
    .argument("<image...>", "picture files")
    .option("--model <file>", "safetensors file that Trama saved (default: the newest in runs/)")
    .option("--top <n>", "classes a picture", wholeNumber(1), 3);
  withOutputOptions(withAdapterOption(command))
    .addHelpText("after", NOTES)
    .action((images: string[], options: PredictOptions) =>
      perform(options, (terminal) => recognise(images, options, terminal)),
    );
}

async function recognise(files: readonly string[], options: PredictOptions, terminal: Terminal): Promise<void> {
  const path = options.model ?? (await lastModel());
  await requireNetwork(path);
  const { input, notes } = await describeModel(path);
  requirePictureInput(input, path);
  const pictures = await decodeAll(files, input, terminal);
  if (pictures.size > 0) {
    await withDevice(options, async (device) => {
      const model = await load(device, path);
      introduceDevice(device, terminal);
      terminal.say(...labelled(terminal.bold("Model"), `${path} · ${count(model.size)} parameters`, terminal.width));
      if (notes["data"] !== undefined) terminal.say(...labelled("", `trained on ${notes["data"]}`, terminal.width));
      terminal.event("begin", {
        adapter: adapterFields(device),
        model: path,
        trainedOn: notes["data"] ?? null,
        pictures: pictures.size,
      });
      if (notes["data"]?.startsWith("SYNTHETIC")) {
        terminal.notice("This model has seen synthetic garments only: do not expect it to know photographs.");
      }
      show(await classify(model, pictures, options.top), terminal);
    });
  }
  terminal.event("end", { predicted: pictures.size, failed: files.length - pictures.size });
  if (pictures.size < files.length) throw new Incomplete();
}

/** Decodes what can be decoded, and names what cannot. */
export async function decodeAll(
  files: readonly string[],
  input: readonly number[],
  terminal: Terminal,
): Promise<Map<string, PreparedPicture>> {
  const pictures = new Map<string, PreparedPicture>();
  for (const file of files) {
    try {
      pictures.set(file, await readPicture(file, input));
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof FileError)) throw error;
      process.stderr.write(`trama: skipped ${error.message}\n`);
      terminal.event("skipped", { file, message: error.message });
    }
  }
  return pictures;
}

interface Answer {
  readonly file: string;
  readonly inverted: boolean;
  readonly top: readonly { readonly class: string; readonly probability: number }[];
}

async function classify(model: Model, pictures: ReadonlyMap<string, PreparedPicture>, top: number): Promise<Answer[]> {
  const list = [...pictures.values()];
  const { probabilities } = await predict(model, Buffer.concat(list.map(({ pixels }) => pixels)));
  const classes = probabilities.length / list.length;
  return [...pictures].map(([file, { inverted }], at) => {
    const row = [...probabilities.subarray(at * classes, (at + 1) * classes)];
    const ranked = row.map((probability, index) => ({
      class: model.classNames[index] ?? `class ${index}`,
      probability,
    }));
    return { file, inverted, top: ranked.sort((a, b) => b.probability - a.probability).slice(0, top) };
  });
}

function show(answers: readonly Answer[], terminal: Terminal): void {
  for (const answer of answers) terminal.event("prediction", { ...answer });
  const rows = answers.map(({ file, inverted, top }) => [
    file,
    ...top.map(({ class: name, probability }, at) => {
      const text = `${name} ${(100 * probability).toFixed(1)} %`;
      return at === 0 ? terminal.bold(text) : text;
    }),
    inverted ? terminal.dim("inverted: its background is light") : "",
  ]);
  const places = answers[0]?.top.map((_, at) => `${at + 1}.`) ?? [];
  const head = ["picture", ...places, ""];
  terminal.say("");
  terminal.result(...table([head, ...rows], "l".repeat(head.length)));
}
