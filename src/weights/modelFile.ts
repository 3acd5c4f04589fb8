/**
 * Models in files: one safetensors file that holds the weights and, in its metadata, all else that the model is made of.
 * Any safetensors reader can read the weights; `load` needs nothing but the file.
 */
import { readFile, writeFileAtomic } from "#files";
import { OptionError } from "../errors.ts";
import { build, parametersOf, type Model } from "../nn/index.ts";
import type { Device } from "../tensor/index.ts";
import type { StoredTensor } from "./dtypes.ts";
import { blaming, decodeRecord, encodeRecord, RECORD_KEY, type ModelRecord } from "./modelRecord.ts";
import { encodeSafetensors, parseSafetensors } from "./safetensors.ts";
import { fill, planFit } from "./weights.ts";

export interface SaveOptions {
  /** Free text kept with the model, such as the data that it was trained on. `describeModel` gives it back. */
  readonly notes?: Readonly<Record<string, string>>;
}

/** What a model file says about its model, without a device and without its weights. */
export interface ModelDescription extends ModelRecord {
  readonly notes: Readonly<Record<string, string>>;
}

/**
 * Saves a model as one safetensors file, wholly or not at all: after a full disk or a crash an older file is still there.
 * @param location path or `file:` URL; missing folders are made. A page has no files: use `saveBytes`.
 * @throws {FileError} when it cannot be written.
 */
export async function save(model: Model, location: string | URL, options: SaveOptions = {}): Promise<void> {
  await writeFileAtomic(location, await encodeModel(model, options));
}

/** What `save` would write. */
export async function saveBytes(model: Model, options: SaveOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const pieces = await encodeModel(model, options);
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

/**
 * Builds the model of a file on a device, ready to predict or to be trained further.
 * @param location path or `file:` URL in Node, address in a page.
 * @throws {FileError} when it cannot be read. @throws {FormatError} when it is no model file, or a broken one.
 */
export async function load(device: Device, location: string | URL): Promise<Model> {
  return loadBytes(device, await readFile(location), String(location));
}

/**
 * `load` from memory.
 * @param file what errors call it.
 */
export function loadBytes(device: Device, bytes: Uint8Array, file = "model file"): Model {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  const { architecture, ...options } = decodeRecord(metadata, file);
  // Before anything is allocated: a file may claim layers of any size, but has to bring their weights.
  const parameters = blaming(file, () => parametersOf(architecture, options.input));
  const plan = planFit(parameters, { file, tensors });
  const model = build(device, architecture, options);
  fill(model, plan, tensors, file);
  return model;
}

/** Reads what a model file says about its model. Needs no device. */
export async function describeModel(location: string | URL): Promise<ModelDescription> {
  const file = String(location);
  const { metadata } = parseSafetensors(await readFile(location), file);
  const { [RECORD_KEY]: _, ...notes } = metadata;
  return { ...decodeRecord(metadata, file), notes };
}

async function encodeModel(model: Model, { notes = {} }: SaveOptions): Promise<Uint8Array[]> {
  if (Object.hasOwn(notes, RECORD_KEY)) {
    throw new OptionError({
      where: "save",
      expected: `notes without the key "${RECORD_KEY}", which is Trama's`,
      got: "that key",
    });
  }
  const values = await model.device.readMany(model.parameters.map(({ tensor }) => tensor));
  const tensors = model.parameters.map(({ name, shape }, index): StoredTensor => {
    const { buffer, byteOffset, byteLength } = values[index]!;
    return { name, dtype: "F32", shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
  });
  return encodeSafetensors(tensors, { ...notes, [RECORD_KEY]: encodeRecord(model) });
}
