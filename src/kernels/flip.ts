/** Flip: axes read backwards. A view with negative strides, which u32 arithmetic gets right because it wraps around. */
import { COPY, defineOp, normaliseAxes, runMapOn, stridesOf, viewOperand, type Tensor } from "../tensor/index.ts";

function reverse(x: Tensor, axes: readonly number[]): Tensor {
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
