/** A pair of IDX files, read image by image: for files that do not fit in memory. */
import { openRanges } from "#files";
import { FormatError } from "../errors.ts";
import { mapBounded } from "./concurrency.ts";
import { imageLength, type ImageShape } from "./dataset.ts";
import type { ByteRanges } from "./files.ts";
import { isGzip, MAX_IDX_HEADER_BYTES, parseIdx, parseIdxHeader, type IdxHeader } from "./idx.ts";
import type { IdxDatasetFields } from "./idxDataset.ts";
import { emptyBatch, readable, requireIndices, type ImageStream } from "./stream.ts";

/** A file's name (in a page, address), or a file that the user has chosen. */
export type RangeSource = string | URL | Blob;

/** Readings at the same time. */
const CONCURRENCY = 8;

/**
 * Opens two plain IDX files, uint8: images of [count, height, width] or [count, height, width, channels], labels of
 * [count]. Labels are read at once, images when they are asked for.
 * @throws {FormatError} for gzipped files, which cannot be read in pieces, for other types or dimensions, for files whose
 * length is not what the header says, and for labels without a class name. @throws {FileError} when a file cannot be read.
 */
export async function openIdxStream(
  images: RangeSource,
  labels: RangeSource,
  fields: IdxDatasetFields,
): Promise<ImageStream> {
  const { synthetic = false, ...rest } = fields;
  const labelNumbers = await readLabels(labels, fields.classNames.length);
  const file = await openSource(images);
  try {
    const where = nameOf(images);
    const header = await readHeader(file, where);
    const shape = imageShapeOf(header, where);
    const [count = 0] = header.shape;
    if (labelNumbers.length !== count) {
      throw new FormatError({ where: nameOf(labels), expected: `${count} labels`, got: String(labelNumbers.length) });
    }
    return {
      ...rest,
      synthetic,
      count,
      shape,
      labels: labelNumbers,
      read: (indices, signal) =>
        readable(() => readImages(file, header.headerBytes, shape, labelNumbers, indices, signal), signal),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function readImages(
  file: ByteRanges,
  start: number,
  shape: ImageShape,
  labels: Uint8Array,
  indices: ArrayLike<number>,
  signal: AbortSignal | undefined,
) {
  requireIndices("read", indices, labels.length);
  const length = imageLength(shape);
  const batch = emptyBatch(indices, labels, length);
  await mapBounded(
    runsOf(batch.indices),
    CONCURRENCY,
    async ({ row, rows }) => {
      const bytes = await file.read(start + batch.indices[row]! * length, rows * length);
      batch.images.set(bytes, row * length);
    },
    signal,
  );
  return batch;
}

/** Rows whose images lie one after the other in the file, to be read at once. */
function runsOf(indices: Uint32Array): { readonly row: number; readonly rows: number }[] {
  const runs: { row: number; rows: number }[] = [];
  indices.forEach((index, row) => {
    const last = runs.at(-1);
    if (last !== undefined && indices[row - 1]! + 1 === index) last.rows += 1;
    else runs.push({ row, rows: 1 });
  });
  return runs;
}

async function readLabels(source: RangeSource, classCount: number): Promise<Uint8Array> {
  const where = nameOf(source);
  const file = await openSource(source);
  try {
    await readHeader(file, where);
    const { shape, data } = parseIdx(await file.read(0, file.byteLength), { file: where });
    if (shape.length !== 1 || !(data instanceof Uint8Array)) {
      throw new FormatError({ where, expected: "uint8 of 1 dimension", got: `[${shape.join(", ")}]` });
    }
    const wrong = data.findIndex((label) => label >= classCount);
    if (wrong < 0) return data;
    const got = `label ${data[wrong]} at index ${wrong}`;
    throw new FormatError({ where, expected: `labels from 0 to ${classCount - 1}`, got });
  } finally {
    await file.close();
  }
}

async function readHeader(file: ByteRanges, where: string): Promise<IdxHeader> {
  const head = await file.read(0, Math.min(MAX_IDX_HEADER_BYTES, file.byteLength));
  if (isGzip(head)) {
    const advice = "decompress it first (gzip -d)";
    throw new FormatError({ where, expected: "a plain IDX file, to be read in pieces", got: "a gzipped one", advice });
  }
  const header = parseIdxHeader(head, where);
  const expected = header.headerBytes + header.payloadBytes;
  if (file.byteLength === expected) return header;
  throw new FormatError({
    where,
    expected: `${expected} bytes for [${header.shape.join(", ")}] of ${header.type}`,
    got: String(file.byteLength),
    advice: "delete the file and get it again",
  });
}

function imageShapeOf({ type, shape }: IdxHeader, where: string): ImageShape {
  const [, height, width, channels = 1] = shape;
  if (type === "uint8" && height !== undefined && width !== undefined && shape.length <= 4) {
    return [height, width, channels];
  }
  throw new FormatError({ where, expected: "uint8 of 3 or 4 dimensions", got: `${type} of [${shape.join(", ")}]` });
}

async function openSource(source: RangeSource): Promise<ByteRanges> {
  if (!(source instanceof Blob)) return openRanges(source);
  return {
    byteLength: source.size,
    read: async (offset, length) => new Uint8Array(await source.slice(offset, offset + length).arrayBuffer()),
    close: async () => undefined,
  };
}

function nameOf(source: RangeSource): string {
  if (!(source instanceof Blob)) return String(source);
  return source instanceof File ? source.name : "IDX data";
}
