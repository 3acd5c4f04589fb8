/**
 * Keras's weights in HDF5, through the package `h5wasm`: the layout of Keras 1 and 2 (`save_weights`, and whole models,
 * whose weights lie under `model_weights`), and that of Keras 3 (`.weights.h5`, and the same inside a `.keras` zip).
 *
 * Names in such files are what its program happened to call its variables: `conv1_1/kernel:0`, `uniform7`, `vars/0`. Keras
 * itself goes by order, layer by layer, and so does this: a tensor is named after its layer and after its part in it,
 * which its name says if it is a name of Keras's, else its rank and place.
 */
import type { Dataset, File as HdfFile, Group } from "h5wasm";
import { DataError, FormatError } from "../../errors.ts";
import type { StoredDtype, StoredTensor } from "../dtypes.ts";
import { fileInMemory, type WeightsFile } from "../weightsFile.ts";
import { classNames, partNames } from "./kerasNames.ts";

/** Where a `.keras` zip has its weights, and what it says about its layers. */
export const KERAS_ARCHIVE_WEIGHTS = "model.weights.h5";
export const KERAS_ARCHIVE_CONFIG = "config.json";

/** More groups than any model has layers; links can make a file's tree endless. */
const MAX_GROUPS = 100_000;

/** An open file. */
interface Hdf {
  readonly root: HdfFile;
  readonly file: string;
  /** Does something with the library, whose errors come out as ours. */
  readonly guarded: <T>(action: () => T) => T;
  readonly close: () => void;
}

/**
 * Reads a file. It stays open, in memory, until it is closed.
 * @param config of a `.keras` archive: the layers' own names, where Keras 3 keeps only their classes.
 * @throws {DataError} without `h5wasm`. @throws {FormatError} when it is no file of Keras's weights.
 */
export async function openKeras(bytes: Uint8Array, file: string, config?: string): Promise<WeightsFile> {
  const hdf = await openHdf(bytes, file);
  try {
    const skipped: string[] = [];
    const tensors = hdf.guarded(() => weightsIn(hdf, config, skipped));
    requireDistinct(tensors, file);
    return { ...fileInMemory({ file, format: "keras", skipped }, tensors), close: async () => hdf.close() };
  } catch (error) {
    hdf.close();
    throw error;
  }
}

let opened = 0;

async function openHdf(bytes: Uint8Array, file: string): Promise<Hdf> {
  const { ready, File } = await loadLibrary(file);
  const library = await ready;
  /** The library is C: what it says of a broken file has many forms, and goes to the console if it is not caught. */
  const guarded = <T>(action: () => T): T => {
    library.activate_throwing_error_handler();
    try {
      return action();
    } catch (cause) {
      if (cause instanceof FormatError) throw cause;
      const [got] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
      throw fault(file, "an HDF5 file", got || "a broken one", cause);
    } finally {
      library.deactivate_throwing_error_handler();
    }
  };
  // The library reads from a file system of its own, in memory; nothing else is reachable from there.
  const path = `/trama-${opened++}.h5`;
  library.FS.writeFile(path, bytes);
  try {
    const root = guarded(() => new File(path, "r"));
    const close = (): void => {
      root.close();
      library.FS.unlink(path);
    };
    return { root, file, guarded, close };
  } catch (error) {
    library.FS.unlink(path);
    throw error;
  }
}

async function loadLibrary(file: string) {
  try {
    return await import("h5wasm");
  } catch (cause) {
    const expected = "the package `h5wasm`, which reads Keras's HDF5 files";
    const advice = "run `npm install h5wasm`; a page without a bundler names it in an import map";
    throw new DataError({ where: file, expected, got: "none installed", advice }, { cause });
  }
}

function weightsIn(hdf: Hdf, config: string | undefined, skipped: string[]): StoredTensor[] {
  const { root, file } = hdf;
  const inner = root.keys().includes("model_weights") ? root.get("model_weights") : null;
  const group = inner !== null && "keys" in inner ? inner : root;
  const layers = texts(group, "layer_names");
  if (layers !== undefined) return layers.flatMap((layer) => layerWeights(hdf, group, layer));
  const found = numberedWeights(hdf, config, skipped);
  if (found.length > 0) return found;
  throw fault(file, "weights of Keras", "an HDF5 file without layer_names and vars");
}

/** A list of names; long ones are cut into several attributes, because HDF5 limits their size. */
function texts({ attrs }: Group, name: string): readonly string[] | undefined {
  const whole = attrs[name]?.value;
  if (whole !== undefined) return textsOf(whole);
  const parts: string[] = [];
  for (let part = 0; ; part++) {
    const attribute = attrs[`${name}${part}`];
    if (attribute === undefined) break;
    parts.push(...textsOf(attribute.value));
  }
  return parts.length > 0 ? parts : undefined;
}

/** A layer without weights has an empty list of numbers. */
function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** The weights of one layer of Keras 1 and 2, in the order in which its group lists them. */
function layerWeights(hdf: Hdf, group: Group, layer: string): StoredTensor[] {
  const { file } = hdf;
  const own = group.get(layer);
  if (own === null || !("keys" in own)) throw fault(file, `a group "${layer}"`, "none");
  const names = texts(own, "weight_names") ?? [];
  const datasets = names.map((name) => datasetAt(own, name, `${file}, layer "${layer}"`));
  const parts = partNames(names, datasets.map(shapeOf));
  return datasets.map((dataset, index) => described(hdf, dataset, `${layer}/${parts[index]!}`));
}

/**
 * The weights of Keras 3: groups by class and number (`layers/conv2d_3`), each with its weights in `vars`, by number.
 * @param skipped takes the names of what is no weight of a layer: an optimizer's moments, a generator's seed.
 */
function numberedWeights(hdf: Hdf, config: string | undefined, skipped: string[]): StoredTensor[] {
  const { root, file } = hdf;
  const names = classNames(config);
  const found: StoredTensor[] = [];
  const open: { group: Group; path: readonly string[] }[] = [{ group: root, path: [] }];
  for (let count = 0; open.length > 0; count++) {
    if (count > MAX_GROUPS) throw fault(file, `at most ${MAX_GROUPS} groups`, "more");
    const { group, path } = open.pop()!;
    const keys = group.keys().sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    for (const key of keys.reverse()) {
      const child = group.get(key);
      if (child === null || !("keys" in child)) continue;
      if (key === "vars") found.push(...layerVariables(hdf, child, path, names, skipped));
      else open.push({ group: child, path: [...path, key] });
    }
  }
  return found;
}

/** Groups that only collect layers; they are no part of a name. */
const COLLECTIONS = new Set(["layers", "_layer_checkpoint_dependencies"]);
const NO_LAYERS = /^(optimizer|metrics|seed_generator|loss_tracker|compile_metrics)/;

function layerVariables(
  hdf: Hdf,
  variables: Group,
  path: readonly string[],
  names: ReadonlyMap<string, string>,
  skipped: string[],
): StoredTensor[] {
  const keys = variables.keys().sort((a, b) => Number(a) - Number(b));
  if (path.some((part) => NO_LAYERS.test(part))) {
    skipped.push(...keys.map((key) => [...path, key].join("/")));
    return [];
  }
  const own = path.filter((part) => !COLLECTIONS.has(part));
  const layer = own.map((part, depth) => names.get(own.slice(0, depth + 1).join("/")) ?? part).join("/");
  const datasets = keys.map((key) => datasetAt(variables, key, hdf.file));
  const parts = partNames(keys, datasets.map(shapeOf));
  return datasets.map((dataset, index) => described(hdf, dataset, `${layer}/${parts[index]!}`));
}

function datasetAt(group: Group, name: string, where: string): Dataset {
  const found = group.get(name);
  if (found !== null && "slice" in found) return found;
  throw fault(where, `a data set "${name}"`, "none");
}

function shapeOf({ shape }: Dataset): readonly number[] {
  return shape ?? [];
}

/** Classes of HDF5's types. */
const [INTEGER, FLOAT] = [0, 1];

function described({ file, guarded }: Hdf, dataset: Dataset, name: string): StoredTensor {
  const { type, size, signed, littleEndian } = dataset.metadata;
  const dtype = `${type === FLOAT ? "F" : signed ? "I" : "U"}${8 * size}`;
  const isKnown = type === FLOAT ? size === 4 || size === 8 : type === INTEGER && [1, 2, 4, 8].includes(size);
  if (!isKnown || !(littleEndian || size === 1)) {
    throw new FormatError({
      where: `${file}, tensor "${name}"`,
      expected: "little-endian numbers of 32 or 64 bits",
      got: `${littleEndian ? "" : "big-endian "}${dtype} of HDF5 class ${type}`,
      advice: "save the model with float32 weights",
    });
  }
  return {
    name,
    dtype: dtype as StoredDtype,
    shape: shapeOf(dataset),
    get bytes() {
      return guarded(() => contentOf(dataset));
    },
  };
}

function contentOf(dataset: Dataset): Uint8Array {
  const { value } = dataset;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const { type, size } = dataset.metadata;
  if (typeof value !== "number" || type !== FLOAT) throw new Error("a data set without numbers");
  return new Uint8Array((size === 4 ? Float32Array.of(value) : Float64Array.of(value)).buffer);
}

function requireDistinct(tensors: readonly StoredTensor[], file: string): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) throw fault(file, "weights whose names differ", `"${name}" twice`);
    names.add(name);
  }
}

function fault(where: string, expected: string, got: string, cause?: unknown): FormatError {
  return new FormatError({ where, expected, got, advice: "the file is damaged or of another program" }, { cause });
}
