/** Stratified splits: every part has each class in the proportion of the whole (up to one sample). */
import { OptionError } from "../errors.ts";
import { Random } from "./random.ts";

export interface Fold {
  /** Ascending sample numbers. */
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/**
 * `folds` folds; each sample is in exactly one test part. The samples of each class are shuffled by `seed` and dealt in
 * turn, going on from fold to fold where the last class stopped. Throws `OptionError` for fewer than 2 folds or
 * more than there are samples.
 */
export function stratifiedFolds(codes: Int32Array, folds: number, seed: number): Fold[] {
  if (!Number.isInteger(folds) || folds < 2 || folds > codes.length) {
    throw new OptionError({ where: "cross validation", expected: `2 to ${codes.length} folds`, got: String(folds) });
  }
  const fold = new Int32Array(codes.length);
  let turn = 0;
  for (const members of shuffledClasses(codes, seed)) {
    for (const sample of members) fold[sample] = turn++ % folds;
  }
  return Array.from({ length: folds }, (_, k) => ({
    train: indicesWhere(codes.length, (i) => fold[i] !== k),
    test: indicesWhere(codes.length, (i) => fold[i] === k),
  }));
}

/** One split, with about `testFraction` of each class (at least one sample, if the class has two) in `test`. */
export function stratifiedSplit(codes: Int32Array, testFraction: number, seed: number): Fold {
  if (!(testFraction > 0 && testFraction < 1)) {
    throw new OptionError({
      where: "stratified split",
      expected: "a fraction between 0 and 1",
      got: String(testFraction),
    });
  }
  const inTest = new Uint8Array(codes.length);
  for (const members of shuffledClasses(codes, seed)) {
    const wanted = Math.round(members.length * testFraction);
    const take = members.length < 2 ? 0 : Math.min(members.length - 1, Math.max(1, wanted));
    for (const sample of members.subarray(0, take)) inTest[sample] = 1;
  }
  return {
    train: indicesWhere(codes.length, (i) => inTest[i] === 0),
    test: indicesWhere(codes.length, (i) => inTest[i] === 1),
  };
}

function shuffledClasses(codes: Int32Array, seed: number): Int32Array[] {
  const random = new Random(seed);
  const classes = codes.reduce((most, code) => Math.max(most, code), 0) + 1;
  return Array.from({ length: classes }, (_, code) => {
    const members = indicesWhere(codes.length, (i) => codes[i] === code);
    random.shuffle(members, members.length);
    return members;
  });
}

export function indicesWhere(length: number, chosen: (index: number) => boolean): Int32Array {
  const indices: number[] = [];
  for (let i = 0; i < length; i++) if (chosen(i)) indices.push(i);
  return Int32Array.from(indices);
}
