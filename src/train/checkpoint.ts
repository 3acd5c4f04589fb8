/**
 * Checkpoints: parameters, optimiser, step, place in the epoch, history and what callbacks remember, in one safetensors
 * file with a hash over all of it. Written to a temporary name and renamed; the one before is kept until the new one is
 * whole, and read in its place if the new one is not.
 */
import { fileExists, readFile, renameFile, writeFileAtomic } from "#files";
import { FormatError, TramaError } from "../errors.ts";
import type { Json } from "../nn/index.ts";
import { arrayTypeOf, sameShape, type Dtype, type Shape, type TypedArray } from "../tensor/index.ts";
import { encodeSafetensors, parseSafetensors, type StoredTensor } from "../weights/index.ts";
import type { EpochResult } from "./callback.ts";
import { digestOf } from "./digest.ts";

export interface Checkpoint {
  readonly record: CheckpointRecord;
  readonly tensors: ReadonlyMap<string, StateTensor>;
}

/** All of a checkpoint but its tensors. */
export interface CheckpointRecord {
  /** What must be the same when training goes on: seed, batch size, data, optimiser, parameters. */
  readonly settings: Readonly<Record<string, Json>>;
  /** Epoch under way (from 0), and steps of it that are done. */
  readonly epoch: number;
  readonly step: number;
  /** Steps done in all. */
  readonly steps: number;
  readonly seconds: number;
  readonly rateFactor: number;
  readonly history: readonly EpochResult[];
  readonly callbacks: Readonly<Record<string, RememberedCallback>>;
}

export interface RememberedCallback {
  readonly state: Json;
  /** The epochs of the snapshots that it keeps; their tensors are `snapshot/<callback>/<index>/<chunk>`. */
  readonly snapshots: readonly number[];
}

export interface StateTensor {
  readonly dtype: Exclude<Dtype, "f16">;
  readonly shape: Shape;
  readonly values: TypedArray;
}

const RECORD_KEY = "trama-checkpoint";
const HASH_KEY = "sha256";
const VERSION = 1;
const STORED = { f32: "F32", u32: "U32", i32: "I32" } as const;

/** The bytes of a checkpoint's file. */
export async function encodeCheckpoint({ record, tensors }: Checkpoint): Promise<Uint8Array[]> {
  const stored = [...tensors].map(([name, { dtype, shape, values }]): StoredTensor => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { name, dtype: STORED[dtype], shape, bytes };
  });
  const text = JSON.stringify({ version: VERSION, ...record });
  return encodeSafetensors(stored, { [RECORD_KEY]: text, [HASH_KEY]: await digestOf(text, stored) });
}

/**
 * Reads a checkpoint from memory.
 * @throws {FormatError} when it is none, is damaged, or comes from another version.
 */
export async function decodeCheckpoint(bytes: Uint8Array, file = "checkpoint"): Promise<Checkpoint> {
  const { tensors, metadata } = parseSafetensors(bytes, file);
  const text = metadata[RECORD_KEY];
  if (text === undefined) throw fault(file, "a checkpoint of a training", "a safetensors file without one");
  if (metadata[HASH_KEY] !== (await digestOf(text, [...tensors.values()]))) {
    throw fault(file, "contents that fit their hash", "others: the file is damaged");
  }
  const { version, ...record } = JSON.parse(text) as CheckpointRecord & { version: number };
  if (version !== VERSION) throw fault(file, `version ${VERSION} of the format`, String(version));
  const state = [...tensors].map(([name, stored]): [string, StateTensor] => [name, stateTensor(stored, file)]);
  return { record, tensors: new Map(state) };
}

function stateTensor({ name, dtype, shape, bytes }: StoredTensor, file: string): StateTensor {
  const own = (Object.keys(STORED) as (keyof typeof STORED)[]).find((key) => STORED[key] === dtype);
  if (!own) throw fault(`${file}, tensor "${name}"`, "F32, U32 or I32", dtype);
  return { dtype: own, shape, values: new (arrayTypeOf(own))(new Uint8Array(bytes).buffer) };
}

/** The newest checkpoint before it has its name, and the one before it. */
const nextOf = (path: string) => `${path}.next`;
const previousOf = (path: string) => `${path}.previous`;

/** Writes a checkpoint. Whatever happens meanwhile, one whole checkpoint is there. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeFileAtomic(nextOf(path), await encodeCheckpoint(checkpoint));
  if (await fileExists(path)) await renameFile(path, previousOf(path));
  await renameFile(nextOf(path), path);
}

/**
 * Reads the newest whole checkpoint: the file itself, or the one before where that is missing or damaged; null when there
 * is neither.
 * @throws {FormatError} when there are files, and none is whole.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint | null> {
  let broken: TramaError | null = null;
  for (const file of [path, nextOf(path), previousOf(path)]) {
    if (!(await fileExists(file))) continue;
    try {
      return await decodeCheckpoint(await readFile(file), file);
    } catch (error) {
      if (!(error instanceof TramaError)) throw error;
      broken ??= error;
    }
  }
  if (broken) throw broken;
  return null;
}

/** Throws unless a checkpoint belongs to a training with these settings. */
export function checkSettings(record: CheckpointRecord, settings: Readonly<Record<string, Json>>): void {
  const differing = Object.keys(settings).filter(
    (key) => JSON.stringify(settings[key]) !== JSON.stringify(record.settings[key]),
  );
  if (differing.length === 0) return;
  const say = (from: Readonly<Record<string, Json>>) =>
    differing.map((key) => `${key} ${JSON.stringify(from[key] ?? null)}`).join(", ");
  throw new FormatError({
    where: "resume",
    expected: say(settings),
    got: `a checkpoint of ${say(record.settings)}`,
    advice: "resume with the options and data that it was begun with, or begin anew",
  });
}

/** Throws unless a checkpoint's tensor fits where it is to go. */
export function requireTensor(checkpoint: Checkpoint, name: string, shape: Shape): TypedArray {
  const found = checkpoint.tensors.get(name);
  if (found && sameShape(found.shape, shape)) return found.values;
  throw fault(
    "resume",
    `a tensor "${name}" of shape [${shape.join(", ")}]`,
    found ? `[${found.shape.join(", ")}]` : "none",
  );
}

function fault(where: string, expected: string, got: string): FormatError {
  return new FormatError({ where, expected, got });
}
