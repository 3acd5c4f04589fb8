/**
 * A download's `.part` file beside its destination, so that an interrupted download is taken up by the next run.
 * One process at a time owns it, shown by a `.part.owner` file with the process number; a second one downloads into a
 * private file instead of mixing its bytes in.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, writeFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { fileFault } from "./fileFaults.node.ts";
import type { PartialFile } from "./files.ts";

interface PartialPaths {
  readonly destination: string;
  readonly part: string;
  /** Undefined for a private part, which nobody takes up later. */
  readonly owner: string | undefined;
}

/** Opens or takes up the `.part` file of `destination`, whose folder is made if missing. */
export async function openPartialFile(destination: string): Promise<PartialFile> {
  return guarded(destination, async () => {
    await mkdir(dirname(destination), { recursive: true });
    const paths = await claim(destination);
    const handle = await open(paths.part, "a+");
    const { size } = await handle.stat();
    return partialFile(paths, handle, size);
  });
}

function partialFile(paths: PartialPaths, handle: FileHandle, alreadyReceived: number): PartialFile {
  let receivedBytes = alreadyReceived;
  let committed = false;
  const guard = <T>(action: () => Promise<T>): Promise<T> => guarded(paths.part, action);
  return {
    get receivedBytes() {
      return receivedBytes;
    },
    append: (chunk) =>
      guard(async () => {
        await handle.appendFile(chunk);
        receivedBytes += chunk.length;
      }),
    reset: () =>
      guard(async () => {
        await handle.truncate(0);
        receivedBytes = 0;
      }),
    content: () => guard(() => readFile(paths.part)),
    commit: () =>
      guard(async () => {
        await handle.sync();
        await rename(paths.part, paths.destination);
        committed = true;
      }),
    close: async () => {
      await handle.close();
      if (paths.owner !== undefined) await rm(paths.owner, { force: true });
      else if (!committed) await rm(paths.part, { force: true });
    },
  };
}

async function claim(destination: string): Promise<PartialPaths> {
  const part = `${destination}.part`;
  const owner = `${part}.owner`;
  if (await takeOwnership(owner)) return { destination, part, owner };
  return { destination, part: `${part}.${randomUUID()}`, owner: undefined };
}

async function takeOwnership(owner: string): Promise<boolean> {
  if (await tryCreate(owner)) return true;
  const holder = Number(await readFile(owner, "utf8").catch(() => ""));
  if (isRunning(holder)) return false;
  await rm(owner, { force: true });
  return tryCreate(owner);
}

async function tryCreate(owner: string): Promise<boolean> {
  try {
    await writeFile(owner, String(process.pid), { flag: "wx" });
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw cause;
  }
}

function isRunning(processNumber: number): boolean {
  if (!Number.isInteger(processNumber) || processNumber < 1) return false;
  try {
    process.kill(processNumber, 0);
    return true;
  } catch (cause) {
    // EPERM: it runs, under another user.
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}

async function guarded<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw fileFault(path, "write", cause);
  }
}
