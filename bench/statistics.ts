/** The few statistics that the bench reports. None assumes a distribution: timings have long tails on one side. */

/** The `q`-quantile, 0 ≤ q ≤ 1, interpolated linearly between neighbours; NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below === above ? below : below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The mean of the middle half: as deaf to outliers as the median, and finer than a coarse timer's ticks. */
export function midmean(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const skipped = Math.floor(sorted.length / 4);
  const middle = sorted.slice(skipped, sorted.length - skipped);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** Where the middle half of the values lies, and all of them. */
export interface Spread {
  readonly lower: number;
  readonly upper: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const [lower, upper, least, most] = [0.25, 0.75, 0, 1].map((q) => quantile(values, q)) as [
    number,
    number,
    number,
    number,
  ];
  return { lower, upper, least, most };
}

/** `over[i] / under[i]` of each round: what both met in the same round, such as a busy neighbour, cancels out. */
export function ratios(over: readonly number[], under: readonly number[]): number[] {
  return over.map((value, round) => value / under[round]!);
}
