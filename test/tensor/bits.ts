/** Equality to the bit, said in one line: NaN equals NaN of the same bits, and 0 is not −0. */
import type { TypedArray } from "../../src/tensor/index.ts";

const words = (values: TypedArray): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

export function assertSameBits(got: TypedArray, want: TypedArray, what: string): void {
  if (got.length !== want.length) throw new Error(`${what}: ${got.length} elements, expected ${want.length}`);
  const [a, b] = [words(got), words(want)];
  const first = a.findIndex((word, i) => word !== b[i]);
  if (first < 0) return;
  const count = a.reduce((sum, word, i) => sum + (word === b[i] ? 0 : 1), 0);
  throw new Error(
    `${what}: element ${first} is ${got[first]}, expected ${want[first]}; ${count} of ${a.length} differ`,
  );
}
