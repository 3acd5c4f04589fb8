/**
 * Broadcast and tile: copies of a tensor side by side.
 *
 *   tile:  y[i] = x[i mod extent] along each axis          dx = Σ dy over the copies
 */
import { ShapeError } from "../errors.ts";
import { broadcastShapes, COPY, defineOp, formatShape, runMap, sameShape } from "../tensor/index.ts";
import type { Shape, Tensor } from "../tensor/index.ts";
import { sumTo } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/** `x` repeated to `shape`, as operands of element-wise operations are (NumPy's rules). */
export const broadcastTo = defineOp("broadcastTo", {
  forward(x: Tensor, shape: Shape) {
    const where = "broadcastTo";
    if (!sameShape(broadcastShapes(where, x.shape, shape), shape)) {
      throw new ShapeError({
        where,
        expected: `a shape that ${formatShape(x.shape)} broadcasts to`,
        got: formatShape(shape),
        advice: "its extents must be those of x where those are not 1",
      });
    }
    return { output: runMap(COPY, [x], shape, { where, dtype: x.dtype }), saved: { shape: x.shape, dtype: x.dtype } };
  },
  backward(dy, { shape, dtype }) {
    const total = sumTo(dy, shape);
    return [total.dtype === dtype ? total : runMap(COPY, [total], shape, { dtype })];
  },
});

/** `repeats[axis]` copies of `x` one after the other along each axis. */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  if (repeats.length !== x.shape.length || !repeats.every((times) => Number.isInteger(times) && times > 0)) {
    throw new ShapeError({
      where: "tile",
      expected: `${x.shape.length} positive whole numbers of repeats`,
      got: formatShape(repeats),
      advice: "name one for each axis; 1 leaves an axis as it is",
    });
  }
  const apart = x.shape.flatMap((extent) => [1, extent]);
  const repeated = x.shape.flatMap((extent, axis) => [repeats[axis]!, extent]);
  return reshape(
    broadcastTo(reshape(x, apart), repeated),
    x.shape.map((extent, axis) => extent * repeats[axis]!),
  );
}
