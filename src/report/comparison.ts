/** Models side by side: what they score, what they cost, and the trivial baseline among them. */
import { OptionError } from "../errors.ts";
import type { Report } from "./classification.ts";
import { belowBaseline, type Score } from "./scores.ts";
import { fixed, type Column, type Table } from "./table.ts";

/** What a model costs. Null or absent: not measured, and shown as "unknown", never as a number that looks like one. */
export interface Costs {
  readonly parameters?: number | null;
  /** Size of the file, in bytes. */
  readonly bytes?: number | null;
  readonly trainSeconds?: number | null;
  readonly inferenceSeconds?: number | null;
  /** Mean power while it trained, as measured on the machine: a rating from a data sheet is not a measurement. */
  readonly watts?: number | null;
}

export interface ComparedModel extends Costs {
  readonly name: string;
  /** By name: "accuracy", "macro F1". */
  readonly scores: Readonly<Record<string, number>>;
}

export interface ComparisonOptions {
  /** The score that decides. Default: "accuracy". */
  readonly by?: string;
  /** Which direction of it is better. Default: "higher". */
  readonly better?: Score["better"];
}

export interface ComparisonLayout {
  /** Columns of scores. Default: all that a model has. */
  readonly scores?: readonly string[];
  /** Decimals of scores. Default: 4. */
  readonly digits?: number;
}

export interface ComparedRow extends ComparedModel {
  readonly isBaseline: boolean;
  readonly isBest: boolean;
}

export interface Comparison {
  readonly by: string;
  /** Best first; models without the score that decides last. */
  readonly rows: readonly ComparedRow[];
  readonly warnings: readonly string[];
}

/** A report's scores as a row of a comparison. */
export function comparedModel(name: string, { scores }: Report, costs: Costs = {}): ComparedModel {
  return { ...costs, name, scores: Object.fromEntries(scores.map(({ metric, value }) => [metric, value])) };
}

/** The best trivial baseline of each score of a report, as a row of a comparison. */
export function comparedBaseline({ scores }: Report, name = "trivial baseline"): ComparedModel {
  const values = scores.flatMap(({ metric, baseline }) =>
    baseline === null ? [] : [[metric, baseline.value] as const],
  );
  return { name, scores: Object.fromEntries(values) };
}

/**
 * Sorts models, and the baseline among them, by one score. The best model is marked if it beats the baseline.
 * @param baseline what the models have to be held against; always a row of its own.
 * @throws {OptionError} when the baseline lacks the score that decides.
 */
export function compareModels(
  models: readonly ComparedModel[],
  baseline: ComparedModel,
  { by = "accuracy", better = "higher" }: ComparisonOptions = {},
): Comparison {
  const bar = baseline.scores[by];
  if (bar === undefined) {
    const known = Object.keys(baseline.scores).join(", ");
    throw new OptionError({ where: "compareModels", expected: `a score of the baseline's (${known})`, got: `"${by}"` });
  }
  const unbeaten = ({ name, scores }: ComparedModel): string | null =>
    belowBaseline({ metric: `${by} of ${name}`, value: scores[by] ?? NaN, better }, { value: bar, by: baseline.name });
  const rank = ({ scores }: ComparedModel): number => {
    const score = scores[by] ?? NaN;
    return Number.isNaN(score) ? -Infinity : better === "higher" ? score : -score;
  };
  // Two scores of −∞ differ by NaN, which leaves their order as it is.
  const sorted = [baseline, ...models].sort((a, b) => rank(b) - rank(a) || 0);
  const best = sorted.find((model) => model !== baseline && unbeaten(model) === null);
  return {
    by,
    rows: sorted.map((model) => Object.assign({ isBaseline: model === baseline, isBest: model === best }, model)),
    warnings: [...models.flatMap((model) => unbeaten(model) ?? []), ...suspiciousWatts(models)],
  };
}

/** A constant presented as measured: means over different runs do not all agree. */
function suspiciousWatts(models: readonly ComparedModel[]): string[] {
  const watts = models.flatMap((model) => model.watts ?? []);
  if (watts.length < 2 || new Set(watts).size > 1) return [];
  return [`all ${watts.length} powers are ${watts[0]} W, as measured ones would hardly be`];
}

const COSTS: readonly [title: string, cost: keyof Costs, show: (value: number) => string][] = [
  ["parameters", "parameters", (count) => count.toLocaleString("en-US")],
  ["MB", "bytes", (bytes) => fixed(bytes / 1e6, 1)],
  ["train s", "trainSeconds", seconds],
  ["inference s", "inferenceSeconds", seconds],
  ["W", "watts", (watts) => fixed(watts, 1)],
];

function seconds(value: number): string {
  return value < 1 ? value.toPrecision(2) : fixed(value, 1);
}

function costCells(row: ComparedRow): string[] {
  return COSTS.map(([, cost, show]) => {
    const value = row[cost] ?? null;
    if (value !== null) return show(value);
    return row.isBaseline ? "–" : "unknown";
  });
}

/** A comparison as a table. */
export function comparisonTable(
  { rows }: Comparison,
  { scores = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))], digits = 4 }: ComparisonLayout = {},
): Table {
  const columns: Column[] = [
    { title: "", align: "left" },
    { title: "model", align: "left" },
    ...[...scores, ...COSTS.map(([title]) => title)].map((title) => ({ title })),
  ];
  const cells = (row: ComparedRow): string[] => [
    row.isBest ? "best" : "",
    row.name,
    ...scores.map((name) => (row.scores[name] === undefined ? "unknown" : fixed(row.scores[name], digits))),
    ...costCells(row),
  ];
  return { columns, rows: rows.map(cells) };
}
