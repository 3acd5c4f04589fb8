/** Element types of safetensors files: their sizes, and their bytes as numbers. */
import { DtypeError, NumericError } from "../errors.ts";

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

/** What a file says about one of its tensors. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
}

/** One tensor of a file. */
export interface StoredTensor extends TensorInfo {
  /** Its elements, little-endian and row-major: a view of the file where its layout allows, else made when asked for. */
  readonly bytes: Uint8Array;
}

export function isStoredDtype(name: string): name is StoredDtype {
  return Object.hasOwn(STORED_BYTES, name);
}

type Reader = (buffer: ArrayBuffer, offset: number, length: number) => StoredValues;

// Files are little-endian, and so is every machine that WebGPU runs on.
const readers: Readonly<Record<StoredDtype, Reader>> = {
  BOOL: (...place) => new Uint8Array(...place),
  U8: (...place) => new Uint8Array(...place),
  I8: (...place) => new Int8Array(...place),
  U16: (...place) => new Uint16Array(...place),
  I16: (...place) => new Int16Array(...place),
  F16: (...place) => widened(new Uint16Array(...place), halfToBits),
  BF16: (...place) => widened(new Uint16Array(...place), (half) => half << 16),
  U32: (...place) => new Uint32Array(...place),
  I32: (...place) => new Int32Array(...place),
  F32: (...place) => new Float32Array(...place),
  F64: (...place) => new Float64Array(...place),
  I64: (...place) => new BigInt64Array(...place),
  U64: (...place) => new BigUint64Array(...place),
};

/** The elements of a tensor, copied. F16 and BF16 become 32-bit numbers, exactly. */
export function valuesOf({ dtype, bytes }: StoredTensor): StoredValues {
  return readers[dtype](new Uint8Array(bytes).buffer, 0, bytes.length / STORED_BYTES[dtype]);
}

/** `valuesOf`, as a view of the file's bytes where they are aligned and of a type that JavaScript has. */
function viewOf(tensor: StoredTensor): StoredValues {
  const { dtype, bytes } = tensor;
  const size = STORED_BYTES[dtype];
  if (bytes.byteOffset % size !== 0 || !(bytes.buffer instanceof ArrayBuffer)) return valuesOf(tensor);
  return readers[dtype](bytes.buffer, bytes.byteOffset, bytes.length / size);
}

/**
 * The elements of a tensor of any float type as 32-bit numbers; F64 is rounded.
 * @param where names the file in errors.
 * @throws {DtypeError} for whole numbers, which are no weights.
 */
export function floatsOf(tensor: StoredTensor, where: string): Float32Array<ArrayBuffer> {
  const floats = floatViewOf(tensor, where);
  return floats.buffer === tensor.bytes.buffer ? floats.slice() : floats;
}

/** `floatsOf`, as a view of the file's bytes where they are such numbers already: to read, not to write. */
export function floatViewOf(tensor: StoredTensor, where: string): Float32Array<ArrayBuffer> {
  if (!isFloatDtype(tensor.dtype)) {
    throw new DtypeError({
      where: `${where}, tensor "${tensor.name}"`,
      expected: "weights of dtype F32, F16, BF16 or F64",
      got: tensor.dtype,
      advice: "convert the tensor before saving it; quantised weights are not read",
    });
  }
  const values = viewOf(tensor) as Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function isFloatDtype(dtype: StoredDtype): boolean {
  return dtype.includes("F");
}

/**
 * The elements of a tensor as a type that tensors on a device have: floats as f32 (F64 is rounded), whole numbers as i32
 * or, where they have no sign, as u32.
 * @param where names the file in errors.
 * @throws {NumericError} when a 64-bit whole number does not fit into 32 bits.
 */
export function deviceValuesOf(
  tensor: StoredTensor,
  where: string,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  if (isFloatDtype(tensor.dtype)) return floatsOf(tensor, where);
  const values = valuesOf(tensor);
  if (values instanceof Int32Array || values instanceof Uint32Array) return values;
  const target = tensor.dtype.startsWith("I") ? new Int32Array(values.length) : new Uint32Array(values.length);
  values.forEach((value: number | bigint, index: number) => {
    target[index] = Number(value);
    // The array has taken the lowest 32 bits; the number is whole only if nothing is lost thereby.
    if (BigInt(target[index]) !== BigInt(value)) throw tooLarge(tensor, where, value);
  });
  return target;
}

function tooLarge({ name, dtype }: TensorInfo, where: string, value: number | bigint): NumericError {
  return new NumericError({
    where: `${where}, tensor "${name}"`,
    expected: `${dtype} numbers that fit into 32 bits`,
    got: String(value),
    advice: "devices have no 64-bit numbers: read the tensor with valuesOf",
  });
}

function widened(halves: Uint16Array, toBits: (half: number) => number): Float32Array<ArrayBuffer> {
  return new Float32Array(Int32Array.from(halves, toBits).buffer);
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
