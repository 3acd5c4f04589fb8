/** Files in a page; see `PlatformFiles`, whose docstrings hold for the functions of the same names here. */
import { fetchFile, fetchStream } from "./fetchStream.ts";
import { fetchRanges } from "./fetchRanges.ts";
import {
  FileError,
  type ByteRanges,
  type FileContent,
  type FileStream,
  type PartialFile,
  type PlatformFiles,
} from "./files.ts";
import { md5Hex } from "./md5.ts";

const CACHE_NAME = "trama";

export async function readFile(location: string | URL): Promise<Uint8Array> {
  const response = await fetchFile(location);
  return new Uint8Array(await response.arrayBuffer());
}

export async function streamFile(source: string | URL | Response): Promise<FileStream> {
  return fetchStream(source);
}

export async function openRanges(location: string | URL): Promise<ByteRanges> {
  return fetchRanges(location);
}

export async function listFiles(folder: string | URL): Promise<readonly string[]> {
  throw new FileError({
    where: String(folder),
    expected: "a file system to list the folder of",
    got: "a page",
    advice: "let the user choose the folder with <input type=file webkitdirectory>, and give its files",
  });
}

export async function fileExists(location: string | URL): Promise<boolean> {
  return fetch(location, { method: "HEAD" }).then(
    (response) => response.ok,
    () => false,
  );
}

export async function writeFileAtomic(location: string | URL, _content: FileContent): Promise<void> {
  throw noFileSystem(location);
}

export async function appendFile(location: string | URL, _content: Uint8Array): Promise<void> {
  throw noFileSystem(location);
}

export async function renameFile(location: string | URL, _to: string | URL): Promise<void> {
  throw noFileSystem(location);
}

function noFileSystem(location: string | URL): FileError {
  return new FileError({
    where: String(location),
    expected: "a file system to write to",
    got: "a page",
    advice: "take the bytes and offer them as a download",
  });
}

export function joinPath(folder: string | URL, name: string): string {
  return `${String(folder).replace(/\/+$/, "")}/${name}`;
}

export function environmentVariable(_name: string): string | undefined {
  return undefined;
}

export function cacheDirectory(): string {
  return CACHE_NAME;
}

export async function readCached(folder: string, name: string): Promise<Uint8Array | undefined> {
  const cache = await openCache();
  const response = await cache?.match(cacheKey(folder, name));
  return response === undefined ? undefined : new Uint8Array(await response.arrayBuffer());
}

export function cachedLocation(folder: string, name: string): string {
  return `${folder}/${name} in this site's "${CACHE_NAME}" cache`;
}

export async function openPartial(folder: string, name: string): Promise<PartialFile> {
  return partialInMemory(async (content) => {
    const cache = await openCache();
    // A page without storage (private mode, full quota) works all the same; it downloads again next time.
    await cache?.put(cacheKey(folder, name), new Response(new Blob([content]))).catch(() => undefined);
  });
}

export async function* gunzipChunks(compressed: Uint8Array): AsyncGenerator<Uint8Array> {
  const source = new Blob([asOwnBuffer(compressed)]).stream();
  const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export function md5(bytes: Uint8Array): string {
  return md5Hex(bytes);
}

function partialInMemory(store: (content: Uint8Array<ArrayBuffer>) => Promise<void>): PartialFile {
  let chunks: Uint8Array[] = [];
  let receivedBytes = 0;
  const joined = (): Uint8Array<ArrayBuffer> => {
    const whole = new Uint8Array(receivedBytes);
    let offset = 0;
    for (const chunk of chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    return whole;
  };
  return {
    get receivedBytes() {
      return receivedBytes;
    },
    append: async (chunk) => {
      chunks.push(chunk);
      receivedBytes += chunk.length;
    },
    reset: async () => {
      chunks = [];
      receivedBytes = 0;
    },
    content: async () => joined(),
    commit: () => store(joined()),
    close: async () => undefined,
  };
}

/** Undefined where the Cache API is not offered (insecure origins, some private modes). */
async function openCache(): Promise<Cache | undefined> {
  if (typeof caches === "undefined") return undefined;
  return caches.open(CACHE_NAME).catch(() => undefined);
}

function cacheKey(folder: string, name: string): string {
  return `/${CACHE_NAME}-cache/${folder}/${name}`;
}

function asOwnBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
}

// Compile-time proof that this file shows the whole face.
void ({
  readFile,
  openRanges,
  listFiles,
  streamFile,
  fileExists,
  writeFileAtomic,
  appendFile,
  renameFile,
  joinPath,
  environmentVariable,
  cacheDirectory,
  readCached,
  cachedLocation,
  openPartial,
  gunzipChunks,
  md5,
} satisfies PlatformFiles);
