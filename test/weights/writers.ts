/** Files of other programs, assembled byte by byte for tests: pickles opcode by opcode, and zips around them. */
import { deflateRawSync } from "node:zlib";

type Piece = number | string | Uint8Array | readonly Piece[];

/** Bytes of numbers, of text as UTF-8, of bytes, and of lists of these. */
export function bytesOf(...pieces: readonly Piece[]): Uint8Array {
  const parts = pieces.map((piece): Uint8Array => {
    if (typeof piece === "number") return Uint8Array.of(piece);
    if (typeof piece === "string") return new TextEncoder().encode(piece);
    return piece instanceof Uint8Array ? piece : bytesOf(...piece);
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** A whole number in `count` bytes, the lowest first. */
export function littleEndian(value: number | bigint, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => Number((BigInt(value) >> BigInt(8 * index)) & 0xffn));
}

/** Opcodes by what they do; arguments follow them in the stream. */
export const op = {
  proto: (version: number): Piece => [0x80, version],
  mark: "(",
  stop: ".",
  reduce: "R",
  build: "b",
  persistent: "Q",
  none: "N",
  dup: "2",
  emptyDictionary: "}",
  emptyList: "]",
  emptyTuple: ")",
  append: "a",
  appends: "e",
  setItem: "s",
  setItems: "u",
  tuple: "t",
  tuple1: 0x85,
  tuple2: 0x86,
  tuple3: 0x87,
  false: 0x89,
  put: (index: number): Piece => ["q", index],
  longPut: (index: number): Piece => ["r", littleEndian(index, 4)],
  get: (index: number): Piece => ["h", index],
  global: (module: string, name: string): Piece => `c${module}\n${name}\n`,
  text: (text: string): Piece => ["X", littleEndian(Buffer.byteLength(text), 4), text],
  int: (value: number): Piece => ["J", littleEndian(value, 4)],
  long: (value: number | bigint, count = 8): Piece => [0x8a, count, littleEndian(value, count)],
} as const;

export interface TensorParts {
  readonly storage?: string;
  readonly key?: string;
  /** Elements of the storage. */
  readonly count: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** A legacy file's storages end with what they are a view of. */
  readonly view?: Piece;
}

/** What leaves a tensor on the stack. */
export function tensorPickle(parts: TensorParts): Piece {
  const { storage = "FloatStorage", key = "0", count, offset = 0, shape, strides, view } = parts;
  const tuple = (values: readonly number[]): Piece => [op.mark, ...values.map((value) => op.long(value)), op.tuple];
  const identifier = [op.text("storage"), op.global("torch", storage), op.text(key), op.text("cpu"), op.long(count)];
  return [
    op.global("torch._utils", "_rebuild_tensor_v2"),
    [op.mark, [op.mark, ...identifier, ...(view === undefined ? [] : [view]), op.tuple, op.persistent]],
    [op.long(offset), tuple(shape), tuple(strides), op.false, op.emptyDictionary, op.tuple, op.reduce],
  ];
}

/** What leaves a dictionary of text keys on the stack. */
export function dictionaryPickle(entries: Readonly<Record<string, Piece>>): Piece {
  const items = Object.entries(entries).map(([key, value]): Piece => [op.text(key), value]);
  return [op.emptyDictionary, op.mark, ...items, op.setItems];
}

export function pickle(...pieces: readonly Piece[]): Uint8Array {
  return bytesOf(op.proto(2), ...pieces, op.stop);
}

/** A file of `torch.save` with one pickle and storages of the given bytes. */
export function torchZip(data: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const contents = Object.entries(storages).map(([key, bytes]): [string, Uint8Array] => [`archive/data/${key}`, bytes]);
  return zip({ "archive/data.pkl": data, ...Object.fromEntries(contents) });
}

/** The same before version 1.6. */
export function torchLegacy(
  data: Uint8Array,
  storages: Readonly<Record<string, readonly [count: number, Uint8Array]>>,
): Uint8Array {
  const keys = Object.keys(storages).map((key) => op.text(key));
  return bytesOf(
    pickle(op.long(0x1950a86a20f9469cfc6cn, 10)),
    pickle(op.int(1001)),
    pickle(dictionaryPickle({ little_endian: 0x88 })),
    data,
    pickle(op.emptyList, op.mark, ...keys, op.appends),
    ...Object.values(storages).map(([count, bytes]): Piece => [littleEndian(count, 8), bytes]),
  );
}

export interface ZipOptions {
  readonly deflate?: boolean;
  /** Sizes and offsets in 64-bit fields. */
  readonly wide?: boolean;
  readonly comment?: string;
  /** Changes fields of the directory's entries, by offset and width in bytes. */
  readonly forge?: Readonly<Record<number, readonly [value: number, width: number]>>;
}

/** A zip, by APPNOTE 4.3. */
export function zip(files: Readonly<Record<string, Uint8Array>>, options: ZipOptions = {}): Uint8Array {
  const { deflate = false, wide = false, comment = "", forge = {} } = options;
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = deflate ? new Uint8Array(deflateRawSync(content)) : content;
    const shared = bytesOf(
      [littleEndian(20, 2), littleEndian(0, 2), littleEndian(deflate ? 8 : 0, 2), littleEndian(0, 4)],
      [littleEndian(checksum(content), 4)],
    );
    const sizes = bytesOf(littleEndian(packed.length, 4), littleEndian(content.length, 4));
    const nameLength = littleEndian(Buffer.byteLength(name), 2);
    const local = bytesOf("PK\u0003\u0004", shared, sizes, nameLength, littleEndian(0, 2), name, packed);
    const extra = wide
      ? bytesOf(
          littleEndian(1, 2),
          littleEndian(24, 2),
          [content.length, packed.length, offset].map((n) => littleEndian(n, 8)),
        )
      : new Uint8Array();
    const none = littleEndian(0xffffffff, 4);
    const entry = bytesOf(
      ["PK\u0001\u0002", littleEndian(20, 2), shared, wide ? [none, none] : sizes, nameLength],
      [littleEndian(extra.length, 2), littleEndian(0, 2), littleEndian(0, 4), littleEndian(0, 4)],
      [wide ? none : littleEndian(offset, 4), name, extra],
    );
    for (const [place, [value, width]] of Object.entries(forge)) entry.set(littleEndian(value, width), Number(place));
    locals.push(local);
    directory.push(entry);
    offset += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const count = directory.length;
  const wideEnd = bytesOf(
    ["PK\u0006\u0006", littleEndian(44, 8), littleEndian(45, 2), littleEndian(45, 2), littleEndian(0, 8)],
    [littleEndian(count, 8), littleEndian(count, 8), littleEndian(size, 8), littleEndian(offset, 8)],
    ["PK\u0006\u0007", littleEndian(0, 4), littleEndian(offset + size, 8), littleEndian(1, 4)],
  );
  const fields = wide ? [0xffff, 0xffff, 0xffffffff, 0xffffffff] : [count, count, size, offset];
  const end = fields.map((value, index) => littleEndian(value, index < 2 ? 2 : 4));
  const last = bytesOf("PK\u0005\u0006", littleEndian(0, 4), end, littleEndian(comment.length, 2), comment);
  return bytesOf(...locals, ...directory, wide ? wideEnd : new Uint8Array(), last);
}

/** CRC-32 as in ISO 3309. */
function checksum(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
