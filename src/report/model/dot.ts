/** A model as a graph in DOT, Graphviz' language. */
import { batchShape, layerTree, type DescribedModel, type LayerNode } from "./tree.ts";

/** Boxes with name, type and output shape of each layer, and arrows the way that data take. */
export function modelDot(model: DescribedModel): string {
  const nodes: string[] = [];
  const edges: string[] = [];
  const box = (title: string, shape: readonly number[]): string => {
    const id = `n${nodes.length}`;
    nodes.push(`  ${id} [label=${quoted(`${title}\n${batchShape(shape)}`)}];`);
    return id;
  };
  /** Draws a layer that gets the result of `source`; returns the box that its own result comes from. */
  const draw = (node: LayerNode, source: string): string => {
    const { kind, name, output, children } = node;
    if (kind === "sequential") return children.reduce((from, child) => draw(child, from), source);
    if (kind === "identity") return source;
    const results = children.length > 0 ? children.map((child) => draw(child, source)) : [source];
    const id = box(name === kind ? kind : `${name} (${kind})`, output);
    for (const result of results) edges.push(`  ${result} -> ${id};`);
    return id;
  };
  draw(layerTree(model), box("input", model.input));
  const style = ['  node [shape=box, style=rounded, fontname="sans-serif"];', "  rankdir=TB;"];
  return ["digraph model {", ...style, ...nodes, ...edges, "}", ""].join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
