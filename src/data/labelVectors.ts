/** Labels as the vectors that losses take: one 1 a row, or several. */
import { DataError, OptionError } from "../errors.ts";

/**
 * A row for each label, all 0 but for a 1 at the label's place.
 * @param labels class numbers, shape [count].
 * @returns shape [count, classCount], row-major.
 * @throws {DataError} when a label is not below `classCount`.
 */
export function oneHot(labels: ArrayLike<number>, classCount: number): Float32Array<ArrayBuffer> {
  return multiHot(
    Array.from(labels, (label) => [label]),
    classCount,
  );
}

/**
 * A row for each set of labels, with a 1 at the place of each: an image may show several things, or none.
 * `multiHot(Array.from(labels, (label) => attributes[label]), n)` gives each image the attributes of its class.
 * @param sets label numbers of each image; order and repetition do not matter.
 * @returns shape [sets.length, labelCount], row-major.
 * @throws {DataError} when a label is not below `labelCount`.
 */
export function multiHot(sets: readonly ArrayLike<number>[], labelCount: number): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(labelCount) || labelCount < 1) {
    throw new OptionError({ where: "multiHot", expected: "at least one label", got: String(labelCount) });
  }
  const rows = new Float32Array(sets.length * labelCount);
  sets.forEach((set, row) => {
    for (const label of Array.from(set)) {
      if (!Number.isInteger(label) || label < 0 || label >= labelCount) {
        const expected = `labels from 0 to ${labelCount - 1}`;
        throw new DataError({ where: "multiHot", expected, got: `${label} in row ${row}` });
      }
      rows[row * labelCount + label] = 1;
    }
  });
  return rows;
}
