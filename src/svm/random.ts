/**
 * Seeded random numbers for permutations: xoshiro128** (Blackman & Vigna 2018), seeded by splitmix32.
 * Whole numbers only, so the same seed gives the same split and the same model on every platform.
 */
export class Random {
  private readonly state: Uint32Array;

  constructor(seed: number) {
    let mixed = seed >>> 0;
    this.state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    });
  }

  /** A whole number from 0 to 2³² − 1. */
  next(): number {
    const s = this.state;
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const scrambled = Math.imul(s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const [a, b] = [s2 ^ s0, s3 ^ s1];
    s[1] = s1 ^ a;
    s[0] = s0 ^ b;
    s[2] = a ^ (s1 << 9);
    s[3] = (b << 11) | (b >>> 21);
    return result;
  }

  /** A whole number from 0 to `limit` − 1. (Its bias is at most `limit` / 2³².) */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** Shuffles the first `length` entries in place (Fisher & Yates). */
  shuffle(list: { [index: number]: number }, length: number): void {
    for (let i = length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = list[i] as number;
      list[i] = list[j] as number;
      list[j] = held;
    }
  }
}
