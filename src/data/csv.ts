/**
 * Labelled images as CSV, the form of Kaggle's copies: a line an image, `label,pixel1,…,pixel784`, with or without a header.
 *
 * The reader takes bytes as they come and holds no text: a file of 60,000 images is longer than JavaScript's strings may
 * be. It believes whole numbers from 0 to 255 only, and says of anything else in which line and column it stands.
 */
import { streamFile } from "#files";
import { FormatError, OptionError } from "../errors.ts";
import { imageDataset, imageLength, type ImageDataset, type ImageShape, type SplitName } from "./dataset.ts";

export interface CsvOptions {
  /** Default: 1 channel where the number of pixels is a square (784: 28×28), 3 where it is three times a square. */
  readonly shape?: ImageShape;
  /** Default: the numbers, from 0 to the greatest label. */
  readonly classNames?: readonly string[];
  /** Default: `all`. */
  readonly split?: SplitName;
  /** Where the data comes from, in words. Default: the file's name. */
  readonly origin?: string;
}

/** Where labels and pixels stand in a line. */
interface Columns {
  readonly count: number;
  readonly label: number;
}

const COMMA = 0x2c;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const ZERO = 0x30;
/** A first line that is longer is no line of numbers. */
const MAX_LINE_BYTES = 64 * 2 ** 20;
const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * Reads a CSV file: a path in Node, an address or a chosen file in a page.
 * @throws {FormatError} naming line and column, where it is not what it should be. @throws {FileError} when it cannot be read.
 */
export async function loadCsv(source: string | URL | File, options: CsvOptions = {}): Promise<ImageDataset> {
  const isFile = typeof source === "object" && !(source instanceof URL);
  const name = isFile ? source.name : String(source);
  const { chunks } = await streamFile(isFile ? new Response(source) : source);
  return readCsv(chunks, { origin: name, ...options, file: name });
}

/**
 * Reads CSV from bytes that arrive piece by piece.
 * @param options.file what errors call it. Default: `CSV data`.
 * @throws {FormatError} naming line and column, where it is not what it should be.
 */
export async function readCsv(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: CsvOptions & { readonly file?: string } = {},
): Promise<ImageDataset> {
  const { file = "CSV data", origin = file, split = "all" } = options;
  let start: Uint8Array = new Uint8Array(0);
  let parser: CsvParser | undefined;
  for await (const chunk of chunks) {
    if (parser !== undefined) {
      parser.feed(chunk);
      continue;
    }
    start = start.length === 0 ? chunk : joined(start, chunk);
    if (start.includes(NEWLINE) || start.length > MAX_LINE_BYTES) parser = begin(start, file, options);
  }
  const { images, labels, shape } = (parser ?? begin(start, file, options)).end();
  const classNames = options.classNames ?? numbered(labels);
  return imageDataset({ images, labels, shape, classNames, origin, split, synthetic: false });
}

/**
 * Writes a data set as CSV, a chunk for some hundred lines, as `writeFileAtomic` takes them.
 * @param options.header whether the first line names the columns. Default: true.
 */
export function* encodeCsv(dataset: ImageDataset, options: { readonly header?: boolean } = {}): Generator<Uint8Array> {
  const { images, labels, count } = dataset;
  const length = imageLength(dataset.shape);
  const encoder = new TextEncoder();
  if (options.header !== false) {
    const names = Array.from({ length }, (_, at) => `pixel${at + 1}`);
    yield encoder.encode(`label,${names.join(",")}\n`);
  }
  const linesAtOnce = Math.max(1, Math.floor(2 ** 18 / length));
  for (let first = 0; first < count; first += linesAtOnce) {
    let text = "";
    for (let at = first; at < Math.min(count, first + linesAtOnce); at++) {
      text += `${labels[at]},${images.subarray(at * length, (at + 1) * length).join(",")}\n`;
    }
    yield encoder.encode(text);
  }
}

/** Reads what has come so far, which holds the first line. */
function begin(start: Uint8Array, file: string, options: CsvOptions): CsvParser {
  const end = start.indexOf(NEWLINE);
  const line = new TextDecoder().decode(end < 0 ? start : start.subarray(0, end));
  const fields = line.replace(BYTE_ORDER_MARK, "").replace(/\r$/, "").split(",");
  const isHeader = !/^\d+$/.test(fields[0] ?? "");
  const label = isHeader ? labelColumn(fields.map(unquoted), file) : 0;
  const shape = options.shape ?? guessedShape(fields.length - 1, file);
  requirePixels(shape, fields.length, file);
  const columns = { count: fields.length, label };
  const classCount = options.classNames?.length ?? 256;
  const parser = createParser(columns, shape, { file, firstLine: isHeader ? 2 : 1, classCount });
  const skipped = isHeader ? (end < 0 ? start.length : end + 1) : 0;
  parser.feed(start.subarray(skipped));
  return parser;
}

interface CsvParser {
  feed(chunk: Uint8Array): void;
  end(): { readonly images: Uint8Array; readonly labels: Uint8Array; readonly shape: ImageShape };
}

interface CsvLimits {
  readonly file: string;
  /** Number of the line that `feed` begins with. */
  readonly firstLine: number;
  readonly classCount: number;
}

/** A machine of one state a byte: the number that has been read so far, and where it will stand. */
function createParser(columns: Columns, shape: ImageShape, limits: CsvLimits): CsvParser {
  const length = imageLength(shape);
  let images = new Uint8Array(length * 64);
  let labels = new Uint8Array(64);
  let [rows, column, line] = [0, 0, limits.firstLine];
  /** -1 while a field has no digit yet. */
  let value = -1;
  let afterReturn = false;
  let emptyLine = 0;

  const refuse = (expected: string, got: string): FormatError =>
    new FormatError({ where: `${limits.file}, line ${line}, column ${column + 1}`, expected, got });

  const endField = (): void => {
    if (value < 0) throw refuse("a whole number from 0 to 255", "nothing");
    if (value > 255) throw refuse("a whole number from 0 to 255", String(value));
    if (column >= columns.count) throw refuse(`${columns.count} columns`, "more");
    if (column === columns.label) {
      if (value >= limits.classCount) throw refuse(`a label from 0 to ${limits.classCount - 1}`, String(value));
      labels[rows] = value;
    } else images[rows * length + column - (column > columns.label ? 1 : 0)] = value;
    column += 1;
    value = -1;
  };
  const endLine = (): void => {
    const isEmpty = column === 0 && value < 0;
    if (isEmpty) emptyLine ||= line;
    else {
      endField();
      if (column < columns.count) throw refuse(`${columns.count} columns`, `a line that ends after ${column}`);
      rows += 1;
      if (rows === labels.length) [images, labels] = [doubled(images), doubled(labels)];
    }
    column = 0;
    line += 1;
  };
  const beginLine = (): void => {
    if (emptyLine === 0) return;
    line = emptyLine;
    throw refuse(`${columns.count} columns`, "an empty line");
  };

  return {
    feed: (chunk) => {
      // The number under way is kept in a local variable: nine bytes of ten are digits.
      let number = value;
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at]!;
        const digit = byte - ZERO;
        if (digit >= 0 && digit <= 9 && number <= 25 && !afterReturn) {
          if (number < 0) beginLine();
          number = number < 0 ? digit : number * 10 + digit;
          continue;
        }
        value = number;
        if (afterReturn && byte !== NEWLINE) throw refuse("a line feed after a carriage return", "none");
        afterReturn = byte === RETURN;
        if (byte === COMMA) endField();
        else if (byte === NEWLINE) endLine();
        else if (!afterReturn) throw refuse("a whole number from 0 to 255", fieldText(chunk, at, value));
        number = value;
      }
      value = number;
    },
    end: () => {
      if (column > 0 || value >= 0) endLine();
      if (rows === 0) throw refuse("at least one line of numbers", "none");
      return { images: images.slice(0, rows * length), labels: labels.slice(0, rows), shape };
    },
  };
}

/** A field for an error: the number that was read of it, and what follows. */
function fieldText(chunk: Uint8Array, start: number, value: number): string {
  const rest = new TextDecoder().decode(chunk.subarray(start, start + 40)).split(/[,\r\n]/)[0];
  return `"${value < 0 ? "" : value}${rest}"`;
}

/** Which column holds the label, by the header's word; pixels must stand in order beside it. */
function labelColumn(names: readonly string[], file: string): number {
  const label = names.findIndex((name) => /^(label|class)$/i.test(name));
  const where = `${file}, line 1`;
  if (label < 0) {
    const got = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
    throw new FormatError({ where, expected: "a header with a column `label` or `class`, or numbers", got });
  }
  const numbers = names.filter((_, at) => at !== label).map((name) => Number(/\d+$/.exec(name)?.[0]));
  const wrong = numbers.findIndex((number, at) => at > 0 && number <= numbers[at - 1]!);
  if (wrong < 0) return label;
  const got = `pixel ${numbers[wrong]} after pixel ${numbers[wrong - 1]}`;
  throw new FormatError({ where, expected: "pixel columns in ascending order", got });
}

function guessedShape(pixels: number, file: string): ImageShape {
  for (const channels of [1, 3]) {
    const side = Math.sqrt(pixels / channels);
    if (side >= 1 && Number.isInteger(side)) return [side, side, channels];
  }
  throw new FormatError({
    where: `${file}, line 1`,
    expected: "a label and the pixels of a square picture",
    got: `${pixels + 1} columns`,
    advice: "say the shape, [height, width, channels]",
  });
}

function requirePixels(shape: ImageShape, columns: number, file: string): void {
  if (shape.length !== 3 || !shape.every((size) => Number.isInteger(size) && size > 0)) {
    throw new OptionError({ where: "shape", expected: "[height, width, channels]", got: `[${shape.join(", ")}]` });
  }
  const expected = imageLength(shape) + 1;
  if (columns === expected) return;
  throw new FormatError({
    where: `${file}, line 1`,
    expected: `${expected} columns, a label and ${shape.join("×")} pixels`,
    got: String(columns),
  });
}

function unquoted(name: string): string {
  return name.trim().replace(/^"(.*)"$/, "$1");
}

function numbered(labels: Uint8Array): readonly string[] {
  const greatest = labels.reduce((most, label) => Math.max(most, label), 0);
  return Array.from({ length: greatest + 1 }, (_, label) => String(label));
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(bytes.length * 2);
  longer.set(bytes);
  return longer;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
