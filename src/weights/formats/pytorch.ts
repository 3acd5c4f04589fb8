/**
 * PyTorch's files (`torch.save`): since version 1.6 a zip with a pickle and one entry for each storage; before, pickles
 * one after the other and the storages behind them (layout: PyTorch, `torch/serialization.py`).
 *
 * A tensor is a view of a storage: an offset, extents and strides. One in row-major order stays a view of the file,
 * however many tensors share its storage; another is gathered when it is asked for.
 */
import { FormatError } from "../../errors.ts";
import { STORED_BYTES, type StoredDtype, type StoredTensor } from "../dtypes.ts";
import { torch } from "../names/torch.ts";
import { gather } from "../strided.ts";
import { fileInMemory, type WeightsFile } from "../weightsFile.ts";
import { inBrief, unpickle, type PickleGlobal, type PickleHost } from "./pickle.ts";
import { findWeights } from "./stateDict.ts";
import type { ZipEntry } from "./zip.ts";

/** First of a legacy file's pickles. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/** PyTorch's own limit on axes. */
const MAX_RANK = 64;

/** `torch.FloatStorage` and its like; an untyped storage counts bytes. */
const STORAGES: Readonly<Record<string, StoredDtype>> = {
  "torch.BoolStorage": "BOOL",
  "torch.ByteStorage": "U8",
  "torch.CharStorage": "I8",
  "torch.ShortStorage": "I16",
  "torch.IntStorage": "I32",
  "torch.LongStorage": "I64",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.FloatStorage": "F32",
  "torch.DoubleStorage": "F64",
  "torch.storage.UntypedStorage": "U8",
};

const DTYPES: Readonly<Record<string, StoredDtype>> = {
  "torch.bool": "BOOL",
  "torch.uint8": "U8",
  "torch.uint16": "U16",
  "torch.uint32": "U32",
  "torch.uint64": "U64",
  "torch.int8": "I8",
  "torch.int16": "I16",
  "torch.int32": "I32",
  "torch.int64": "I64",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.float32": "F32",
  "torch.float64": "F64",
};

/** Elements that tensors share, or a part of them. */
interface Storage {
  readonly key: string;
  readonly dtype: StoredDtype;
  /** Elements of the whole, as the file keeps it. */
  readonly total: number;
  /** Where the part begins, and its number of elements. */
  readonly first: number;
  readonly count: number;
}

interface TorchTensor {
  readonly storage: Storage;
  readonly dtype: StoredDtype;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** What a pickle makes is maps, sets and arrays; whatever has a storage was made here. */
function isTensor(value: unknown): value is TorchTensor {
  return typeof value === "object" && value !== null && "storage" in value;
}

/** Reads a file of version 1.6 or later. @param entries of its zip. */
export async function openTorchZip(entries: ReadonlyMap<string, ZipEntry>, file: string): Promise<WeightsFile> {
  const pickle = [...entries.values()].find(({ name }) => /(^|\/)data\.pkl$/.test(name))!;
  const folder = pickle.name.slice(0, -"data.pkl".length);
  await requireLittleEndian(entries.get(`${folder}byteorder`), file);
  const storages: Storage[] = [];
  const bytes = await pickle.content();
  const { value } = unpickle(bytes, 0, file, hostOf(file, bytes.length, storages));
  const contents = new Map<string, Uint8Array>();
  for (const { key } of storages) {
    if (contents.has(key)) continue;
    const entry = entries.get(`${folder}data/${key}`);
    if (entry === undefined) throw fault(file, `an entry data/${key} in the archive`, "none");
    contents.set(key, await entry.content());
  }
  return fileOf(value, storages, contents, file);
}

/** Reads a file of an older version. */
export function openTorchLegacy(bytes: Uint8Array, file: string): WeightsFile {
  const storages: Storage[] = [];
  const host = hostOf(file, bytes.length, storages);
  let place = 0;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, place, file, host);
    place = end;
    return value;
  };
  const advice = "save the weights with torch.save";
  if (next() !== MAGIC) throw fault(file, "a file of PyTorch", "another pickle", advice);
  const protocol = next();
  if (protocol !== LEGACY_PROTOCOL) {
    throw fault(file, `PyTorch's protocol ${LEGACY_PROTOCOL}`, inBrief(protocol), advice);
  }
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true) throw bigEndian(file);
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw fault(file, "a list of storages", inBrief(keys));
  return fileOf(value, storages, legacyContents(bytes, place, keys, storages, file), file);
}

/** Behind the pickles: for each key, the number of elements in eight bytes, and the elements. */
function legacyContents(
  bytes: Uint8Array,
  start: number,
  keys: readonly unknown[],
  storages: readonly Storage[],
  file: string,
): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const itemBytes = new Map(storages.map(({ key, dtype }) => [key, STORED_BYTES[dtype]]));
  const contents = new Map<string, Uint8Array>();
  let place = start;
  for (const key of keys.map(inBrief)) {
    const item = itemBytes.get(key);
    if (item === undefined) throw fault(file, "storages that tensors use", `one of key ${key} that none does`);
    const begin = place + 8;
    const end = begin <= bytes.length ? begin + Number(view.getBigInt64(place, true)) * item : Number.POSITIVE_INFINITY;
    if (end < begin || end > bytes.length) throw fault(file, `storage ${key}`, "the end of the file");
    contents.set(key, bytes.subarray(begin, end));
    place = end;
  }
  return contents;
}

function fileOf(
  value: unknown,
  storages: readonly Storage[],
  contents: ReadonlyMap<string, Uint8Array>,
  file: string,
): WeightsFile {
  for (const { key, dtype, total } of storages) {
    const [expected, got] = [total * STORED_BYTES[dtype], contents.get(key)?.length ?? 0];
    if (expected !== got) throw fault(file, `${expected} bytes in storage ${key} (${total} of ${dtype})`, `${got}`);
  }
  const { tensors, skipped, notes } = findWeights(value, isTensor, file);
  const views = [...tensors].map(([name, tensor]) => viewOf(name, tensor, contents));
  return fileInMemory({ file, format: "pytorch", map: torch, skipped, notes }, views);
}

function viewOf(name: string, tensor: TorchTensor, contents: ReadonlyMap<string, Uint8Array>): StoredTensor {
  const { storage, dtype, offset, shape, strides } = tensor;
  const begin = storage.first * STORED_BYTES[storage.dtype] + offset * STORED_BYTES[dtype];
  return {
    name,
    dtype,
    shape,
    get bytes() {
      return gather(contents.get(storage.key)!.subarray(begin), STORED_BYTES[dtype], { shape, strides });
    },
  };
}

/**
 * All that a pickle of PyTorch's may ask for. Storages that it mentions are noted in `storages`.
 * @param budget number of values that may be copied. A pickle can have one long list copied at every few bytes; an honest
 * one copies what it has written once, and a byte writes no more than one value.
 */
function hostOf(file: string, budget: number, storages: Storage[]): PickleHost {
  let left = budget;
  const copied = (value: unknown): readonly unknown[] => {
    if (!Array.isArray(value)) throw fault(file, "a list", inBrief(value));
    left -= value.length;
    if (left < 0) throw fault(file, "values that are used as they are written", "one that is copied again and again");
    return value as unknown[];
  };
  const dictionary = (items: unknown = []): unknown =>
    items instanceof Map ? items : new Map(copied(items).map((pair) => copied(pair) as [unknown, unknown]));
  const set = (items: unknown = []): unknown => new Set(copied(items));
  const same = (value: unknown): unknown => value;
  const tensor: PickleGlobal = (storage, offset, shape, strides) => makeTensor(storage, offset, shape, strides, file);
  const globals: Readonly<Record<string, PickleGlobal>> = {
    "collections.OrderedDict": dictionary,
    "collections.Counter": dictionary,
    "builtins.set": set,
    "builtins.frozenset": set,
    "builtins.bytearray": same,
    // How Python 3 writes bytes into protocol 2. They are no weights, so their text will do.
    "_codecs.encode": same,
    "torch.Size": same,
    "torch.device": same,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor_v3": (storage, offset, shape, strides, _gradient, _hooks, dtype) =>
      makeTensor(storage, offset, shape, strides, file, dtype),
    "torch._utils._rebuild_parameter": same,
    "torch._utils._rebuild_parameter_with_state": same,
    "torch.nn.parameter.Parameter": same,
  };
  const named = [...Object.keys(STORAGES), ...Object.keys(DTYPES)].map((path): [string, string] => [path, path]);
  return {
    globals: new Map([...Object.entries(globals), ...named]),
    persistent: (id) => {
      const storage = makeStorage(id, file);
      storages.push(storage);
      return storage;
    },
  };
}

/** `("storage", type, key, device, count)`, and in legacy files a view of it: `(key, first, count)` or none. */
function makeStorage(id: unknown, file: string): Storage {
  const [kind, type, key, , total, view] = Array.isArray(id) ? (id as unknown[]) : [];
  const dtype = typeof type === "string" && Object.hasOwn(STORAGES, type) ? STORAGES[type] : undefined;
  if (kind !== "storage" || dtype === undefined) throw fault(file, "storages with a type", inBrief(kind));
  const [, first, count] = Array.isArray(view) ? (view as unknown[]) : [key, 0, total];
  if (!isCount(total) || !isCount(first) || !isCount(count) || first + count > total) {
    throw fault(file, `a storage ${inBrief(key)} with its size`, inBrief([total, first, count]));
  }
  return { key: inBrief(key), dtype, total, first, count };
}

function makeTensor(
  storage: unknown,
  offset: unknown,
  shape: unknown,
  strides: unknown,
  file: string,
  named?: unknown,
): TorchTensor {
  if (!isStorage(storage)) throw fault(file, "a tensor with a storage", "one without");
  const dtype = typeof named === "string" && Object.hasOwn(DTYPES, named) ? DTYPES[named]! : storage.dtype;
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw fault(file, "a tensor with an offset, extents and strides", inBrief([offset, shape, strides]));
  }
  const room = (storage.count * STORED_BYTES[storage.dtype]) / STORED_BYTES[dtype];
  const size = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.reduce((place, extent, axis) => place + (extent - 1) * strides[axis]!, offset);
  if (size > 0 && last >= room) {
    throw fault(file, `a tensor ${inBrief(shape)} within the ${room} elements of its storage`, `element ${last}`);
  }
  // A stride of zero repeats elements, and would make terabytes of one number.
  if (size > room) {
    const advice = "save what expand() made as tensor.contiguous()";
    throw fault(
      file,
      `a tensor of at most ${room} elements, as its storage has`,
      `${inBrief(shape)} with repetitions`,
      advice,
    );
  }
  return { storage, dtype, offset, shape, strides };
}

function isStorage(value: unknown): value is Storage {
  return typeof value === "object" && value !== null && "total" in value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isCount);
}

async function requireLittleEndian(entry: ZipEntry | undefined, file: string): Promise<void> {
  if (entry !== undefined && new TextDecoder().decode(await entry.content()) !== "little") throw bigEndian(file);
}

function bigEndian(file: string): FormatError {
  return fault(file, "little-endian numbers", "a file of a big-endian machine", "save the weights on another machine");
}

function fault(file: string, expected: string, got: string, advice = "the file is damaged: get it again"): FormatError {
  return new FormatError({ where: `${file} (PyTorch)`, expected, got, advice });
}
