/** A report as lines for a terminal, as Markdown, CSV and JSON. */
import type { Scores } from "../train/index.ts";
import type { Report } from "./classification.ts";
import { csvTable, fixed, markdownTable, textTable, type Column, type Table } from "./table.ts";

/** How a report is shown. */
export interface Layout {
  /** Decimals. Default: 2. */
  readonly digits?: number;
  /** Specificity and negative predictive value too, and F-beta where beta is not 1. Default: false. */
  readonly extended?: boolean;
}

/** Titles of columns, in their order; the first three are scikit-learn's. */
const HEADINGS: Readonly<Record<keyof Scores, string>> = {
  precision: "precision",
  recall: "recall",
  f1: "f1-score",
  fBeta: "fbeta-score",
  specificity: "specificity",
  negativePredictiveValue: "npv",
};

/** Scores in the order of their columns. */
function shownScores({ metrics }: Report, extended: boolean): (keyof Scores)[] {
  const all = Object.keys(HEADINGS) as (keyof Scores)[];
  return extended ? all.filter((score) => score !== "fBeta" || metrics.beta !== 1) : all.slice(0, 3);
}

/** Rows of averages, in scikit-learn's order. */
function averagesOf({ metrics }: Pick<Report, "metrics">): [name: string, scores: Scores][] {
  const { micro, macro, weighted } = metrics;
  const some: [string, Scores][] = [
    ["micro avg", micro],
    ["macro avg", macro],
    ["weighted avg", weighted],
  ];
  return "perSample" in metrics ? [...some, ["samples avg", metrics.perSample]] : some;
}

function supportOf({ metrics }: Report): number {
  return metrics.perClass.reduce((sum, { support }) => sum + support, 0);
}

/**
 * Classes and averages: the table that scikit-learn's `classification_report` prints, `textTable(…, { gap: 1 })` of it to
 * the character. Where each sample has one class, a row of accuracy takes the place of the micro average.
 */
export function classTable(of: Report, { digits = 2, extended = false }: Layout = {}): Table {
  const shown = shownScores(of, extended);
  const cells = (name: string, scores: Scores, support: number): string[] => [
    name,
    ...shown.map((score) => fixed(scores[score], digits)),
    String(support),
  ];
  const { metrics, names } = of;
  const total = supportOf(of);
  const averages = averagesOf(of).map(([name, scores]) => cells(name, scores, total));
  if ("accuracy" in metrics) {
    averages[0] = [
      "accuracy",
      ...shown.map((score) => (score === "f1" ? fixed(metrics.accuracy, digits) : "")),
      String(total),
    ];
  }
  const columns: Column[] = [
    { title: "", width: Math.max("weighted avg".length, digits) },
    // The first column of numbers is one blank further away.
    ...shown.map((score, i) => ({ title: HEADINGS[score], width: i === 0 ? 10 : 9 })),
    { title: "support", width: 9 },
  ];
  const classes = metrics.perClass.map((scores, k) => cells(names[k]!, scores, scores.support));
  return { columns, rows: [[], ...classes, [], ...averages] };
}

/** The model beside the best trivial baseline, score by score. */
export function scoreTable({ scores }: Report, { digits = 4 }: Layout = {}): Table {
  const columns: Column[] = [
    { title: "", align: "left" },
    { title: "model" },
    { title: "baseline" },
    { title: "which is", align: "left" },
  ];
  const rows = scores.map(({ metric, value, baseline }) => [
    metric,
    fixed(value, digits),
    baseline === null ? "" : fixed(baseline.value, digits),
    baseline?.by ?? "",
  ]);
  return { columns, rows };
}

/** Lines for a terminal: classes, scores beside baselines, warnings. */
export function reportAsText(of: Report, layout: Layout = {}): string[] {
  const warnings = of.warnings.map((warning) => `Warning: ${warning}.`);
  return [
    ...textTable(classTable(of, layout), { gap: 1 }),
    "",
    ...textTable(scoreTable(of)),
    ...(warnings.length > 0 ? ["", ...warnings] : []),
  ];
}

export function reportAsMarkdown(of: Report, layout: Layout = {}): string {
  const warnings = of.warnings.map((warning) => `- **Warning:** ${warning}.`);
  return [markdownTable(classTable(of, layout)), "", markdownTable(scoreTable(of)), "", ...warnings].join("\n");
}

/** Classes, averages and those of baselines, with all scores and all digits; `kind` tells them apart, whatever their names. */
export function reportAsCsv(of: Report): string {
  const shown = shownScores(of, true);
  const total = supportOf(of);
  const row = (kind: string, name: string, scores: Scores, support: number): string[] => [
    kind,
    name,
    ...shown.map((score) => String(scores[score])),
    String(support),
  ];
  const titles = ["kind", "name", ...shown.map((score) => HEADINGS[score]), "support"];
  return csvTable({
    columns: titles.map((title) => ({ title })),
    rows: [
      ...of.metrics.perClass.map((scores, k) => row("class", of.names[k]!, scores, scores.support)),
      ...averagesOf(of).map(([name, scores]) => row("average", name, scores, total)),
      ...of.baselines.flatMap((trivial) =>
        averagesOf(trivial).map(([name, scores]) => row("baseline", `${trivial.by}: ${name}`, scores, total)),
      ),
    ],
  });
}

/** All of a report in objects that JSON can hold. What is NaN becomes null when they are written. */
export function reportAsJson(of: Report): Readonly<Record<string, unknown>> {
  const { metrics, names, confusion, scores, baselines, warnings } = of;
  const n = names.length;
  return {
    ...namedMetrics(metrics, names),
    confusion: confusion && names.map((_, k) => Array.from(confusion.counts.subarray(k * n, (k + 1) * n))),
    scores,
    baselines: baselines.map(({ by, metrics: theirs }) => Object.assign({ by }, namedMetrics(theirs, names))),
    warnings,
  };
}

function namedMetrics(metrics: Report["metrics"], names: readonly string[]): Readonly<Record<string, unknown>> {
  const { perClass, undefinedScores, ...rest } = metrics;
  return {
    classes: perClass.map((values, k) => Object.assign({ name: names[k]! }, values)),
    ...rest,
    undefinedScores: undefinedScores.map(({ score, at }) =>
      typeof at === "number" ? { score, class: names[at]! } : { score, average: at },
    ),
  };
}
