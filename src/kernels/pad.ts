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
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

/** An axis and all axes inside it are one line of places of `inner` elements: one kernel pads one axis. */
const padKernel = defineKernel({
  name: "pad",
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  uniforms: { ...stripUniforms, extent: "u32", before: "u32", value: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, strip of places, inner (in fours))
      ${STRIP}
      for (var place = begin; place < end; place++) {
        let from_ = place - u.before;                      // wraps below the start: then ≥ extent as well
        let inside = from_ < u.extent;
        let value = x[(line * u.extent + select(0u, from_, inside)) * c + channel];
        store_y((line * u.columns + place) * c + channel, select(f32v(u.value), value, inside));
      }
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
    const inner = sizeOf(shape.slice(axis + 1));
    const width = inner % 4 === 0 ? 4 : 1;
    const { sizes, threads } = cutIntoStrips(x.device, sizeOf(shape.slice(0, axis)), padded, inner / width);
    const outShape = shape.map((size, index) => (index === axis ? padded : size));
    const uniforms = { ...sizes, extent, before, value };
    const options = { where: "pad", constants: { width }, threads };
    result = run(padKernel, { x: result }, { y: outShape }, uniforms, options).y;
  });
  return result;
}

function cut(x: Tensor, begin: Shape, size: Shape): Tensor {
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
  return runMapOn(COPY, [viewOperand(x, size, strides, offset)], size, { where: "slice" });
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
        advice: "name a pair for each axis; to cut, use slice",
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
        advice: "an extent of −1 reaches to the end",
      });
    }
    const widths = shape.map((extent, axis) => [begin[axis]!, x.shape[axis]! - begin[axis]! - extent] as const);
    return { output: cut(x, begin, shape), saved: widths };
  },
  backward: (dy, widths) => [padAxes(dy, widths, 0)],
});
