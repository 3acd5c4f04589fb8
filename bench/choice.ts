/** Which cases are run, and how thoroughly. */
import { OptionError } from "../src/errors.ts";
import type { Case, Suite } from "./case.ts";
import type { Plan } from "./harness.ts";
import { SUITES } from "./suites/index.ts";

const FULL: Plan = { rounds: 15, leastRounds: 3, budget: 30_000, sample: 30 };
const QUICK: Plan = { rounds: 5, leastRounds: 3, budget: 2_500, sample: 10 };

export interface Choice {
  readonly quick: boolean;
  /** Matches the suite and the name: `pooling: max pool …`. */
  readonly only: RegExp | null;
}

/** What decides which cases an adapter can run. */
export interface Ability {
  readonly isSoftware: boolean;
  readonly gpu: { readonly features: { has(feature: string): boolean } };
}

export const planFor = ({ quick }: Pick<Choice, "quick">): Plan => (quick ? QUICK : FULL);

/** Throws `OptionError` where no case is left. `device`: cases that it cannot run are left out; null for all cases. */
export function chosenSuites({ quick, only }: Choice, device: Ability | null): Suite[] {
  const timely = ({ when = "always" }: Case) =>
    when === "always" || (when === "full" && !quick) || (when === "gpu" && device?.isSoftware !== true);
  const possible = ({ needs }: Case) => needs === undefined || !device || device.gpu.features.has(needs);
  const wanted = (suite: string, of: Case) =>
    timely(of) && possible(of) && (only === null || only.test(`${suite}: ${of.name}`));
  const chosen = SUITES.map(({ name, cases }) => ({ name, cases: cases.filter((each) => wanted(name, each)) })).filter(
    ({ cases }) => cases.length > 0,
  );
  if (chosen.length > 0) return chosen;
  throw new OptionError({
    where: "--only",
    expected: "a pattern that some case matches",
    got: String(only),
    advice: "see `npm run bench -- --list`",
  });
}
