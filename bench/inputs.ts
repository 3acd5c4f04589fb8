/** Inputs of operation cases: the same numbers for every engine. */
import { RandomStream, sizeOf, type Shape } from "../src/tensor/index.ts";

export interface InputValues {
  readonly shape: Shape;
  readonly values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** What an input holds: uniform numbers in [−1, 1), class numbers, or the one-hot rows of those class numbers. */
export type InputKind = "uniform" | "labels" | "oneHot";

export interface InputSpec {
  readonly shape: Shape;
  readonly kind?: InputKind;
}

const SEED = 7;

/** Random numbers are drawn once and repeated: large inputs would take long. A prime, so that no axis has this period. */
const PERIOD = 262_139;

const makers: Readonly<Record<InputKind, (shape: Shape, stream: number) => InputValues["values"]>> = {
  uniform(shape, stream) {
    const random = new RandomStream(SEED, stream);
    const values = new Float32Array(sizeOf(shape));
    for (let index = 0; index < Math.min(PERIOD, values.length); index++) values[index] = 2 * random.uniform() - 1;
    for (let start = PERIOD; start < values.length; start += PERIOD) values.copyWithin(start, 0, PERIOD);
    return values;
  },
  labels: ([rows = 0]) => Uint32Array.from({ length: rows }, (_, row) => classOf(row)),
  oneHot: ([rows = 0, classes = 0]) =>
    Float32Array.from({ length: rows * classes }, (_, at) =>
      at % classes === classOf(Math.floor(at / classes)) ? 1 : 0,
    ),
};

function classOf(row: number): number {
  return (row * 7) % 10;
}

export function inputValues({ shape, kind = "uniform" }: InputSpec, index: number): InputValues {
  return { shape, values: makers[kind](shape, index) };
}
