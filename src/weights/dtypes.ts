/** Element types of safetensors files: their sizes, and their bytes as numbers. */
import { DtypeError } from "../errors.ts";

/** Bytes of one element of each type that a file may hold. */
export const STORED_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** An element type, by the name that it has in files. */
export type StoredDtype = keyof typeof STORED_BYTES;

/** Elements as numbers; half precision is widened, because JavaScript has no array of it everywhere. */
export type StoredValues =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** One tensor of a file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Its elements, little-endian and row-major: a view of the file. */
  readonly bytes: Uint8Array;
}

export function isStoredDtype(name: string): name is StoredDtype {
  return Object.hasOwn(STORED_BYTES, name);
}

// Files are little-endian, and so is every machine that WebGPU runs on; a copy makes up for data that is not aligned.
const readers: Readonly<Record<StoredDtype, (buffer: ArrayBuffer) => StoredValues>> = {
  BOOL: (buffer) => new Uint8Array(buffer),
  U8: (buffer) => new Uint8Array(buffer),
  I8: (buffer) => new Int8Array(buffer),
  U16: (buffer) => new Uint16Array(buffer),
  I16: (buffer) => new Int16Array(buffer),
  F16: (buffer) => widened(buffer, halfToBits),
  BF16: (buffer) => widened(buffer, (half) => half << 16),
  U32: (buffer) => new Uint32Array(buffer),
  I32: (buffer) => new Int32Array(buffer),
  F32: (buffer) => new Float32Array(buffer),
  F64: (buffer) => new Float64Array(buffer),
  I64: (buffer) => new BigInt64Array(buffer),
  U64: (buffer) => new BigUint64Array(buffer),
};

/** The elements of a tensor, copied. F16 and BF16 become 32-bit numbers, exactly. */
export function valuesOf({ dtype, bytes }: StoredTensor): StoredValues {
  return readers[dtype](new Uint8Array(bytes).buffer);
}

/**
 * The elements of a tensor of any float type as 32-bit numbers; F64 is rounded.
 * @param where names the file in errors.
 * @throws {DtypeError} for whole numbers, which are no weights.
 */
export function floatsOf(tensor: StoredTensor, where: string): Float32Array<ArrayBuffer> {
  const values = valuesOf(tensor);
  if (values instanceof Float32Array) return values;
  if (values instanceof Float64Array) return Float32Array.from(values);
  throw new DtypeError({
    where: `${where}, tensor "${tensor.name}"`,
    expected: "weights of dtype F32, F16, BF16 or F64",
    got: tensor.dtype,
    advice: "convert the tensor before saving it; quantised weights are not read",
  });
}

function widened(buffer: ArrayBuffer, toBits: (half: number) => number): Float32Array<ArrayBuffer> {
  return new Float32Array(Int32Array.from(new Uint16Array(buffer), toBits).buffer);
}

/** The bits of the 32-bit float that equals a 16-bit one (IEEE 754 binary16). */
function halfToBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A subnormal half is a normal float: shift its leading one to where floats leave it out.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
