/** What metrics ask of their arguments, refused by name before anything is counted. */
import { DataError, NumericError, OptionError, ShapeError } from "../../errors.ts";

export function requireWhole(where: string, what: string, value: number, least = 1): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new OptionError({ where, expected: `${what}: a whole number of at least ${least}`, got: String(value) });
}

export function requireLength(where: string, what: string, values: ArrayLike<number>, expected: number): void {
  if (values.length === expected) return;
  throw new ShapeError({ where, expected: `${expected} ${what}`, got: String(values.length) });
}

export function requireSome(where: string, values: ArrayLike<number>): void {
  if (values.length > 0) return;
  throw new DataError({ where, expected: "at least one sample", got: "none" });
}

/** Whole numbers below `classes`. */
export function requireLabels(where: string, what: string, labels: ArrayLike<number>, classes: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new DataError({ where, expected: `${what} from 0 to ${classes - 1}`, got: `${label} at position ${i}` });
  }
}

/** Numbers that can be ranked: NaN is greater than nothing, and infinities have no difference. */
export function requireFinite(where: string, what: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw refusal(where, what, values[i]!, i);
  }
}

/** Numbers from 0 to 1. Softmax in f32 can pass 1 by a rounding. */
export function requireProbabilities(where: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!(values[i]! >= 0 && values[i]! <= 1 + SLACK)) throw refusal(where, "probabilities from 0 to 1", values[i]!, i);
  }
}

/** How far a probability, or the sum of a row of them, may be off. Logits in their place are off by much more. */
export const SLACK = 1e-3;

function refusal(where: string, what: string, value: number, at: number): NumericError {
  return new NumericError({ where, expected: what, got: `${value} at position ${at}` });
}

/** `truth` has the labels of `count` samples, `scores` a row of `columns` numbers for each. */
export function requireRows(where: string, truth: ArrayLike<number>, scores: ArrayLike<number>, columns: number): void {
  requireWhole(where, "classes", columns);
  requireSome(where, truth);
  requireLength(where, `scores, ${columns} for each of ${truth.length} samples`, scores, truth.length * columns);
}

/** `[samples, columns]` of 0 and 1. Returns the number of samples. */
export function requireIndicators(where: string, flags: ArrayLike<number>, columns: number, what = "labels"): number {
  requireWhole(where, what, columns);
  requireSome(where, flags);
  const samples = flags.length / columns;
  if (!Number.isInteger(samples)) {
    throw new ShapeError({ where, expected: `${columns} ${what} for each sample`, got: `${flags.length} in all` });
  }
  requireLabels(where, "a flag, each", flags, 2);
  return samples;
}
