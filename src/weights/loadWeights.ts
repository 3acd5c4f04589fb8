/** Weights of a file, whatever program wrote it, into a model. */
import type { Model } from "../nn/index.ts";
import { sizeOf } from "../tensor/index.ts";
import type { ByteSource, StreamOptions } from "./byteStream.ts";
import { flattenedInputs } from "./flattened.ts";
import { openWeights } from "./openWeights.ts";
import { parseSafetensors } from "./safetensors.ts";
import { arranged, fill, planFit, writeAll, type FitOptions, type FitPlan, type FitReport } from "./weights.ts";
import type { WeightsFile, WeightsFormat } from "./weightsFile.ts";

export interface LoadWeightsOptions extends FitOptions, StreamOptions {}

/** What became of a file's tensors and of a model's parameters. */
export interface LoadReport extends FitReport {
  readonly file: string;
  readonly format: WeightsFormat;
  /** What had to be done to reach the weights, in words. */
  readonly notes: readonly string[];
  /** All of this, to be printed. */
  readonly text: string;
}

/** Names listed in a report. */
const MAX_LISTED = 4;

/**
 * Replaces the weights of a model by those of a file: safetensors, PyTorch, Keras or NPZ (see `openWeights`).
 * @param source path, or address in a page; `http:` and `https:` addresses everywhere; a response, a blob, bytes; or a file
 * that `openWeights` has opened, which stays open.
 * @throws {FormatError} listing missing, unexpected and mismatched tensors. @throws {ShapeError} when only shapes differ.
 * @throws {DtypeError} for weights that are whole numbers. The model is unchanged after any error.
 */
export async function loadWeights(
  model: Model,
  source: ByteSource | WeightsFile,
  options: LoadWeightsOptions = {},
): Promise<LoadReport> {
  if (isWeightsFile(source)) return readInto(model, source, options);
  const file = await openWeights(source, options);
  try {
    return await readInto(model, file, options);
  } finally {
    await file.close();
  }
}

/**
 * `loadWeights` from a safetensors file in memory, at once.
 * @param file what errors call it.
 */
export function loadWeightsBytes(
  model: Model,
  bytes: Uint8Array,
  file = "weights file",
  options: FitOptions = {},
): LoadReport {
  const { tensors } = parseSafetensors(bytes, file);
  const plan = planFor(model, { file, tensors }, options);
  fill(model, plan, tensors, file);
  return reportOf(model, { file, format: "safetensors", notes: [] }, plan);
}

function isWeightsFile(source: ByteSource | WeightsFile): source is WeightsFile {
  return typeof source === "object" && "tensors" in source;
}

async function readInto(model: Model, file: WeightsFile, options: FitOptions): Promise<LoadReport> {
  const plan = planFor(model, file, options);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  // Nothing is written before all has been read: a transfer may break off in the last tensor.
  for await (const tensor of file.read((name) => plan.fits.has(name))) {
    const fit = plan.fits.get(tensor.name)!;
    values.set(fit.parameter.name, arranged(fit, tensor, file.file));
  }
  writeAll(model, values);
  return reportOf(model, file, plan);
}

function planFor(model: Model, file: Parameters<typeof planFit>[1], options: FitOptions): FitPlan {
  const flattened = { ...Object.fromEntries(flattenedInputs(model)), ...options.flattened };
  return planFit(model.parameters, file, { ...options, flattened });
}

function reportOf(
  model: Model,
  { file, format, notes }: Pick<LoadReport, "file" | "format" | "notes">,
  { report }: FitPlan,
): LoadReport {
  const { loaded, missing, unexpected, reshaped, skipped } = report;
  const own = new Set(loaded);
  const numbers = model.parameters.reduce((sum, { name, shape }) => sum + (own.has(name) ? sizeOf(shape) : 0), 0);
  const changes = reshaped.map(
    ({ source, from, name, to }) => `${source} [${from.join(", ")}] → ${name} [${to.join(", ")}]`,
  );
  const lines = [
    `${file} (${format}): ${loaded.length} of ${model.parameters.length} tensors, ${numbers.toLocaleString("en")} numbers`,
    ...notes,
    ...listed("in another layout", changes),
    ...listed("not loaded, they keep their values", missing),
    ...listed("in the file only", unexpected),
    ...listed("skipped", skipped),
  ];
  return { ...report, file, format, notes, text: lines.join("\n  ") };
}

function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > MAX_LISTED ? ", …" : "";
  return [`${names.length} ${what}: ${names.slice(0, MAX_LISTED).join(", ")}${rest}`];
}
