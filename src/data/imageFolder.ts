/**
 * Folders of pictures as data sets: one folder a class. Pictures are decoded on demand, several at a time.
 *
 * A picture that does not decode is left out together with its label and its path, and counted in the report: nothing
 * after it moves to another label.
 */
import { decodePicture } from "#images";
import { joinPath, listFiles, readFile } from "#files";
import { DataError, FormatError, OptionError } from "../errors.ts";
import { mapBounded } from "./concurrency.ts";
import { imageLength, type ImageDataset, type ImageShape, type SplitName } from "./dataset.ts";
import { FileError } from "./files.ts";
import { pictureSettings, preparePicture, type PictureOptions, type PictureSettings } from "./picture.ts";
import { collect, emptyBatch, readable, requireIndices, type ImageBatch, type ImageStream } from "./stream.ts";

/** A file of a folder, wherever its bytes are. */
export interface FolderFile {
  /** Path below the folder, with forward slashes; what comes before the first one is the class. */
  readonly path: string;
  read(): Promise<Uint8Array>;
}

export interface ImageFolderOptions extends PictureOptions {
  /**
   * The classes, in order. A folder belongs to the class whose name it has (letters and digits count, so that `t-shirt_top`
   * is `T-shirt/top`) or whose number. Default: the names of the folders, in code-unit order.
   */
  readonly classNames?: readonly string[];
  /** What the data set is called from now on. Default: `all`. */
  readonly split?: SplitName;
  /** Where it comes from, in words. Default: the folder's name. */
  readonly origin?: string;
  /** Pictures decoded at the same time. Default: 4. */
  readonly concurrency?: number;
  /** What happens to a picture that does not decode: left out and reported, or thrown as an error. Default: `skip`. */
  readonly onFailure?: "skip" | "throw";
}

/** A picture that was left out. */
export interface FailedPicture {
  readonly path: string;
  readonly className: string;
  /** Why, in words. */
  readonly reason: string;
}

/** What became of a class's pictures so far. */
export interface ClassReport {
  readonly name: string;
  /** Picture files of its folder. */
  readonly files: number;
  readonly decoded: number;
  /** Of the decoded ones: dark and light were exchanged. */
  readonly inverted: number;
  readonly failed: number;
}

/** What became of a folder's files so far; each picture counts once, however often it was read. */
export interface FolderReport {
  /** Picture files below class folders. */
  readonly files: number;
  readonly decoded: number;
  readonly inverted: number;
  readonly failed: readonly FailedPicture[];
  readonly classes: readonly ClassReport[];
  /** Paths of files that are no pictures by their name, or lie in no class folder. */
  readonly ignored: readonly string[];
}

/** A folder of pictures, read on demand. */
export interface ImageFolder extends ImageStream {
  /** Path of each picture below the folder, by index. */
  readonly paths: readonly string[];
  /** What is known by now. */
  report(): FolderReport;
}

/** A folder of pictures in memory. */
export interface LoadedFolder {
  readonly dataset: ImageDataset;
  /** Path of each image of `dataset`, by index. */
  readonly paths: readonly string[];
  readonly report: FolderReport;
}

/** What `sharp` decodes, and browsers most of. */
const PICTURE_NAME = /\.(jpe?g|jpe|jfif|png|webp|avif|gif|tiff?)$/i;
const MAX_CONCURRENCY = 64;

/**
 * Opens a folder of pictures, one folder a class, without reading any.
 * @param source a folder (in Node), or its files: in a page `filesOf(input.files)`.
 * @throws {DataError} when there are no pictures, or a folder is none of `classNames`. @throws {FileError} when there is no
 * such folder. @throws {OptionError} for options that make no sense.
 */
export async function openImageFolder(
  source: string | URL | readonly FolderFile[],
  options: ImageFolderOptions = {},
): Promise<ImageFolder> {
  const settings = pictureSettings(picturePart(options));
  const concurrency = requireConcurrency(options.concurrency ?? 4);
  const isList = typeof source === "object" && !(source instanceof URL);
  const files = isList ? source : await filesBelow(source);
  const origin = options.origin ?? (isList ? "pictures" : String(source));
  const sorted = sortByClass(files, options.classNames, origin);
  return folderStream(sorted, settings, { ...options, origin, concurrency });
}

/**
 * Reads a folder of pictures into memory; see `openImageFolder`.
 * @returns images and labels side by side, the path of each, and what was left out and why.
 * @throws {DataError} when no picture at all could be decoded.
 */
export async function loadImageFolder(
  source: string | URL | readonly FolderFile[],
  options: ImageFolderOptions & { readonly signal?: AbortSignal } = {},
): Promise<LoadedFolder> {
  const { signal, ...rest } = options;
  const folder = await openImageFolder(source, rest);
  const kept: number[] = [];
  const noting: ImageStream = {
    ...folder,
    read: async (indices, abort) => {
      const batch = await folder.read(indices, abort);
      kept.push(...batch.indices);
      return batch;
    },
  };
  const dataset = await collect(noting, signal).catch((cause: unknown) => {
    throw folder.report().decoded === 0 ? nothingDecoded(folder, cause) : cause;
  });
  return { dataset, paths: kept.map((index) => folder.paths[index]!), report: folder.report() };
}

/** The files of an `<input type=file webkitdirectory>`, as `openImageFolder` takes them. */
export function filesOf(files: Iterable<File>): readonly FolderFile[] {
  return Array.from(files, (file) => ({
    // The first part is the name of the folder that was chosen.
    path: file.webkitRelativePath.split("/").slice(1).join("/"),
    read: async () => new Uint8Array(await file.arrayBuffer()),
  })).filter(({ path }) => !/(^|\/)\./.test(path));
}

async function filesBelow(folder: string | URL): Promise<readonly FolderFile[]> {
  const paths = await listFiles(folder);
  return paths.map((path) => ({ path, read: () => readFile(joinPath(folder, path)) }));
}

interface SortedFiles {
  /** Pictures by class, and by path within a class. */
  readonly pictures: readonly FolderFile[];
  readonly labels: Uint8Array;
  readonly classNames: readonly string[];
  readonly ignored: readonly string[];
}

function sortByClass(
  files: readonly FolderFile[],
  classNames: readonly string[] | undefined,
  origin: string,
): SortedFiles {
  const isPicture = ({ path }: FolderFile): boolean => path.includes("/") && PICTURE_NAME.test(path);
  const found = files.filter(isPicture);
  const folders = [...new Set(found.map(folderOf))].sort();
  const names = classNames ?? folders;
  requirePictures(origin, folders, names);
  const labelOf = new Map(folders.map((folder) => [folder, classOf(folder, names, origin)]));
  const labelled = found
    .map((file) => ({ file, label: labelOf.get(folderOf(file))! }))
    .sort((a, b) => a.label - b.label || (a.file.path < b.file.path ? -1 : 1));
  return {
    pictures: labelled.map(({ file }) => file),
    labels: Uint8Array.from(labelled, ({ label }) => label),
    classNames: names,
    ignored: files.filter((file) => !isPicture(file)).map(({ path }) => path),
  };
}

function folderOf({ path }: FolderFile): string {
  return path.slice(0, path.indexOf("/"));
}

function classOf(folder: string, names: readonly string[], origin: string): number {
  const exact = names.indexOf(folder);
  if (exact >= 0) return exact;
  const alike = names.findIndex((name) => lettersOf(name) === lettersOf(folder));
  const number = /^\d+$/.test(folder) ? Number(folder) : -1;
  const label = alike >= 0 ? alike : number < names.length ? number : -1;
  if (label >= 0) return label;
  throw new DataError({
    where: `${origin}/${folder}`,
    expected: `a folder named after a class (${names.join(", ")}) or its number`,
    got: `"${folder}"`,
    advice: "rename the folder, or leave the class names out",
  });
}

function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

function folderStream(
  { pictures, labels, classNames, ignored }: SortedFiles,
  settings: PictureSettings,
  options: ImageFolderOptions & { readonly origin: string; readonly concurrency: number },
): ImageFolder {
  const shape: ImageShape = [...settings.size, settings.channels];
  const length = imageLength(shape);
  const count = pictures.length;
  /** By index: whether it was inverted, or why it was left out. */
  const outcomes = new Map<number, boolean | string>();

  const decode = async (index: number): Promise<Uint8Array | undefined> => {
    if (typeof outcomes.get(index) === "string") return undefined;
    const { path, read } = pictures[index]!;
    try {
      const picture = preparePicture(await decodePicture(await read(), path), settings);
      outcomes.set(index, picture.inverted);
      return picture.pixels;
    } catch (cause) {
      const isTheFile = cause instanceof FormatError || cause instanceof FileError;
      if (!isTheFile || options.onFailure === "throw") throw cause;
      outcomes.set(index, cause.got);
      return undefined;
    }
  };

  return {
    count,
    shape,
    classNames,
    labels,
    origin: options.origin,
    synthetic: false,
    split: options.split ?? "all",
    paths: pictures.map(({ path }) => path),
    read: (indices, signal) =>
      readable(async () => {
        requireIndices("read", indices, count);
        const decoded = await mapBounded(indices, options.concurrency, decode, signal);
        return batchOf(indices, decoded, labels, length);
      }, signal),
    report: () => reportOf(pictures, labels, classNames, ignored, outcomes),
    close: async () => undefined,
  };
}

/** Rows whose picture is missing are left out of everything. */
function batchOf(
  indices: ArrayLike<number>,
  pictures: readonly (Uint8Array | undefined)[],
  labels: Uint8Array,
  length: number,
): ImageBatch {
  const kept = Array.from(indices).filter((_, row) => pictures[row] !== undefined);
  const batch = emptyBatch(kept, labels, length);
  const rows = pictures.filter((picture) => picture !== undefined);
  rows.forEach((picture, row) => batch.images.set(picture, row * length));
  return batch;
}

function reportOf(
  pictures: readonly FolderFile[],
  labels: Uint8Array,
  classNames: readonly string[],
  ignored: readonly string[],
  outcomes: ReadonlyMap<number, boolean | string>,
): FolderReport {
  const classes = classNames.map((name) => ({ name, files: 0, decoded: 0, inverted: 0, failed: 0 }));
  const failed: FailedPicture[] = [];
  pictures.forEach(({ path }, index) => {
    const tally = classes[labels[index]!]!;
    const outcome = outcomes.get(index);
    tally.files += 1;
    if (typeof outcome === "string") {
      tally.failed += 1;
      failed.push({ path, className: tally.name, reason: outcome });
    } else if (outcome !== undefined) {
      tally.decoded += 1;
      tally.inverted += outcome ? 1 : 0;
    }
  });
  const sum = (pick: (tally: ClassReport) => number): number => classes.reduce((all, tally) => all + pick(tally), 0);
  const [decoded, inverted] = [sum((tally) => tally.decoded), sum((tally) => tally.inverted)];
  return { files: pictures.length, decoded, inverted, failed, classes, ignored };
}

function picturePart(options: ImageFolderOptions): PictureOptions {
  const { classNames: _c, split: _s, origin: _o, concurrency: _n, onFailure: _f, ...picture } = options;
  return picture;
}

function requirePictures(origin: string, folders: readonly string[], names: readonly string[]): void {
  if (folders.length === 0) {
    throw new DataError({
      where: origin,
      expected: "a folder for each class, with pictures (JPEG, PNG, WebP, AVIF, GIF, TIFF) in it",
      got: "none",
      advice: "put each class's pictures into a folder named after it",
    });
  }
  if (names.length <= 256) return;
  throw new DataError({
    where: origin,
    expected: "at most 256 classes, because labels are bytes",
    got: String(names.length),
  });
}

function requireConcurrency(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY) return concurrency;
  const expected = `a whole number from 1 to ${MAX_CONCURRENCY}`;
  throw new OptionError({ where: "concurrency", expected, got: String(concurrency) });
}

function nothingDecoded(folder: ImageFolder, cause: unknown): unknown {
  const { failed, files } = folder.report();
  const [first] = failed;
  if (first === undefined || failed.length < files) return cause;
  return new DataError({
    where: folder.origin,
    expected: "pictures that can be decoded",
    got: `${files} that cannot; the first, ${first.path}: ${first.reason}`,
  });
}
