/**
 * Splitting by seed: index arrays out, data untouched. Every example lands in exactly one part (once per fold).
 * Index arrays are in ascending order; shuffling a part for training is the batch loader's job.
 */
import { DataError, OptionError } from "../errors.ts";
import { seededRandom, shuffleInPlace } from "./random.ts";

/** Positions in the data set, ascending; the two arrays share none and hold all together. */
export interface IndexSplit {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/** Options of the fraction splits. */
export interface FractionSplitOptions {
  /** Share of the validation part, 0 < fraction < 1. Its size is count · fraction, rounded to the nearest. */
  readonly fraction: number;
  /** Whole number; the same seed gives the same split. Default 42. */
  readonly seed?: number;
}

/** Options of the k-fold splits. */
export interface FoldOptions {
  /** Number of folds, at least 2. */
  readonly folds: number;
  /** Whole number; the same seed gives the same folds. Default 42. */
  readonly seed?: number;
}

const DEFAULT_SEED = 42;

/**
 * Draws the validation part at random from `count` examples.
 * @throws {OptionError} for a fraction outside (0, 1). @throws {DataError} when a part would be empty.
 */
export function randomSplit(count: number, { fraction, seed = DEFAULT_SEED }: FractionSplitOptions): IndexSplit {
  const held = heldOutCount("randomSplit", count, fraction);
  const order = shuffleInPlace(range(count), seededRandom(seed));
  return { validation: order.slice(0, held).sort(), train: order.slice(held).sort() };
}

/**
 * Draws the validation part class by class, so that each class keeps its share: per class the exact share rounded
 * down, the examples still missing going to the largest remainders.
 * @param labels one class number an example.
 * @throws {OptionError} for a fraction outside (0, 1). @throws {DataError} when a part would be empty.
 */
export function stratifiedSplit(
  labels: Uint8Array | Uint32Array,
  { fraction, seed = DEFAULT_SEED }: FractionSplitOptions,
): IndexSplit {
  const held = heldOutCount("stratifiedSplit", labels.length, fraction);
  const classes = shuffledIndicesByClass(labels, seed);
  const quotas = largestRemainders(
    classes.map((members) => members.length * fraction),
    held,
  );
  const validation = classes.map((members, at) => members.subarray(0, quotas[at]));
  const train = classes.map((members, at) => members.subarray(quotas[at]));
  return { train: joinSorted(train), validation: joinSorted(validation) };
}

/**
 * Cuts `count` shuffled examples into folds whose sizes differ by one at most; split n validates on fold n.
 * @throws {OptionError} for fewer than 2 folds. @throws {DataError} for fewer examples than folds.
 */
export function kFold(count: number, { folds, seed = DEFAULT_SEED }: FoldOptions): readonly IndexSplit[] {
  requireCount("kFold", count);
  requireFolds("kFold", folds, count, "examples");
  return dealIntoFolds(shuffleInPlace(range(count), seededRandom(seed)), folds);
}

/**
 * As `kFold`, with each class dealt evenly: its counts in any two folds differ by one at most.
 * @param labels one class number an example.
 * @throws {OptionError} for fewer than 2 folds. @throws {DataError} when a class has fewer examples than folds.
 */
export function stratifiedKFold(
  labels: Uint8Array | Uint32Array,
  { folds, seed = DEFAULT_SEED }: FoldOptions,
): readonly IndexSplit[] {
  requireCount("stratifiedKFold", labels.length);
  const classes = shuffledIndicesByClass(labels, seed);
  const rarest = Math.min(...classes.map((members) => members.length));
  requireFolds("stratifiedKFold", folds, rarest, "examples of the rarest class");
  return dealIntoFolds(join(classes), folds);
}

/** Dealing in turn, as cards: consecutive runs of one class spread evenly, and so do the totals. */
function dealIntoFolds(order: Uint32Array, folds: number): readonly IndexSplit[] {
  return Array.from({ length: folds }, (_, fold) => ({
    train: order.filter((_index, position) => position % folds !== fold).sort(),
    validation: order.filter((_index, position) => position % folds === fold).sort(),
  }));
}

/** Indices of each class that occurs, by ascending class number, each list shuffled. */
function shuffledIndicesByClass(labels: Uint8Array | Uint32Array, seed: number): readonly Uint32Array[] {
  const random = seededRandom(seed);
  const members = Array.from({ length: 256 }, (): number[] => []);
  labels.forEach((label, index) => members[label]?.push(index));
  return members.filter((list) => list.length > 0).map((list) => shuffleInPlace(Uint32Array.from(list), random));
}

function largestRemainders(shares: readonly number[], total: number): readonly number[] {
  // The tiny term undoes errors such as 6000 · 0.7 = 4199.999…
  const quotas = shares.map((share) => Math.floor(share + 1e-9));
  const byRemainder = shares
    .map((share, at) => ({ at, remainder: share - (quotas[at] ?? 0) }))
    .sort((a, b) => b.remainder - a.remainder || a.at - b.at);
  let missing = total - quotas.reduce((sum, quota) => sum + quota, 0);
  for (const { at } of byRemainder) {
    if (missing-- <= 0) break;
    quotas[at] = (quotas[at] ?? 0) + 1;
  }
  return quotas;
}

function heldOutCount(where: string, count: number, fraction: number): number {
  requireCount(where, count);
  if (!(fraction > 0 && fraction < 1)) {
    throw new OptionError({ where, expected: "a fraction between 0 and 1, both excluded", got: String(fraction) });
  }
  const held = Math.round(count * fraction);
  if (held > 0 && held < count) return held;
  throw new DataError({
    where,
    expected: "at least one example in each part",
    got: `${held} of ${count} for validation`,
    advice: "give more data or another fraction",
  });
}

function requireCount(where: string, count: number): void {
  if (Number.isInteger(count) && count > 0 && count < 2 ** 32) return;
  throw new DataError({ where, expected: "at least one example", got: String(count) });
}

function requireFolds(where: string, folds: number, available: number, what: string): void {
  if (!Number.isInteger(folds) || folds < 2) {
    throw new OptionError({ where, expected: "a whole number of folds, at least 2", got: String(folds) });
  }
  if (folds <= available) return;
  throw new DataError({
    where,
    expected: `at least ${folds} ${what}, one a fold`,
    got: String(available),
    advice: "take fewer folds",
  });
}

function range(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

function join(parts: readonly Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function joinSorted(parts: readonly Uint32Array[]): Uint32Array {
  return join(parts).sort();
}
