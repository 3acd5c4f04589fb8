/** Names by structure, for files whose names say nothing: the first layer of one is the first layer of the other. */
import { FormatError } from "../errors.ts";
import type { Parameter } from "../nn/index.ts";
import { formatShape } from "../tensor/index.ts";
import type { TensorInfo } from "./dtypes.ts";
import { keras, rename, type NameMap } from "./names/index.ts";
import type { FileInfo } from "./weights.ts";

interface Part {
  /** Its tensor's own name. */
  readonly name: string;
  readonly size: number;
  readonly shape: readonly number[];
}

interface LayerParts {
  readonly path: string;
  /** By name of the part: `kernel`, `bias`. */
  readonly parts: ReadonlyMap<string, Part>;
}

/**
 * A table for `loadWeights` that pairs the layers of a file and of a model in their order. Layers without weights do not
 * count. That order is the one in which a PyTorch module declares its parts, which need not be that of computation.
 * @throws {FormatError} naming the first pair of layers that cannot be the same.
 */
export function matchInOrder(
  parameters: readonly Pick<Parameter, "name" | "shape">[],
  info: FileInfo,
  map: NameMap = info.map ?? keras,
): Readonly<Record<string, string | null>> {
  const names = rename({ ...map, rules: [] }, info.tensors);
  const theirs = layersOf(
    [...names].flatMap(([name, ours]) => (ours === null ? [] : [{ ours, info: info.tensors.get(name)! }])),
  );
  const ours = layersOf(parameters.map((parameter) => ({ ours: parameter.name, info: parameter })));
  const table: Record<string, string> = {};
  ours.forEach((layer, index) => {
    const other = theirs[index];
    if (other === undefined || !isSame(layer, other)) throw differs(info.file, index, layer, other);
    for (const [part, { name }] of other.parts) table[name] = layer.parts.get(part)!.name;
  });
  if (theirs.length > ours.length) throw differs(info.file, ours.length, undefined, theirs[ours.length]);
  return table;
}

function layersOf(
  tensors: readonly { readonly ours: string; readonly info: Pick<TensorInfo, "name" | "shape"> }[],
): LayerParts[] {
  const layers = new Map<string, Map<string, Part>>();
  for (const { ours, info } of tensors) {
    const end = ours.lastIndexOf("/") + 1;
    const parts = layers.get(ours.slice(0, end)) ?? new Map<string, Part>();
    const part = ours.slice(end).replace(/^depthwise_kernel$/, "kernel");
    const size = info.shape.reduce((product, extent) => product * extent, 1);
    layers.set(ours.slice(0, end), parts.set(part, { name: info.name, size, shape: info.shape }));
  }
  return [...layers].map(([path, parts]) => ({ path, parts }));
}

function isSame({ parts }: LayerParts, other: LayerParts): boolean {
  return (
    parts.size === other.parts.size && [...parts].every(([part, { size }]) => other.parts.get(part)?.size === size)
  );
}

function differs(file: string, index: number, ours?: LayerParts, theirs?: LayerParts): FormatError {
  return new FormatError({
    where: file,
    expected: `layer ${index + 1} to be ${inWords(ours)}`,
    got: inWords(theirs),
    advice: "layers are paired in order; where the orders differ, give a table of names",
  });
}

function inWords(layer: LayerParts | undefined): string {
  if (layer === undefined) return "none";
  const parts = [...layer.parts].map(([part, { shape }]) => `${part} ${formatShape(shape)}`);
  return `${layer.path}${parts.join(", ")}`;
}
