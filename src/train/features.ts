/**
 * Features: what the first layers of a model, which training leaves as they are, make of each image. They are the same in
 * every epoch, so they are computed once, and the rest of the model is trained on them.
 *
 *   const { base, head } = splitFrozen(model);
 *   const { data } = await featuresOf(base, images, { cache: "features" });
 *   await fit(head, data);                                                    // what `head` learns, `model` has learnt
 *
 * In a file they are kept under a hash of all that they were made from. So a file is right or is not found, and one that
 * does not fit its own hash is made anew.
 */
import { fileExists, joinPath, readFile, writeFileAtomic } from "#files";
import { OptionError, TramaError } from "../errors.ts";
import { arrayDataset, type ArrayDataset, type ImageDataset } from "../data/index.ts";
import { advance, batchOf } from "../kernels/index.ts";
import { recordOf, splitFrozen, unsplittable, type Json, type Model } from "../nn/index.ts";
import { compile, holding, sizeOf } from "../tensor/index.ts";
import { encodeSafetensors, floatsOf, parseSafetensors, type StoredTensor } from "../weights/index.ts";
import { batchSource } from "./batchSource.ts";
import { digestOf, sha256 } from "./digest.ts";
import { checkBatchSize, defaultBatch, INFERENCE } from "./evaluate.ts";
import { checkFrozen, type FitOptions } from "./fit.ts";
import { lookOf } from "./residentDataset.ts";

export interface FeaturesOptions {
  /** Images a batch. Default: 64, or as many as the adapter can hold of the largest layer's values. */
  readonly batchSize?: number;
  /** Folder in which they are kept for later runs. Default: none, they are computed. */
  readonly cache?: string | URL | null;
  /** Whether layers may be frozen that were neither loaded nor trained, as in `fit`. Default: false. */
  readonly allowUntrainedFrozen?: boolean;
  /** Ends the work after the current batch; nothing is kept. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, count: number) => void;
}

export interface Features {
  /** Values `[count, …base.output]`, with the images' labels, names and origin. */
  readonly data: ArrayDataset;
  /** What computing them took, now or when the file was written; compiling is not counted. */
  readonly seconds: number;
  /** Whether they were read and not computed. */
  readonly found: boolean;
  /** Where they are kept; null where they are not. */
  readonly file: string | null;
  /** Why they could not be kept, or why a file that was there is not used; null where nothing is wrong. */
  readonly fault: string | null;
}

/** Raised when the same layers would make other features of the same images. */
const FORMAT = 1;
const RECORD_KEY = "trama-features";
const HASH_KEY = "sha256";
const MOST_IMAGES = 64;

/**
 * Runs images through layers in inference mode.
 * @param base ends in features of any shape: a part of a model, as `splitFrozen` gives it, or a whole one.
 * @throws {OptionError} where frozen layers know nothing. @throws the reason of `signal` when it is aborted.
 */
export async function featuresOf(base: Model, images: ImageDataset, options: FeaturesOptions = {}): Promise<Features> {
  const { cache = null, allowUntrainedFrozen = false } = options;
  if (!allowUntrainedFrozen) checkFrozen("featuresOf", base);
  if (cache === null) return { ...(await compute(base, images, options)), found: false, file: null, fault: null };
  const key = await keyOf(base, images);
  const file = joinPath(cache, `${key.slice(0, 32)}.safetensors`);
  const kept = await readFeatures(file, key, base, images);
  if (kept !== null && !(kept instanceof TramaError)) return { ...kept, found: true, file, fault: null };
  const computed = await compute(base, images, options);
  const unwritten = await writeFeatures(file, key, computed);
  const fault = (unwritten ?? kept)?.message ?? null;
  return { ...computed, found: false, file: unwritten === null ? file : null, fault };
}

type Computed = Pick<Features, "data" | "seconds">;

/** Batch by batch, one ahead of the one that is read. */
async function compute(base: Model, images: ImageDataset, options: FeaturesOptions): Promise<Computed> {
  const { signal, onProgress, batchSize = defaultBatch(base, MOST_IMAGES) } = options;
  const { device, output } = base;
  const { count } = images;
  const size = sizeOf(output);
  const rows = Math.min(checkBatchSize("featuresOf", batchSize), count);
  const batches = Math.ceil(count / rows);
  const values = new Float32Array(count * size);
  const seconds = await holding(async (hold) => {
    const source = batchSource(device, images, rows, hold);
    // Where images are no multiple of a batch, the first ones fill the last batch up: so one program is enough.
    const order = hold(device.tensor(Uint32Array.from({ length: batches * rows }, (_, at) => at % count)));
    const cursor = hold(device.zeros([1], "u32"));
    const program = await compile(device, [], () => {
      const { x } = batchOf(source.data, { order, cursor, rows, stride: rows, batches }, lookOf(base, source.data));
      const y = base.call(x, INFERENCE);
      advance(cursor);
      return y;
    });
    const began = performance.now();
    const next = () => {
      program.run();
      return program.outputs.read();
    };
    try {
      let ahead = next();
      for (let batch = 0; batch < batches; batch++) {
        const ready = ahead;
        if (batch + 1 < batches) ahead = next();
        ahead.catch(() => undefined); // awaited one batch later: until then its failure is not unhandled
        const begin = batch * rows * size;
        values.set((await ready).subarray(0, values.length - begin), begin);
        signal?.throwIfAborted();
        onProgress?.(Math.min(count, (batch + 1) * rows), count);
      }
    } finally {
      await device.idle();
      program.dispose();
    }
    return (performance.now() - began) / 1000;
  });
  return { data: asDataset(values, base, images), seconds };
}

/** The images' labels are not kept: with others, the features are the same. */
function asDataset(values: Float32Array, { output }: Model, images: ImageDataset): ArrayDataset {
  const { labels, classNames, origin, synthetic, split } = images;
  return arrayDataset({ values, labels, shape: output, classNames, origin, synthetic, split });
}

/** Changes with whatever changes a feature: layers and their parameters, pixels and how they are shown, the adapter. */
async function keyOf(base: Model, { images, shape }: ImageDataset): Promise<string> {
  const { device, steps, architecture, input, normalisation, resize, parameters } = base;
  const layers = steps.length > 0 ? steps.map(({ layer }) => recordOf(layer)) : [recordOf(architecture)];
  const { adapter, variant } = device;
  const made = { format: FORMAT, layers, input, normalisation, resize, shape, adapter: [adapter.name, variant] };
  const values = await device.readMany(parameters.map(({ tensor }) => tensor));
  const tensors = parameters.map(({ name, shape: extents }, index) => {
    const { buffer, byteOffset, byteLength } = values[index]!;
    return { name, shape: extents, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
  });
  const text = JSON.stringify([made, await sha256(images)]);
  return digestOf(text, tensors);
}

interface FeaturesRecord {
  readonly key: string;
  readonly seconds: number;
  readonly [more: string]: Json;
}

async function writeFeatures(file: string, key: string, { data, seconds }: Computed): Promise<TramaError | null> {
  const { values, count, shape } = data;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const tensor: StoredTensor = { name: "features", dtype: "F32", shape: [count, ...shape], bytes };
  const record: FeaturesRecord = { key, seconds };
  const text = JSON.stringify(record);
  const metadata = { [RECORD_KEY]: text, [HASH_KEY]: await digestOf(text, [tensor]) };
  return writeFileAtomic(file, encodeSafetensors([tensor], metadata)).then(() => null, faultOf);
}

/** What is kept under a name; null where nothing is, and what is wrong where it cannot be trusted. */
async function readFeatures(
  file: string,
  key: string,
  base: Model,
  images: ImageDataset,
): Promise<Computed | TramaError | null> {
  if (!(await fileExists(file))) return null;
  try {
    const { tensors, metadata } = parseSafetensors(await readFile(file), file);
    const [text = "", features] = [metadata[RECORD_KEY], tensors.get("features")];
    const expected = `features ${key.slice(0, 12)}… that fit their hash`;
    const refuse = (got: string) => new OptionError({ where: file, expected, got });
    if (features === undefined || metadata[HASH_KEY] !== (await digestOf(text, [features]))) {
      return refuse("others: the file is damaged");
    }
    const { key: own, seconds } = JSON.parse(text) as FeaturesRecord;
    if (own !== key) return refuse(`those of ${own.slice(0, 12)}…`);
    return { data: asDataset(floatsOf(features, file), base, images), seconds };
  } catch (error) {
    return faultOf(error);
  }
}

/** What is wrong with a file is no reason to stop; anything else is. */
function faultOf(error: unknown): TramaError {
  if (error instanceof TramaError) return error;
  throw error;
}

/** What of a training decides whether features may stand in for its images. */
export type FeatureSettings = Pick<FitOptions, "augmentation" | "mix">;

/**
 * Why a model cannot be trained on features of its first layers with the same outcome, in words; null where it can.
 * @param counts how many images each part has: the features of a part must fit into one binding.
 */
export function featuresDoubt(
  model: Model,
  { augmentation, mix }: FeatureSettings,
  counts: readonly number[] = [],
): string | null {
  const reason = unsplittable(model);
  if (reason !== null) return reason;
  if (Object.keys(augmentation ?? {}).length > 0) return "augmentation shows other images in every epoch";
  if (mix) return `${mix.mode} shows other images in every epoch`;
  const { base } = splitFrozen(model);
  const bytes = 4 * sizeOf(base.output) * Math.max(0, ...counts);
  const limit = model.device.gpu.limits.maxStorageBufferBindingSize;
  if (bytes <= limit) return null;
  return `they would take ${(bytes / 1e6).toFixed(0)} MB, and one binding of this adapter holds ${(limit / 1e6).toFixed(0)} MB`;
}
