/** SVMs in files: arrays as safetensors, all else as JSON in its metadata. */
import { readFile, writeFileAtomic } from "#files";
import { FormatError, TramaError } from "../../errors.ts";
import {
  fromTensors,
  hogLength,
  toTensors,
  type NamedTensor,
  type PipelineConfig,
  type SvmPipeline,
} from "../../svm/index.ts";
import { encodeSafetensors, parseSafetensors, valuesOf, VERSION, type StoredTensor } from "../../weights/index.ts";
import { SVM_KEY } from "../runs.ts";

/** A model, and what a person wants to know about it. */
export interface SvmFile {
  readonly pipeline: SvmPipeline;
  readonly classNames: readonly string[];
  /** Origin of the data that it was trained on, and how many images there were. */
  readonly notes: Readonly<Record<string, string>>;
}

/** Writes the file wholly or not at all. Returns its size. */
export async function saveSvm({ pipeline, classNames, notes }: SvmFile, path: string): Promise<number> {
  const { tensors, config } = toTensors(pipeline);
  const stored = Object.entries(tensors).map(([name, { data, shape }]): StoredTensor => {
    // A view of shared memory cannot be written: slice() copies it.
    const { buffer, byteOffset, byteLength } = data.buffer instanceof ArrayBuffer ? data : data.slice();
    return { name, dtype: dtypeOf(data), shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
  });
  // The widest elements first, so that each is stored at a multiple of its size.
  stored.sort((a, b) => Number(b.dtype === "F64") - Number(a.dtype === "F64"));
  const record = JSON.stringify({ version: VERSION, classNames, config });
  const pieces = encodeSafetensors(stored, { [SVM_KEY]: record, ...notes });
  await writeFileAtomic(path, pieces);
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function dtypeOf(data: NamedTensor["data"]): "F32" | "F64" | "I32" {
  if (data instanceof Float64Array) return "F64";
  return data instanceof Float32Array ? "F32" : "I32";
}

/** @throws {FileError} when it cannot be read. @throws {FormatError} when it is no SVM, or a broken one. */
export async function loadSvm(path: string): Promise<SvmFile> {
  const { tensors, metadata } = parseSafetensors(await readFile(path), path);
  const { [SVM_KEY]: record, ...notes } = metadata;
  if (record === undefined) {
    const network = Object.hasOwn(metadata, "trama");
    throw new FormatError({
      where: path,
      expected: "an SVM that `trama svm train` saved",
      got: network ? "a network" : "weights of something else",
      ...(network ? { advice: "use `trama evaluate` or `trama predict`" } : {}),
    });
  }
  try {
    const { classNames, config } = JSON.parse(record) as { classNames: string[]; config: PipelineConfig };
    if (!Array.isArray(classNames) || classNames.some((name) => typeof name !== "string")) {
      throw new TypeError("class names");
    }
    const named: Record<string, NamedTensor> = {};
    // `fromTensors` checks that each array is of the type that it has to be.
    for (const [name, tensor] of tensors) {
      named[name] = { data: valuesOf(tensor) as NamedTensor["data"], shape: tensor.shape };
    }
    const pipeline = fromTensors({ tensors: named, config });
    requirePlausible(pipeline);
    return { pipeline, classNames, notes };
  } catch (cause) {
    const got = cause instanceof TramaError ? cause.message : "a description that cannot be read";
    throw new FormatError({ where: path, expected: "a whole SVM", got, advice: "train it again" }, { cause });
  }
}

/** Throws unless the features that the file describes are those that its machine knows. */
function requirePlausible({ image, features, classifier }: SvmPipeline): void {
  const { height, width, channels } = image;
  const sides = [height, width, channels];
  if (!sides.every((side) => Number.isSafeInteger(side) && side >= 1)) throw new TypeError("size of pictures");
  const expected = classifier.type === "svc" ? classifier.supportVectors.columns : classifier.columns;
  const columns = features === "pixels" ? height * width * channels : hogLength(height, width, features);
  if (columns === expected) return;
  throw new FormatError({ where: "its features", expected: `${expected}, as its machine has`, got: String(columns) });
}

/** How a model is introduced. */
export function describeSvm({ pipeline }: SvmFile): string {
  const { classifier, image } = pipeline;
  const size = `for pictures of ${image.height}×${image.width}×${image.channels}`;
  if (classifier.type === "linear") return `linear SVM of ${classifier.columns} features ${size}`;
  const { kernel, supportVectors } = classifier;
  return `${kernel.type} SVM with ${supportVectors.rows} support vectors of ${supportVectors.columns} features ${size}`;
}
