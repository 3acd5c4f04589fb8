/** Checks of callbacks' options. */
import { OptionError } from "../../errors.ts";

/** Throws unless each value is a whole number, 0 or more. */
export function checkWhole(where: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 0) {
      throw new OptionError({ where, expected: `${name} as a whole number ≥ 0`, got: String(value) });
    }
  }
}
