/** `trama explain`: what a model looks at, as heat maps over pictures. */
import { mkdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { writeFileAtomic } from "#files";
import { Option, type Command } from "commander";
import { takeImages, type PreparedPicture } from "../data/index.ts";
import { OptionError } from "../errors.ts";
import { gradCam, integratedGradients, normaliseMap, occlusion, type Explanation } from "../explain/index.ts";
import type { Model } from "../nn/index.ts";
import { load } from "../weights/index.ts";
import { introduceData, loadData } from "./datasets.ts";
import { adapterFields, introduceDevice, withDevice } from "./devices.ts";
import { explanationSheet, type SheetRow } from "./explanationSheet.ts";
import { wholeNumber, withAdapterOption, withDataOptions, withOutputOptions, type CommonOptions } from "./options.ts";
import { Incomplete, perform } from "./perform.ts";
import { requirePictureInput } from "./pictures.ts";
import { decodeAll } from "./predict.ts";
import { requireNetwork, requireWritable } from "./runs.ts";
import type { Terminal } from "./terminal.ts";
import { count, labelled, table } from "./text.ts";

interface ExplainOptions extends CommonOptions {
  readonly images?: number;
  readonly method: Method | "all";
  readonly layer?: string;
  readonly class?: string;
  readonly out: string;
}

type Method = "grad-cam" | "occlusion" | "integrated-gradients";

const METHODS: readonly Method[] = ["grad-cam", "occlusion", "integrated-gradients"];

const NOTES = `
Examples:
  trama explain runs/convnet.safetensors shoe.jpg --method all
  trama explain runs/convnet.safetensors --images 10        the first ten test images of Fashion-MNIST

grad-cam               where a layer sees what speaks for the class (fast)
occlusion              where covering a patch makes the class's score fall
integrated-gradients   which pixels the score is made of, compared with black; they should add up to it

Each PNG shows the picture, the heat map, and the one over the other.`;

export function addExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("heat maps of what a model looks at in each picture")
    .argument("<model>", "safetensors file that Trama saved")
    .argument("[image...]", "picture files")
    .option("--images <n>", "explain the first N test images of Fashion-MNIST as well", wholeNumber(1))
    .addOption(new Option("--method <name>", "how").choices([...METHODS, "all"]).default("grad-cam"))
    .option("--layer <name>", "layer for Grad-CAM, such as block/conv2d (default: the last one with a feature map)")
    .option("--class <name>", "class to explain, by name or number (default: the most probable)")
    .option("--out <dir>", "folder of the PNG files", "explanations");
  withOutputOptions(withAdapterOption(withDataOptions(command)))
    .addHelpText("after", NOTES)
    .action((model: string, images: string[], options: ExplainOptions) =>
      perform(options, (terminal) => explain(model, images, options, terminal)),
    );
}

/** A picture to explain. */
interface Sight {
  /** What the file of its explanation is called after. */
  readonly name: string;
  readonly pixels: Uint8Array;
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Class of the data set, where it is known. */
  readonly truth?: string;
}

async function explain(
  path: string,
  files: readonly string[],
  options: ExplainOptions,
  terminal: Terminal,
): Promise<void> {
  const methods = methodsOf(options);
  if (files.length === 0 && options.images === undefined) {
    throw new OptionError({ where: "explain", expected: "picture files, or --images N", got: "neither" });
  }
  await requireNetwork(path);
  await requireWritable(join(options.out, "explanation.png"));
  let failed = 0;
  await withDevice(options, async (device) => {
    const model = await load(device, path);
    requirePictureInput(model.input, path);
    introduceDevice(device, terminal);
    terminal.say(...labelled(terminal.bold("Model"), `${path} · ${count(model.size)} parameters`, terminal.width));
    const pictures = await decodeAll(files, model.input, terminal);
    failed = files.length - pictures.size;
    const sights = [...sightsOf(pictures, model), ...(await testImages(options, terminal))];
    terminal.event("begin", { adapter: adapterFields(device), model: path, pictures: sights.length, methods });
    await mkdir(options.out, { recursive: true });
    const rows: string[][] = [];
    for (const sight of sights) rows.push(await explainOne(model, sight, methods, options, terminal));
    if (rows.length > 0) terminal.result("", ...table([["picture", "class", "", "written"], ...rows], "llrl"));
    terminal.event("end", { explained: sights.length, failed });
  });
  if (failed > 0) throw new Incomplete();
}

function methodsOf({ method, layer }: ExplainOptions): readonly Method[] {
  const methods = method === "all" ? METHODS : [method];
  if (layer === undefined || methods.includes("grad-cam")) return methods;
  throw new OptionError({ where: "--layer", expected: "--method grad-cam or all", got: `--method ${method}` });
}

/** Pictures that have been brought to the model's size, under the names of their files without extensions, each once. */
function sightsOf(pictures: ReadonlyMap<string, PreparedPicture>, { input }: Model): Sight[] {
  const [height = 1, width = 1, channels = 1] = input;
  const taken = new Map<string, number>();
  return [...pictures].map(([file, { pixels }]) => {
    const name = basename(file, extname(file));
    const times = (taken.get(name) ?? 0) + 1;
    taken.set(name, times);
    return { name: times === 1 ? name : `${name}-${times}`, pixels, shape: [height, width, channels] };
  });
}

async function testImages(options: ExplainOptions, terminal: Terminal): Promise<Sight[]> {
  if (options.images === undefined) return [];
  const { test } = await loadData(options, terminal);
  const part = takeImages(test, options.images);
  const { images, labels, classNames, shape, count: taken } = part;
  introduceData(part, `the first ${taken} test images`, terminal);
  const size = images.length / taken;
  return Array.from(labels, (label, k) => ({
    name: `test-${String(k).padStart(String(taken - 1).length, "0")}`,
    pixels: images.subarray(k * size, (k + 1) * size),
    shape,
    truth: classNames[label]!,
  }));
}

async function explainOne(
  model: Model,
  sight: Sight,
  methods: readonly Method[],
  options: ExplainOptions,
  terminal: Terminal,
): Promise<string[]> {
  const { name, pixels, shape, truth = null } = sight;
  const results: Result[] = [];
  for (const method of methods) results.push(await applied(method, model, sight, options));
  const { class: index, score, probability } = results[0]!.explanation;
  const named = model.classNames[index] ?? `class ${index}`;
  const share = `${(100 * probability).toFixed(1)} %`;
  const title = `${named} ${share}${truth === null ? "" : ` · it is: ${truth}`}`;
  const out = join(options.out, `${name}-${options.method}.png`);
  const rows = results.map(({ row }) => row);
  await writeFileAtomic(out, await explanationSheet({ pixels, shape }, title, rows));
  terminal.event("explanation", { out, class: index, name: named, score, probability, truth, methods });
  return [name, named, share, out];
}

interface Result {
  readonly explanation: Explanation;
  readonly row: SheetRow;
}

/** One method, and its row of the sheet. */
async function applied(method: Method, model: Model, sight: Sight, options: ExplainOptions): Promise<Result> {
  const { pixels, shape } = sight;
  const { class: wanted, layer } = options;
  const chosen = { shape, ...(wanted === undefined ? {} : { class: classOf(model, wanted) }) };
  if (method === "grad-cam") {
    const [cam] = await gradCam(model, pixels, { ...chosen, ...(layer === undefined ? {} : { layer }) });
    return { explanation: cam!, row: { label: `Grad-CAM, ${cam!.layer}`, map: normaliseMap(cam!.map) } };
  }
  if (method === "occlusion") {
    const [covered] = await occlusion(model, pixels, chosen);
    const { size } = covered!.patches[0]!;
    return { explanation: covered!, row: { label: `occlusion, ${size}×${size}`, map: normaliseMap(covered!.map) } };
  }
  const [shared] = await integratedGradients(model, pixels, chosen);
  const label = `integrated gradients, complete to ${(100 * shared!.incompleteness).toFixed(1)} %`;
  return { explanation: shared!, row: { label, map: normaliseMap(shared!.map, { clip: 0.01 }) } };
}

/** A name, or else a number. */
function classOf({ classNames }: Model, text: string): string | number {
  return classNames.includes(text) || !/^\d+$/.test(text) ? text : Number(text);
}
