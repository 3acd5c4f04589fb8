/**
 * Operations that move elements without computing. The gradient of a move is the move back; elements that were
 * dropped get 0, elements that were copied get the sum.
 */
import { axisOf, filled, nd, ravel, requireShape, unravel, zeros, type Nd } from "./nd.ts";

/** The same elements in the same row order under another shape. */
export function reshape(x: Nd, shape: readonly number[]): Nd {
  return nd(shape, x.data);
}

export function reshapeGrad(shape: readonly number[], dy: Nd): Nd {
  return nd(shape, dy.data);
}

/** y.shape[k] = x.shape[permutation[k]], and so with indices; reverses the axes by default (NumPy). */
export function transpose(
  x: Nd,
  permutation: readonly number[] = x.shape.map((_, axis) => x.shape.length - 1 - axis),
): Nd {
  const y = zeros(permutation.map((axis) => x.shape[axis]!));
  y.data.forEach((_, flat) => {
    const to = unravel(flat, y.shape);
    const from = to.map(() => 0);
    permutation.forEach((axis, k) => {
      from[axis] = to[k]!;
    });
    y.data[flat] = x.data[ravel(from, x.shape)]!;
  });
  return y;
}

/** dx = dy under the inverse permutation */
export function transposeGrad(
  dy: Nd,
  permutation: readonly number[] = dy.shape.map((_, axis) => dy.shape.length - 1 - axis),
): Nd {
  return transpose(
    dy,
    permutation.map((_, axis) => permutation.indexOf(axis)),
  );
}

/** The box of extent `extent` that starts at `begin`. */
export function slice(x: Nd, begin: readonly number[], extent: readonly number[]): Nd {
  if (begin.some((from, axis) => from < 0 || from + extent[axis]! > x.shape[axis]!)) {
    throw new RangeError(`slice: [${begin.join(", ")}] + [${extent.join(", ")}] leaves [${x.shape.join(", ")}]`);
  }
  const y = zeros(extent);
  y.data.forEach((_, flat) => {
    y.data[flat] =
      x.data[
        ravel(
          unravel(flat, extent).map((k, axis) => k + begin[axis]!),
          x.shape,
        )
      ]!;
  });
  return y;
}

/** dx = dy inside the box, 0 outside */
export function sliceGrad(shape: readonly number[], dy: Nd, begin: readonly number[]): Nd {
  const dx = zeros(shape);
  dy.data.forEach((g, flat) => {
    dx.data[
      ravel(
        unravel(flat, dy.shape).map((k, axis) => k + begin[axis]!),
        shape,
      )
    ] = g;
  });
  return dx;
}

/** Where each of several arrays starts along the axis of their concatenation. */
function offsets(shapes: readonly (readonly number[])[], axis: number): number[] {
  let next = 0;
  return shapes.map((shape) => {
    const start = next;
    next += shape[axis]!;
    return start;
  });
}

/** The arrays one after the other along `axis`; all other extents agree. */
export function concat(xs: readonly Nd[], axis: number): Nd {
  const first = xs[0]!;
  const along = axisOf(axis, first.shape.length);
  for (const x of xs) {
    requireShape(
      "concat",
      x.shape.map((extent, k) => (k === along ? 0 : extent)),
      first.shape.map((extent, k) => (k === along ? 0 : extent)),
    );
  }
  const total = xs.reduce((sum, x) => sum + x.shape[along]!, 0);
  const y = zeros(first.shape.map((extent, k) => (k === along ? total : extent)));
  const starts = offsets(
    xs.map((x) => x.shape),
    along,
  );
  xs.forEach((x, which) => {
    x.data.forEach((value, flat) => {
      y.data[
        ravel(
          unravel(flat, x.shape).map((k, a) => (a === along ? k + starts[which]! : k)),
          y.shape,
        )
      ] = value;
    });
  });
  return y;
}

/** dxᵢ = the slice of dy that xᵢ filled */
export function concatGrad(shapes: readonly (readonly number[])[], dy: Nd, axis: number): Nd[] {
  const along = axisOf(axis, dy.shape.length);
  const starts = offsets(shapes, along);
  return shapes.map((shape, which) =>
    slice(
      dy,
      shape.map((_, k) => (k === along ? starts[which]! : 0)),
      shape,
    ),
  );
}

/** x surrounded by `value`: `paddings[axis]` = [before, after] */
export function pad(x: Nd, paddings: readonly (readonly [before: number, after: number])[], value = 0): Nd {
  const y = filled(
    x.shape.map((extent, axis) => extent + paddings[axis]![0] + paddings[axis]![1]),
    value,
  );
  x.data.forEach((element, flat) => {
    y.data[
      ravel(
        unravel(flat, x.shape).map((k, axis) => k + paddings[axis]![0]),
        y.shape,
      )
    ] = element;
  });
  return y;
}

/** dx = dy without its border */
export function padGrad(
  shape: readonly number[],
  dy: Nd,
  paddings: readonly (readonly [before: number, after: number])[],
): Nd {
  return slice(
    dy,
    paddings.map(([before]) => before),
    shape,
  );
}

/** y[…, i, …] = x[…, rows[i], …]: slices of x along an axis (the first), in any order, any number of times */
export function gather(x: Nd, rows: ArrayLike<number>, axis = 0): Nd {
  const along = axisOf(axis, x.shape.length);
  const extent = x.shape[along]!;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (!Number.isInteger(row) || row < 0 || row >= extent) throw new RangeError(`gather: row ${row} of ${extent}`);
  }
  const y = zeros(x.shape.map((size_, k) => (k === along ? rows.length : size_)));
  y.data.forEach((_, flat) => {
    const from = unravel(flat, y.shape).map((k, a) => (a === along ? rows[k]! : k));
    y.data[flat] = x.data[ravel(from, x.shape)]!;
  });
  return y;
}

/** dx[…, r, …] = Σ dy[…, i, …] over all i with rows[i] = r */
export function gatherGrad(shape: readonly number[], dy: Nd, rows: ArrayLike<number>, axis = 0): Nd {
  const along = axisOf(axis, shape.length);
  const dx = zeros(shape);
  dy.data.forEach((g, flat) => {
    const to = unravel(flat, dy.shape).map((k, a) => (a === along ? rows[k]! : k));
    dx.data[ravel(to, shape)]! += g;
  });
  return dx;
}

/** The axes in `axes` backwards; its own gradient. */
export function flip(x: Nd, axes: readonly number[]): Nd {
  const along = new Set(axes.map((axis) => axisOf(axis, x.shape.length)));
  const y = zeros(x.shape);
  y.data.forEach((_, flat) => {
    const from = unravel(flat, x.shape).map((k, a) => (along.has(a) ? x.shape[a]! - 1 - k : k));
    y.data[flat] = x.data[ravel(from, x.shape)]!;
  });
  return y;
}

/** y[i] = x[i mod extent] along each axis: `repeats[axis]` copies */
export function tile(x: Nd, repeats: readonly number[]): Nd {
  const y = zeros(x.shape.map((extent, axis) => extent * repeats[axis]!));
  y.data.forEach((_, flat) => {
    const from = unravel(flat, y.shape).map((k, axis) => k % x.shape[axis]!);
    y.data[flat] = x.data[ravel(from, x.shape)]!;
  });
  return y;
}

/** dx = Σ dy over the copies */
export function tileGrad(shape: readonly number[], dy: Nd): Nd {
  const dx = zeros(shape);
  dy.data.forEach((g, flat) => {
    const to = unravel(flat, dy.shape).map((k, axis) => k % shape[axis]!);
    dx.data[ravel(to, shape)]! += g;
  });
  return dx;
}

/** y[i, k] = on where k = labels[i], off elsewhere; not differentiable. A label outside 0 … depth − 1 gives a row of `off`. */
export function oneHot(labels: ArrayLike<number>, depth: number, on = 1, off = 0): Nd {
  const y = filled([labels.length, depth], off);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label >= 0 && label < depth) y.data[i * depth + label] = on;
  }
  return y;
}
