/**
 * The four published files of Fashion-MNIST (Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for
 * benchmarking machine learning algorithms", 2017), how to recognise them, and how to recognise the digit data set of
 * the same file names that is often found in their place.
 */
import { md5 } from "#files";
import { DataError } from "../errors.ts";
import type { PublishedFile } from "./download.ts";
import { encodeIdx, isGzip, readIdx, type IdxArray } from "./idx.ts";

/** One of the four files; `name`, `bytes` and `md5` are those of the gz form. */
export interface FashionFile extends PublishedFile {
  /** Name of the decompressed form. */
  readonly plainName: string;
  /** MD5 of the decompressed form. */
  readonly plainMd5: string;
  /** Bytes of values, without the header. */
  readonly payloadBytes: number;
  /** MD5s of the digit data set's file of the same name, gz and plain. */
  readonly digitMd5: readonly [gz: string, plain: string];
}

type FileRole = "trainImages" | "trainLabels" | "testImages" | "testLabels";

/** In the order in which they are best fetched: small ones first, so that a dead network is noticed at once. */
export const FASHION_FILES: Readonly<Record<FileRole, FashionFile>> = {
  testLabels: {
    name: "t10k-labels-idx1-ubyte.gz",
    bytes: 5_148,
    md5: "bb300cfdad3c16e7a12a480ee83cd310",
    plainName: "t10k-labels-idx1-ubyte",
    plainMd5: "15d484375f8d13e6eb1aabb0c3f46965",
    payloadBytes: 10_000,
    digitMd5: ["ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"],
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte.gz",
    bytes: 29_515,
    md5: "25c81989df183df01b3e8a0aad5dffbe",
    plainName: "train-labels-idx1-ubyte",
    plainMd5: "9018921c3c673c538a1fc5bad174d6f9",
    payloadBytes: 60_000,
    digitMd5: ["d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"],
  },
  testImages: {
    name: "t10k-images-idx3-ubyte.gz",
    bytes: 4_422_102,
    md5: "bef4ecab320f06d8554ea6380940ec79",
    plainName: "t10k-images-idx3-ubyte",
    plainMd5: "8181f5470baa50b63fa0f6fddb340f0a",
    payloadBytes: 10_000 * 28 * 28,
    digitMd5: ["9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"],
  },
  trainImages: {
    name: "train-images-idx3-ubyte.gz",
    bytes: 26_421_880,
    md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    plainName: "train-images-idx3-ubyte",
    plainMd5: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    payloadBytes: 60_000 * 28 * 28,
    digitMd5: ["f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"],
  },
};

/** First labels of the digit data set's training and test files. */
const DIGIT_LABEL_STARTS: readonly (readonly number[])[] = [
  [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
  [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
];
/** Digits are thin strokes, with a mean pixel of 33.3 (training) and 33.8 (test); garments have 72.9 and 73.1. */
const DIGIT_MEAN_PIXEL: readonly [low: number, high: number] = [33, 34.2];

/**
 * Reads one of the four files, gz or plain, checking that it is the published one; a file compressed anew is accepted
 * when its content is the published one.
 * @param where the file's name in errors.
 * @throws {DataError} when the checksum is wrong, and specially when it is the digit data set's file.
 */
export async function readFashionFile(bytes: Uint8Array, file: FashionFile, where: string): Promise<IdxArray> {
  const digest = md5(bytes);
  if (file.digitMd5.includes(digest)) throw isDigits(where);
  const expected = isGzip(bytes) ? file.md5 : file.plainMd5;
  const array = await readIdx(bytes, { file: where, maxBytes: file.payloadBytes }).catch((cause: unknown) => {
    throw mismatch(where, expected, digest, cause);
  });
  if (digest === expected) return array;
  if (looksLikeDigits(array)) throw isDigits(where);
  if (isGzip(bytes) && plainDigest(array) === file.plainMd5) return array;
  throw mismatch(where, expected, digest);
}

function plainDigest(array: IdxArray): string {
  return md5(encodeIdx(array));
}

function looksLikeDigits({ data, shape }: IdxArray): boolean {
  if (shape.length === 1) {
    return DIGIT_LABEL_STARTS.some((start) => data.length >= 10_000 && start.every((label, at) => data[at] === label));
  }
  let sum = 0;
  for (const pixel of data) sum += pixel;
  const mean = sum / data.length;
  return mean > DIGIT_MEAN_PIXEL[0] && mean < DIGIT_MEAN_PIXEL[1];
}

function isDigits(where: string): DataError {
  return new DataError({
    where,
    expected: "Fashion-MNIST (garments)",
    got: "MNIST (handwritten digits), whose files have the same names",
    advice: "give the folder of Fashion-MNIST, or delete these files to have the right ones downloaded",
  });
}

function mismatch(where: string, expected: string, digest: string, cause?: unknown): DataError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new DataError(
    { where, expected: `MD5 ${expected}`, got: `MD5 ${digest}${why}`, advice: `delete ${where} and get it again` },
    { cause },
  );
}
