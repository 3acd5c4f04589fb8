/** Transfer learning from the command line: weights found and loaded, layers frozen, features of these computed once. */
import { cacheDirectory, environmentVariable, fileExists, joinPath } from "#files";
import { DataError } from "../errors.ts";
import type { ImageDataset } from "../data/index.ts";
import type { DataParts, PreparedRun, Transfer } from "../experiments/index.ts";
import { freeze, splitFrozen, type Model } from "../nn/index.ts";
import { featuresDoubt, featuresOf, type DataInMemory, type Features } from "../train/index.ts";
import { loadWeights } from "../weights/index.ts";
import type { DataOptions } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { count, duration, labelled } from "./text.ts";

/** Gives a model the weights that it begins with, and freezes what is not to learn. */
export async function takeOver(
  model: Model,
  { weights, frozen }: Transfer,
  options: DataOptions,
  terminal: Terminal,
): Promise<void> {
  if (weights !== null) {
    const { text, loaded, missing } = await loadWeights(
      model,
      await findWeights(weights.file, options),
      weights.options,
    );
    for (const [index, line] of text.split("\n").entries()) {
      terminal.say(...labelled(index === 0 ? terminal.bold("Weights") : "", line.trim(), terminal.width));
    }
    terminal.event("weights", { file: weights.file, loaded: loaded.length, missing });
  }
  if (frozen.length === 0) return;
  const reports = frozen.map((selection) => freeze(model, selection));
  const learnable = reports.at(-1)!.learnable;
  const layers = new Set(reports.flatMap((report) => report.layers)).size;
  const text = `${layers} ${layers === 1 ? "layer" : "layers"}; ${count(learnable)} of ${count(model.size)} parameters learn`;
  terminal.say(...labelled(terminal.bold("Frozen"), text, terminal.width), "");
}

/** A file by its name, where data lies: as the name says, in the data folder, in `weights` there or beside it, in the cache. */
export async function findWeights(file: string, { data }: DataOptions): Promise<string> {
  const folder = data ?? environmentVariable("TRAMA_DATA");
  const near = folder === undefined ? [] : [folder, joinPath(folder, "weights"), joinPath(folder, "../weights")];
  const folders = [...near, joinPath(cacheDirectory(), "weights")];
  const places = [file, ...folders.map((each) => joinPath(each, file))];
  for (const place of places) if (await fileExists(place)) return place;
  throw new DataError({
    where: `weights "${file}"`,
    expected: `a file in ${folders.join(", ")}`,
    got: "none of that name",
    advice: "put it there, or name the data folder beside it: --data DIR",
  });
}

/** What is trained, and on what: a model on images, or its last layers on features of these. */
export interface Learner {
  readonly model: Model;
  readonly training: DataInMemory;
  readonly validation: DataInMemory | null;
  readonly test: DataInMemory;
  /** Of computing features, now or when they were written; null where there are none. */
  readonly features: FeaturesCost | null;
}

export interface FeaturesCost {
  readonly images: number;
  /** Of all parts, and of the test part alone. */
  readonly seconds: number;
  readonly testSeconds: number;
  /** Whether all were found where an earlier run kept them. */
  readonly found: boolean;
}

/** Trains the last layers alone where the first are frozen and nothing else changes by it; says which, and why not. */
export async function learnerOf(
  model: Model,
  parts: DataParts,
  { fit, keepsFeatures, transfer }: PreparedRun,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Learner> {
  const { training, validation, test } = parts;
  const whole: Learner = { model, training, validation, test, features: null };
  if (transfer.frozen.length === 0) return whole;
  const counts = [training, ...(validation ? [validation] : []), test].map((part) => part.count);
  const reason = keepsFeatures ? featuresDoubt(model, fit, counts) : "the experiment says so";
  if (reason !== null) {
    terminal.say(...labelled(terminal.bold("Features"), `not kept: ${reason}`, terminal.width), "");
    terminal.event("features", { kept: false, reason });
    return whole;
  }
  const { base, head } = splitFrozen(model);
  const cache = joinPath(cacheDirectory(), "features");
  const { allowUntrainedFrozen = false } = fit;
  const of = (images: ImageDataset): Promise<Features> =>
    featuresOf(base, images, { cache, allowUntrainedFrozen, signal, onProgress: progressOf(images, terminal) });
  const made = { training: await of(training), validation: validation && (await of(validation)), test: await of(test) };
  const all = [made.training, ...(made.validation ? [made.validation] : []), made.test];
  const features: FeaturesCost = {
    images: counts.reduce((sum, images) => sum + images, 0),
    seconds: all.reduce((sum, { seconds }) => sum + seconds, 0),
    testSeconds: made.test.seconds,
    found: all.every(({ found }) => found),
  };
  tell(features, all, cache, terminal);
  return {
    model: head,
    training: made.training.data,
    validation: made.validation?.data ?? null,
    test: made.test.data,
    features,
  };
}

function tell(
  { images, seconds, found }: FeaturesCost,
  all: readonly Features[],
  cache: string,
  terminal: Terminal,
): void {
  const faults = all.flatMap(({ fault }) => fault ?? []);
  for (const fault of faults) terminal.notice(`Features: ${fault}`);
  const where = all.every(({ file }) => file !== null) ? `kept in ${cache}` : "not kept";
  const how = found
    ? `found in ${cache}, once computed in ${duration(seconds)}`
    : `computed once (${duration(seconds)}), ${where}`;
  terminal.say(...labelled(terminal.bold("Features"), `of ${count(images)} images ${how}`, terminal.width), "");
  terminal.event("features", { kept: true, images, seconds, found, faults });
}

/** A line that moves on where there is a terminal; nothing elsewhere. */
function progressOf({ split }: ImageDataset, terminal: Terminal): (done: number, images: number) => void {
  if (!terminal.showsProgress || !process.stdout.isTTY) return () => undefined;
  return (done, images) => {
    const line = `Features of the ${split} part: ${count(done)} of ${count(images)} images`;
    process.stdout.write(`\r\u001b[K${done === images ? "" : terminal.dim(line)}`);
  };
}
