/** Shapes are plain arrays of sizes, outermost first; data is row-major. Rank 0 is a scalar. */
import { ShapeError } from "../errors.ts";

export type Shape = readonly number[];

/** Number of elements; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** `[2, 3]`, as error messages print it. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Throws unless every extent is a positive integer: kernels have no use for empty tensors, and zeros hide mistakes. */
export function checkShape(where: string, shape: Shape): void {
  if (shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)) return;
  throw new ShapeError({
    where,
    expected: "positive whole extents",
    got: formatShape(shape),
    advice: "drop empty dimensions or batches before they reach a tensor",
  });
}

/** NumPy broadcasting of two shapes, or a ShapeError that names the operation. */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError({
        where,
        expected: "shapes that broadcast (equal extents, or 1, aligned at the last axis)",
        got: `${formatShape(a)} and ${formatShape(b)}`,
        advice: "reshape one of them",
      });
    }
    result.push(Math.max(x, y));
  }
  return result;
}

/** Resolves negative axes and checks range and repetition. */
export function normaliseAxes(where: string, axes: readonly number[], rank: number): number[] {
  const resolved = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const legal = resolved.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < rank);
  if (legal && new Set(resolved).size === resolved.length) return resolved.sort((x, y) => x - y);
  throw new ShapeError({
    where,
    expected: `distinct axes between ${-rank} and ${rank - 1}`,
    got: formatShape(axes),
    advice: "name each axis of the tensor at most once",
  });
}
