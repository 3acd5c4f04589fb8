/**
 * A batch out of a data set of numbers: rows picked by their places in `order`, and nothing else done to them.
 *
 *   x[b, i] = values[order[cursor·B + b], i]
 */
import { defineKernel, run, sizeOf, type Dtype, type Shape, type Tensor } from "../tensor/index.ts";
import { PLACE, placeSizes, placeUniforms, type BatchPlace } from "./byteImages.ts";

/** A data set of numbers on the GPU. */
export interface FloatRows {
  /** f32 `[count, …shape]`, row-major. */
  readonly values: Tensor;
  /** u32 class numbers, `[count]`. */
  readonly labels: Tensor;
  /** Of one row, of any rank. */
  readonly shape: Shape;
}

const kernel = defineKernel({
  name: "gatherRows",
  uniforms: { ...placeUniforms, row: "u32" },
  inputs: { values: "f32v", order: "u32", cursor: "u32" },
  outputs: { x: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per element (of four)
      let b = i / u.row;
      store_x(i, values[order[${PLACE} + b] * u.row + i - b * u.row]);
    }`,
});

/** `[rows, …shape]`. */
export function gatherRows({ values, shape }: FloatRows, place: BatchPlace, dtype: Dtype): Tensor {
  const size = sizeOf(shape);
  const width = size % 4 === 0 ? 4 : 1;
  const inputs = { values, order: place.order, cursor: place.cursor };
  const sizes = { ...placeSizes(place), row: size / width };
  return run(kernel, inputs, { x: [place.rows, ...shape] }, sizes, { constants: { width }, dtype }).x;
}
