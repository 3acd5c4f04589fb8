/**
 * Feature matrices: the one form of data that every solver here takes. Rows are samples, row-major float32.
 *
 * Why float32: kernel values need about three digits (LIBSVM caches them in single precision too), and half the bytes
 * is twice the speed. Sums over many samples are kept in float64 by the solvers.
 */
import { DataError, ShapeError } from "../errors.ts";

export interface FeatureMatrix {
  /** `rows` × `columns` values, row-major. */
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** The parts of an `ndarray` that are read: any strides and offset. */
export interface NdarrayLike {
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
  readonly data: ArrayLike<number>;
}

/** What users may hand in: a matrix, a two-dimensional `ndarray`, or a list of rows. */
export type Features = FeatureMatrix | NdarrayLike | readonly ArrayLike<number>[];

/** A checked matrix. Throws `ShapeError` for ragged or empty input and `DataError` for NaN or infinity. */
export function toFeatures(where: string, input: Features): FeatureMatrix {
  const matrix = "rows" in input ? input : "stride" in input ? fromNdarray(where, input) : fromRows(where, input);
  if (matrix.rows < 1 || matrix.columns < 1) {
    throw new ShapeError({
      where,
      expected: "at least one sample and one feature",
      got: `${matrix.rows}×${matrix.columns}`,
    });
  }
  if (matrix.data.length !== matrix.rows * matrix.columns) {
    throw new ShapeError({ where, expected: `${matrix.rows}×${matrix.columns} values`, got: `${matrix.data.length}` });
  }
  requireFinite(where, matrix);
  return matrix;
}

function fromNdarray(where: string, { shape, stride, offset, data }: NdarrayLike): FeatureMatrix {
  if (shape.length !== 2) {
    throw new ShapeError({
      where,
      expected: "a two-dimensional array [samples, features]",
      got: `[${shape.join(", ")}]`,
    });
  }
  const [rows, columns] = shape as [number, number];
  const [down, right] = stride as [number, number];
  const values = new Float32Array(rows * columns);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at++) values[at] = data[offset + r * down + c * right] as number;
  }
  return { data: values, rows, columns };
}

function fromRows(where: string, rows: readonly ArrayLike<number>[]): FeatureMatrix {
  const columns = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * columns);
  rows.forEach((row, index) => {
    if (row.length !== columns) {
      throw new ShapeError({
        where,
        expected: `${columns} features in every row`,
        got: `${row.length} in row ${index}`,
      });
    }
    data.set(row, index * columns);
  });
  return { data, rows: rows.length, columns };
}

function requireFinite(where: string, { data, columns }: FeatureMatrix): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (value - value === 0) continue; // NaN and both infinities fail this
    throw new DataError({
      where,
      expected: "finite features",
      got: `${value} in row ${Math.floor(i / columns)}, column ${i % columns}`,
      advice: "remove or impute that value before training",
    });
  }
}

/** Throws `ShapeError` where `matrix` has another number of features than the model was trained on. */
export function requireColumns(where: string, matrix: FeatureMatrix, columns: number): void {
  if (matrix.columns === columns) return;
  throw new ShapeError({
    where,
    expected: `${columns} features per sample, as in training`,
    got: `${matrix.columns}`,
    advice: "extract the features with the settings that the model was trained with",
  });
}

/** The rows at `indices`, copied. */
export function takeRows({ data, columns }: FeatureMatrix, indices: ArrayLike<number>): FeatureMatrix {
  const taken = new Float32Array(indices.length * columns);
  for (let i = 0; i < indices.length; i++) {
    const from = (indices[i] as number) * columns;
    taken.set(data.subarray(from, from + columns), i * columns);
  }
  return { data: taken, rows: indices.length, columns };
}
