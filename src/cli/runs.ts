/** The folder of trained models, and the one that was trained last. */
import { access, constants, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DataError, OptionError } from "../errors.ts";

/** Below the folder in which the command runs. */
export const RUNS = "runs";

/**
 * Throws, before hours of training, unless a model can be written there.
 * @throws {OptionError} for a folder, and for a place without permission.
 */
export async function requireWritable(path: string): Promise<void> {
  const expected = "the name of a file that can be written";
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new OptionError({ where: `--out ${path}`, expected, got: "a folder", advice: "add a file name" });
  }
  let folder = dirname(resolve(path));
  while (!(await isThere(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  const sound = await stat(folder).then((entry) => entry.isDirectory());
  const writable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (sound && writable) return;
  const got = sound ? `no permission to write in ${folder}` : `a path through the file ${folder}`;
  throw new OptionError({ where: `--out ${path}`, expected, got, advice: "give another place" });
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

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
