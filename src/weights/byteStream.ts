/**
 * Bytes from front to back, whatever they come from: a path, an address, a response under way, a blob, or memory. Each
 * byte is read once and copied at most once, into the buffer that is asked for.
 */
import { streamFile } from "#files";
import { FormatError } from "../errors.ts";

/** Where a file may come from: its path or address, or what has been opened or read already. */
export type ByteSource = string | URL | Response | Blob | Uint8Array;

/** How much of a file has been read. */
export interface ReadProgress {
  readonly receivedBytes: number;
  /** Undefined where a server does not say. */
  readonly totalBytes: number | undefined;
}

export interface ByteStream {
  /** What errors call it. */
  readonly file: string;
  readonly totalBytes: number | undefined;
  /** The next bytes without taking them; fewer at the end of the file. */
  peek(count: number): Promise<Uint8Array>;
  /** The next bytes. @throws {FormatError} when the file ends before. */
  take(count: number): Promise<Uint8Array>;
  /** All that is left. */
  rest(): Promise<Uint8Array>;
  /** Lets go of the source; nothing can be read afterwards. */
  close(): Promise<void>;
}

export interface StreamOptions {
  /** What errors call the file. Default: its path, address or name. */
  readonly file?: string;
  /** Told of every piece that arrives. */
  readonly onProgress?: (progress: ReadProgress) => void;
}

/** What a file of unknown length is collected in, at first; it doubles. */
const FIRST_BUFFER_BYTES = 1 << 20;

/** Opens a source. @throws {FileError} when it cannot be read. */
export async function openByteStream(source: ByteSource, options: StreamOptions = {}): Promise<ByteStream> {
  const { file = nameOf(source), onProgress = () => undefined } = options;
  if (source instanceof Uint8Array) return memoryStream(source, file);
  if (!(source instanceof Blob)) return chunkStream(file, await streamFile(source), onProgress);
  // The body of a response is the one stream that both platforms read.
  const { chunks } = await streamFile(new Response(source));
  return chunkStream(file, { chunks, totalBytes: source.size }, onProgress);
}

function nameOf(source: ByteSource): string {
  if (typeof source === "string" || source instanceof URL) return String(source);
  const { url, name } = source as Partial<Response & File>;
  return url || name || "weights file";
}

/** Views of bytes that are there already. */
export function memoryStream(bytes: Uint8Array, file: string): ByteStream {
  let position = 0;
  return {
    file,
    totalBytes: bytes.length,
    peek: async (count) => bytes.subarray(position, position + count),
    take: async (count) => {
      if (count > bytes.length - position) throw endsEarly(file, position + count, bytes.length);
      position += count;
      return bytes.subarray(position - count, position);
    },
    rest: async () => {
      const rest = bytes.subarray(position);
      position = bytes.length;
      return rest;
    },
    close: async () => undefined,
  };
}

function chunkStream(
  file: string,
  { totalBytes, chunks }: Awaited<ReturnType<typeof streamFile>>,
  onProgress: (progress: ReadProgress) => void,
): ByteStream {
  const source = chunks[Symbol.asyncIterator]();
  let receivedBytes = 0;
  let position = 0;
  /** What has arrived and is not taken yet. */
  let pending: Uint8Array = new Uint8Array();

  async function next(): Promise<boolean> {
    const piece = await source.next();
    if (piece.done === true) return false;
    pending = piece.value;
    receivedBytes += pending.length;
    onProgress({ receivedBytes, totalBytes });
    return true;
  }

  /** Takes up to `count` bytes. What a file claims to hold is believed, and given memory, as far as bytes arrive. */
  async function takeUpTo(count: number): Promise<Uint8Array> {
    const known = totalBytes === undefined ? FIRST_BUFFER_BYTES : Math.max(totalBytes - position, 0);
    let buffer = new Uint8Array(Math.min(count, known));
    let length = 0;
    while (length < count) {
      if (pending.length === 0 && !(await next())) break;
      const piece = pending.subarray(0, count - length);
      if (length + piece.length > buffer.length) buffer = grown(buffer, length + piece.length, count);
      buffer.set(piece, length);
      pending = pending.subarray(piece.length);
      length += piece.length;
    }
    position += length;
    return buffer.subarray(0, length);
  }

  return {
    file,
    totalBytes,
    peek: async (count) => {
      const ahead = await takeUpTo(count);
      const joined = new Uint8Array(ahead.length + pending.length);
      joined.set(ahead);
      joined.set(pending, ahead.length);
      pending = joined;
      position -= ahead.length;
      return joined.subarray(0, ahead.length);
    },
    take: async (count) => {
      const bytes = await takeUpTo(count);
      if (bytes.length < count) throw endsEarly(file, position - bytes.length + count, position);
      return bytes;
    },
    rest: () => takeUpTo(Number.POSITIVE_INFINITY),
    close: async () => {
      await source.return?.();
    },
  };
}

function grown(buffer: Uint8Array, needed: number, limit: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(Math.max(needed, 2 * buffer.length), limit));
  larger.set(buffer);
  return larger;
}

function endsEarly(file: string, expected: number, got: number): FormatError {
  return new FormatError({
    where: file,
    expected: `at least ${expected} bytes`,
    got: `a file that ends after ${got}`,
    advice: "the file is cut off: get it again",
  });
}
