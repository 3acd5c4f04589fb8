/**
 * Protocol buffers, as much as writing takes: a message is its fields one after the other, each a tag and a value. Large values
 * are handed on as they are, so that weights are never copied.
 *
 *   tag = field number · 8 + wire type;  wire types: 0 varint, 2 length and bytes, 5 four bytes
 */

/** Encoded bytes, in pieces. */
export interface Encoded {
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
}

const VARINT = 0;
const BYTES = 2;
const FOUR_BYTES = 5;

/** An `int32`, `int64` or enumeration. Negative numbers take ten bytes, as 64-bit two's complement. */
export function integer(field: number, value: number): Encoded {
  return whole([...varint(field * 8 + VARINT), ...varint(value)]);
}

export function float(field: number, value: number): Encoded {
  return whole([...varint(field * 8 + FOUR_BYTES), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

export function text(field: number, value: string): Encoded {
  return bytes(field, new TextEncoder().encode(value));
}

export function bytes(field: number, value: Uint8Array): Encoded {
  return message(field, [{ pieces: [value], length: value.length }]);
}

/** A message inside another, or with its own fields alone: `joined`. */
export function message(field: number, fields: readonly Encoded[]): Encoded {
  const { pieces, length } = joined(fields);
  const head = Uint8Array.from([...varint(field * 8 + BYTES), ...varint(length)]);
  return { pieces: [head, ...pieces], length: head.length + length };
}

/** Fields of one message, in order. */
export function joined(fields: readonly Encoded[]): Encoded {
  return {
    pieces: fields.flatMap(({ pieces }) => pieces),
    length: fields.reduce((sum, { length }) => sum + length, 0),
  };
}

/** The pieces in one array. */
export function inOne({ pieces, length }: Encoded): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}

function whole(values: readonly number[]): Encoded {
  return { pieces: [Uint8Array.from(values)], length: values.length };
}

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
function varint(value: number): number[] {
  let left = BigInt.asUintN(64, BigInt(value));
  const result: number[] = [];
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    result.push(left > 0n ? low | 0x80 : low);
  } while (left > 0n);
  return result;
}
