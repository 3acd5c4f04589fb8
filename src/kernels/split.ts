/** Split and stack: the counterparts of concat. Both are compositions, and so are their gradients. */
import { OptionError, ShapeError } from "../errors.ts";
import { formatShape, normaliseAxes, sameShape, type Tensor } from "../tensor/index.ts";
import { concat } from "./concat.ts";
import { slice } from "./pad.ts";
import { reshape } from "./reshape.ts";

/**
 * Cuts `x` along `axis` (default: the last) into a number of equal parts, or into parts of the given sizes. A part that is
 * not used costs nothing.
 */
export function split(x: Tensor, parts: number | readonly number[], axis: number = -1): Tensor[] {
  const where = "split";
  const [along] = normaliseAxes(where, [axis], x.shape.length) as [number];
  const extent = x.shape[along]!;
  const sizes = typeof parts === "number" ? new Array<number>(parts > 0 ? parts : 0).fill(extent / parts) : parts;
  const whole = sizes.every((size) => Number.isInteger(size) && size > 0);
  if (!whole || sizes.reduce((sum, size) => sum + size, 0) !== extent) {
    throw new OptionError({
      where,
      expected: `positive whole sizes that add up to ${extent}, or a number of parts that divides it`,
      got: JSON.stringify(parts),
      advice: "pad or slice the tensor first",
    });
  }
  let start = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, index) => (index === along ? start : 0));
    start += size;
    return slice(
      x,
      begin,
      x.shape.map((all, index) => (index === along ? size : all)),
    );
  });
}

/** Joins tensors of one shape along a new axis (default: the first). */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const where = "stack";
  const [first] = tensors;
  if (!first) throw new ShapeError({ where, expected: "at least one tensor", got: "none" });
  const { shape } = first;
  if (!tensors.every((tensor) => sameShape(tensor.shape, shape))) {
    throw new ShapeError({
      where,
      expected: "tensors of one shape",
      got: tensors.map((tensor) => formatShape(tensor.shape)).join(" "),
      advice: "use concat along an axis in which they differ",
    });
  }
  const [along] = normaliseAxes(where, [axis], shape.length + 1) as [number];
  const widened = [...shape.slice(0, along), 1, ...shape.slice(along)];
  return concat(
    tensors.map((tensor) => reshape(tensor, widened)),
    along,
  );
}
