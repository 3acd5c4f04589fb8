/** What a grid search tries: lists of values, from options and from a JSON file, as candidates. */
import { InvalidArgumentError } from "commander";
import { readFile } from "#files";
import { FormatError, OptionError } from "../../errors.ts";
import { combinations, type GridSpace } from "../../svm/index.ts";
import {
  classifierOf,
  featuresOf,
  isFeature,
  isMachine,
  names,
  parseList,
  settingsFrom,
  type PresetName,
  type Settings,
  type SolverOptions,
} from "./settings.ts";

export type Lists = { readonly [K in keyof Settings]?: readonly Settings[K][] };

/** `{ "C": [1, 10], "gamma": ["scale", 0.05], "cell": [4, 7] }`: keys are names of options, values one or several. */
export async function readLists(path: string): Promise<Lists> {
  const refuse = (where: string, expected: string, got: string, cause?: unknown): never => {
    throw new OptionError({ where, expected, got }, { cause });
  };
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(await readFile(path)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new FormatError({ where: path, expected: "JSON", got: cause.message }, { cause });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new FormatError({
      where: path,
      expected: 'an object of lists, like {"C": [1, 10]}',
      got: JSON.stringify(content),
    });
  }
  const lists = Object.entries(content).map(([key, values]: [string, unknown]) => {
    const name = names.find((one) => one === key) ?? refuse(path, `keys among ${names.join(", ")}`, `"${key}"`);
    try {
      return [name, parseList(name, Array.isArray(values) ? values : [values])];
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      return refuse(`${path}, "${key}"`, cause.message.replace(/^Expected |\.$/g, ""), JSON.stringify(values), cause);
    }
  });
  return Object.fromEntries(lists) as Lists;
}

/** Every combination over what the preset says. Combinations that come to the same (a linear machine's gammas) are one. */
export function spaceOf(preset: PresetName, lists: Lists, solver: SolverOptions): GridSpace {
  const part = (belongs: (name: string) => boolean): Settings[] => {
    const some = Object.fromEntries(Object.entries(lists).filter(([name]) => belongs(name)));
    return combinations(some as { [K in keyof Settings]: Settings[K][] }).map((one) => settingsFrom(preset, one));
  };
  return {
    features: distinct(part(isFeature).map(featuresOf)),
    scale: lists.scale ?? [settingsFrom(preset, {}).scale],
    classifiers: distinct(part(isMachine).map((settings) => classifierOf(settings, solver))),
  };
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

/** Where a candidate has what an option names. */
const paths: Readonly<Record<keyof Settings, string>> = {
  features: "features",
  orientations: "features.orientations",
  cell: "features.pixelsPerCell",
  block: "features.cellsPerBlock",
  stride: "features.blockStride",
  norm: "features.norm",
  signed: "features.signed",
  sqrt: "features.transformSqrt",
  trilinear: "features.interpolation",
  border: "features.border",
  scale: "scale",
  kernel: "classifier.kernel.type",
  C: "classifier.C",
  gamma: "classifier.kernel.gamma",
  degree: "classifier.kernel.degree",
  coef0: "classifier.kernel.coef0",
};

/** The path in a candidate of what an option is called; what is no option's name is taken for a path. */
export function pathOf(name: string): string {
  return (paths as Readonly<Record<string, string>>)[name] ?? name;
}

/** The option's name for a path, for people. */
export function nameOf(path: string): string {
  return Object.entries(paths).find(([, one]) => one === path)?.[0] ?? path;
}
