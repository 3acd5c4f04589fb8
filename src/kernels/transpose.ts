/** Transpose: the axes in another order. A strided read, and by its inverse a strided read back. */
import { ShapeError } from "../errors.ts";
import { COPY, defineOp, formatShape, runMapOn, stridesOf, viewOperand, type Tensor } from "../tensor/index.ts";

function permute(x: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => x.shape[axis]!);
  const strides = stridesOf(x.shape);
  const moved = permutation.map((axis) => strides[axis]!);
  return runMapOn(COPY, [viewOperand(x, shape, moved)], shape, { where: "transpose" });
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
