/**
 * The safetensors format (https://github.com/huggingface/safetensors): eight bytes of header length, little-endian; a JSON
 * header that gives each tensor a dtype, a shape and a byte range; the data. Nothing in such a file can be executed,
 * and this reader takes it for hostile all the same: every number is checked before it is used.
 */
import { FormatError } from "../errors.ts";
import type { ByteStream } from "./byteStream.ts";
import { isStoredDtype, STORED_BYTES, type StoredTensor, type TensorInfo } from "./dtypes.ts";
import { repeatedKey } from "./jsonKeys.ts";
import type { WeightsFile } from "./weightsFile.ts";

/** What a file holds. */
export interface SafetensorsFile {
  /** By name, in the order of their data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Free text by key, from the header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

const PREFIX_BYTES = 8;
/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
/** Data begins at a multiple of this, so that other readers can map it into memory as it is. */
const DATA_ALIGNMENT = 8;
const METADATA_KEY = "__metadata__";

/** A byte range of the data, as a header claims it. */
interface Entry {
  readonly tensor: TensorInfo;
  readonly begin: number;
  readonly end: number;
}

/** A header that has been checked. */
interface Header {
  /** In the order of their data. */
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a file. The tensors' bytes are views of `bytes`, not copies. Data that begins at an odd place, as older writers
 * left it, is read all the same.
 * @param file what errors call it.
 * @throws {FormatError} naming the file, and the tensor where it is one's fault.
 */
export function parseSafetensors(bytes: Uint8Array, file: string): SafetensorsFile {
  const dataStart = PREFIX_BYTES + headerLength(bytes, bytes.length, file);
  const { entries, metadata } = readHeader(bytes.subarray(PREFIX_BYTES, dataStart), bytes.length - dataStart, file);
  const tensors = entries.map(({ tensor, begin, end }): [string, StoredTensor] => [
    tensor.name,
    { ...tensor, bytes: bytes.subarray(dataStart + begin, dataStart + end) },
  ]);
  return { tensors: new Map(tensors), metadata };
}

/**
 * Reads the header of a file as it arrives; the tensors follow one at a time, each in a buffer of its own.
 * @throws {FormatError} like `parseSafetensors`, before any data is read.
 */
export async function openSafetensors(stream: ByteStream): Promise<WeightsFile> {
  const { file, totalBytes } = stream;
  const length = headerLength(await stream.peek(PREFIX_BYTES), totalBytes, file);
  await stream.take(PREFIX_BYTES);
  const dataBytes = totalBytes === undefined ? undefined : totalBytes - PREFIX_BYTES - length;
  const { entries, metadata } = readHeader(await stream.take(length), dataBytes, file);
  return {
    file,
    format: "safetensors",
    tensors: new Map(entries.map(({ tensor }) => [tensor.name, tensor])),
    metadata,
    skipped: [],
    notes: [],
    async *read(wanted = () => true) {
      for (const { tensor, begin, end } of entries) {
        const bytes = await stream.take(end - begin);
        if (wanted(tensor.name)) yield { ...tensor, bytes };
      }
      if ((await stream.peek(1)).length > 0) {
        throw fault(file, null, `${entries.at(-1)?.end ?? 0} bytes of data`, "more", NOT_AS_WRITTEN);
      }
    },
    close: () => stream.close(),
  };
}

/**
 * Writes a file: its header, then the bytes of each tensor, which are not copied. Those of wide elements come first, so
 * that every tensor is aligned for readers that map the file into memory; otherwise they are stored in the order given.
 * @throws {FormatError} for a name that occurs twice or is `__metadata__`, and for bytes that do not fit shape and dtype.
 */
export function encodeSafetensors(
  tensors: readonly StoredTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set(METADATA_KEY, metadata);
  const sorted = tensors.toSorted((a, b) => STORED_BYTES[b.dtype] - STORED_BYTES[a.dtype]);
  let offset = 0;
  for (const { name, dtype, shape, bytes } of sorted) {
    if (name === METADATA_KEY || header.has(name)) {
      throw fault("safetensors", name, "a name of its own", "one that is taken");
    }
    requireSize({ name, dtype, shape }, bytes.length, "safetensors");
    header.set(name, { dtype, shape, data_offsets: [offset, offset + bytes.length] });
    offset += bytes.length;
  }
  return [encodeHeader(header), ...sorted.map(({ bytes }) => bytes)];
}

function encodeHeader(header: ReadonlyMap<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / DATA_ALIGNMENT) * DATA_ALIGNMENT;
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, PREFIX_BYTES);
  return bytes;
}

/** Length of the header that begins behind the prefix. @param fileBytes undefined if it is not known. */
function headerLength(prefix: Uint8Array, fileBytes: number | undefined, file: string): number {
  if (prefix.length < PREFIX_BYTES) throw fault(file, null, "a safetensors file", `${prefix.length} bytes`, NOT_OURS);
  const claimed = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (claimed > MAX_HEADER_BYTES) {
    throw fault(file, null, `a safetensors header of at most ${MAX_HEADER_BYTES} bytes`, `${claimed}`, NOT_OURS);
  }
  const room = (fileBytes ?? Number.POSITIVE_INFINITY) - PREFIX_BYTES;
  if (claimed > room) {
    throw fault(file, null, `a header of ${claimed} bytes`, `a file that ends after ${room}`, CUT_OFF);
  }
  return Number(claimed);
}

/** @param dataBytes what follows the header; undefined if it is not known. */
function readHeader(bytes: Uint8Array, dataBytes: number | undefined, file: string): Header {
  const header = parseHeader(bytes, file);
  const metadata = requireMetadata(header[METADATA_KEY], file);
  const names = Object.keys(header).filter((name) => name !== METADATA_KEY);
  const entries = names.map((name) => requireEntry(name, header[name], file));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireFullCover(entries, dataBytes, file);
  return { entries, metadata };
}

const NOT_OURS = "check that it is a safetensors file";
const CUT_OFF = "the file is cut off or is no safetensors file: get it again";
const NOT_AS_WRITTEN = "the file is not what its writer left";

function parseHeader(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  const expected = "a header that is a JSON object";
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw fault(file, null, expected, inBrief(cause), NOT_OURS, cause);
  }
  if (!isRecord(header) || !text.startsWith("{")) throw fault(file, null, expected, "something else", NOT_OURS);
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fault(file, null, "names that differ", `"${twice}" twice in the header`);
  return header;
}

function requireMetadata(metadata: unknown, file: string): Readonly<Record<string, string>> {
  if (metadata === undefined) return {};
  const wrong = isRecord(metadata)
    ? Object.keys(metadata).find((key) => typeof metadata[key] !== "string")
    : METADATA_KEY;
  if (wrong === undefined) return metadata as Readonly<Record<string, string>>;
  throw fault(file, null, `text for every key of ${METADATA_KEY}`, `something else for "${wrong}"`);
}

function requireEntry(name: string, entry: unknown, file: string): Entry {
  if (!isRecord(entry)) throw fault(file, name, "an object of dtype, shape and data_offsets", inBrief(entry));
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !isStoredDtype(dtype)) {
    throw fault(file, name, `a dtype among ${Object.keys(STORED_BYTES).join(", ")}`, inBrief(dtype));
  }
  if (!isSizes(shape)) throw fault(file, name, "a shape of whole numbers", inBrief(shape));
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw fault(file, name, "data_offsets [begin, end]", inBrief(offsets));
  }
  const [begin, end] = [offsets[0]!, offsets[1]!];
  const tensor = { name, dtype, shape };
  requireSize(tensor, end - begin, file);
  return { tensor, begin, end };
}

function requireSize({ name, dtype, shape }: TensorInfo, bytes: number, file: string): void {
  const expected = shape.reduce((product, extent) => product * extent, STORED_BYTES[dtype]);
  if (expected === bytes) return;
  throw fault(file, name, `${expected} bytes for ${dtype} [${shape.join(", ")}]`, `${bytes}`);
}

/** Tensors must lie one after the other and fill the data: no byte shared, none unaccounted for. */
function requireFullCover(entries: readonly Entry[], dataBytes: number | undefined, file: string): void {
  let offset = 0;
  for (const { tensor, begin, end } of entries) {
    if (begin < offset) {
      throw fault(file, tensor.name, "data of its own", `${offset - begin} bytes shared with another tensor`);
    }
    if (begin > offset) {
      throw fault(file, tensor.name, `data that begins at byte ${offset}`, `a gap of ${begin - offset} bytes`);
    }
    if (dataBytes !== undefined && end > dataBytes) {
      throw fault(file, tensor.name, `data up to byte ${end}`, `a file whose data ends at ${dataBytes}`, CUT_OFF);
    }
    offset = end;
  }
  if (dataBytes === undefined || offset === dataBytes) return;
  throw fault(file, null, `${offset} bytes of data`, `${dataBytes}`, NOT_AS_WRITTEN);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function inBrief(value: unknown): string {
  const text = value instanceof Error ? value.message : (JSON.stringify(value) ?? "nothing");
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function fault(
  file: string,
  tensor: string | null,
  expected: string,
  got: string,
  advice?: string,
  cause?: unknown,
): FormatError {
  const where = tensor === null ? file : `${file}, tensor "${tensor}"`;
  return new FormatError({ where, expected, got, ...(advice === undefined ? {} : { advice }) }, { cause });
}
