/** Concatenate along one axis: each tensor's rows are stored into their part of the result. */
import { ShapeError } from "../errors.ts";
import {
  COPY,
  defineKernel,
  defineOp,
  formatShape,
  normaliseAxes,
  run,
  runMapOn,
  sizeOf,
  stridesOf,
  viewOperand,
} from "../tensor/index.ts";
import type { Shape, Tensor } from "../tensor/index.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

const pasteKernel = defineKernel({
  name: "concat",
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  uniforms: { ...stripUniforms, outRow: "u32", offset: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (strip of rows of x, place in a row (in fours))
      ${STRIP}
      for (var row = begin; row < end; row++) { store_y(row * u.outRow + u.offset + channel, x[row * c + channel]); }
    }`,
});

/** Joins tensors that agree in every extent but that of `axis` (default: the last). */
export const concat = defineOp("concat", {
  forward(tensors: readonly Tensor[], axis: number = -1) {
    const [first] = tensors;
    if (!first) throw new ShapeError({ where: "concat", expected: "at least one tensor", got: "none" });
    const [along] = normaliseAxes("concat", [axis], first.shape.length) as [number];
    const shapes = tensors.map(({ shape }) => shape);
    if (!shapes.every((shape) => agree(shape, first.shape, along))) {
      throw new ShapeError({
        where: "concat",
        expected: `shapes that differ at axis ${along} only`,
        got: shapes.map(formatShape).join(" "),
        advice: "reshape, slice or pad them first",
      });
    }
    const extent = shapes.reduce((sum, shape) => sum + shape[along]!, 0);
    const outShape = first.shape.map((size, index) => (index === along ? extent : size));
    return { output: paste(tensors, along, outShape), saved: { shapes, along } };
  },
  backward(dy, { shapes, along }, wants) {
    const strides = stridesOf(dy.shape);
    let start = 0;
    return shapes.map((shape, index) => {
      const offset = start * strides[along]!;
      start += shape[along]!;
      return wants[index] ? runMapOn(COPY, [viewOperand(dy, shape, strides, offset)], shape) : null;
    });
  },
});

function agree(shape: Shape, other: Shape, along: number): boolean {
  return shape.length === other.length && shape.every((extent, axis) => axis === along || extent === other[axis]);
}

function paste(tensors: readonly Tensor[], along: number, outShape: Shape): Tensor {
  const inner = sizeOf(outShape.slice(along + 1));
  const outRow = outShape[along]! * inner;
  const rows = sizeOf(outShape.slice(0, along));
  const starts = tensors.map((_, k) => tensors.slice(0, k).reduce((sum, { shape }) => sum + shape[along]! * inner, 0));
  let output: Tensor | null = null;
  tensors.forEach((x, k) => {
    const row = x.shape[along]! * inner;
    const offset = starts[k]!;
    const width = [row, outRow, offset].every((size) => size % 4 === 0) ? 4 : 1;
    const { sizes, threads } = cutIntoStrips(x.device, 1, rows, row / width);
    const uniforms = { ...sizes, outRow: outRow / width, offset: offset / width };
    output = run(pasteKernel, { x }, { y: output ?? outShape }, uniforms, { constants: { width }, threads }).y;
  });
  return output!;
}
