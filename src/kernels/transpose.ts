/**
 * Transpose: the axes in another order. A strided read, and by its inverse a strided read back.
 *
 * Where the last axis moves and all is a multiple of four, an invocation turns tiles of 4 × 4 over in registers: vectors are
 * loaded along the last axis of x and stored along that of the result.
 */
import { ShapeError } from "../errors.ts";
import { COPY, defineKernel, defineOp, formatShape, run, runMapOn, stridesOf, viewOperand } from "../tensor/index.ts";
import type { Operand, Tensor } from "../tensor/index.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";
import { each } from "./wgslText.ts";

const tileKernel = defineKernel({
  name: "transpose",
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  uniforms: { ...stripUniforms, rowStride: "u32", outerStride: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, strip of rows, column); both in fours
      ${STRIP}
      for (var row = begin; row < end; row++) {
        let at = line * u.outerStride + 4u * row * u.rowStride + channel;
        ${each(4, (k) => `let v${k} = x[at + ${k}u * u.rowStride];`)}
        let to = 4u * (line * c + channel) * u.columns + row;
        ${each(4, (k) => `store_y(to + ${k}u * u.columns, vec4f(${each(4, (j) => `v${j}.${"xyzw"[k]!}`, ", ")}));`)}
      }
    }`,
});

/** The tiles of a view `[outer, columns, rows]` that reads along its columns; null where the view is another. */
function tilesOf({ sizes }: Operand) {
  const [, rows, rowStride, columns, stride, outer = 1, outerStride = 0, ...more] = sizes;
  if (rows === undefined || rowStride === undefined || columns === undefined || more.length > 0) return null;
  const inFours = [rows, rowStride, columns, outerStride].every((size) => size % 4 === 0);
  if (stride !== 1 || !inFours) return null;
  return { outer, rows: rows / 4, columns: columns / 4, rowStride: rowStride / 4, outerStride: outerStride / 4 };
}

function permute(x: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => x.shape[axis]!);
  const strides = stridesOf(x.shape);
  const moved = permutation.map((axis) => strides[axis]!);
  const view = viewOperand(x, shape, moved);
  const tiles = tilesOf(view);
  if (!tiles) return runMapOn(COPY, [view], shape, { where: "transpose" });
  const { rowStride, outerStride } = tiles;
  const { sizes, threads } = cutIntoStrips(x.device, tiles.outer, tiles.rows, tiles.columns);
  const options = { where: "transpose", constants: { width: 4 }, threads };
  return run(tileKernel, { x }, { y: shape }, { ...sizes, rowStride, outerStride }, options).y;
}

/** Axis k of the result is axis `permutation[k]` of `x`; default: all axes reversed. */
export const transpose = defineOp("transpose", {
  forward(x: Tensor, permutation: readonly number[] = x.shape.map((_, axis) => axis).reverse()) {
    const rank = x.shape.length;
    const sorted = [...permutation].sort((a, b) => a - b);
    if (sorted.length !== rank || sorted.some((axis, index) => axis !== index)) {
      throw new ShapeError({
        where: "transpose",
        expected: `a permutation of ${rank} axes`,
        got: formatShape(permutation),
        advice: "name each axis once, counted from 0",
      });
    }
    return { output: permute(x, permutation), saved: permutation };
  },
  backward: (dy, permutation) => [
    permute(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
});
