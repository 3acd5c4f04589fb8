/** `trama data grid`: a sheet of images with the names of their classes, as PNG or SVG. */
import { extname } from "node:path";
import { Option, type Command } from "commander";
import { writeFileAtomic } from "#files";
import {
  averageImages,
  decodePicture,
  encodePng,
  imageDataset,
  imageLength,
  labelStatistics,
  seededRandom,
  shuffleInPlace,
  type ImageDataset,
  type Picture,
} from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { wholeNumber } from "../options.ts";
import { perform } from "../perform.ts";
import { requireWritable } from "../runs.ts";
import type { Terminal } from "../terminal.ts";
import { partOf, withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

interface GridOptions extends SourceOptions {
  readonly out: string;
  readonly rows: number;
  readonly columns: number;
  readonly part?: string;
  readonly of: "random" | "first" | "average";
  readonly seed: number;
}

/** Smallest side of an image on the sheet, in pixels: small images are enlarged by a whole factor, pixel by pixel. */
const CELL = 84;
const GAP = 12;
const CAPTION = 18;
const FONT_SIZE = 12;
/** Of the width of a letter to its height, for a sans serif, on the safe side. */
const LETTER = 0.58;
const MAX_SIDE = 16_000;

export function addGrid(data: Command): void {
  withSourceOptions(data.command("grid").description("a sheet of images with the names of their classes"))
    .option("--out <file>", "PNG or SVG to write", "grid.png")
    .option("--rows <n>", "rows of images", wholeNumber(1), 6)
    .option("--columns <n>", "images a row", wholeNumber(1), 6)
    .option("--part <name>", "part of the data set (default: the first)")
    .addOption(
      new Option("--of <which>", "which images; average: the mean image of each class")
        .choices(["random", "first", "average"])
        .default("random"),
    )
    .option("--seed <n>", "of the random choice", wholeNumber(0), 42)
    .action((options: GridOptions) =>
      perform(options, async (terminal) => {
        requirePictureName(options.out);
        await requireWritable(options.out);
        await withSource(options, terminal, (source) => draw(source, options, terminal));
      }),
    );
}

async function draw(source: Source, options: GridOptions, terminal: Terminal): Promise<void> {
  const { out, rows, columns, of } = options;
  const [name, whole] = partOf(source, options.part);
  const part = of === "average" ? averages(whole) : whole;
  const indices = chosen(part, rows * columns, options);
  const svg = await sheet(part, indices, columns);
  const bytes = new TextEncoder().encode(svg);
  await writeFileAtomic(out, isSvg(out) ? bytes : await encodePng(await decodePicture(bytes, out)));
  terminal.event("grid", { out, part: name, of, indices: [...indices] });
  terminal.result(`${indices.length} ${of === "average" ? "average images" : "images"} of ${name} are in ${out}.`);
}

/** The mean image of each class that has any, as a data set. */
function averages(dataset: ImageDataset): ImageDataset {
  const { shape, classNames, origin, synthetic, split } = dataset;
  const filled = labelStatistics(dataset).counts.flatMap((count, label) => (count > 0 ? [label] : []));
  const means = averageImages(dataset);
  const length = imageLength(shape);
  const images = filled.flatMap((label) =>
    Array.from(means.subarray(label * length, (label + 1) * length), Math.round),
  );
  const labels = Uint8Array.from(filled);
  return imageDataset({ images: Uint8Array.from(images), labels, shape, classNames, origin, synthetic, split });
}

function chosen({ count }: ImageDataset, wanted: number, { of, seed }: GridOptions): Uint32Array {
  const indices = Uint32Array.from({ length: count }, (_, index) => index);
  return (of === "random" ? shuffleInPlace(indices, seededRandom(seed)) : indices).slice(0, wanted);
}

/** The sheet as SVG: all images are one bitmap, drawn pixel for pixel, and the names are text. */
async function sheet(dataset: ImageDataset, indices: Uint32Array, columns: number): Promise<string> {
  const [height, width] = dataset.shape;
  const scale = Math.max(1, Math.ceil(CELL / Math.max(height, width)));
  const [tall, wide] = [height * scale, width * scale];
  const across = Math.min(columns, indices.length);
  const place = (at: number): { readonly x: number; readonly y: number } => ({
    x: GAP + (at % across) * (wide + GAP),
    y: GAP + Math.floor(at / across) * (tall + CAPTION + GAP),
  });
  const size = {
    width: GAP + across * (wide + GAP),
    height: GAP + Math.ceil(indices.length / across) * (tall + CAPTION + GAP),
  };
  requireDrawable(size);
  const bitmap = blank(size.width, size.height, dataset.shape[2]);
  indices.forEach((index, at) => paste(bitmap, dataset, index, place(at), scale));
  const png = Buffer.from(await encodePng(bitmap)).toString("base64");
  const captions = Array.from(indices, (index, at) => {
    const { x, y } = place(at);
    const text = shortened(dataset.classNames[dataset.labels[index]!]!, wide + GAP - 2);
    return `<text x="${x + wide / 2}" y="${y + tall + CAPTION - 5}">${escaped(text)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">`,
    `<image width="${size.width}" height="${size.height}" href="data:image/png;base64,${png}"/>`,
    `<g font-family="DejaVu Sans, Arial, sans-serif" font-size="${FONT_SIZE}" text-anchor="middle" fill="#222">`,
    ...captions,
    "</g></svg>",
  ].join("\n");
}

function blank(width: number, height: number, channels: number): Picture {
  return { pixels: new Uint8Array(height * width * channels).fill(255), shape: [height, width, channels] };
}

/** Copies an image, each pixel `scale` times as high and as wide. */
function paste(
  { pixels, shape: [, across] }: Picture,
  { images, shape }: ImageDataset,
  index: number,
  { x: left, y: top }: { readonly x: number; readonly y: number },
  scale: number,
): void {
  const [height, width, channels] = shape;
  const start = index * imageLength(shape);
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const source = start + (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      const target = ((top + y) * across + left + x) * channels;
      for (let channel = 0; channel < channels; channel++) pixels[target + channel] = images[source + channel]!;
    }
  }
}

function shortened(text: string, width: number): string {
  const letters = Math.max(3, Math.floor(width / (FONT_SIZE * LETTER)));
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function isSvg(file: string): boolean {
  return extname(file).toLowerCase() === ".svg";
}

function requirePictureName(file: string): void {
  if ([".png", ".svg"].includes(extname(file).toLowerCase())) return;
  throw new OptionError({ where: "--out", expected: "a file name that ends in .png or .svg", got: file });
}

function requireDrawable({ width, height }: { readonly width: number; readonly height: number }): void {
  if (width <= MAX_SIDE && height <= MAX_SIDE) return;
  const advice = "ask for fewer rows or columns";
  throw new OptionError({
    where: "grid",
    expected: `at most ${MAX_SIDE} pixels a side`,
    got: `${width}×${height}`,
    advice,
  });
}
