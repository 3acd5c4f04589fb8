/**
 * Philox4x32-10, a counter-based generator (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011), uniform numbers from it, and dropout.
 */
import { map, type Nd } from "./nd.ts";

export type Counter = readonly [number, number, number, number];
export type Key = readonly [number, number];

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;

/** The upper and lower 32 bits of a · b. */
function multiply(a: number, b: number): [high: number, low: number] {
  const product = BigInt(a) * BigInt(b);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/**
 * Ten rounds of (c₀, c₁, c₂, c₃) ← (hi(M₁c₂) ⊕ c₁ ⊕ k₀, lo(M₁c₂), hi(M₀c₀) ⊕ c₃ ⊕ k₁, lo(M₀c₀)); between rounds the
 * key grows by the Weyl constants. Words are unsigned 32-bit.
 */
export function philox4x32(counter: Counter, key: Key, rounds = 10): Counter {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    const [high0, low0] = multiply(MULTIPLIERS[0], c0);
    const [high1, low1] = multiply(MULTIPLIERS[1], c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL[0]) >>> 0;
    k1 = (k1 + WEYL[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The upper 24 bits of a word as a number in [0, 1): exact in float32, so equal on every machine. */
export function toUniform(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** Where a sequence of random numbers comes from: the seed as key, and three counter words that tell sequences apart. */
export interface Stream {
  readonly key: Key;
  readonly words: readonly [number, number, number];
}

/** Word i of a stream: word i mod 4 of philox([⌊i/4⌋, ...words], key). */
export function randomWords(count: number, { key, words }: Stream): Uint32Array {
  const result = new Uint32Array(count);
  for (let i = 0; i < count; i += 4) {
    philox4x32([i / 4, ...words], key).forEach((word, k) => {
      if (i + k < count) result[i + k] = word;
    });
  }
  return result;
}

/** Uniform numbers in [0, 1), one word each. */
export function randomUniform(count: number, stream: Stream): Float64Array {
  return Float64Array.from(randomWords(count, stream), toUniform);
}

/**
 * Inverted dropout (Srivastava et al. 2014, scaled at training time): yᵢ = xᵢ / (1 − rate) where uᵢ ≥ rate, else 0,
 * so that the share `rate` is dropped and the expectation stays.
 */
export function dropout(x: Nd, rate: number, stream: Stream): Nd {
  const u = randomUniform(x.data.length, stream);
  return map(x, (value, i) => (u[i]! >= rate ? value / (1 - rate) : 0));
}

/** dropout is linear in x: the gradient goes through the same mask and scale. */
export function dropoutGrad(dy: Nd, rate: number, stream: Stream): Nd {
  return dropout(dy, rate, stream);
}
