/** A pair of IDX arrays as a data set. */
import { FormatError } from "../errors.ts";
import { imageDataset, type ImageDataset, type ImageShape, type SplitName } from "./dataset.ts";
import type { IdxArray } from "./idx.ts";

/** What the two files do not say themselves. */
export interface IdxDatasetFields {
  readonly classNames: readonly string[];
  readonly origin: string;
  readonly split: SplitName;
  /** Default false. */
  readonly synthetic?: boolean;
}

/**
 * Joins images and labels; the arrays are not copied.
 * @param images uint8, shape [count, height, width] or [count, height, width, channels].
 * @param labels uint8, shape [count].
 * @throws {FormatError} for other types or dimensions. @throws {ShapeError} when the counts differ.
 * @throws {DataError} when a label has no class name.
 */
export function datasetFromIdx(images: IdxArray, labels: IdxArray, fields: IdxDatasetFields): ImageDataset {
  const { synthetic = false, ...rest } = fields;
  if (labels.shape.length !== 1) throw wrongArray("labels", "uint8 of 1 dimension", labels);
  return imageDataset({
    ...rest,
    synthetic,
    images: bytesOf(images, "images", "uint8 of 3 or 4 dimensions"),
    labels: bytesOf(labels, "labels", "uint8 of 1 dimension"),
    shape: imageShapeOf(images),
  });
}

function bytesOf(array: IdxArray, where: string, expected: string): Uint8Array {
  if (array.data instanceof Uint8Array) return array.data;
  throw wrongArray(where, expected, array);
}

function imageShapeOf(images: IdxArray): ImageShape {
  const [, height, width, channels = 1] = images.shape;
  if (height === undefined || width === undefined || images.shape.length > 4) {
    throw wrongArray("images", "uint8 of 3 or 4 dimensions", images);
  }
  return [height, width, channels];
}

function wrongArray(where: string, expected: string, { type, shape }: IdxArray): FormatError {
  return new FormatError({ where, expected, got: `${type} of [${shape.join(", ")}]` });
}
