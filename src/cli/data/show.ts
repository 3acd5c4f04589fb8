/** `trama data show`: one image as shades and as numbers. */
import type { Command } from "commander";
import { imageLength, type ImageDataset } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { wholeNumber } from "../options.ts";
import { perform } from "../perform.ts";
import type { Terminal } from "../terminal.ts";
import { partOf, withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

interface ShowOptions extends SourceOptions {
  readonly part?: string;
  readonly numbers?: boolean;
}

/** From black to white, as a dark terminal shows them. */
const SHADES = " ░▒▓█";

export function addShow(data: Command): void {
  withSourceOptions(data.command("show").description("one image in shades, or as the numbers that a model sees"))
    .argument("<index>", "from 0", wholeNumber(0))
    .option("--part <name>", "part of the data set (default: the first)")
    .option("--numbers", "pixels as numbers, channel by channel")
    .action((index: number, options: ShowOptions) =>
      perform(options, (terminal) => withSource(options, terminal, (source) => show(index, source, options, terminal))),
    );
}

async function show(index: number, source: Source, options: ShowOptions, terminal: Terminal): Promise<void> {
  const [name, part] = partOf(source, options.part);
  if (index >= part.count) {
    throw new OptionError({ where: "index", expected: `0 to ${part.count - 1} in ${name}`, got: String(index) });
  }
  const length = imageLength(part.shape);
  const pixels = part.images.subarray(index * length, (index + 1) * length);
  const label = part.labels[index]!;
  const path = source.paths[name]?.[index];
  const className = part.classNames[label]!;
  terminal.event("image", { part: name, index, label, class: className, path, shape: part.shape, pixels: [...pixels] });
  terminal.say(
    `${name} ${index}: ${terminal.bold(className)} (class ${label})${path === undefined ? "" : ` · ${path}`}`,
    "",
  );
  terminal.result(...(options.numbers === true ? numberLines(pixels, part) : shadeLines(pixels, part)));
  terminal.say("", Array.from(SHADES, (shade, at) => `${shade.repeat(2)} ${bounds(at)}`).join("   "));
}

function bounds(shade: number): string {
  const width = 256 / SHADES.length;
  return `${Math.ceil(shade * width)}–${Math.ceil((shade + 1) * width) - 1}`;
}

/** Two letters a pixel, because letters are about twice as high as wide. */
function shadeLines(pixels: Uint8Array, { shape: [height, width, channels] }: ImageDataset): string[] {
  const lines: string[] = [];
  for (let y = 0; y < height; y++) {
    let line = "";
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * channels;
      const mean = pixels.subarray(at, at + channels).reduce((sum, value) => sum + value, 0) / channels;
      line += SHADES[Math.floor((mean * SHADES.length) / 256)]!.repeat(2);
    }
    lines.push(`│${line}│`);
  }
  return lines;
}

function numberLines(pixels: Uint8Array, { shape: [height, width, channels] }: ImageDataset): string[] {
  const lines: string[] = [];
  for (let channel = 0; channel < channels; channel++) {
    if (channel > 0) lines.push("");
    for (let y = 0; y < height; y++) {
      let line = "";
      for (let x = 0; x < width; x++) line += String(pixels[(y * width + x) * channels + channel]).padStart(4);
      lines.push(line);
    }
  }
  return lines;
}
