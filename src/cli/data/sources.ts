/** Data sets of every form as named parts: Fashion-MNIST's two files, CSV files, folders of pictures. */
import { basename, extname, join } from "node:path";
import { Option, type Command } from "commander";
import { listFiles } from "#files";
import {
  applyLabelMap,
  FASHION_CLASS_NAMES,
  fashionGroups,
  loadCsv,
  loadImageFolder,
  type FolderReport,
  type ImageDataset,
  type ImageFolderOptions,
  type Language,
  type Parts,
  type PictureOptions,
  type SplitName,
} from "../../data/index.ts";
import { DataError, OptionError } from "../../errors.ts";
import { introduceData, loadData } from "../datasets.ts";
import { withDataOptions, withOutputOptions, type DataOptions } from "../options.ts";
import { Incomplete } from "../perform.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { count, labelled } from "../text.ts";

export interface SourceOptions extends OutputOptions, DataOptions {
  readonly csv?: readonly string[];
  readonly folder?: readonly string[];
  readonly classes?: string;
  readonly groups?: boolean;
  readonly language: Language;
  readonly size: string;
  readonly channels: "grey" | "rgb";
  readonly fit: NonNullable<PictureOptions["fit"]>;
  readonly invert: "never" | "always" | "auto";
}

/** Parts, and what is known of their images beside them. */
export interface Source {
  readonly parts: Parts;
  /** Of parts that were folders: path of each image. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** Pictures that were left out because they do not decode. */
  readonly failures: number;
}

const NOTES = `
Without --csv and --folder it is Fashion-MNIST. A folder holds one folder a class, or train/, validation/ and test/ with
one folder a class each. A picture that does not decode is named and left out with its label; the exit code is then 1.`;

/** Options of a command that reads a data set of any form. */
export function withSourceOptions(command: Command): Command {
  return withOutputOptions(withDataOptions(command))
    .addOption(
      new Option("--csv <file...>", "CSV files instead: label, then pixels").conflicts(["data", "synthetic", "folder"]),
    )
    .addOption(new Option("--folder <dir...>", "folders of pictures instead").conflicts(["data", "synthetic", "csv"]))
    .option(
      "--classes <names>",
      '"fashion", or names with commas, for CSV and folders (default: numbers, folder names)',
    )
    .addOption(new Option("--groups", "Fashion-MNIST's classes in five groups"))
    .addOption(new Option("--language <code>", "of Fashion-MNIST's names").choices(["en", "pt", "es"]).default("en"))
    .option("--size <HxW>", "of pictures from folders, in pixels", "28x28")
    .addOption(new Option("--channels <kind>", "of pictures from folders").choices(["grey", "rgb"]).default("grey"))
    .addOption(
      new Option("--fit <how>", "pictures from folders into the size")
        .choices(["stretch", "cover", "contain"])
        .default("stretch"),
    )
    .addOption(
      new Option("--invert <when>", "pictures from folders; auto: those on a light background")
        .choices(["never", "always", "auto"])
        .default("never"),
    )
    .addHelpText("after", NOTES);
}

/**
 * Reads what the options ask for, says what it is, runs `body`, and ends as incomplete when pictures were left out.
 */
export async function withSource(
  options: SourceOptions,
  terminal: Terminal,
  body: (source: Source) => Promise<void>,
): Promise<void> {
  const source = await loadSource(options, terminal);
  const [first] = Object.values(source.parts);
  if (first === undefined) throw new OptionError({ where: "data", expected: "at least one part", got: "none" });
  introduceData(first, summaryOf(source.parts), terminal);
  await body(source);
  if (source.failures > 0) throw new Incomplete();
}

/** The part of that name; without one, the first. */
export function partOf({ parts }: Source, name: string | undefined): [name: string, part: ImageDataset] {
  const [first] = Object.entries(parts);
  const part = name === undefined ? first?.[1] : parts[name];
  if (part !== undefined) return [name ?? first![0], part];
  throw new OptionError({ where: "--part", expected: Object.keys(parts).join(", "), got: String(name) });
}

/** `60,000 train · 10,000 test images of 28 × 28 × 1` */
function summaryOf(parts: Parts): string {
  const counts = Object.entries(parts).map(([name, part]) => `${count(part.count)} ${name}`);
  const shapes = new Set(Object.values(parts).map(({ shape }) => shape.join(" × ")));
  return `${counts.join(" · ")} images of ${[...shapes].join(" and ")}`;
}

/** Reads what the options ask for. */
export async function loadSource(options: SourceOptions, terminal: Terminal): Promise<Source> {
  const source = await readSource(options, terminal);
  return { ...source, parts: grouped(source.parts, options) };
}

/** Classes in groups, where that is asked for. */
export function grouped(parts: Parts, { groups, language }: Pick<SourceOptions, "groups" | "language">): Parts {
  if (groups !== true) return parts;
  const map = fashionGroups(language);
  return mapped(parts, (part) => applyLabelMap(part, map));
}

/** Whether the data is the user's own. */
export function isOwn({ csv, folder }: Pick<SourceOptions, "csv" | "folder">): boolean {
  return csv !== undefined || folder !== undefined;
}

async function readSource(options: SourceOptions, terminal: Terminal): Promise<Source> {
  if (options.csv !== undefined) return readCsvFiles(options.csv, options);
  if (options.folder !== undefined) return readFolders(options.folder, options, terminal);
  const { train, test } = await loadData(options, terminal, { language: options.language });
  return { parts: { train, test }, paths: {}, failures: 0 };
}

async function readCsvFiles(files: readonly string[], options: SourceOptions): Promise<Source> {
  const parts: Record<string, ImageDataset> = {};
  for (const [name, file] of named(files)) {
    parts[name] = await loadCsv(file, { ...classesOf(options), split: splitOf(name) });
  }
  return { parts, paths: {}, failures: 0 };
}

async function readFolders(folders: readonly string[], options: SourceOptions, terminal: Terminal): Promise<Source> {
  const parts: Record<string, ImageDataset> = {};
  const paths: Record<string, readonly string[]> = {};
  let failures = 0;
  for (const [name, folder] of named((await Promise.all(folders.map(partsBelow))).flat())) {
    const loaded = await loadImageFolder(folder, { ...pictureOptions(options), split: splitOf(name) });
    parts[name] = loaded.dataset;
    paths[name] = loaded.paths.map((path) => join(folder, path));
    failures += loaded.report.failed.length;
    tellReport(name, folder, loaded.report, terminal);
  }
  return { parts, paths, failures };
}

/** What a folder's pictures came to: for people only where something is not as it should be, or was changed. */
function tellReport(name: string, folder: string, report: FolderReport, terminal: Terminal): void {
  terminal.event("folder", { name, folder, ...report });
  for (const { path, reason } of report.failed) {
    process.stderr.write(`trama: left out ${join(folder, path)}: ${reason}\n`);
  }
  const remarks = [
    report.failed.length > 0 ? `${count(report.failed.length)} of ${count(report.files)} pictures left out` : "",
    report.inverted > 0 ? `${count(report.inverted)} inverted` : "",
    report.ignored.length > 0 ? `${count(report.ignored.length)} files ignored` : "",
  ].filter((remark) => remark !== "");
  if (remarks.length > 0) terminal.say(...labelled("", `${name}: ${remarks.join(" · ")}`, terminal.width));
}

const SPLIT_FOLDERS = new Map<string, SplitName>([
  ["train", "train"],
  ["training", "train"],
  ["validation", "validation"],
  ["valid", "validation"],
  ["val", "validation"],
  ["test", "test"],
  ["testing", "test"],
]);

/** The folder itself, or, where it holds train, validation and test and nothing else, those. */
async function partsBelow(folder: string): Promise<readonly string[]> {
  const files = await listFiles(folder);
  const tops = new Set(files.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/"))));
  const areParts = tops.size > 0 && [...tops].every((top) => SPLIT_FOLDERS.has(top.toLowerCase()));
  return areParts ? [...tops].map((top) => join(folder, top)) : [folder];
}

/** By the words of the name: `fashion-mnist_train` is a training part. */
function splitOf(name: string): SplitName {
  const words = name.toLowerCase().split(/[^a-z]+/);
  const word = words.find((one) => SPLIT_FOLDERS.has(one));
  return (word === undefined ? undefined : SPLIT_FOLDERS.get(word)) ?? "all";
}

/** Names of parts: those of the files, which must differ. */
function named(files: readonly string[]): readonly (readonly [name: string, file: string])[] {
  const list = files.map((file) => [basename(file, /\.csv$/i.test(file) ? extname(file) : ""), file] as const);
  const names = list.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return list;
  throw new DataError({ where: "data", expected: "files or folders whose names differ", got: `"${twice}" twice` });
}

function pictureOptions(options: SourceOptions): ImageFolderOptions {
  const { channels, fit, invert } = options;
  return {
    ...classesOf(options),
    size: sizeOf(options.size),
    channels: channels === "rgb" ? 3 : 1,
    fit,
    invert: invert === "auto" ? "lightBackground" : invert,
  };
}

function classesOf({ classes, language }: SourceOptions): { readonly classNames?: readonly string[] } {
  if (classes === undefined) return {};
  if (classes === "fashion") return { classNames: FASHION_CLASS_NAMES[language] };
  return { classNames: classes.split(",").map((name) => name.trim()) };
}

function sizeOf(text: string): [height: number, width: number] {
  const [, height, width] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  if (height !== undefined && width !== undefined) return [Number(height), Number(width)];
  throw new OptionError({ where: "--size", expected: "height and width, such as 28x28", got: text });
}

function mapped(parts: Parts, change: (part: ImageDataset) => ImageDataset): Parts {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, change(part)]));
}
