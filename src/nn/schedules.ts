/** What a learning rate may be: a number, or a schedule whose every option is known and makes sense. */
import { OptionError } from "../errors.ts";
import { checkNumber, range, type Schedule } from "../kernels/index.ts";

const { positive, notNegative, share, count } = range;

const ranges = {
  rate: positive,
  every: count,
  factor: positive,
  steps: count,
  end: notNegative,
  power: positive,
  growth: count,
  shrink: positive,
  warmup: share,
  startDivisor: positive,
  endDivisor: positive,
  start: share,
} as const;

type Name = keyof typeof ranges;

/** Options of each kind: those that must be there, and those that have a default. */
const options: Readonly<Record<Schedule["kind"], readonly [required: readonly Name[], optional: readonly Name[]]>> = {
  constant: [["rate"], []],
  step: [["rate", "every", "factor"], []],
  exponential: [["rate", "every", "factor"], []],
  polynomial: [
    ["rate", "steps"],
    ["end", "power"],
  ],
  cosine: [["rate", "steps"], ["end"]],
  cosineRestarts: [
    ["rate", "steps"],
    ["end", "growth", "shrink"],
  ],
  oneCycle: [
    ["rate", "steps"],
    ["warmup", "startDivisor", "endDivisor"],
  ],
  warmup: [["steps"], ["start"]],
};

/** Throws unless `rate` is a positive number or a sound schedule. */
export function checkRate(where: string, rate: number | Schedule): void {
  if (typeof rate !== "object" || rate === null) return checkNumber(where, "learning rate", positive, rate);
  if (!Object.hasOwn(options, rate.kind)) {
    const expected = `a schedule of kind ${Object.keys(options).join(", ")}`;
    throw new OptionError({ where, expected, got: rate.kind });
  }
  const what = `of a ${rate.kind} schedule`;
  const { kind, after, ...given } = { after: undefined, ...rate };
  const [required, optional] = options[kind];
  const known: readonly string[] = [...required, ...optional];
  const stranger = Object.keys(given).find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw new OptionError({ where, expected: `options ${what} among ${known.join(", ")}`, got: stranger });
  }
  const values = given as Partial<Record<Name, unknown>>;
  for (const name of required) checkNumber(where, `${name} ${what}`, ranges[name], values[name]);
  for (const name of optional) {
    if (values[name] !== undefined) checkNumber(where, `${name} ${what}`, ranges[name], values[name]);
  }
  if (kind === "warmup") checkAfterWarmup(where, after);
}

function checkAfterWarmup(where: string, after: number | Schedule | undefined): void {
  const again = typeof after === "object" && after.kind === "warmup";
  if (after !== undefined && !again) return checkRate(where, after);
  const expected = "a rate or another schedule as what comes `after` a warm-up";
  throw new OptionError({ where, expected, got: again ? "another warm-up" : "none" });
}
