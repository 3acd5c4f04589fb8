/**
 * Flip: axes read backwards. One axis is walked in strips; several are a view with negative strides, which u32 arithmetic
 * gets right because it wraps around, but which divides for every element.
 */
import { COPY, defineKernel, defineOp, normaliseAxes, run, runMapOn, sizeOf, stridesOf } from "../tensor/index.ts";
import { viewOperand, type Tensor } from "../tensor/index.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

const kernel = defineKernel({
  name: "flip",
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  uniforms: stripUniforms,
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, strip of the axis, inner (in fours))
      ${STRIP}
      let row = line * u.columns;
      for (var k = begin; k < end; k++) { store_y((row + k) * c + channel, x[(row + u.columns - 1u - k) * c + channel]); }
    }`,
});

function reverseOne(x: Tensor, axis: number): Tensor {
  const inner = sizeOf(x.shape.slice(axis + 1));
  const width = inner % 4 === 0 ? 4 : 1;
  const { sizes, threads } = cutIntoStrips(x.device, sizeOf(x.shape.slice(0, axis)), x.shape[axis]!, inner / width);
  return run(kernel, { x }, { y: x.shape }, sizes, { where: "flip", constants: { width }, threads }).y;
}

function reverse(x: Tensor, axes: readonly number[]): Tensor {
  if (axes.length === 1) return reverseOne(x, axes[0]!);
  const strides = stridesOf(x.shape);
  const last = axes.reduce((offset, axis) => offset + (x.shape[axis]! - 1) * strides[axis]!, 0);
  const backwards = strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride));
  return runMapOn(COPY, [viewOperand(x, x.shape, backwards, last)], x.shape, { where: "flip" });
}

/** Reverses the order of the elements along `axes`; negative ones count from the end. */
export const flip = defineOp("flip", {
  forward(x: Tensor, axes: readonly number[]) {
    const along = normaliseAxes("flip", axes, x.shape.length);
    return { output: reverse(x, along), saved: along };
  },
  backward: (dy, along) => [reverse(dy, along)],
});
