/**
 * What differs between Node and a page where files are concerned, and nothing else. `package.json` maps `#files` to
 * `files.node.ts` or `files.browser.ts`; both export exactly the functions of `PlatformFiles`.
 */
import { TramaError } from "../errors.ts";

/** A file cannot be read or written: missing, not allowed, disk full. */
export class FileError extends TramaError {
  override readonly name = "FileError";
}

/** Bytes to write: at once, or piece by piece. */
export type FileContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A file as it arrives, from front to back. */
export interface FileStream {
  /** Undefined where a server does not say, or compresses on the way. */
  readonly totalBytes: number | undefined;
  /** Can be walked once; leaving early closes the file or stops the transfer. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** A download under way: what has arrived so far, kept where an interrupted run finds it again if the platform can. */
export interface PartialFile {
  /** Bytes that have arrived. */
  readonly receivedBytes: number;
  append(chunk: Uint8Array): Promise<void>;
  /** Forgets what has arrived. */
  reset(): Promise<void>;
  /** All that has arrived. */
  content(): Promise<Uint8Array>;
  /** Puts the finished file in its place, at once and wholly. */
  commit(): Promise<void>;
  /** Lets go of it; what has arrived stays for a later run unless it was committed. */
  close(): Promise<void>;
}

/** A file read in pieces, in any order. */
export interface ByteRanges {
  readonly byteLength: number;
  /**
   * Exactly `length` bytes from `offset` on. Calls may overlap.
   * @throws {FileError} when the file ends before that.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The face that both platform files show. */
export interface PlatformFiles {
  /**
   * Reads a whole file: a path or file URL in Node, an address relative to the page in a browser.
   * @throws {FileError} when there is none or it cannot be read.
   */
  readFile(location: string | URL): Promise<Uint8Array>;
  /**
   * Opens a file for reading from front to back, or what a server has answered. Addresses that begin with `http:` or
   * `https:` are fetched in Node too.
   * @throws {FileError} when there is none. Reading throws it when the file ends badly.
   */
  streamFile(source: string | URL | Response): Promise<FileStream>;
  /**
   * Opens a file to be read in pieces; in a page the server must answer requests for ranges.
   * @throws {FileError} when there is none or it cannot be read so.
   */
  openRanges(location: string | URL): Promise<ByteRanges>;
  /**
   * Paths of all files below a folder, relative to it, with forward slashes, in code-unit order; hidden ones are left out.
   * @throws {FileError} when there is no such folder; in a page always.
   */
  listFiles(folder: string | URL): Promise<readonly string[]>;
  /** Whether there is a readable file (not a folder). */
  fileExists(location: string | URL): Promise<boolean>;
  /**
   * Writes a file wholly or not at all: to a temporary name in the same folder, flushed to disk, then renamed. Missing
   * folders are made.
   * @throws {FileError} when it cannot be written (full disk, no permission, a folder of that name; in a page always).
   * Nothing half-written is left, and an older file of that name stays as it was.
   */
  writeFileAtomic(location: string | URL, content: FileContent): Promise<void>;
  /**
   * Adds bytes to the end of a file, for logs that other programs read meanwhile; a missing file and its folders are made.
   * @throws {FileError} when it cannot; in a page always.
   */
  appendFile(location: string | URL, content: Uint8Array): Promise<void>;
  /**
   * Gives a file another name in the same folder, at once; a file of that name is replaced.
   * @throws {FileError} when it cannot; in a page always.
   */
  renameFile(location: string | URL, to: string | URL): Promise<void>;
  /** Name inside a folder, in the platform's notation. */
  joinPath(folder: string | URL, name: string): string;
  /** A non-empty environment variable; always undefined in a page. */
  environmentVariable(name: string): string | undefined;
  /**
   * Trama's cache folder: `TRAMA_CACHE`, else `XDG_CACHE_HOME/trama`, else `~/.cache/trama`; in a page the name of its
   * Cache storage.
   */
  cacheDirectory(): string;
  /** A cached file, or undefined when there is none. */
  readCached(folder: string, name: string): Promise<Uint8Array | undefined>;
  /** Where a cached file lies, in words for people. */
  cachedLocation(folder: string, name: string): string;
  /** Opens or takes up the download of a file into the cache. */
  openPartial(folder: string, name: string): Promise<PartialFile>;
  /** Decompresses gzip chunk by chunk, so that the reader can stop a bomb. Iteration throws on broken streams. */
  gunzipChunks(compressed: Uint8Array): AsyncIterable<Uint8Array>;
  /** MD5 as 32 hexadecimal digits: recognises published files, protects against accidents only. */
  md5(bytes: Uint8Array): string;
}
