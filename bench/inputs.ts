/** Inputs of operation cases: the same numbers for every engine. */
import { RandomStream, sizeOf, type Shape } from "../src/tensor/index.ts";
import type { Layout } from "./layout.ts";

export interface InputValues {
  readonly shape: Shape;
  readonly values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
}

/**
 * What an input holds: uniform numbers in [−1, 1), in [½, 1½) or in [0, 1); −1 and 1; class numbers below ten, or the one-hot
 * rows of those; zeros; the counter 0, 1, 2, …; bytes.
 */
export type InputKind =
  "uniform" | "positive" | "unit" | "signs" | "labels" | "oneHot" | "zeros" | "counter" | "shuffled" | "bytes";

export interface InputSpec {
  readonly shape: Shape;
  /** Default: `uniform`. */
  readonly kind?: InputKind;
  /** For libraries that order axes in another way. */
  readonly layout?: Layout;
  /** A weight: libraries that prepare those beforehand may do so. */
  readonly constant?: boolean;
}

const SEED = 7;

/** Random numbers are drawn once and repeated: large inputs would take long. A prime, so that no axis has this period. */
const PERIOD = 262_139;

/** `value` of a uniform number in [0, 1), over and over. */
function drawn(shape: Shape, stream: number, value: (uniform: number) => number): Float32Array<ArrayBuffer> {
  const random = new RandomStream(SEED, stream);
  const values = new Float32Array(sizeOf(shape));
  for (let index = 0; index < Math.min(PERIOD, values.length); index++) values[index] = value(random.uniform());
  for (let start = PERIOD; start < values.length; start += PERIOD) values.copyWithin(start, 0, PERIOD);
  return values;
}

/** Divides no size of a case, so that its multiples meet every place. */
const PRIME = 7919;

const makers: Readonly<Record<InputKind, (shape: Shape, stream: number) => InputValues["values"]>> = {
  uniform: (shape, stream) => drawn(shape, stream, (value) => 2 * value - 1),
  positive: (shape, stream) => drawn(shape, stream, (value) => value + 0.5),
  unit: (shape, stream) => drawn(shape, stream, (value) => value),
  signs: (shape, stream) => drawn(shape, stream, (value) => (value < 0.5 ? -1 : 1)),
  labels: ([rows = 0]) => Uint32Array.from({ length: rows }, (_, row) => classOf(row)),
  oneHot: ([rows = 0, classes = 0]) =>
    Float32Array.from({ length: rows * classes }, (_, at) =>
      at % classes === classOf(Math.floor(at / classes)) ? 1 : 0,
    ),
  zeros: (shape) => new Float32Array(sizeOf(shape)),
  counter: (shape) => Uint32Array.from({ length: sizeOf(shape) }, (_, index) => index),
  shuffled: (shape) => Uint32Array.from({ length: sizeOf(shape) }, (_, index) => (index * PRIME) % sizeOf(shape)),
  bytes: (shape, stream) => Uint8Array.from(drawn(shape, stream, (value) => 256 * value)),
};

function classOf(row: number): number {
  return (row * 7) % 10;
}

export function inputValues({ shape, kind = "uniform" }: InputSpec, index: number): InputValues {
  return { shape, values: makers[kind](shape, index) };
}
