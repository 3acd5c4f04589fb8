/** The layers of a model as a tree, from the flat list that a summary or a file has. */
import type { LayerSummary } from "../../nn/index.ts";

/** What can be said of a model without its weights: a `Model` fits, and so does what a run left behind. */
export interface DescribedModel {
  readonly architecture: { readonly kind: string; readonly name?: string | undefined };
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Parents before their children. The outermost layer is not among them. */
  readonly summaries: readonly LayerSummary[];
  readonly parameters: readonly DescribedParameter[];
}

export interface DescribedParameter {
  /** `block/conv2d/kernel` */
  readonly name: string;
  readonly shape: readonly number[];
  readonly trainable: boolean;
  readonly frozen: boolean;
}

export interface LayerNode {
  readonly name: string;
  readonly kind: string;
  /** Names from the outermost layer down, which is not in it: `block/conv2d`. */
  readonly path: string;
  readonly output: readonly number[];
  readonly parameters: number;
  readonly children: readonly LayerNode[];
}

/** The outermost layer, with all others below it. */
export function layerTree({ architecture, output, summaries, parameters }: DescribedModel): LayerNode {
  let at = 0;
  const childrenAt = (depth: number, parent: string): LayerNode[] => {
    const nodes: LayerNode[] = [];
    while (at < summaries.length && summaries[at]!.depth === depth) {
      const { name, kind, output: shape, parameters: count } = summaries[at++]!;
      const path = parent === "" ? name : `${parent}/${name}`;
      nodes.push({ name, kind, path, output: shape, parameters: count, children: childrenAt(depth + 1, path) });
    }
    return nodes;
  };
  const children = childrenAt(0, "");
  const { kind, name = kind } = architecture;
  return { name, kind, path: "", output, parameters: countOf(parameters), children };
}

/** Elements of parameters. */
export function countOf(parameters: readonly DescribedParameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, extent) => product * extent, 1), 0);
}

/** `[batch, 26, 26, 28]` */
export function batchShape(shape: readonly number[]): string {
  return `[${["batch", ...shape].join(", ")}]`;
}
