/**
 * Comparison of computed numbers with a reference.
 *
 * An element passes when |got − want| ≤ atol + rtol·|want| + slack, where slack models the rounding of float32 sums of
 * K terms: 4 √K u Σ|terms| with u = 2⁻²⁴ (the probabilistic bound of Higham & Mary 2019). The caller hands in Σ|terms|
 * as `magnitude`, which for a sum of products is the reference applied to absolute values; with `terms` alone the
 * largest |want| stands in for it. Cancellation then costs no false alarm, and a wrong term cannot hide.
 */
import { size, unravel, type Nd } from "./nd.ts";

export interface Closeness {
  /** The operation, as the failure names it. */
  readonly name: string;
  /** What was computed, printed as JSON: shapes, options, seed. */
  readonly case?: unknown;
  /** Defaults to 1e-5. */
  readonly rtol?: number;
  /** Defaults to 1e-6. */
  readonly atol?: number;
  /** Σ|terms| of each element. */
  readonly magnitude?: Nd;
  /** K, the number of terms in each sum; 16 if only `magnitude` is given. */
  readonly terms?: number;
}

const UNIT_ROUNDOFF = 2 ** -24;
const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;
/** Adapters may flush subnormal numbers to zero. */
const FLOAT32_MIN_NORMAL = 2 ** -126;

/** Float32 numbers between two values, counted along the number line. */
export function ulpDistance(a: number, b: number): number {
  const words = new Int32Array(Float32Array.of(a, b).buffer);
  const [wordA, wordB] = Array.from(words, (word) => (word < 0 ? -(word & 0x7fffffff) : word)) as [number, number];
  return Math.abs(wordA - wordB);
}

/** |got − want|, ∞ where exactly one is NaN or an infinity is missed; beyond float32's range ∞ is right. */
function difference(got: number, want: number): number {
  if (Number.isNaN(want)) return Number.isNaN(got) ? 0 : Infinity;
  if (got === want) return 0;
  if (Math.abs(want) > FLOAT32_MAX && got === Math.sign(want) * Infinity) return 0;
  const off = Math.abs(got - want);
  return Number.isNaN(off) ? Infinity : off;
}

/** Throws an Error naming the operation, the case and the worst element unless all elements are close. */
export function assertClose(actual: ArrayLike<number>, expected: Nd, closeness: Closeness): void {
  const { name, case: what, rtol = 1e-5, atol = 1e-6, magnitude, terms } = closeness;
  const title = what === undefined ? name : `${name} ${JSON.stringify(what)}`;
  if (actual.length !== expected.data.length) {
    throw new Error(
      `${title}: expected ${expected.data.length} elements of [${expected.shape.join(", ")}], got ${actual.length}`,
    );
  }
  if (magnitude !== undefined && size(magnitude.shape) !== expected.data.length) {
    throw new Error(`${title}: magnitude [${magnitude.shape.join(", ")}] does not fit [${expected.shape.join(", ")}]`);
  }
  const largest = expected.data.reduce(
    (best, value) => (Number.isFinite(value) ? Math.max(best, Math.abs(value)) : best),
    0,
  );
  const unit = magnitude === undefined && terms === undefined ? 0 : 4 * Math.sqrt(terms ?? 16) * UNIT_ROUNDOFF;

  let worst = -1;
  let worstRatio = 0;
  let failures = 0;
  const allowedAt = (i: number): number => {
    const want = Math.abs(expected.data[i]!);
    const relative = Number.isFinite(want) ? rtol * want : 0;
    return atol + relative + unit * (magnitude?.data[i] ?? largest) + FLOAT32_MIN_NORMAL;
  };
  for (let i = 0; i < expected.data.length; i++) {
    const ratio = difference(actual[i]!, expected.data[i]!) / allowedAt(i);
    if (ratio <= 1) continue;
    failures++;
    if (ratio > worstRatio) [worst, worstRatio] = [i, ratio];
  }
  if (worst < 0) return;

  const got = actual[worst]!;
  const want = expected.data[worst]!;
  const off = difference(got, want);
  throw new Error(
    `${title}: element [${unravel(worst, expected.shape).join(", ")}] of [${expected.shape.join(", ")}]: ` +
      `got ${got}, want ${want}; off by ${off.toExponential(2)} (${(off / Math.abs(want)).toExponential(2)} relative, ` +
      `${ulpDistance(got, want)} ulp), allowed ${allowedAt(worst).toExponential(2)}; ` +
      `${failures} of ${expected.data.length} elements are off`,
  );
}
