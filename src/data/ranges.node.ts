/** A file read in pieces, in any order, by its descriptor. */
import { open, type FileHandle } from "node:fs/promises";
import { fileFault } from "./fileFaults.node.ts";
import { FileError, type ByteRanges } from "./files.ts";

/** See `PlatformFiles.openRanges`. */
export async function openFileRanges(path: string): Promise<ByteRanges> {
  const { handle, byteLength } = await openFile(path);
  return {
    byteLength,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      const filled = await fill(bytes, handle, path, offset);
      if (filled === length) return bytes;
      throw new FileError({
        where: path,
        expected: `${length} bytes from ${offset} on`,
        got: `a file that ends after ${offset + filled}`,
        advice: "open it again, it has changed",
      });
    },
    close: () => handle.close(),
  };
}

async function openFile(path: string): Promise<{ readonly handle: FileHandle; readonly byteLength: number }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const found = await handle.stat();
    // Node opens folders too, and complains only when they are read.
    if (found.isDirectory()) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
    return { handle, byteLength: found.size };
  } catch (cause) {
    await handle?.close();
    throw fileFault(path, "read", cause);
  }
}

/** Reads until `bytes` is full or the file ends; the system may give less than it is asked for. */
async function fill(bytes: Uint8Array, handle: FileHandle, path: string, offset: number): Promise<number> {
  let filled = 0;
  try {
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  } catch (cause) {
    throw fileFault(path, "read", cause);
  }
}
