/** Files in Node; see `PlatformFiles`, whose docstrings hold for the functions of the same names here. */
import { createHash, randomUUID } from "node:crypto";
import {
  appendFile as appendBytes,
  mkdir,
  open,
  readFile as readBytes,
  rename,
  stat,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGunzip } from "node:zlib";
import { fetchStream } from "./fetchStream.ts";
import { fileFault } from "./fileFaults.node.ts";
import {
  FileError,
  type ByteRanges,
  type FileContent,
  type FileStream,
  type PartialFile,
  type PlatformFiles,
} from "./files.ts";
import { listFilesBelow } from "./listFiles.node.ts";
import { openPartialFile } from "./partialFile.node.ts";
import { openFileRanges } from "./ranges.node.ts";

/** Large enough that a decompressed data set arrives in hundreds of chunks, small enough to stop a bomb early. */
const GUNZIP_CHUNK_BYTES = 256 * 1024;
/** Large enough that a call of the system costs nothing beside the copy, small enough for steady progress. */
const READ_CHUNK_BYTES = 1024 * 1024;

export async function readFile(location: string | URL): Promise<Uint8Array> {
  const path = pathOf(location);
  try {
    return await readBytes(path);
  } catch (cause) {
    throw fileFault(path, "read", cause);
  }
}

export async function streamFile(source: string | URL | Response): Promise<FileStream> {
  if (source instanceof Response || /^https?:/i.test(String(source))) return fetchStream(source);
  const path = pathOf(source);
  try {
    const found = await stat(path);
    return { totalBytes: found.isFile() ? found.size : undefined, chunks: chunksOf(path) };
  } catch (cause) {
    throw fileFault(path, "read", cause);
  }
}

/** Opens the file at the first chunk, so that a stream that nobody reads holds nothing open. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    for (;;) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(READ_CHUNK_BYTES));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (cause) {
    throw fileFault(path, "read", cause);
  } finally {
    await handle?.close();
  }
}

export async function openRanges(location: string | URL): Promise<ByteRanges> {
  return openFileRanges(pathOf(location));
}

export async function listFiles(folder: string | URL): Promise<readonly string[]> {
  return listFilesBelow(pathOf(folder));
}

export async function fileExists(location: string | URL): Promise<boolean> {
  return stat(pathOf(location)).then(
    (found) => found.isFile(),
    () => false,
  );
}

export async function writeFileAtomic(location: string | URL, content: FileContent): Promise<void> {
  const path = pathOf(location);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await refuseToReplaceNonFile(path);
    await makeFolder(dirname(path));
    await writeFlushed(temporary, content);
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw fileFault(path, "write", cause);
  }
  await flushFolder(dirname(path));
}

export async function appendFile(location: string | URL, content: Uint8Array): Promise<void> {
  const path = pathOf(location);
  try {
    await makeFolder(dirname(path));
    await appendBytes(path, content);
  } catch (cause) {
    throw fileFault(path, "write", cause);
  }
}

export async function renameFile(location: string | URL, to: string | URL): Promise<void> {
  const path = pathOf(to);
  await rename(pathOf(location), path).catch((cause: unknown) => {
    throw fileFault(path, "write", cause);
  });
  await flushFolder(dirname(path));
}

export function joinPath(folder: string | URL, name: string): string {
  return join(pathOf(folder), name);
}

export function environmentVariable(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

export function cacheDirectory(): string {
  const own = environmentVariable("TRAMA_CACHE");
  if (own !== undefined) return own;
  const shared = environmentVariable("XDG_CACHE_HOME");
  // The XDG specification says that a relative path there is invalid and to be ignored.
  return join(shared !== undefined && isAbsolute(shared) ? shared : join(homedir(), ".cache"), "trama");
}

export async function readCached(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = cachedLocation(folder, name);
  return (await fileExists(path)) ? readFile(path) : undefined;
}

export function cachedLocation(folder: string, name: string): string {
  return join(cacheDirectory(), folder, name);
}

export async function openPartial(folder: string, name: string): Promise<PartialFile> {
  return openPartialFile(cachedLocation(folder, name));
}

export async function* gunzipChunks(compressed: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES });
  gunzip.end(compressed);
  yield* gunzip as AsyncIterable<Uint8Array>;
}

export function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

function pathOf(location: string | URL): string {
  if (typeof location === "string") return location;
  if (location.protocol === "file:") return fileURLToPath(location);
  throw new FileError({
    where: location.href,
    expected: "a path or a file: URL",
    got: `a ${location.protocol} URL`,
    advice: "download the file first",
  });
}

/** A rename would swap a folder's, device's or pipe's name away from under whoever uses it. */
async function refuseToReplaceNonFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  throw new FileError({
    where: path,
    expected: "the name of a file",
    got: found.isDirectory() ? "a folder" : "a device or pipe",
    advice: "give another name",
  });
}

/** Not Node's recursive `mkdir`: where folders cannot be made at all, as below /proc, it tries for ever. */
async function makeFolder(path: string): Promise<void> {
  if (
    await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    )
  ) {
    return;
  }
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path).catch((cause: NodeJS.ErrnoException) => {
    // Another process may have been faster; a file in the way shows itself when it is entered.
    if (cause.code !== "EEXIST") throw cause;
  });
}

async function writeFlushed(path: string, content: FileContent): Promise<void> {
  const handle = await open(path, "wx");
  try {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the rename itself survive a power cut, where the file system can. */
async function flushFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } catch {
    // Some systems refuse to open or flush folders; the file itself is whole and in place.
  } finally {
    await handle?.close();
  }
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
