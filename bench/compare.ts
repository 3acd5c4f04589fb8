/** Whether two engines computed the same numbers. Nothing is timed before they did. */
import { NumericError } from "../src/errors.ts";

type Values = ArrayLike<number>;

/**
 * Throws `NumericError` where two engines' results, taken one by one, differ by more than `tolerance` of the greatest value,
 * or hold nothing but zeros: two engines that both computed nothing do not agree.
 */
export function compare(name: string, ours: readonly Values[], theirs: readonly Values[], tolerance: number): void {
  const refuse = (got: string): never => {
    throw new NumericError({ where: name, expected: "the same numbers from both engines", got });
  };
  if (ours.length !== theirs.length) refuse(`${ours.length} and ${theirs.length} results`);
  ours.forEach((values, index) => compareOne(values, theirs[index]!, tolerance, refuse));
}

function compareOne(ours: Values, theirs: Values, tolerance: number, refuse: (got: string) => never): void {
  if (ours.length !== theirs.length) refuse(`${ours.length} and ${theirs.length} values`);
  const greatest = greatestOf(theirs);
  if (greatest === 0) refuse("zeros only");
  const at = worstPlace(ours, theirs);
  const difference = Math.abs(ours[at]! - theirs[at]!);
  if (difference <= tolerance * greatest) return;
  refuse(
    `${ours[at]} and ${theirs[at]} at element ${at} (the greatest is ${greatest}, the tolerance ${tolerance} of it)`,
  );
}

function greatestOf(values: Values): number {
  let greatest = 0;
  for (let index = 0; index < values.length; index++) greatest = Math.max(greatest, Math.abs(values[index]!));
  return greatest;
}

/** Where the two differ most; NaN differs from everything. */
function worstPlace(ours: Values, theirs: Values): number {
  let [worst, place] = [0, 0];
  for (let index = 0; index < ours.length; index++) {
    const difference = Math.abs(ours[index]! - theirs[index]!);
    if (Number.isNaN(difference)) return index;
    if (difference > worst) [worst, place] = [difference, index];
  }
  return place;
}
