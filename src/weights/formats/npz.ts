/**
 * NumPy's arrays: `.npy` (NumPy Enhancement Proposal 1 and `numpy/lib/format.py`: versions 1 to 3), and `.npz`, a zip of
 * them. The header is text in Python's notation; it is matched, not evaluated.
 */
import { FormatError } from "../../errors.ts";
import { STORED_BYTES, type StoredDtype, type StoredTensor } from "../dtypes.ts";
import { gather, rowMajor } from "../strided.ts";
import { fileInMemory, type WeightsFile } from "../weightsFile.ts";
import type { ZipEntry } from "./zip.ts";

/** NumPy's type codes, without the byte order. */
const DTYPES: Readonly<Record<string, StoredDtype>> = {
  b1: "BOOL",
  u1: "U8",
  u2: "U16",
  u4: "U32",
  u8: "U64",
  i1: "I8",
  i2: "I16",
  i4: "I32",
  i8: "I64",
  f2: "F16",
  f4: "F32",
  f8: "F64",
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Reads an archive of arrays; their names are those of its entries without `.npy`. */
export async function openNpz(entries: ReadonlyMap<string, ZipEntry>, file: string): Promise<WeightsFile> {
  const tensors: StoredTensor[] = [];
  const skipped: string[] = [];
  for (const { name, content } of entries.values()) {
    if (name.endsWith(".npy")) tensors.push(parseNpy(await content(), file, name.slice(0, -".npy".length)));
    else skipped.push(name);
  }
  if (tensors.length > 0) return fileInMemory({ file, format: "npz", skipped }, tensors);
  throw fault(file, "an archive of PyTorch, Keras or NumPy", "one without data.pkl, model.weights.h5 or .npy entries");
}

/**
 * Reads one array. Its bytes are a view where it is little-endian and in C order; they are brought so when asked for
 * otherwise.
 * @param file what errors call it. @param name of the tensor.
 */
export function parseNpy(bytes: Uint8Array, file: string, name: string): StoredTensor {
  const where = `${file}, array "${name}"`;
  const { header, begin } = headerOf(bytes, where);
  const { order, dtype, shape, isFortran } = describe(header, where);
  const item = STORED_BYTES[dtype];
  const size = shape.reduce((product, extent) => product * extent, item);
  const data = bytes.subarray(begin);
  if (data.length !== size) throw fault(where, `${size} bytes for ${header.trim()}`, `${data.length}`);
  // In Fortran order the first axis runs fastest: row-major with the axes the other way round.
  const strides = isFortran ? rowMajor(shape.toReversed()).reverse() : rowMajor(shape);
  return {
    name,
    dtype,
    shape,
    get bytes() {
      const elements = gather(data, item, { shape, strides });
      return order === ">" ? swapped(elements, item) : elements;
    },
  };
}

function headerOf(bytes: Uint8Array, where: string): { readonly header: string; readonly begin: number } {
  const isNpy = bytes.length >= 12 && MAGIC.every((byte, index) => bytes[index] === byte);
  if (!isNpy) throw fault(where, "an array of NumPy's", "something else");
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw fault(where, "version 1, 2 or 3 of the format", `version ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [length, start] = version === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  if (length > bytes.length - start) throw fault(where, `a header of ${length} bytes`, "the end of the file");
  return { header: new TextDecoder().decode(bytes.subarray(start, start + length)), begin: start + length };
}

interface Description {
  readonly order: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly isFortran: boolean;
}

function describe(header: string, where: string): Description {
  const [, order, type] = /'descr': *'([<>|=]?)([a-zA-Z]\d*)'/.exec(header) ?? [];
  const [, fortran] = /'fortran_order': *(True|False)/.exec(header) ?? [];
  const [, extents] = /'shape': *\(([\dL, ]*)\)/.exec(header) ?? [];
  const dtype = type !== undefined && Object.hasOwn(DTYPES, type) ? DTYPES[type] : undefined;
  const shape = extents?.match(/\d+/g)?.map(Number) ?? [];
  if (dtype !== undefined && fortran !== undefined && extents !== undefined && shape.every(Number.isSafeInteger)) {
    return { order: order!, dtype, shape, isFortran: fortran === "True" };
  }
  const expected = `an array of one of the types ${Object.keys(DTYPES).join(", ")}`;
  const got = header.trim().slice(0, 160);
  throw fault(where, expected, got, "save it as float32: numpy.savez(file, name=array.astype('float32'))");
}

function swapped(bytes: Uint8Array, item: number): Uint8Array {
  const copy = bytes.slice();
  for (let place = 0; place < copy.length; place += item) copy.subarray(place, place + item).reverse();
  return copy;
}

function fault(
  where: string,
  expected: string,
  got: string,
  advice = "the file is damaged: get it again",
): FormatError {
  return new FormatError({ where, expected, got, advice });
}
