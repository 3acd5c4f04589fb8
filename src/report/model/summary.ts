/** A model's layers as the table that Keras' `model.summary()` prints, and what they amount to. */
import { fixed, textTable, type Table } from "../table.ts";
import { batchShape, countOf, layerTree, type DescribedModel, type LayerNode } from "./tree.ts";

export interface ModelTotals {
  readonly parameters: number;
  /** Parameters that training changes. */
  readonly trainable: number;
  /** Parameters that could be learnt, but are frozen. */
  readonly frozen: number;
  /** Running statistics, which are no optimiser's business. */
  readonly statistics: number;
  /** Of all parameters in `f32`. */
  readonly bytes: number;
  /** Floating-point operations of one image's way through the layers that count them; a multiply-add is two. */
  readonly flops: number;
}

export function modelTotals({ parameters, summaries }: DescribedModel): ModelTotals {
  const all = countOf(parameters);
  const frozen = countOf(parameters.filter((one) => one.trainable && one.frozen));
  const statistics = countOf(parameters.filter(({ trainable }) => !trainable));
  return {
    parameters: all,
    trainable: all - frozen - statistics,
    frozen,
    statistics,
    bytes: 4 * all,
    flops: summaries.reduce((sum, { flops }) => sum + flops, 0),
  };
}

/** Layers, inner ones indented below the ones that they are part of, and whose parameters they count towards. */
export function summaryTable(model: DescribedModel): Table {
  const tree = layerTree(model);
  const frozenIn = ({ path }: LayerNode): number =>
    countOf(model.parameters.filter(({ name, trainable, frozen }) => trainable && frozen && isBelow(name, path)));
  const showsFrozen = frozenIn(tree) > 0;
  const rowsOf = (node: LayerNode, depth: number): string[][] => [
    [
      `${"  ".repeat(depth)}${node.name}${node.name === node.kind ? "" : ` (${node.kind})`}`,
      batchShape(node.output),
      whole(node.parameters),
      ...(showsFrozen ? [whole(frozenIn(node))] : []),
    ],
    ...node.children.flatMap((child) => rowsOf(child, depth + 1)),
  ];
  // The outermost layer is the model itself, unless it is all that there is.
  const top = tree.children.length > 0 ? tree.children : [tree];
  return {
    columns: [
      { title: "Layer (type)", align: "left" },
      { title: "Output shape", align: "left" },
      { title: "Param #" },
      ...(showsFrozen ? [{ title: "Frozen" }] : []),
    ],
    rows: top.flatMap((node) => rowsOf(node, 0)),
  };
}

/** Lines below the table: `["Total params", "474,590 (1.9 MB)"]`. */
export function totalLines(model: DescribedModel): readonly (readonly [label: string, value: string])[] {
  const { parameters, trainable, frozen, statistics, flops } = modelTotals(model);
  const sized = (count: number): string => `${whole(count)} (${inBytes(4 * count)})`;
  const parts = [
    ...(frozen > 0 ? [`${whole(frozen)} frozen`] : []),
    ...(statistics > 0 ? [`${whole(statistics)} running statistics`] : []),
  ];
  return [
    ["Total params", sized(parameters)],
    ["Trainable params", sized(trainable)],
    ["Non-trainable params", sized(frozen + statistics) + (parts.length > 0 ? `: ${parts.join(", ")}` : "")],
    // A model of one layer has no layers inside that could count theirs.
    ...(flops > 0 ? [["FLOPs per image", scaled(flops, ["", " K", " M", " G", " T"])] as const] : []),
  ];
}

/**
 * Lines of a model's summary: every layer with its type, output shape and number of parameters, then parameters in all,
 * trainable, frozen, with their bytes, and floating-point operations for an image.
 */
export function summary(model: DescribedModel): string[] {
  const table = textTable(summaryTable(model), { gap: 3 });
  const width = Math.max(...table.map((line) => line.length));
  const [head = "", ...rows] = table;
  const totals = totalLines(model).map(([label, value]) => `${label}: ${value}`);
  return [head, "─".repeat(width), ...rows, "─".repeat(width), ...totals];
}

function isBelow(name: string, path: string): boolean {
  return path === "" || name.startsWith(`${path}/`);
}

function whole(count: number): string {
  return count.toLocaleString("en-US");
}

function inBytes(bytes: number): string {
  return scaled(bytes, [" bytes", " KB", " MB", " GB"]);
}

/** Powers of 1,000. */
function scaled(value: number, units: readonly string[]): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${power === 0 ? value : fixed(value / 1000 ** power, 1)}${units[power]}`;
}
