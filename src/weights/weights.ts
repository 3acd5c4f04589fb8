/**
 * Tensors of a file into the parameters of a model: which goes where, in what order of elements, and what fits nowhere.
 * All of this is decided from names and shapes, before any number is read or written.
 */
import { FormatError, OptionError, ShapeError } from "../errors.ts";
import type { Model, Parameter } from "../nn/index.ts";
import { formatShape, sameShape, type Shape } from "../tensor/index.ts";
import { floatViewOf, STORED_BYTES, type StoredTensor, type TensorInfo } from "./dtypes.ts";
import { keras, rename, type NameMap } from "./names/index.ts";
import { closest } from "./nearNames.ts";
import { matchNested } from "./nesting.ts";
import { gather, isRowMajor, type StridedView } from "./strided.ts";

type Wanted = Pick<Parameter, "name" | "shape">;

/**
 * How names of a file become ours: a map of another program's; or, name by name, a table or function that gives our name, null
 * for what is to be left out, and undefined for what goes by the file's own convention.
 */
export type NameMapping =
  NameMap | Readonly<Record<string, string | null>> | ((name: string) => string | null | undefined);

/** Yes, no, or for names that match; these are our names of parameters, or the file's names of tensors. */
export type Allowance = boolean | RegExp;

export interface FitOptions {
  /** Default: the convention of the file's format (PyTorch's for `.pth`), with names as they are. */
  readonly map?: NameMapping;
  /** Parameters that the file may lack; they keep their values. Default: none. */
  readonly allowMissing?: Allowance;
  /** Tensors that the model may have no place for. Default: none. */
  readonly allowUnexpected?: Allowance;
  /** Parameters that keep their values whatever the file has, such as those of a new classifier. Default: none. */
  readonly except?: RegExp;
  /**
   * Shapes `[height, width, channels]` that are flattened into the inputs of a parameter, by its name. They matter for
   * PyTorch's files, and are known for models whose layers follow one another.
   */
  readonly flattened?: Readonly<Record<string, Shape>>;
}

/** A tensor of a file and its place. */
export interface Fit {
  readonly parameter: Wanted;
  readonly source: TensorInfo;
  readonly view: StridedView;
}

/** A tensor that was brought into another shape or order. */
export interface Reshaped {
  readonly name: string;
  readonly source: string;
  readonly from: Shape;
  readonly to: Shape;
}

export interface FitReport {
  /** Parameters that have a tensor in the file. */
  readonly loaded: readonly string[];
  /** Parameters that keep their values. */
  readonly missing: readonly string[];
  /** Tensors of the file that have no place in the model. */
  readonly unexpected: readonly string[];
  readonly reshaped: readonly Reshaped[];
  /** What the file has beside weights, and what was left out on request. */
  readonly skipped: readonly string[];
}

export interface FitPlan {
  /** By the file's names. */
  readonly fits: ReadonlyMap<string, Fit>;
  readonly report: FitReport;
}

/** What is known of a file before its numbers are read. */
export interface FileInfo {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly map?: NameMap;
  readonly skipped?: readonly string[];
}

/** Names listed in one error; a file of another network would fill the screen. */
const MAX_LISTED = 6;

/**
 * Finds the place of each tensor.
 * @throws {FormatError} listing what is missing, unexpected and of another shape, beyond what is allowed.
 * @throws {ShapeError} when all names fit, but shapes differ.
 */
export function planFit(parameters: readonly Wanted[], info: FileInfo, options: FitOptions = {}): FitPlan {
  const { file, tensors, skipped = [] } = info;
  const sources = sourcesByName(info, options.map);
  const byName = placesOf(parameters, sources);
  const sorted = sortParameters(parameters, info, byName, options);
  const { missing, kept } = sorted;
  const own = new Set(parameters.map(({ name }) => canonical(name)));
  const unexpected = [...byName].flatMap(([ours, name]) => (own.has(ours) ? [] : [tensors.get(name)!]));
  refuseMisfits({ file, wanted: parameters.length, sources, unexpected, ...sorted }, options);
  const leftOut = [...tensors.keys()].filter((name) => sources.get(name) === null);
  const replaced = kept.flatMap((name) => byName.get(canonical(name)) ?? []);
  const fits = new Map(sorted.fits.map((fit) => [fit.source.name, fit]));
  const report: FitReport = {
    loaded: sorted.fits.map(({ parameter }) => parameter.name),
    missing: [...missing.map(({ name }) => name), ...kept],
    unexpected: unexpected.map(({ name }) => name),
    reshaped: sorted.fits.flatMap(reshaping),
    skipped: [...skipped, ...leftOut, ...replaced],
  };
  return { fits, report };
}

interface Sorted {
  readonly fits: readonly Fit[];
  readonly missing: readonly Wanted[];
  /** In words. */
  readonly mismatched: readonly string[];
  /** Names of those that are to keep their values. */
  readonly kept: readonly string[];
}

/** @param byName the file's names by our canonical ones. */
function sortParameters(
  parameters: readonly Wanted[],
  { tensors, map: ownMap = keras }: FileInfo,
  byName: ReadonlyMap<string, string>,
  { map, except, flattened = {} }: FitOptions,
): Sorted {
  const { convention } = isNameMap(map) ? map : ownMap;
  const sorted = { fits: [] as Fit[], missing: [] as Wanted[], mismatched: [] as string[], kept: [] as string[] };
  for (const parameter of parameters) {
    const { name, shape } = parameter;
    const sourceName = byName.get(canonical(name));
    const source = sourceName === undefined ? undefined : tensors.get(sourceName);
    const view = source && convention.view(source.shape, shape, flattened[name]);
    if (except !== undefined && matches(except, name)) sorted.kept.push(name);
    else if (source === undefined) sorted.missing.push(parameter);
    else if (view === undefined) sorted.mismatched.push(misfit(parameter, source));
    else sorted.fits.push({ parameter, source, view });
  }
  return sorted;
}

/** The file's names by our canonical ones: those that are equal, then those that differ by containers only. */
function placesOf(parameters: readonly Wanted[], sources: ReadonlyMap<string, string | null>): Map<string, string> {
  const byName = new Map<string, string>();
  for (const [name, ours] of sources) if (ours !== null) byName.set(canonical(ours), name);
  const wanted = parameters.map(({ name }) => canonical(name));
  const known = new Set(wanted);
  const free = wanted.filter((name) => !byName.has(name));
  const strangers = [...byName.keys()].filter((name) => !known.has(name));
  for (const [ours, place] of matchNested(free, strangers)) {
    byName.set(place, byName.get(ours)!);
    byName.delete(ours);
  }
  return byName;
}

/** The numbers of a tensor in the order of its parameter. */
export function arranged({ view }: Fit, tensor: StoredTensor, file: string): Float32Array<ArrayBuffer> {
  const { name, dtype, shape, bytes } = tensor;
  return floatViewOf({ name, dtype, shape, bytes: gather(bytes, STORED_BYTES[dtype], view) }, file);
}

/** Writes what `planFit` has found room for, from a file in memory. */
export function fill(model: Model, { fits }: FitPlan, stored: ReadonlyMap<string, StoredTensor>, file: string): void {
  // All is converted before anything is written, so that a tensor of a wrong dtype leaves the model as it was.
  const values = [...fits].map(([name, fit]) => [fit.parameter.name, arranged(fit, stored.get(name)!, file)] as const);
  writeAll(model, new Map(values));
}

/** Writes values by parameters' names. */
export function writeAll(model: Model, values: ReadonlyMap<string, Float32Array<ArrayBuffer>>): void {
  for (const parameter of model.parameters) {
    const own = values.get(parameter.name);
    if (own === undefined) continue;
    model.device.write(parameter.tensor, own);
    parameter.untrained = false;
  }
}

/** Our name of each tensor of a file; null for those to be left out. */
function sourcesByName({ file, tensors, map: own = keras }: FileInfo, map?: NameMapping): Map<string, string | null> {
  const names = new Map(rename(isNameMap(map) ? map : own, tensors));
  if (map !== undefined && !isNameMap(map)) {
    for (const name of tensors.keys()) {
      const ours = typeof map === "function" ? map(name) : Object.hasOwn(map, name) ? map[name] : undefined;
      if (ours !== undefined) names.set(name, ours);
    }
  }
  const taken = new Map<string, string>();
  for (const [name, ours] of names) {
    if (ours === null) continue;
    const other = taken.get(canonical(ours));
    if (other !== undefined) {
      throw new OptionError({
        where: file,
        expected: "a map that gives each tensor a name of its own",
        got: `${ours} for both ${other} and ${name}`,
      });
    }
    taken.set(canonical(ours), name);
  }
  return names;
}

function isNameMap(map: NameMapping | undefined): map is NameMap {
  return typeof map === "object" && "convention" in map && typeof map.convention === "object";
}

/** Keras calls the kernel of a depthwise convolution otherwise in files than it does elsewhere. */
function canonical(name: string): string {
  return name.replace(/(^|\/)depthwise_kernel$/, "$1kernel");
}

interface Misfits extends Pick<Sorted, "missing" | "mismatched"> {
  readonly file: string;
  /** Number of parameters. */
  readonly wanted: number;
  readonly unexpected: readonly TensorInfo[];
  /** Our names of the file's tensors. */
  readonly sources: ReadonlyMap<string, string | null>;
}

function refuseMisfits(misfits: Misfits, { allowMissing = false, allowUnexpected = false, map }: FitOptions): void {
  const { file, wanted, mismatched, sources } = misfits;
  const missing = misfits.missing.filter(({ name }) => !allows(allowMissing, name));
  const unexpected = misfits.unexpected.filter(({ name }) => !allows(allowUnexpected, name));
  const candidates = unexpected.map(({ name }) => sources.get(name) ?? name);
  const near = (name: string): string => {
    const candidate = closest(name, candidates);
    return candidate === undefined ? "" : ` (the file has ${candidate})`;
  };
  const got = [
    listed("missing", missing, (parameter) => inWords(parameter) + near(parameter.name)),
    listed("unexpected", unexpected, inWords),
    listed("of another shape", mismatched, (text) => text),
  ].filter((list) => list !== "");
  if (got.length === 0) return;
  const Kind = missing.length + unexpected.length > 0 ? FormatError : ShapeError;
  const rebuild = "load it with load(device, file), or build the model that it was saved from";
  const advice =
    map === undefined
      ? `the file belongs to another architecture or another program: ${rebuild}, or give a map for its names`
      : `the map does not fit, or the file belongs to another architecture; what may differ, allowMissing, allowUnexpected and except say`;
  throw new Kind({ where: file, expected: `the ${wanted} tensors of this model`, got: got.join("; "), advice });
}

function allows(allowance: Allowance, name: string): boolean {
  return typeof allowance === "boolean" ? allowance : matches(allowance, name);
}

/** `test`, but for the memory that it has of the last match when an expression is global. */
function matches(pattern: RegExp, name: string): boolean {
  return name.search(pattern) >= 0;
}

function misfit({ name, shape }: Wanted, source: TensorInfo): string {
  const own = source.name === name ? "" : ` (${source.name})`;
  return `${name}${own} ${formatShape(source.shape)} for ${formatShape(shape)}`;
}

function reshaping({ parameter: { name, shape }, source, view }: Fit): Reshaped[] {
  if (isRowMajor(view) && sameShape(source.shape, shape)) return [];
  return [{ name, source: source.name, from: source.shape, to: shape }];
}

function inWords({ name, shape }: Wanted): string {
  return `${name} ${formatShape(shape)}`;
}

function listed<T>(what: string, items: readonly T[], describe: (item: T) => string): string {
  if (items.length === 0) return "";
  const rest = items.length > MAX_LISTED ? ` and ${items.length - MAX_LISTED} more` : "";
  return `${what}: ${items.slice(0, MAX_LISTED).map(describe).join(", ")}${rest}`;
}
