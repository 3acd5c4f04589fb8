/** Reshape: the same elements under another shape. No kernel runs and nothing is copied. */
import { ShapeError } from "../errors.ts";
import { defineOp, formatShape, sizeOf, Tensor, type Shape } from "../tensor/index.ts";

function view(x: Tensor, shape: Shape): Tensor {
  return new Tensor(x.device, shape, x.dtype, x.storage, x.byteOffset);
}

const differentiable = defineOp("reshape", {
  forward(x: Tensor, shape: Shape) {
    const resolved = resolveShape(x.shape, shape);
    return { output: view(x, resolved), saved: x.shape };
  },
  backward: (dy, shape) => [view(dy, shape)],
});

/**
 * Gives `x` another shape of the same size. One extent may be −1 and is then worked out.
 * `reshape.raw` is the same for use inside other operations: it is not recorded for differentiation.
 */
export const reshape = Object.assign(differentiable, { raw: view });

function resolveShape(from: Shape, to: Shape): Shape {
  const size = sizeOf(from);
  const known = sizeOf(to.filter((extent) => extent !== -1));
  const resolved = to.map((extent) => (extent === -1 ? size / known : extent));
  const legal =
    to.filter((extent) => extent === -1).length <= 1 &&
    resolved.every((extent) => Number.isInteger(extent) && extent > 0);
  if (legal && sizeOf(resolved) === size) return resolved;
  throw new ShapeError({
    where: "reshape",
    expected: `a shape of ${size} elements, with at most one −1`,
    got: `${formatShape(to)} for ${formatShape(from)}`,
    advice: "a reshape keeps every element; to add or drop some, use pad or slice",
  });
}
