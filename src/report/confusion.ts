/** The confusion matrix as text, with the names of the classes. */
import type { ConfusionMatrix } from "../train/index.ts";
import { pad, textTable, textWidth, type Table } from "./table.ts";

/**
 * Lines of a confusion matrix: a row for each true class, a column for each answer. Names of columns go down like stairs,
 * each ending in a line to its column, because side by side they would not fit:
 *
 *              Shirt
 *              │  Bag
 *     Shirt   41  2
 *     Bag      ·  9
 *
 * Where that is wider than `width`, the most frequent mistakes are listed instead.
 */
export function confusionAsText(
  confusion: ConfusionMatrix,
  names: readonly string[],
  { width = 80 }: { readonly width?: number } = {},
): string[] {
  const cells = Array.from(confusion.counts, (count) => (count === 0 ? "·" : String(Math.round(count))));
  const cell = 2 + Math.max(...cells.map(textWidth));
  const margin = Math.max(...names.map(textWidth));
  const edge = (column: number): number => margin + (column + 1) * cell - 1;
  if (Math.max(...names.map((name, column) => edge(column) + textWidth(name))) > width) {
    return textTable(mistakeTable(confusion, names));
  }
  const stairs = names.map((name, column) => {
    const lines = names.slice(0, column).map(() => pad("│", cell));
    return `${" ".repeat(margin)}${lines.join("")}${" ".repeat(cell - 1)}${name}`;
  });
  const rows = names.map((name, row) => {
    const line = cells.slice(row * names.length, (row + 1) * names.length);
    return pad(name, margin, "left") + line.map((text) => pad(text, cell)).join("");
  });
  return [...stairs, ...rows];
}

/** The most frequent mistakes, worst first: what was taken for what, how often, and which share of its class that is. */
export function mistakeTable(confusion: ConfusionMatrix, names: readonly string[], limit = 20): Table {
  const { classes, counts } = confusion;
  const mistakes = [...counts.keys()]
    .map((at) => ({ row: Math.floor(at / classes), column: at % classes, count: counts[at]! }))
    .filter(({ row, column, count }) => row !== column && count > 0)
    .sort((a, b) => b.count - a.count);
  const total = (row: number): number => counts.subarray(row * classes, (row + 1) * classes).reduce((a, b) => a + b);
  return {
    columns: [
      { title: "class", align: "left" },
      { title: "taken for", align: "left" },
      { title: "samples" },
      { title: "of its class" },
    ],
    rows: mistakes
      .slice(0, limit)
      .map(({ row, column, count }) => [
        names[row]!,
        names[column]!,
        String(Math.round(count)),
        `${((100 * count) / total(row)).toFixed(1)} %`,
      ]),
  };
}
