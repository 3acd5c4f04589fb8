/** What numeric options must be, in words and as a test. */
import { OptionError } from "../errors.ts";

export type Range = readonly [expected: string, test: (value: number) => boolean];

const inRange = (expected: string, test: Range[1]): Range => [expected, test];

export const range = {
  positive: inRange("a positive number", (value) => value > 0 && value < Infinity),
  notNegative: inRange("a number ≥ 0", (value) => value >= 0 && value < Infinity),
  /** A decay or a fraction. */
  share: inRange("a number in [0, 1)", (value) => value >= 0 && value < 1),
  /** A count that a u32 holds with room to spare. */
  count: inRange("a whole number from 1 to 2³¹", (value) => Number.isInteger(value) && value >= 1 && value <= 2 ** 31),
};

/** Throws unless `value` is a number in the range. */
export function checkNumber(where: string, name: string, [expected, test]: Range, value: unknown): void {
  if (typeof value === "number" && test(value)) return;
  throw new OptionError({ where, expected: `${expected} as ${name}`, got: String(value) });
}
