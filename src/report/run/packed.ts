/** Numbers as text for JSON: their bytes, little-endian, in base64. */
import { FormatError } from "../../errors.ts";

export interface Packed {
  readonly dtype: "u8" | "u16" | "u32" | "f32";
  readonly count: number;
  readonly base64: string;
}

const ARRAYS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array } as const;

/** Whole numbers in the smallest type that holds them all. */
export function packWhole(values: ArrayLike<number>): Packed {
  const most = Array.from(values).reduce((a, b) => Math.max(a, b), 0);
  return pack(most < 2 ** 8 ? "u8" : most < 2 ** 16 ? "u16" : "u32", values);
}

export function packFloats(values: ArrayLike<number>): Packed {
  return pack("f32", values);
}

function pack(dtype: Packed["dtype"], values: ArrayLike<number>): Packed {
  const array = ARRAYS[dtype].from(values);
  return { dtype, count: array.length, base64: base64Of(new Uint8Array(array.buffer)) };
}

/** @throws {FormatError} when it is not what `pack` makes. */
export function unpack(
  packed: Packed,
  where: string,
): Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  const { dtype, count, base64 } = packed;
  const type = Object.hasOwn(ARRAYS, dtype) ? ARRAYS[dtype] : undefined;
  const bytes = type && bytesOf(base64);
  if (type && bytes?.length === count * type.BYTES_PER_ELEMENT) return new type(bytes.buffer);
  const got =
    bytes === undefined ? `type ${JSON.stringify(dtype)}, or text that is none of base64` : `${bytes.length} bytes`;
  throw new FormatError({ where, expected: `${count} numbers of ${dtype} in base64`, got });
}

export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
