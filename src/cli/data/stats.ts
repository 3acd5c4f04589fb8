/** `trama data stats`: how many of each class, and what the pixels are like. */
import type { Command } from "commander";
import {
  classStatistics,
  classWeights,
  labelStatistics,
  pixelHistogram,
  pixelStatistics,
  type ImageDataset,
  type PixelStatistics,
} from "../../data/index.ts";
import { perform } from "../perform.ts";
import type { Terminal } from "../terminal.ts";
import { count, score, table } from "../text.ts";
import { withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

interface StatsOptions extends SourceOptions {
  readonly pixels?: boolean;
}

const BAR_WIDTH = 24;
const BINS = 16;

export function addStats(data: Command): void {
  withSourceOptions(data.command("stats").description("counts of classes in each part, and statistics of the pixels"))
    .option("--pixels", "pixels class by class, and their histogram, too")
    .action((options: StatsOptions) =>
      perform(options, (terminal) => withSource(options, terminal, (source) => tell(source, options, terminal))),
    );
}

async function tell({ parts }: Source, options: StatsOptions, terminal: Terminal): Promise<void> {
  const described = Object.entries(parts).map(([name, part]) => describe(name, part));
  const [first] = Object.values(parts);
  terminal.event("stats", {
    origin: first?.origin,
    synthetic: first?.synthetic,
    shape: first?.shape,
    classNames: first?.classNames,
    parts: described.map(({ histogram, ...rest }) => ({ ...rest, histogram: [...histogram] })),
  });
  for (const rows of tablesOf(described, terminal)) terminal.result("", ...rows);
  if (options.pixels !== true) return;
  for (const part of described) {
    terminal.result("", terminal.bold(`Pixels of ${part.name}`), ...pixelTable(part, terminal));
    terminal.result("", ...histogramLines(part));
  }
}

type Part = ReturnType<typeof describe>;

function describe(name: string, part: ImageDataset) {
  const labels = labelStatistics(part);
  return {
    name,
    count: part.count,
    classNames: part.classNames,
    ...labels,
    // Weights make up for rare classes, and there are none for a class without examples.
    weights: labels.counts.every((images) => images > 0) ? classWeights(labels.counts) : null,
    pixels: pixelStatistics(part),
    classes: classStatistics(part),
    histogram: pixelHistogram(part),
  };
}

/** One table for all parts with the same classes; folders may differ in theirs. */
function tablesOf(parts: readonly Part[], terminal: Terminal): readonly (readonly string[])[] {
  const [first] = parts;
  const alike = parts.every(({ classNames }) => classNames.join() === first?.classNames.join());
  return (alike ? [parts] : parts.map((part) => [part])).map((some) => classTable(some, terminal));
}

function classTable(parts: readonly Part[], terminal: Terminal): readonly string[] {
  const [first] = parts;
  const names = first?.classNames ?? [];
  const most = Math.max(...(first?.counts ?? []));
  const uneven = new Set(first?.counts).size > 1;
  const rows = names.map((name, label) => {
    const counts = parts.map((part) => count(part.counts[label] ?? 0));
    const weight = uneven ? weightText(first?.weights?.[label]) : "";
    return [String(label), name].concat(counts, bar((first?.counts[label] ?? 0) / most) + weight);
  });
  const summary = (name: string, pick: (part: Part) => string) => ["", name, ...parts.map(pick), ""];
  const heads = parts.map(({ name }) => terminal.bold(name));
  return table(
    [
      ["", terminal.bold("class"), ...heads, uneven ? terminal.dim("balanced weight") : ""],
      ...rows,
      summary("in all", (part) => count(part.count)),
      summary("baseline accuracy", (part) => score(part.majorityShare)),
      summary("mean pixel", ({ pixels }) => pixels.mean.toFixed(4)),
      summary("standard deviation", ({ pixels }) => pixels.std.toFixed(4)),
      summary("median", ({ pixels }) => String(pixels.median)),
      summary("darkest … brightest", ({ pixels }) => `${pixels.min} … ${pixels.max}`),
    ],
    `rl${"r".repeat(parts.length)}l`,
  );
}

function weightText(weight: number | undefined): string {
  return weight === undefined ? "" : ` ${weight.toFixed(3)}`;
}

function bar(share: number): string {
  const length = Math.round(share * BAR_WIDTH);
  return "█".repeat(share > 0 ? Math.max(1, length) : 0);
}

function pixelTable({ classes, pixels }: Part, terminal: Terminal): readonly string[] {
  const row = (name: string, { mean, median, std, min, max }: PixelStatistics): string[] => [
    name,
    ...[mean, std].map((value) => value.toFixed(2)),
    ...[median, min, max].map(String),
  ];
  const filled = classes.filter((one) => one.count > 0);
  return table(
    [
      ["class", "mean", "std", "median", "min", "max"].map((head) => terminal.dim(head)),
      ...filled.map((one) => row(one.name, one)),
      row("all", pixels),
    ],
    "lrrrrr",
  );
}

function histogramLines({ histogram }: Part): readonly string[] {
  const width = 256 / BINS;
  const bins = Array.from({ length: BINS }, (_, bin) =>
    histogram.subarray(bin * width, (bin + 1) * width).reduce((sum, times) => sum + times, 0),
  );
  const all = bins.reduce((sum, times) => sum + times, 0);
  const most = Math.max(...bins);
  return table(
    bins.map((times, bin) => [
      `${bin * width}–${(bin + 1) * width - 1}`,
      `${((100 * times) / all).toFixed(1)} %`,
      bar(times / most),
    ]),
    "rrl",
  );
}
