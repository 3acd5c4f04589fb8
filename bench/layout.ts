/**
 * The order of axes. Here and in TensorFlow.js images are `[batch, height, width, channels]`, filters `[height, width, in,
 * out]`, those of depthwise convolutions `[height, width, channels, 1]`. Others want `[batch, channels, height, width]` and
 * `[out, in, height, width]`. They get theirs before anything is timed, and their results are turned back after it.
 */
import { sizeOf, stridesOf, type Shape } from "../src/tensor/index.ts";

export type Layout = "image" | "filter" | "depthwise";

/** Which of our axes stands where in a library that has channels first. */
const CHANNELS_FIRST: Readonly<Record<Layout, readonly number[]>> = {
  image: [0, 3, 1, 2],
  filter: [3, 2, 0, 1],
  depthwise: [2, 3, 0, 1],
};

type Elements = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

export interface Laid<T extends Elements> {
  readonly shape: Shape;
  readonly values: T;
}

/** The same elements with axis `permutation[k]` in place k. */
export function permute<T extends Elements>({ shape, values }: Laid<T>, permutation: readonly number[]): Laid<T> {
  const permuted = permutation.map((axis) => shape[axis]!);
  const strides = permutation.map((axis) => stridesOf(shape)[axis]!);
  const result = new (values.constructor as new (length: number) => T)(values.length);
  const place = permuted.map(() => 0);
  let source = 0;
  for (let at = 0; at < sizeOf(shape); at++) {
    result[at] = values[source]!;
    for (let axis = permuted.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++place[axis]! < permuted[axis]!) break;
      source -= strides[axis]! * permuted[axis]!;
      place[axis] = 0;
    }
  }
  return { shape: permuted, values: result };
}

export function channelsFirst<T extends Elements>(array: Laid<T>, layout: Layout | undefined): Laid<T> {
  return layout ? permute(array, CHANNELS_FIRST[layout]) : array;
}

/** The way back. */
export function channelsLast<T extends Elements>(array: Laid<T>, layout: Layout | undefined): Laid<T> {
  if (!layout) return array;
  const order = CHANNELS_FIRST[layout];
  return permute(
    array,
    order.map((_, axis) => order.indexOf(axis)),
  );
}
