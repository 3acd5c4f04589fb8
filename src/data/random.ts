/**
 * A small seeded generator for shuffling and drawing on the CPU: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", 2021), its 128 bits of state filled by SplitMix32.
 * It uses integer arithmetic alone, so that one seed gives one sequence on every machine and in every browser.
 */
import { OptionError } from "../errors.ts";

/** A stream of random numbers. Every method advances it. */
export interface RandomSource {
  /** An integer of [0, 2³²). */
  nextUint32(): number;
  /** An integer of [0, `bound`), without bias; `bound` is a whole number from 1 to 2³². */
  nextBelow(bound: number): number;
  /** A number of [0, 1) in steps of 2⁻³². */
  nextUnit(): number;
  /** A number of [`low`, `high`). */
  nextBetween(low: number, high: number): number;
}

const TWO_TO_32 = 0x1_0000_0000;

/**
 * Opens a stream.
 * @param seed a whole number of [0, 2⁵³); the same seed gives the same stream.
 * @throws {OptionError} when the seed is not such a number.
 */
export function seededRandom(seed: number): RandomSource {
  requireSeed(seed);
  const nextUint32 = xoshiro128(initialState(seed));
  const nextUnit = (): number => nextUint32() / TWO_TO_32;
  return {
    nextUint32,
    nextUnit,
    nextBelow: (bound) => drawBelow(nextUint32, bound),
    nextBetween: (low, high) => low + (high - low) * nextUnit(),
  };
}

/** Shuffles in place (Fisher and Yates), every order being equally likely; returns the same array. */
export function shuffleInPlace(indices: Uint32Array, random: RandomSource): Uint32Array {
  for (let last = indices.length - 1; last > 0; last--) {
    const other = random.nextBelow(last + 1);
    const kept = indices[last] ?? 0;
    indices[last] = indices[other] ?? 0;
    indices[other] = kept;
  }
  return indices;
}

/** Mixes a number into a seed, so that the nth example has a stream of its own, whatever was drawn before it. */
export function derivedSeed(seed: number, index: number): number {
  requireSeed(seed);
  return mix32(mix32(seed >>> 0) ^ mix32(Math.floor(seed / TWO_TO_32) + 0x632be59b) ^ Math.imul(index + 1, 0x9e3779b9));
}

function requireSeed(seed: number): void {
  if (Number.isSafeInteger(seed) && seed >= 0) return;
  throw new OptionError({
    where: "seed",
    expected: "a whole number from 0 to 2^53 - 1",
    got: String(seed),
    advice: "give such a number, for instance 42",
  });
}

function drawBelow(nextUint32: () => number, bound: number): number {
  if (!Number.isInteger(bound) || bound < 1 || bound > TWO_TO_32) {
    throw new OptionError({ where: "nextBelow", expected: "a whole bound from 1 to 2^32", got: String(bound) });
  }
  // The last, incomplete stretch of 2³² would favour small remainders: draw again when it is hit.
  const fairEnd = TWO_TO_32 - (TWO_TO_32 % bound);
  let drawn = nextUint32();
  while (drawn >= fairEnd) drawn = nextUint32();
  return drawn % bound;
}

function xoshiro128(state: readonly [number, number, number, number]): () => number {
  let [a, b, c, d] = state;
  return () => {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return scrambled;
  };
}

function initialState(seed: number): [number, number, number, number] {
  const low = seed >>> 0;
  const high = Math.floor(seed / TWO_TO_32) >>> 0;
  // The all-zero state, the only forbidden one, cannot come up: mix32 is a bijection, its four arguments differ.
  return [
    mix32(low + 0x9e3779b9),
    mix32(low + 0x3c6ef372) ^ mix32(high),
    mix32(low + 0xdaa66d2b),
    mix32((low ^ Math.imul(high, 0x85ebca6b)) + 0x78dde6e4),
  ];
}

function mix32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
