/** A finished grid search for people: a table, and the numbers of a heat map. */
import { OptionError } from "../../errors.ts";
import type { Candidate, GridResult, GridRow } from "./grid.ts";

/** The result table as Markdown, best first; columns for what differs between candidates only. */
export function gridTable({ rows }: GridResult, limit = rows.length): string {
  const flat = rows.map(({ options }) => flatten(options));
  const names = [...new Set(flat.flatMap((entry) => Object.keys(entry)))];
  const varying = names.filter((name) => new Set(flat.map((entry) => entry[name])).size > 1);
  const header = ["#", ...varying, "accuracy", "±", "support vectors", "train s", "predict s"];
  const lines = rows.slice(0, limit).map((row, rank) => {
    const average = (value: (score: GridRow["scores"][number]) => number): number =>
      row.scores.reduce((sum, score) => sum + value(score), 0) / row.scores.length;
    const settings = varying.map((name) => flat[rank]?.[name] ?? "");
    const measured = [
      average(({ supportVectors }) => supportVectors).toFixed(0),
      average(({ trainSeconds }) => trainSeconds).toFixed(1),
      average(({ predictSeconds }) => predictSeconds).toFixed(1),
    ];
    return [String(rank + 1)].concat(settings, row.mean.toFixed(4), row.deviation.toFixed(4), measured);
  });
  return [header, header.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export interface HeatMap {
  readonly rowAxis: string;
  readonly columnAxis: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Best mean accuracy of any candidate with these two values, rows × columns; NaN where there is none. */
  readonly values: Float64Array;
}

/**
 * Accuracy over two parameters, named by path: `classifier.C`, `classifier.kernel.gamma`, `features.orientations`.
 * Throws `OptionError` for a path that no candidate has.
 */
export function gridHeatMap({ rows }: GridResult, rowAxis: string, columnAxis: string): HeatMap {
  const cells = rows.map(({ options, mean }) => ({ entry: flatten(options), mean }));
  const valuesOf = (axis: string): string[] => {
    const values = new Set(cells.flatMap(({ entry }) => entry[axis] ?? []));
    if (values.size > 0) return [...values].sort((a, b) => Number(a) - Number(b) || a.localeCompare(b));
    throw new OptionError({
      where: "grid heat map",
      expected: `one of ${Object.keys(cells[0]?.entry ?? {}).join(", ")}`,
      got: axis,
    });
  };
  const [rowValues, columnValues] = [valuesOf(rowAxis), valuesOf(columnAxis)];
  const values = new Float64Array(rowValues.length * columnValues.length).fill(NaN);
  for (const { entry, mean } of cells) {
    const [r, c] = [rowValues.indexOf(entry[rowAxis] ?? ""), columnValues.indexOf(entry[columnAxis] ?? "")];
    if (r < 0 || c < 0) continue;
    const at = r * columnValues.length + c;
    if (!((values[at] as number) >= mean)) values[at] = mean;
  }
  return { rowAxis, columnAxis, rows: rowValues, columns: columnValues, values };
}

/** Leaves of an object by dotted path; arrays of numbers are one value, several scales of HOG get an index. */
function flatten(value: Candidate): Record<string, string> {
  const leaves: Record<string, string> = {};
  const walk = (path: string, node: unknown): void => {
    if (
      typeof node !== "object" ||
      node === null ||
      (Array.isArray(node) && node.every((item) => typeof item === "number"))
    ) {
      leaves[path] = Array.isArray(node) ? node.join("×") : String(node);
      return;
    }
    for (const [key, child] of Object.entries(node)) walk(path === "" ? key : `${path}.${key}`, child);
  };
  walk("", value);
  return leaves;
}
