/**
 * IDX, the file format of MNIST and its relatives: two zero bytes, a type byte, the number of dimensions, each size
 * as a big-endian uint32, then the values, big-endian and row-major. Plain or gzipped.
 *
 * A header is a claim, not a fact: memory is allocated only after its sizes have been checked against a cap and against the
 * bytes that are really there, and a gz stream is read into that one allocation and stopped at the first byte too many.
 */
import { gunzipChunks } from "#files";
import { FormatError, OptionError } from "../errors.ts";

/** Element types that the format knows, by their names in `IdxArray`. */
export type IdxType = "uint8" | "int8" | "int16" | "int32" | "float32" | "float64";

/** Values of an IDX file, in the host's byte order. */
export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** The content of an IDX file. */
export interface IdxArray {
  readonly type: IdxType;
  /** 1 to 8 sizes, each at least 1; row-major. */
  readonly shape: readonly number[];
  /** As many values as the product of `shape`, of the type that `type` says. */
  readonly data: IdxData;
}

/** How far to trust an IDX file. */
export interface IdxReadOptions {
  /** Name that errors give the file. Default `IDX data`. */
  readonly file?: string;
  /** Largest payload accepted, in bytes, after decompression and without the header. Default 2³⁰. */
  readonly maxBytes?: number;
}

/** Payloads above this are refused unless the caller allows more. */
export const DEFAULT_MAX_IDX_BYTES = 2 ** 30;

interface ElementType {
  readonly code: number;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => IdxData;
}

const ELEMENT_TYPES: Readonly<Record<IdxType, ElementType>> = {
  uint8: { code: 0x08, bytes: 1, view: (buffer, offset, length) => new Uint8Array(buffer, offset, length) },
  int8: { code: 0x09, bytes: 1, view: (buffer, offset, length) => new Int8Array(buffer, offset, length) },
  int16: { code: 0x0b, bytes: 2, view: (buffer, offset, length) => new Int16Array(buffer, offset, length) },
  int32: { code: 0x0c, bytes: 4, view: (buffer, offset, length) => new Int32Array(buffer, offset, length) },
  float32: { code: 0x0d, bytes: 4, view: (buffer, offset, length) => new Float32Array(buffer, offset, length) },
  float64: { code: 0x0e, bytes: 8, view: (buffer, offset, length) => new Float64Array(buffer, offset, length) },
};

const MAX_DIMENSIONS = 8;
/** Bytes that hold every header, and some values after most. */
export const MAX_IDX_HEADER_BYTES = 4 + 4 * MAX_DIMENSIONS;
/** Deflate spends at least 2 bits on 258 bytes, so that no honest gz file expands further (RFC 1951). */
const MAX_DEFLATE_RATIO = 1032;
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** What the beginning of a file says about the rest. */
export interface IdxHeader {
  readonly type: IdxType;
  readonly shape: readonly number[];
  /** Bytes before the values. */
  readonly headerBytes: number;
  /** Bytes of the values. */
  readonly payloadBytes: number;
}

interface ReadLimits {
  readonly file: string;
  readonly maxBytes: number;
}

/**
 * Reads an IDX file, plain or gzipped (told apart by the first two bytes).
 * @returns the values; of a plain 8-bit file they share memory with `bytes`.
 * @throws {FormatError} for anything that is not exactly one IDX array within the limits.
 */
export async function readIdx(bytes: Uint8Array, options: IdxReadOptions = {}): Promise<IdxArray> {
  return isGzip(bytes) ? readGzippedIdx(bytes, limitsOf(options)) : parseIdx(bytes, options);
}

/**
 * Reads a plain IDX file; see `readIdx`.
 * @throws {FormatError} for anything that is not exactly one IDX array within the limits.
 */
export function parseIdx(bytes: Uint8Array, options: IdxReadOptions = {}): IdxArray {
  const limits = limitsOf(options);
  const header = parseHeader(bytes, limits);
  const payload = bytes.subarray(header.headerBytes);
  if (payload.length < header.payloadBytes) throw truncated(limits.file, header, payload.length);
  if (payload.length > header.payloadBytes) throw tooLong(limits.file, header, `${payload.length} bytes`);
  // Wider types need an aligned copy of their own, because their bytes are swapped in place.
  return toArray(header, ELEMENT_TYPES[header.type].bytes === 1 ? payload : payload.slice());
}

/**
 * Writes an IDX file, plain.
 * @throws {OptionError} when shape and data do not fit, or the format cannot hold them.
 */
export function encodeIdx(array: IdxArray): Uint8Array<ArrayBuffer> {
  requireEncodable(array);
  const element = ELEMENT_TYPES[array.type];
  const headerBytes = 4 + 4 * array.shape.length;
  const bytes = new Uint8Array(headerBytes + array.data.byteLength);
  const header = new DataView(bytes.buffer);
  header.setUint8(2, element.code);
  header.setUint8(3, array.shape.length);
  array.shape.forEach((size, at) => header.setUint32(4 + 4 * at, size));
  const payload = bytes.subarray(headerBytes);
  payload.set(new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength));
  swapToBigEndian(payload, element.bytes);
  return bytes;
}

/**
 * Reads the header alone, of a file whose values may be too many for memory.
 * @param bytes the file's first `MAX_IDX_HEADER_BYTES`, or all of it.
 * @throws {FormatError} when no IDX file begins so.
 */
export function parseIdxHeader(bytes: Uint8Array, file: string): IdxHeader {
  return parseHeader(bytes, { file, maxBytes: Number.MAX_SAFE_INTEGER });
}

/** Whether the bytes begin as a gzip stream does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

async function readGzippedIdx(compressed: Uint8Array, limits: ReadLimits): Promise<IdxArray> {
  let head: Uint8Array = new Uint8Array(0);
  let target: PayloadTarget | undefined;
  for await (const chunk of inflate(compressed, limits.file)) {
    if (target !== undefined) {
      appendPayload(target, chunk, limits.file);
      continue;
    }
    head = head.length === 0 ? chunk : concatenate(head, chunk);
    if (head.length < headerLength(head)) continue;
    target = allocateTarget(head, compressed.length, limits);
    appendPayload(target, head.subarray(target.header.headerBytes), limits.file);
  }
  if (target === undefined) throw headerTruncated(limits.file, head.length);
  if (target.filled < target.header.payloadBytes) throw truncated(limits.file, target.header, target.filled);
  return toArray(target.header, target.payload);
}

interface PayloadTarget {
  readonly header: IdxHeader;
  readonly payload: Uint8Array;
  filled: number;
}

function allocateTarget(head: Uint8Array, compressedBytes: number, limits: ReadLimits): PayloadTarget {
  const header = parseHeader(head, limits);
  const most = compressedBytes * MAX_DEFLATE_RATIO;
  if (header.payloadBytes > most) throw truncated(limits.file, header, most);
  return { header, payload: new Uint8Array(header.payloadBytes), filled: 0 };
}

function appendPayload(target: PayloadTarget, chunk: Uint8Array, file: string): void {
  if (target.filled + chunk.length > target.payload.length) {
    throw tooLong(file, target.header, `at least ${target.filled + chunk.length} bytes`);
  }
  target.payload.set(chunk, target.filled);
  target.filled += chunk.length;
}

/** Decompresses chunk by chunk; the decompressor's complaints become ours. */
async function* inflate(compressed: Uint8Array, file: string): AsyncGenerator<Uint8Array> {
  const chunks = gunzipChunks(compressed)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw brokenGzip(file, cause);
      });
      if (next.done === true) return;
      if (next.value.length > 0) yield next.value;
    }
  } finally {
    await chunks.return?.(undefined);
  }
}

/** Bytes of the header that begins with `head`; the least possible number while that is not known. */
function headerLength(head: Uint8Array): number {
  return 4 + 4 * Math.min(head[3] ?? 1, MAX_DIMENSIONS);
}

function parseHeader(bytes: Uint8Array, limits: ReadLimits): IdxHeader {
  if (bytes.length < 4) throw headerTruncated(limits.file, bytes.length);
  const type = parseType(bytes, limits.file);
  const dimensions = bytes[3] ?? 0;
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw new FormatError({
      where: limits.file,
      expected: `1 to ${MAX_DIMENSIONS} dimensions`,
      got: String(dimensions),
    });
  }
  const headerBytes = 4 + 4 * dimensions;
  if (bytes.length < headerBytes) throw headerTruncated(limits.file, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const shape = Array.from({ length: dimensions }, (_, at) => view.getUint32(4 + 4 * at));
  return { type, shape, headerBytes, payloadBytes: payloadLength(type, shape, limits) };
}

function parseType(bytes: Uint8Array, file: string): IdxType {
  const names = Object.keys(ELEMENT_TYPES) as IdxType[];
  const type = names.find((name) => ELEMENT_TYPES[name].code === bytes[2]);
  if (bytes[0] === 0 && bytes[1] === 0 && type !== undefined) return type;
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new FormatError({
    where: file,
    expected: "an IDX file, which begins with 00 00 and a type byte (08, 09, 0b, 0c, 0d or 0e)",
    got: `${start}${guessFormat(bytes)}`,
    advice: "delete the file and get it again",
  });
}

function guessFormat(bytes: Uint8Array): string {
  if (bytes[0] === 0x3c) return " (looks like a web page)";
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return " (looks like a zip archive)";
  return "";
}

function payloadLength(type: IdxType, shape: readonly number[], { file, maxBytes }: ReadLimits): number {
  let bytes = ELEMENT_TYPES[type].bytes;
  for (const size of shape) {
    if (size === 0) {
      throw new FormatError({ where: file, expected: "sizes of at least 1", got: `[${shape.join(", ")}]` });
    }
    // Checked after each factor, so that the product never leaves the exact whole numbers.
    bytes *= size;
    if (bytes > maxBytes) {
      throw new FormatError({
        where: file,
        expected: `at most ${maxBytes} bytes of values`,
        got: `sizes [${shape.join(", ")}] of ${type}`,
        advice: "raise maxBytes if such a file is really meant",
      });
    }
  }
  return bytes;
}

function toArray(header: IdxHeader, payload: Uint8Array): IdxArray {
  const { type, shape } = header;
  const element = ELEMENT_TYPES[type];
  swapToBigEndian(payload, element.bytes);
  return { type, shape, data: element.view(payload.buffer, payload.byteOffset, payload.length / element.bytes) };
}

/** Turns host order into big-endian and back, in place. */
function swapToBigEndian(bytes: Uint8Array, elementBytes: number): void {
  if (!HOST_IS_LITTLE_ENDIAN || elementBytes === 1) return;
  for (let start = 0; start < bytes.length; start += elementBytes) {
    bytes.subarray(start, start + elementBytes).reverse();
  }
}

function requireEncodable({ type, shape, data }: IdxArray): void {
  const where = "encodeIdx";
  const sizesFit = shape.every((size) => Number.isInteger(size) && size >= 1 && size < 2 ** 32);
  if (shape.length < 1 || shape.length > MAX_DIMENSIONS || !sizesFit) {
    throw new OptionError({ where, expected: "1 to 8 sizes of 1 to 2^32 - 1", got: `[${shape.join(", ")}]` });
  }
  const values = shape.reduce((product, size) => product * size, 1);
  if (values !== data.length) throw new OptionError({ where, expected: `${values} values`, got: String(data.length) });
  if (data.constructor === ELEMENT_TYPES[type].view(new ArrayBuffer(0), 0, 0).constructor) return;
  throw new OptionError({ where, expected: `an array of ${type}`, got: data.constructor.name });
}

function limitsOf({ file = "IDX data", maxBytes = DEFAULT_MAX_IDX_BYTES }: IdxReadOptions): ReadLimits {
  if (Number.isSafeInteger(maxBytes) && maxBytes > 0) return { file, maxBytes };
  throw new OptionError({ where: "maxBytes", expected: "a whole number of at least 1", got: String(maxBytes) });
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

function headerTruncated(file: string, length: number): FormatError {
  return new FormatError({
    where: file,
    expected: "an IDX header",
    got: `a file that ends after ${length} bytes`,
    advice: "delete the file and get it again",
  });
}

function truncated(file: string, header: IdxHeader, atMost: number): FormatError {
  return new FormatError({
    where: file,
    expected: `${header.payloadBytes} bytes for [${header.shape.join(", ")}] of ${header.type}`,
    got: `a truncated file with no more than ${atMost}`,
    advice: "delete the file and get it again",
  });
}

function tooLong(file: string, header: IdxHeader, got: string): FormatError {
  return new FormatError({
    where: file,
    expected: `${header.payloadBytes} bytes for [${header.shape.join(", ")}] of ${header.type} and nothing after them`,
    got,
    advice: "delete the file and get it again",
  });
}

function brokenGzip(file: string, cause: unknown): FormatError {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new FormatError(
    { where: file, expected: "a whole gzip stream", got, advice: "delete the file and get it again" },
    { cause },
  );
}
