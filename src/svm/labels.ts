/** Class labels: any whole numbers at the door, 0 … k − 1 inside. Classes are in ascending order, as in scikit-learn. */
import { DataError, OptionError, ShapeError } from "../errors.ts";

export interface EncodedLabels {
  /** The distinct labels, ascending. */
  readonly classes: Int32Array;
  /** For each sample the position of its label in `classes`. */
  readonly codes: Int32Array;
  /** Samples of each class. */
  readonly counts: Int32Array;
}

/**
 * `balanced`: each class weighs samples / (classes · samples of the class), so that all classes weigh the same
 * together. Or a weight for each label; labels not named weigh 1.
 */
export type ClassWeight = "balanced" | Readonly<Record<number, number>>;

/** Throws `ShapeError` for another number of labels than samples, `DataError` for fractions and for fewer than two classes. */
export function encodeLabels(where: string, labels: ArrayLike<number>, samples: number): EncodedLabels {
  if (labels.length !== samples) {
    throw new ShapeError({ where, expected: `one label for each of ${samples} samples`, got: `${labels.length}` });
  }
  for (let i = 0; i < labels.length; i++) {
    if (Number.isInteger(labels[i])) continue;
    throw new DataError({ where, expected: "labels that are whole numbers", got: `${labels[i]} at sample ${i}` });
  }
  const classes = Int32Array.from(new Set(Array.from(labels))).sort();
  if (classes.length < 2) {
    throw new DataError({
      where,
      expected: "samples of at least two classes",
      got: classes.length === 0 ? "none" : `only class ${classes[0]}`,
      advice: "check how the data was split; a stratified split keeps every class",
    });
  }
  const codeOf = new Map(Array.from(classes, (label, code) => [label, code]));
  const codes = Int32Array.from(labels, (label) => codeOf.get(label) as number);
  const counts = new Int32Array(classes.length);
  for (const code of codes) counts[code] = (counts[code] as number) + 1;
  return { classes, codes, counts };
}

/** The weight of each class, in the order of `classes`. */
export function classWeights(weight: ClassWeight | undefined, { classes, codes, counts }: EncodedLabels): Float64Array {
  if (weight === "balanced") return Float64Array.from(counts, (count) => codes.length / (classes.length * count));
  const weights = Float64Array.from(classes, (label) => weight?.[label] ?? 1);
  for (const value of weights) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new OptionError({ where: "svm", expected: "class weights > 0", got: String(value) });
  }
  return weights;
}

/** Throws `OptionError` unless `value` is a finite number > 0. */
export function requirePositive(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new OptionError({ where: "svm", expected: `${name}, a finite number > 0`, got: String(value) });
}
