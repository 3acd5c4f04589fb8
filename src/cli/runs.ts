/** The folder of trained models, and the one that was trained last. */
import { open, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileExists, writeFileAtomic } from "#files";
import { DataError, FormatError, OptionError, TramaError } from "../errors.ts";
import { runFileOf } from "../report/index.ts";

/** Below the folder in which the command runs. */
export const RUNS = "runs";

/**
 * Throws, before hours of work, unless a file can be written there; makes the folder on the way.
 * @throws {OptionError} for a folder, a place without permission, a full disk.
 */
export async function requireWritable(path: string, option = "--out"): Promise<void> {
  const where = `${option} ${path}`;
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

/** The newest file of a model of that kind in `runs/`. */
export async function lastModel(kind: ModelKind = "network"): Promise<string> {
  const names = await readdir(RUNS).catch((): string[] => []);
  const paths = names.filter((name) => name.endsWith(".safetensors")).map((name) => join(RUNS, name));
  const dated = await Promise.all(
    paths.map(async (path) => ({ path, time: (await stat(path)).mtimeMs, kind: await kindOf(path) })),
  );
  const newest = dated.filter((one) => one.kind === kind).sort((a, b) => b.time - a.time)[0];
  if (newest !== undefined) return newest.path;
  throw new DataError({
    where: "model",
    expected: `a trained ${kind === "svm" ? "SVM" : "model"} in ${join(process.cwd(), RUNS)}`,
    got: "none",
    advice: `run \`trama ${kind === "svm" ? "svm train" : "train"}\` here first, or name a file`,
  });
}

/** The record of the newest run in `runs/`. */
export async function lastRun(): Promise<string> {
  const names = await readdir(RUNS).catch((): string[] => []);
  const paths = names.filter((name) => name.endsWith(RUN_ENDING)).map((name) => join(RUNS, name));
  const dated = await Promise.all(paths.map(async (path) => ({ path, time: (await stat(path)).mtimeMs })));
  const newest = dated.sort((a, b) => b.time - a.time)[0];
  if (newest !== undefined) return newest.path;
  const expected = `a run in ${join(process.cwd(), RUNS)}`;
  throw new DataError({ where: "run", expected, got: "none", advice: "run `trama train` here first, or name a file" });
}

const RUN_ENDING = ".run.json";

/** The record that a name means: a file, what stands beside a model, or a run in `runs/`. */
export async function runNamed(name: string): Promise<string> {
  const places = [name, runFileOf(name), runFileOf(join(RUNS, name))].filter((path) => path.endsWith(RUN_ENDING));
  for (const path of places) if (await fileExists(path)) return path;
  const got = `none at ${places.join(", ")}`;
  throw new DataError({ where: `run "${name}"`, expected: "what `trama train` left beside its model", got });
}

export type ModelKind = "network" | "svm";

/** Key of the metadata that makes a safetensors file one of an SVM. */
export const SVM_KEY = "trama-svm";

/** Headers of models are far smaller. */
const MAX_HEADER_BYTES = 16e6;

/** Throws where a file holds an SVM. What is no model at all is left to whoever reads it. */
export async function requireNetwork(path: string): Promise<void> {
  if ((await kindOf(path)) === "network") return;
  throw new FormatError({
    where: path,
    expected: "a network that `trama train` saved",
    got: "a support vector machine",
    advice: "use `trama svm evaluate` or `trama svm predict`",
  });
}

/** Tells a file's kind by its header alone: an SVM can have hundreds of megabytes. */
async function kindOf(path: string): Promise<ModelKind> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "network";
  try {
    const prefix = Buffer.alloc(8);
    await file.read(prefix, 0, 8, 0);
    const length = Number(prefix.readBigUInt64LE());
    if (length > MAX_HEADER_BYTES) return "network";
    const header = Buffer.alloc(length);
    await file.read(header, 0, length, 8);
    const { __metadata__: metadata = {} } = JSON.parse(header.toString("utf8")) as { __metadata__?: object };
    return Object.hasOwn(metadata, SVM_KEY) ? "svm" : "network";
  } catch {
    return "network";
  } finally {
    await file.close();
  }
}
