/** Checkpoints of the command line: kept up to date while training lasts, taken up with `--resume`, gone when all is done. */
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { checkpointing, readCheckpoint, type Callback, type Checkpoint } from "../train/index.ts";
import { requireWritable } from "./runs.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckpointOptions {
  readonly checkpoint?: string;
  readonly resume?: boolean;
}

/** Seconds of training that a crash may cost. */
const EVERY_SECONDS = 30;

export function withCheckpointOptions(command: Command): Command {
  return command
    .option("--checkpoint <file>", "where training can be taken up again (default: beside the model, as .checkpoint)")
    .option("--resume", "go on from the checkpoint with the bits of an uninterrupted training; without one, begin");
}

/** A checkpoint's place, what was found there, and how it is kept. */
export interface CheckpointPlace {
  readonly path: string;
  /** What to go on from; null where training begins. */
  readonly found: Checkpoint | null;
  readonly callback: Callback;
  /** Removes what is no longer needed. */
  clear(): Promise<void>;
}

/** Looks for a checkpoint if it is to be taken up, and makes sure that one can be written. */
export async function checkpointPlace(
  model: string,
  { checkpoint, resume = false }: CheckpointOptions,
  terminal: Terminal,
): Promise<CheckpointPlace> {
  const path = checkpoint ?? `${model.replace(/\.safetensors$/, "")}.checkpoint`;
  await requireWritable(path, "--checkpoint");
  await removeLeftovers(path);
  const found = resume ? await readCheckpoint(path) : null;
  if (resume && found === null) terminal.notice(`There is no checkpoint ${path}: training begins.`);
  return {
    path,
    found,
    callback: checkpointing({ path, everySeconds: EVERY_SECONDS, everyEpochs: 0 }),
    async clear() {
      for (const file of [path, `${path}.previous`, `${path}.next`]) await rm(file, { force: true });
    },
  };
}

/** A process that is killed while it writes leaves a file under a temporary name. */
async function removeLeftovers(path: string): Promise<void> {
  const [folder, start] = [dirname(path), `.${basename(path)}.next.`];
  for (const name of await readdir(folder)) {
    if (name.startsWith(start) && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
  }
}

/** Where a training was taken up, in words; null where it began. */
export function takenUp({ found, path }: CheckpointPlace): string | null {
  if (found === null) return null;
  const { epoch, step, steps } = found.record;
  return `taken up from ${path}: epoch ${epoch + 1}, step ${step}, ${steps} steps done in all`;
}
