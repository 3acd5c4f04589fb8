/** Initial values of parameters: pure functions of shape and random stream, so that a seed fixes them everywhere. */
import { OptionError } from "../errors.ts";
import { sizeOf, type RandomStream, type Shape } from "../tensor/index.ts";

/** How many values one unit sees, and how many units see one value. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Fans of weights `[…receptive field, in, out]`: the field times in, and times out. */
export function fansOf(shape: Shape): Fans {
  const field = sizeOf(shape.slice(0, -2));
  return { fanIn: field * (shape.at(-2) ?? 1), fanOut: field * (shape.at(-1) ?? 1) };
}

/** Variances that keep a signal's size from layer to layer. */
const variances = {
  /** Glorot and Bengio 2010, equation 12: on the way forth and back alike. */
  glorot: ({ fanIn, fanOut }: Fans) => 2 / (fanIn + fanOut),
  /** He et al. 2015, equation 10: before ReLU, which halves it. */
  he: ({ fanIn }: Fans) => 2 / fanIn,
  /** LeCun et al. 1998, equation 16. */
  lecun: ({ fanIn }: Fans) => 1 / fanIn,
} as const;

/** Deviation of a standard normal cut at ±2. */
const CUT_DEVIATION = 0.879_625_661_034_239_8;

function cutNormal(random: RandomStream): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}

/** Draws one value. */
type Draw = (random: RandomStream, fans: Fans, numbers: Readonly<Record<string, number>>) => number;

function scaledUniform(variance: (fans: Fans) => number): Draw {
  return (random, fans) => (2 * random.uniform() - 1) * Math.sqrt(3 * variance(fans));
}

/** Cut at two deviations and widened to the same variance, as in Keras. */
function scaledNormal(variance: (fans: Fans) => number): Draw {
  return (random, fans) => (cutNormal(random) * Math.sqrt(variance(fans))) / CUT_DEVIATION;
}

const draws = {
  glorotUniform: scaledUniform(variances.glorot),
  glorotNormal: scaledNormal(variances.glorot),
  heUniform: scaledUniform(variances.he),
  heNormal: scaledNormal(variances.he),
  lecunUniform: scaledUniform(variances.lecun),
  lecunNormal: scaledNormal(variances.lecun),
  uniform: (random, _, { min, max }) => min! + (max! - min!) * random.uniform(),
  normal: (random, _, { mean, deviation }) => mean! + deviation! * random.normal(),
  truncatedNormal: (random, _, { mean, deviation }) => mean! + deviation! * cutNormal(random),
  zeros: () => 0,
  ones: () => 1,
  constant: (_random, _fans, { value }) => value!,
} as const satisfies Record<string, Draw>;

/** Numbers that an initialiser takes, with Keras' defaults; null: none. */
const numbersOf: { readonly [name: string]: Readonly<Record<string, number | null>> } = {
  uniform: { min: -0.05, max: 0.05 },
  normal: { mean: 0, deviation: 0.05 },
  truncatedNormal: { mean: 0, deviation: 0.05 },
  constant: { value: null },
};

/** Initialisers that need no numbers, or have defaults for them. */
export type InitialiserName = Exclude<keyof typeof draws, "constant">;

/**
 * How a parameter begins, as JSON: by name, or with numbers. `glorot…`, `he…` and `lecun…` suit their variance to the
 * layer's fans; their normal forms, like `truncatedNormal`, are cut at two deviations.
 */
export type Initialiser =
  | InitialiserName
  | { readonly name: "uniform"; readonly min?: number; readonly max?: number }
  | { readonly name: "normal" | "truncatedNormal"; readonly mean?: number; readonly deviation?: number }
  | { readonly name: "constant"; readonly value: number };

/** The initialiser's name and numbers, or an OptionError: a model file may say anything. */
function resolve(where: string, initialiser: Initialiser) {
  const { name, ...given }: { name: string } = typeof initialiser === "string" ? { name: initialiser } : initialiser;
  if (!Object.hasOwn(draws, name)) {
    const expected = `an initialiser among ${Object.keys(draws).join(", ")}`;
    throw new OptionError({ where, expected, got: JSON.stringify(initialiser) });
  }
  const defaults = numbersOf[name] ?? {};
  const numbers: Readonly<Record<string, unknown>> = { ...defaults, ...given };
  const known = Object.keys(numbers).every((key) => Object.hasOwn(defaults, key));
  if (known && Object.values(numbers).every(Number.isFinite)) {
    return { draw: draws[name as keyof typeof draws], numbers: numbers as Readonly<Record<string, number>> };
  }
  const expected = `numbers for ${Object.keys(defaults).join(", ") || "nothing"} of ${name}`;
  throw new OptionError({ where, expected, got: JSON.stringify(initialiser) });
}

/** Throws unless the initialiser exists and its numbers are numbers. */
export function checkInitialiser(where: string, initialiser: Initialiser): void {
  resolve(where, initialiser);
}

/** Values for a parameter. `fans` default to those of the shape. */
export function initialValues(
  initialiser: Initialiser,
  shape: Shape,
  random: RandomStream,
  fans: Fans = fansOf(shape),
): Float32Array<ArrayBuffer> {
  const { draw, numbers } = resolve("initialiser", initialiser);
  return Float32Array.from({ length: sizeOf(shape) }, () => draw(random, fans, numbers));
}
