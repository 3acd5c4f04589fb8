/**
 * Names of another program → ours. A map is data: rules that rewrite the path of a layer, and the convention by which that
 * program calls and lays out what a layer holds.
 */
import type { TensorInfo } from "../dtypes.ts";
import type { StridedView } from "../strided.ts";

type Shape = readonly number[];

/** What differs between programs about the tensors of one layer. */
export interface Convention {
  readonly name: string;
  /** Between the parts of a path. Ours is `/`. */
  readonly separator: "." | "/";
  /**
   * Our name for a part of a layer (`weight` → `kernel`), or null if it is no weight.
   * @param layer all parts of that layer, since a part's meaning may hang on the others.
   */
  part(name: string, layer: ReadonlyMap<string, TensorInfo>): string | null;
  /**
   * Where the elements of our tensor lie in theirs, in our order; undefined if they cannot be the same tensor.
   * @param features shape `[height, width, channels]` of what was flattened into the axis of inputs, if anything was.
   */
  view(theirs: Shape, ours: Shape, features?: Shape): StridedView | undefined;
}

/** The path of a layer, or a part of it, and what it becomes; null leaves out what matches. */
export type NameRule = readonly [
  pattern: RegExp,
  replacement: string | ((match: string, ...groups: string[]) => string) | null,
];

export interface NameMap {
  /** What messages call it. */
  readonly name: string;
  readonly convention: Convention;
  /** In order; each rewrites what those before it have left. What no rule touches keeps its name. */
  readonly rules: readonly NameRule[];
}

/**
 * Our name of each tensor of a file, or null for what is no weight.
 * @param tensors all of the file's.
 */
export function rename(map: NameMap, tensors: ReadonlyMap<string, TensorInfo>): ReadonlyMap<string, string | null> {
  const { convention, rules } = map;
  const layers = new Map<string, Map<string, TensorInfo>>();
  for (const [name, info] of tensors) {
    const [path, part] = split(name, convention.separator);
    const layer = layers.get(path) ?? new Map<string, TensorInfo>();
    layers.set(path, layer.set(part, info));
  }
  const names = new Map<string, string | null>();
  for (const [path, layer] of layers) {
    const ours = rewritten(path, rules)?.replaceAll(convention.separator, "/");
    for (const [part, info] of layer) {
      const own = convention.part(part, layer);
      const isWeight = ours !== undefined && own !== null;
      names.set(info.name, isWeight ? [ours, own].filter((text) => text !== "").join("/") : null);
    }
  }
  return names;
}

function split(name: string, separator: string): readonly [path: string, part: string] {
  const end = name.lastIndexOf(separator);
  return end < 0 ? ["", name] : [name.slice(0, end), name.slice(end + 1)];
}

function rewritten(path: string, rules: readonly NameRule[]): string | undefined {
  let ours = path;
  for (const [pattern, replacement] of rules) {
    if (replacement === null) {
      if (ours.search(pattern) >= 0) return undefined;
    } else {
      // TypeScript tells the two forms of `replace` apart only here.
      ours = typeof replacement === "string" ? ours.replace(pattern, replacement) : ours.replace(pattern, replacement);
    }
  }
  return ours;
}

/** Whether two shapes are equal but for axes of one element: a 1×1 convolution is a dense layer at every place. */
export function sameUpToOnes(a: Shape, b: Shape): boolean {
  const [left, right] = [a, b].map((shape) => shape.filter((extent) => extent !== 1));
  return left!.length === right!.length && left!.every((extent, axis) => extent === right![axis]);
}
