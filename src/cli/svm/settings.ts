/**
 * What an SVM and its features can be told on the command line. One table serves `train`, where an option has one value,
 * and `grid`, where it has a list of them, in options or in a file.
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import { OptionError } from "../../errors.ts";
import {
  hogLength,
  type BlockNorm,
  type Classifier,
  type FeatureOptions,
  type Gamma,
  type HogOptions,
  type Kernel,
} from "../../svm/index.ts";
import { positiveNumber, wholeNumber } from "../options.ts";

export interface FeatureSettings {
  readonly features: "hog" | "pixels";
  readonly orientations: number;
  readonly cell: number;
  readonly block: number;
  readonly stride: number;
  readonly norm: BlockNorm;
  readonly signed: boolean;
  readonly sqrt: boolean;
  readonly trilinear: boolean;
  readonly border: "zero" | "replicate";
}

export interface MachineSettings {
  readonly kernel: "linear" | "rbf" | "poly" | "sigmoid";
  readonly C: number;
  readonly gamma: Gamma;
  readonly degree: number;
  readonly coef0: number;
}

export type Settings = FeatureSettings & MachineSettings & { readonly scale: boolean };

interface Parameter<T> {
  /** What stands for the value in the help. */
  readonly value: string;
  readonly help: string;
  readonly parse: (text: string) => T;
}

export const parameters: { readonly [K in keyof Settings]: Parameter<Settings[K]> } = {
  features: { value: "kind", help: "hog, or pixels: their values divided by 255", parse: oneOf(["hog", "pixels"]) },
  orientations: { value: "n", help: "bins of gradient direction", parse: wholeNumber(1) },
  cell: { value: "n", help: "side of a cell, in pixels", parse: wholeNumber(1) },
  block: { value: "n", help: "side of a block, in cells", parse: wholeNumber(1) },
  stride: { value: "n", help: "distance of neighbouring blocks, in cells", parse: wholeNumber(1) },
  norm: { value: "name", help: "of blocks: L1, L1-sqrt, L2, L2-Hys", parse: oneOf(["L1", "L1-sqrt", "L2", "L2-Hys"]) },
  signed: { value: "yes|no", help: "directions over 360° in place of 180°", parse: yesOrNo },
  sqrt: { value: "yes|no", help: "square root of each pixel first", parse: yesOrNo },
  trilinear: { value: "yes|no", help: "share votes among neighbouring bins and cells", parse: yesOrNo },
  border: {
    value: "name",
    help: "gradient at the picture's border: zero, replicate",
    parse: oneOf(["zero", "replicate"]),
  },
  scale: { value: "yes|no", help: "standard scaling of the features", parse: yesOrNo },
  kernel: {
    value: "name",
    help: "linear (one-vs-rest, squared hinge, no kernel matrix), rbf, poly, sigmoid",
    parse: oneOf(["linear", "rbf", "poly", "sigmoid"]),
  },
  C: { value: "x", help: "price of an error against the width of the margin", parse: positiveNumber },
  gamma: { value: "x", help: "of rbf, poly, sigmoid: a number, scale or auto", parse: gamma },
  degree: { value: "n", help: "of poly", parse: wholeNumber(0) },
  coef0: { value: "x", help: "constant of poly and sigmoid", parse: finiteNumber },
};

type Name = keyof Settings;
export const names = Object.keys(parameters) as Name[];
const FEATURE_NAMES = names.slice(0, names.indexOf("scale"));
const MACHINE_NAMES = names.slice(names.indexOf("kernel"));

export type PresetName = "scikit-learn" | "tuned";

const common = {
  features: "hog",
  stride: 1,
  border: "zero",
  scale: false,
  kernel: "rbf",
  degree: 3,
  coef0: 0,
} as const;

/** `scikit-learn`: what its users take for Fashion-MNIST, accuracy .9136. `tuned`: chosen on training images, .9400. */
const presets: Readonly<Record<PresetName, Settings>> = {
  "scikit-learn": {
    ...common,
    orientations: 9,
    cell: 4,
    block: 2,
    norm: "L2-Hys",
    signed: false,
    sqrt: false,
    trilinear: false,
    C: 10,
    gamma: "scale",
  },
  tuned: {
    ...common,
    orientations: 12,
    cell: 4,
    block: 2,
    norm: "L1-sqrt",
    signed: true,
    sqrt: true,
    trilinear: true,
    C: 10,
    gamma: 0.1,
  },
};

export interface PresetOption {
  readonly preset: PresetName;
}

export const PRESET_NOTES = `
Presets (any option overrides its part of one):
  scikit-learn  9 orientations, cells of 4, blocks of 2, L2-Hys; rbf, C 10, gamma scale
                on all of Fashion-MNIST: 0.9136
  tuned         12 signed orientations, cells of 4, blocks of 2, L1-sqrt, sqrt, trilinear; rbf, C 10, gamma 0.1
                on all of Fashion-MNIST: 0.9400
For the kernels linear, poly and sigmoid C is 0.1, 10, 10 and gamma is scale, unless you say otherwise.`;

export function withPreset(command: Command): Command {
  return command.addOption(
    new Option("--preset <name>", "what other options start from")
      .choices(Object.keys(presets))
      .default("scikit-learn"),
  );
}

/** Adds an option for each parameter, of one value each. */
export function withSettings(command: Command): Command {
  for (const name of names) {
    const { value, help, parse } = parameters[name];
    const flag = value === "yes|no" ? `--${name} [yes|no]` : `--${name} <${value}>`;
    command.option(flag, help, parse as (text: string) => unknown);
  }
  return command;
}

/** Adds an option for each parameter, of a list of values with commas between. */
export function withLists(command: Command): Command {
  for (const name of names) {
    command.option(`--${name} <list>`, parameters[name].help, (text) => parseList(name, text.split(",")));
  }
  return command;
}

/** @throws {InvalidArgumentError} for a value that the parameter cannot take. */
export function parseList(name: Name, values: readonly unknown[]): Settings[Name][] {
  if (values.length === 0) throw new InvalidArgumentError("Expected at least one value.");
  return [...new Set(values.map((value) => parameters[name].parse(String(value).trim())))];
}

/** What the options say, over what the preset says. */
export function settingsFrom(preset: PresetName, given: Partial<Settings>): Settings {
  const kernel = given.kernel ?? presets[preset].kernel;
  const other = kernel === "rbf" ? {} : { gamma: "scale" as const, C: kernel === "linear" ? 0.1 : 10 };
  const said = Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
  return { ...presets[preset], ...other, ...(said as Partial<Settings>) };
}

/** Throws where HOG does not fit pictures of that size. */
export function requireFeatures(
  features: FeatureOptions,
  [height, width, channels]: readonly [number, number, number],
): number {
  return features === "pixels" ? height * width * channels : hogLength(height, width, features);
}

export function featuresOf(settings: FeatureSettings): FeatureOptions {
  if (settings.features === "pixels") return "pixels";
  const { orientations, cell, block, stride, norm, signed, sqrt, trilinear, border } = settings;
  return {
    orientations,
    pixelsPerCell: cell,
    cellsPerBlock: block,
    blockStride: stride,
    norm,
    signed,
    transformSqrt: sqrt,
    border,
    interpolation: trilinear ? "trilinear" : "none",
  } satisfies HogOptions;
}

/** How the solver works, which changes no figure of merit but time and memory. */
export interface SolverOptions {
  readonly tolerance?: number;
  readonly cache: number;
  readonly seed: number;
  readonly balanced?: boolean;
  readonly probability?: boolean;
}

export function classifierOf(settings: MachineSettings, solver: SolverOptions): Classifier {
  const { kernel, C } = settings;
  const { tolerance, cache, seed, balanced = false, probability = false } = solver;
  const both = {
    C,
    seed,
    ...(tolerance === undefined ? {} : { tolerance }),
    ...(balanced ? { classWeight: "balanced" as const } : {}),
  };
  if (kernel !== "linear") {
    return {
      type: "svc",
      kernel: kernelOf(settings),
      cacheBytes: cache * 2 ** 20,
      ...(probability ? { probability } : {}),
      ...both,
    };
  }
  if (!probability) return { type: "linear", ...both };
  throw new OptionError({ where: "--probability", expected: "--kernel rbf, poly or sigmoid", got: "linear" });
}

function kernelOf({ kernel, gamma: width, degree, coef0 }: MachineSettings): Kernel {
  if (kernel === "linear") return { type: "linear" };
  if (kernel === "rbf") return { type: "rbf", gamma: width };
  if (kernel === "sigmoid") return { type: "sigmoid", gamma: width, coef0 };
  return { type: "polynomial", gamma: width, degree, coef0 };
}

/** `cell 4 · block 2 …`, in the words of the options. */
export function describeFeatures(settings: Settings): string[] {
  const scaled = settings.scale ? ["standard-scaled"] : [];
  if (settings.features === "pixels") return ["pixels", ...scaled];
  const { orientations, cell, block, stride, norm, signed, sqrt, trilinear, border } = settings;
  return [
    `HOG with ${orientations} ${signed ? "signed " : ""}orientations`,
    `cells of ${cell}×${cell}`,
    `blocks of ${block}×${block}${stride === 1 ? "" : `, stride ${stride}`}`,
    norm,
    ...(sqrt ? ["square root"] : []),
    ...(trilinear ? ["trilinear"] : []),
    ...(border === "zero" ? [] : [`border ${border}`]),
    ...scaled,
  ];
}

export function describeMachine({ kernel, C, gamma: width, degree, coef0 }: MachineSettings): string[] {
  if (kernel === "linear") return ["linear SVM, squared hinge", `C ${C}`];
  const more = kernel === "rbf" ? [] : [...(kernel === "poly" ? [`degree ${degree}`] : []), `coef0 ${coef0}`];
  return [`${kernel} SVM`, `C ${C}`, `gamma ${width}`, ...more];
}

/** Which of two parts of a space a parameter belongs to. */
export const isFeature = (name: string): boolean => (FEATURE_NAMES as string[]).includes(name);
export const isMachine = (name: string): boolean => (MACHINE_NAMES as string[]).includes(name);

function oneOf<T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((one) => one === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Allowed choices are ${allowed.join(", ")}.`);
  };
}

function yesOrNo(text: string): boolean {
  if (["yes", "true"].includes(text)) return true;
  if (["no", "false"].includes(text)) return false;
  throw new InvalidArgumentError("Expected yes or no.");
}

function gamma(text: string): Gamma {
  return text === "scale" || text === "auto" ? text : positiveNumber(text);
}

function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}
