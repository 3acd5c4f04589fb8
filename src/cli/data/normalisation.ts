/** `trama data normalisation`: an image and all pixels before and after what a model does to them first. */
import { extname } from "node:path";
import { Option, type Command } from "commander";
import { writeFileAtomic } from "#files";
import { pixelStatistics, type ImageDataset } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { normalisationFor, type Normalisation } from "../../kernels/index.ts";
import { normalisationPlot, renderPng, renderSvg } from "../../report/index.ts";
import { wholeNumber } from "../options.ts";
import { perform } from "../perform.ts";
import { requireWritable } from "../runs.ts";
import type { Terminal } from "../terminal.ts";
import { partOf, withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

type Mode = "unit" | "standard" | "caffe" | "tf" | "torch";

interface NormalisationOptions extends SourceOptions {
  readonly out: string;
  readonly mode: Mode;
  readonly theme: "light" | "dark";
  readonly part?: string;
}

const NOTES = `
unit: p / 255, what a model does unless told otherwise. standard: (p − mean) / standard deviation of all pixels of the part.
caffe, tf and torch: what networks with ImageNet weights expect.`;

export function addNormalisation(data: Command): void {
  withSourceOptions(data.command("normalisation").description("an image and all pixels before and after normalisation"))
    .argument("[index]", "of the image, from 0", wholeNumber(0), 0)
    .option("--out <file>", "PNG or SVG to write", "normalisation.png")
    .option("--part <name>", "part of the data set (default: the first)")
    .addOption(
      new Option("--mode <name>", "which normalisation")
        .choices(["unit", "standard", "caffe", "tf", "torch"])
        .default("standard"),
    )
    .addOption(new Option("--theme <name>", "colours").choices(["light", "dark"]).default("light"))
    .addHelpText("after", NOTES)
    .action((index: number, options: NormalisationOptions) =>
      perform(options, async (terminal) => {
        const kind = extname(options.out).toLowerCase();
        if (kind !== ".png" && kind !== ".svg") {
          const expected = "a file name that ends in .png or .svg";
          throw new OptionError({ where: "--out", expected, got: options.out });
        }
        await requireWritable(options.out);
        await withSource(options, terminal, (source) => draw(source, index, options, terminal));
      }),
    );
}

async function draw(source: Source, index: number, options: NormalisationOptions, terminal: Terminal): Promise<void> {
  const { out, theme, mode } = options;
  const [name, part] = partOf(source, options.part);
  const normalisation = normalisationOf(part, mode);
  const title = `Before and after normalisation: ${name}, image ${index}`;
  const plot = normalisationPlot(part, normalisation, { index, theme, title });
  const isSvg = extname(out).toLowerCase() === ".svg";
  await writeFileAtomic(out, isSvg ? new TextEncoder().encode(await renderSvg(plot)) : await renderPng(plot));
  terminal.event("normalisation", { out, part: name, index, mode, normalisation });
  terminal.result(`Image ${index} of ${name} before and after ${JSON.stringify(normalisation)} is in ${out}.`);
}

function normalisationOf(part: ImageDataset, mode: Mode): Normalisation {
  if (mode === "unit") return { scale: 1, shift: 0 };
  if (mode !== "standard") return normalisationFor(mode);
  const { mean, std } = pixelStatistics(part);
  return { mean, std: std || 1 }; // one shade everywhere has no deviation to divide by
}
