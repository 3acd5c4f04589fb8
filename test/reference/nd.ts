/**
 * The float64 arrays that the references compute on: a shape and its elements in row-major order, nothing else.
 */

export interface Nd {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Number of elements of a shape: the product of its extents, 1 for a scalar `[]`. */
export function size(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** An array of `shape` over a copy of `data`, whose length must be `size(shape)`. */
export function nd(shape: readonly number[], data: ArrayLike<number>): Nd {
  if (data.length !== size(shape)) {
    throw new RangeError(`nd: shape [${shape.join(", ")}] holds ${size(shape)} elements, got ${data.length}`);
  }
  return { shape: [...shape], data: Float64Array.from(data) };
}

export function scalar(value: number): Nd {
  return nd([], [value]);
}

export function filled(shape: readonly number[], value: number): Nd {
  return { shape: [...shape], data: new Float64Array(size(shape)).fill(value) };
}

export function zeros(shape: readonly number[]): Nd {
  return filled(shape, 0);
}

/** Row-major strides in elements: the last axis has stride 1. */
export function strides(shape: readonly number[]): number[] {
  const result = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) result[axis] = result[axis + 1]! * shape[axis + 1]!;
  return result;
}

/** The multi-index of the element at `flat`. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  return strides(shape).map((stride, axis) => Math.floor(flat / stride) % shape[axis]!);
}

/** The flat position of a multi-index. */
export function ravel(index: readonly number[], shape: readonly number[]): number {
  return strides(shape).reduce((flat, stride, axis) => flat + stride * index[axis]!, 0);
}

/** Every multi-index of a shape, in row order. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  const count = size(shape);
  for (let flat = 0; flat < count; flat++) yield unravel(flat, shape);
}

/** The element at a multi-index. */
export function at(x: Nd, ...index: readonly number[]): number {
  return x.data[ravel(index, x.shape)]!;
}

export function map(x: Nd, f: (value: number, flat: number) => number): Nd {
  return { shape: x.shape, data: x.data.map((value, flat) => f(value, flat)) };
}

/** Σ aᵢ bᵢ over all elements of two arrays of one size. */
export function dot(a: Nd, b: Nd): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return sum;
}

/**
 * |x|, element by element. A sum of products applied to the absolute values of its operands gives, for each
 * result, the sum of the absolute values of its terms: the `magnitude` that `assertClose` scales rounding errors by.
 */
export function absolute(x: Nd): Nd {
  return map(x, Math.abs);
}

/** Throws unless both shapes are the same, naming `what`. */
export function requireShape(what: string, got: readonly number[], want: readonly number[]): void {
  if (got.length !== want.length || got.some((extent, axis) => extent !== want[axis])) {
    throw new RangeError(`${what}: expected shape [${want.join(", ")}], got [${got.join(", ")}]`);
  }
}

/** `axis` counted from the front; a negative one counts from the back. */
export function axisOf(axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) {
    throw new RangeError(`axis ${axis} does not exist in rank ${rank}`);
  }
  return resolved;
}

/** Visits every line along `axis`, handing over the flat positions of its elements in order. */
export function forEachLine(
  shape: readonly number[],
  axis: number,
  visit: (line: readonly number[], which: number) => void,
): void {
  const along = axisOf(axis, shape.length);
  const length = shape[along]!;
  const step = strides(shape)[along]!;
  const outer = size(shape.slice(0, along));
  for (let o = 0, which = 0; o < outer; o++) {
    for (let inner = 0; inner < step; inner++, which++) {
      visit(
        Array.from({ length }, (_, k) => (o * length + k) * step + inner),
        which,
      );
    }
  }
}
