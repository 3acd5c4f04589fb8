/** Weights in ONNX' order of axes. */
import { sizeOf, stridesOf, type Shape } from "../tensor/index.ts";

/** The elements of `values`, whose shape is `shape`, with axis k being what was axis `permutation[k]`. */
export function permuted(values: Float32Array, shape: Shape, permutation: readonly number[]): Float32Array {
  const strides = stridesOf(shape);
  const steps = permutation.map((axis) => strides[axis]!);
  const extents = permutation.map((axis) => shape[axis]!);
  const result = new Float32Array(sizeOf(shape));
  const index = extents.map(() => 0);
  let source = 0;
  for (let at = 0; at < result.length; at++) {
    result[at] = values[source]!;
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      source += steps[axis]!;
      if (++index[axis]! < extents[axis]!) break;
      source -= steps[axis]! * extents[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
