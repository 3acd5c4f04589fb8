/** Labelled samples of numbers in memory: tables of features, signals, images that were normalised elsewhere. */
import { DataError, ShapeError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";
import type { SplitName } from "./dataset.ts";

/** Samples of one shape, of any rank. Made by `arrayDataset`, which checks it; treat it and its arrays as read-only. */
export interface ArrayDataset {
  /** What a model's first layer sees: finite numbers, shape [count, …shape], row-major. */
  readonly values: Float32Array;
  /** One class number a sample, shape [count], each below `classNames.length`. */
  readonly labels: Uint32Array;
  /** Of one sample: `[13]` for 13 features. */
  readonly shape: readonly number[];
  readonly count: number;
  readonly classNames: readonly string[];
  /** As in `ImageDataset`. */
  readonly origin: string;
  readonly synthetic: boolean;
  readonly split: SplitName;
}

/** The parts of an `ndarray` that are read: any strides and offset. */
export interface NdarrayLike {
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
  readonly data: ArrayLike<number>;
}

export interface ArrayFields {
  /** Numbers `[count, …shape]` in row-major order, or an `ndarray` of that shape. A `Float32Array` is not copied. */
  readonly values: ArrayLike<number> | NdarrayLike;
  /** One class number a sample, from 0. */
  readonly labels: ArrayLike<number>;
  /** Of one sample. Default: that of the `ndarray`, else one axis, of as many numbers as there are for each label. */
  readonly shape?: readonly number[];
  /** Default: the numbers of the classes, up to the greatest label. */
  readonly classNames?: readonly string[];
  /** Where the data comes from, in words for people. Default: `arrays`. */
  readonly origin?: string;
  /** Default: false. */
  readonly synthetic?: boolean;
  /** Default: `all`. */
  readonly split?: SplitName;
}

/**
 * Makes a data set of arrays, which `fit`, `evaluate` and `predict` take as they take images. Its numbers reach the first
 * layer unchanged: a model's normalisation is for pixels.
 * @throws {ShapeError} when lengths do not fit. @throws {DataError} for NaN and infinities, naming row and column, and for
 * labels that are no class.
 */
export function arrayDataset(fields: ArrayFields): ArrayDataset {
  const { labels, origin = "arrays", synthetic = false, split = "all" } = fields;
  const where = `data set "${origin}"`;
  const count = labels.length;
  if (count === 0) throw new DataError({ where, expected: "at least one sample", got: "none" });
  const found = isNdarray(fields.values) ? fields.values.shape.slice(1) : [fields.values.length / count];
  const values = float32Of(fields.values);
  const shape = fields.shape ?? found;
  requireShape(where, shape);
  const wanted = count * sizeOf(shape);
  if (values.length !== wanted) {
    throw new ShapeError({
      where,
      expected: `${wanted} values for ${count} samples of [${shape.join(", ")}]`,
      got: String(values.length),
    });
  }
  requireFiniteRows(where, values, shape);
  const classNames = fields.classNames ?? numbersUpTo(labels);
  const classes = classNumbers(where, labels, classNames.length);
  return Object.freeze({ values, labels: classes, shape, count, classNames, origin, synthetic, split });
}

/**
 * The samples at `indices`, in that order, copied.
 * @throws {DataError} when an index is out of range or there is none.
 */
export function selectRows(
  dataset: ArrayDataset,
  indices: ArrayLike<number>,
  split: SplitName = dataset.split,
): ArrayDataset {
  const size = sizeOf(dataset.shape);
  const count = indices.length;
  if (count === 0) throw new DataError({ where: "selectRows", expected: "at least one sample", got: "none" });
  const values = new Float32Array(count * size);
  const labels = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    const index = indices[row]!;
    if (!(Number.isInteger(index) && index >= 0 && index < dataset.count)) {
      const expected = `indices from 0 to ${dataset.count - 1}`;
      throw new DataError({ where: "selectRows", expected, got: String(index) });
    }
    values.set(dataset.values.subarray(index * size, (index + 1) * size), row * size);
    labels[row] = dataset.labels[index]!;
  }
  return Object.freeze({ ...dataset, values, labels, count, split });
}

/** Whole numbers below `classes`, as the GPU takes them. @throws {DataError} naming the first that is none. */
export function classNumbers(where: string, labels: ArrayLike<number>, classes: number): Uint32Array<ArrayBuffer> {
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new DataError({ where, expected: `labels from 0 to ${classes - 1}`, got: `${label} in row ${row}` });
  }
  return Uint32Array.from(labels);
}

/** @throws {DataError} for NaN and infinities, naming the row and the place in it, both from 0. */
export function requireFiniteRows(where: string, values: Float32Array, shape: readonly number[]): void {
  for (let at = 0; at < values.length; at++) {
    if (Number.isFinite(values[at])) continue;
    const size = sizeOf(shape);
    const place = shape.length === 1 ? `column ${at % size}` : `at [${coordinates(at % size, shape).join(", ")}]`;
    throw new DataError({
      where,
      expected: "finite numbers",
      got: `${values[at]} in row ${Math.floor(at / size)}, ${place}`,
      advice: "fill missing values in, or leave the row out",
    });
  }
}

/** @throws {ShapeError} unless all extents are whole numbers of at least 1. */
export function requireShape(where: string, shape: readonly number[]): void {
  if (shape.every((extent) => Number.isInteger(extent) && extent > 0)) return;
  const expected = "as many numbers for each sample: a shape of whole numbers of at least 1";
  throw new ShapeError({ where, expected, got: `[${shape.join(", ")}]` });
}

function isNdarray(values: ArrayFields["values"]): values is NdarrayLike {
  return "stride" in values;
}

function float32Of(values: ArrayFields["values"]): Float32Array {
  if (values instanceof Float32Array) return values;
  if (!isNdarray(values)) return Float32Array.from(values);
  const { shape, stride, offset, data } = values;
  return Float32Array.from({ length: sizeOf(shape) }, (_, at) => {
    const place = coordinates(at, shape).reduce((sum, index, axis) => sum + index * stride[axis]!, offset);
    return data[place]!;
  });
}

/** Of a place in row-major order, one for each axis. */
function coordinates(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((extent) => {
      const index = rest % extent;
      rest = (rest - index) / extent;
      return index;
    })
    .reverse();
}

/** `0`, `1`, … */
function numbersUpTo(labels: ArrayLike<number>): string[] {
  let most = 0;
  for (let row = 0; row < labels.length; row++) most = Math.max(most, labels[row]!);
  return Array.from({ length: Number.isInteger(most) ? most + 1 : 1 }, (_, k) => String(k));
}
