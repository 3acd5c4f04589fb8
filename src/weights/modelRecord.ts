/**
 * What a model file says about the model besides its weights: JSON under the key `trama` of the file's metadata. It is
 * data, checked field by field; reading it runs no code that it names.
 */
import { FormatError, TramaError } from "../errors.ts";
import { isNormalisation, type Normalisation } from "../kernels/index.ts";
import { layerFrom, recordOf, type Layer, type LayerRecord, type Model, type Resize } from "../nn/index.ts";
import { VERSION } from "./version.ts";

/** Key of the metadata that makes a safetensors file one of Trama's model files. */
export const RECORD_KEY = "trama";
/** Raised when older versions could not read, or would misread, what newer ones write. */
const FORMAT_VERSION = 1;
const NORMALISATION = "numbers scale and shift, or mean and std";
/** Deeper nesting than any network has, and far less than what exhausts the stack. */
const MAX_DEPTH = 64;

/** All that is needed to build a model again; the weights are the file's tensors. */
export interface ModelRecord {
  readonly architecture: Layer;
  readonly input: readonly number[];
  readonly seed: number;
  readonly normalisation: Normalisation;
  readonly resize: Resize;
  readonly classNames: readonly string[];
  /** Version of Trama that wrote the file. */
  readonly version: string;
}

export function encodeRecord(model: Model): string {
  const { architecture, input, seed, normalisation, resize, classNames } = model;
  return JSON.stringify({
    formatVersion: FORMAT_VERSION,
    version: VERSION,
    architecture: recordOf(architecture),
    input,
    normalisation,
    resize,
    classNames,
    seed,
  });
}

/**
 * Reads the record of a file.
 * @param metadata of the safetensors file. @param file what errors call it.
 * @throws {FormatError} when there is none, it is of a newer format, or a field is not what it must be.
 */
export function decodeRecord(metadata: Readonly<Record<string, string>>, file: string): ModelRecord {
  const fields = parseRecord(metadata, file);
  requireKnownFormat(fields, file);
  const { input, seed, normalisation, resize = { mode: "bilinear" }, classNames, version } = fields;
  requireField(file, "input", isShape(input), "an input shape of whole numbers of at least 1", input);
  requireField(file, "seed", Number.isSafeInteger(seed), "a seed that is a whole number", seed);
  requireField(file, "normalisation", isNormalisation(normalisation), NORMALISATION, normalisation);
  requireField(file, "resize", isResize(resize), "a mode: nearest, bilinear or area", resize);
  requireField(file, "classNames", isTexts(classNames), "a list of class names", classNames);
  requireField(file, "version", typeof version === "string", "the version that wrote the file", version);
  const architecture = makeLayers(fields["architecture"], file);
  return { architecture, input, seed, normalisation, resize, classNames, version } as ModelRecord;
}

function parseRecord(metadata: Readonly<Record<string, string>>, file: string): Record<string, unknown> {
  const json = Object.hasOwn(metadata, RECORD_KEY) ? metadata[RECORD_KEY] : undefined;
  if (json === undefined) {
    throw new FormatError({
      where: file,
      expected: "a model saved by Trama",
      got: "weights without an architecture",
      advice: "build the architecture in code and call loadWeights(model, file)",
    });
  }
  try {
    const fields: unknown = JSON.parse(json);
    if (isRecord(fields)) return fields;
  } catch {
    // What is no JSON at all is refused like what is the wrong JSON.
  }
  throw new FormatError({ where: file, expected: "a description of the model as a JSON object", got: inBrief(json) });
}

function requireKnownFormat({ formatVersion, version }: Record<string, unknown>, file: string): void {
  if (formatVersion === FORMAT_VERSION) return;
  throw new FormatError({
    where: file,
    expected: `a model file of format ${FORMAT_VERSION}`,
    got: `format ${inBrief(formatVersion)}, written by Trama ${inBrief(version)}`,
    advice: "install a newer version of Trama",
  });
}

function requireField(file: string, name: string, sound: boolean, expected: string, got: unknown): void {
  if (!sound) throw new FormatError({ where: `${file}, field "${name}"`, expected, got: inBrief(got) });
}

/** Layer functions check their options; whatever they find wrong with a file's is the file's fault. */
function makeLayers(record: unknown, file: string): Layer {
  requireLayerRecord(record, file, 0);
  return blaming(file, () => layerFrom(record as LayerRecord, file));
}

/** Runs `build`, and turns what it throws into a `FormatError` that names the file. */
export function blaming<T>(file: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    const got = cause instanceof TramaError ? cause.message : "options that they cannot take";
    throw new FormatError({ where: file, expected: "layers that can be built", got }, { cause });
  }
}

function requireLayerRecord(record: unknown, file: string, depth: number): void {
  requireField(file, "architecture", depth < MAX_DEPTH, `layers at most ${MAX_DEPTH} deep`, `${depth} and more`);
  const sound = isRecord(record) && typeof record["kind"] === "string" && isRecord(record["config"]);
  requireField(file, "architecture", sound, "layers with a kind and a config", record);
  const children = (record as Record<string, unknown>)["children"] ?? [];
  requireField(file, "architecture", Array.isArray(children), "a list of layers", children);
  for (const child of children as unknown[]) requireLayerRecord(child, file, depth + 1);
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 1);
}

function isResize(value: unknown): value is Resize {
  if (!isRecord(value)) return false;
  const { mode, antialias = false } = value;
  return ["nearest", "bilinear", "area"].includes(mode as string) && typeof antialias === "boolean";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function inBrief(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
