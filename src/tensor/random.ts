/**
 * Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is a pure function of key and counter, so the CPU and every kernel draw the same
 * stream from one seed, in any order, and a dropout mask is recomputed instead of stored.
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const ROUNDS = 10;

type Words4 = [number, number, number, number];

/** High word of the 64-bit product of two 32-bit words, from four exact 16-bit ones. */
function multiplyHigh(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (other >>> 16);
}

/** Four random 32-bit words for a counter of four words under a key of two. */
export function philox(counter: Readonly<Words4>, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [high0, high1] = [multiplyHigh(M0, c0), multiplyHigh(M1, c2)];
    const [low0, low1] = [Math.imul(M0, c0) >>> 0, Math.imul(M1, c2) >>> 0];
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Uniform in [0, 1) from the upper 24 bits: every value is exact in f32, so CPU and GPU agree to the bit. */
export function toUnit(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** The two key words of a seed: any non-negative safe integer. */
export function seedKey(seed: number): [number, number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/**
 * A sequence of random numbers on the CPU: stream `stream` of seed `seed`. Streams of one seed are independent, so
 * every layer, shuffle and initialiser has its own and none shifts another.
 */
export class RandomStream {
  readonly #key: [number, number];
  readonly #stream: number;
  #block = 0;
  #words: number[] = [];

  constructor(seed: number, stream: number) {
    this.#key = seedKey(seed);
    this.#stream = stream >>> 0;
  }

  /** Next 32-bit word. */
  word(): number {
    if (this.#words.length === 0) {
      this.#words = philox(
        [this.#block >>> 0, Math.floor(this.#block / 2 ** 32), 0, this.#stream],
        this.#key,
      ).reverse();
      this.#block++;
    }
    return this.#words.pop()!;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return toUnit(this.word());
  }

  /** Standard normal, by Box and Muller (1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Whole number in [0, bound), without modulo bias (rejection). */
  below(bound: number): number {
    const limit = Math.floor(2 ** 32 / bound) * bound;
    for (;;) {
      const word = this.word();
      if (word < limit) return word % bound;
    }
  }

  /** A random permutation of 0 … count − 1 (Fisher and Yates). */
  permutation(count: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const held = order[last]!;
      order[last] = order[other]!;
      order[other] = held;
    }
    return order;
  }
}

/** The same generator for kernels: `philox(counter, key)` and `toUnit(word)`. */
export const PHILOX_WGSL = /* wgsl */ `
fn multiplyHigh(a: u32, b: u32) -> u32 {                     // WGSL has no 64-bit product: four 16-bit ones
  let a0 = a & 0xffffu; let a1 = a >> 16u; let b0 = b & 0xffffu; let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (other >> 16u);
}
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter; var k = key;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    c = vec4u(multiplyHigh(${M1}u, c.z) ^ c.y ^ k.x, ${M1}u * c.z, multiplyHigh(${M0}u, c.x) ^ c.w ^ k.y, ${M0}u * c.x);
    k += vec2u(${W0}u, ${W1}u);
  }
  return c;
}
fn toUnit(word: u32) -> f32 { return f32(word >> 8u) * 0x1p-24f; }
`;
