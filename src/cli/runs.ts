/** The folder of trained models, and the one that was trained last. */
import { readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "#files";
import { DataError, OptionError, TramaError } from "../errors.ts";

/** Below the folder in which the command runs. */
export const RUNS = "runs";

/**
 * Throws, before hours of training, unless a model can be written there; makes the folder on the way.
 * @throws {OptionError} for a folder, a place without permission, a full disk.
 */
export async function requireWritable(path: string): Promise<void> {
  const where = `--out ${path}`;
  const expected = "the name of a file that can be written";
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new OptionError({ where, expected, got: "a folder", advice: "add a file name" });
  const probe = join(dirname(path), `.trama-${process.pid}.tmp`);
  try {
    await writeFileAtomic(probe, new Uint8Array());
    await unlink(probe);
  } catch (cause) {
    if (!(cause instanceof TramaError)) throw cause;
    throw new OptionError({ where, expected, got: cause.got, advice: "give another place" }, { cause });
  }
}

/** The newest model file in `runs/`. */
export async function lastModel(): Promise<string> {
  const names = await readdir(RUNS).catch((): string[] => []);
  const paths = names.filter((name) => name.endsWith(".safetensors")).map((name) => join(RUNS, name));
  const dated = await Promise.all(paths.map(async (path) => ({ path, time: (await stat(path)).mtimeMs })));
  const newest = dated.sort((a, b) => b.time - a.time)[0];
  if (newest !== undefined) return newest.path;
  throw new DataError({
    where: "model",
    expected: `a trained model in ${join(process.cwd(), RUNS)}`,
    got: "none",
    advice: "run `trama train` here first, or name a file with --model",
  });
}
