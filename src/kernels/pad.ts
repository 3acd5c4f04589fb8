/**
 * Pad with a constant, and its counterpart slice: each is the other's gradient.
 *
 *   pad:   y[i + before] = x[i], the value elsewhere          slice: y[i] = x[i + begin]
 */
import { ShapeError } from "../errors.ts";
import {
  COPY,
  defineKernel,
  defineOp,
  formatShape,
  run,
  runMapOn,
  sizeOf,
  stridesOf,
  viewOperand,
} from "../tensor/index.ts";
import type { Shape, Tensor } from "../tensor/index.ts";

/** Rows of an axis and of all inside it move together, so one kernel pads one axis at a time. */
const padKernel = defineKernel({
  name: "pad",
  inputs: { x: "f32" },
  outputs: { y: "real" },
  uniforms: { extent: "u32", before: "u32", padded: "u32", inner: "u32", value: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, position, inner)
      let position = (i / u.inner) % u.padded;
      let at = position - u.before;                        // wraps below the start: then ≥ extent as well
      let source = (i / (u.inner * u.padded) * u.extent + at) * u.inner + i % u.inner;
      if (at < u.extent) { store_y(i, x[source]); } else { store_y(i, u.value); }
    }`,
});

/** `[before, after]` for each axis. */
export type Padding = readonly (readonly [number, number])[];

function padAxes(x: Tensor, widths: Padding, value: number): Tensor {
  let result = x;
  widths.forEach(([before, after], axis) => {
    if (before === 0 && after === 0) return;
    const { shape } = result;
    const extent = shape[axis]!;
    const padded = extent + before + after;
    const outShape = shape.map((size, index) => (index === axis ? padded : size));
    const sizes = { extent, before, padded, inner: sizeOf(shape.slice(axis + 1)), value };
    result = run(padKernel, { x: result }, { y: outShape }, sizes).y;
  });
  return result;
}

function cut(x: Tensor, begin: Shape, size: Shape): Tensor {
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
  return runMapOn(COPY, [viewOperand(x, size, strides, offset)], size);
}

/** Surrounds `x` with `value` (default 0): `widths[axis]` is `[before, after]`. */
export const pad = defineOp("pad", {
  forward(x: Tensor, widths: Padding, value: number = 0) {
    const legal =
      widths.length === x.shape.length && widths.flat().every((width) => Number.isInteger(width) && width >= 0);
    if (!legal) {
      throw new ShapeError({
        where: "pad",
        expected: `${x.shape.length} pairs [before, after] of whole numbers ≥ 0`,
        got: JSON.stringify(widths),
      });
    }
    const output = padAxes(x, widths, value);
    return { output, saved: { begin: widths.map(([before]) => before), shape: x.shape } };
  },
  backward: (dy, { begin, shape }) => [cut(dy, begin, shape)],
});

/** The block of `x` that starts at `begin` and has shape `size`; an extent of −1 reaches to the end. */
export const slice = defineOp("slice", {
  forward(x: Tensor, begin: Shape, size: Shape) {
    const shape = size.map((extent, axis) => (extent === -1 ? x.shape[axis]! - begin[axis]! : extent));
    const fits = (extent: number, axis: number) =>
      Number.isInteger(extent) && extent > 0 && begin[axis]! >= 0 && begin[axis]! + extent <= x.shape[axis]!;
    if (begin.length !== x.shape.length || shape.length !== x.shape.length || !shape.every(fits)) {
      throw new ShapeError({
        where: "slice",
        expected: `a block inside ${formatShape(x.shape)}`,
        got: `begin ${formatShape(begin)}, size ${formatShape(size)}`,
      });
    }
    const widths = shape.map((extent, axis) => [begin[axis]!, x.shape[axis]! - begin[axis]! - extent] as const);
    return { output: cut(x, begin, shape), saved: widths };
  },
  backward: (dy, widths) => [padAxes(dy, widths, 0)],
});
