/** A run as Markdown and as JSON. */
import { reportAsJson, reportAsMarkdown } from "../formats.ts";
import { summaryTable } from "../model/summary.ts";
import { fixed, markdownTable, type Table } from "../table.ts";
import { epochTable, factsOf, type Facts } from "./facts.ts";
import { comparedRun, judgeRun, powerOf } from "./judged.ts";
import type { RunRecord } from "./record.ts";

export function runAsMarkdown(run: RunRecord): string {
  const judged = judgeRun(run);
  const warnings = run.training.warnings.map((warning) => `- **Warning:** ${warning}`);
  const sections = [
    `# Run ${run.name}`,
    ...(run.data.synthetic
      ? ["**SYNTHETIC DATA**: drawn, not photographed. Scores say nothing about real pictures."]
      : []),
    headline(run),
    ...(warnings.length > 0 ? [warnings.join("\n")] : []),
    ...(judged ? ["## Test", reportAsMarkdown(judged.report, { digits: 4 }).trimEnd()] : []),
    "## Epochs",
    markdownTable(epochTable(run)),
    ...factsOf(run).flatMap((facts) => [`## ${facts.title}`, markdownTable(factTable(facts))]),
    "## Layers",
    markdownTable(summaryTable(run.model)),
  ];
  return `${sections.join("\n\n")}\n`;
}

/** The result in one sentence. */
export function headline({ test, training, data }: RunRecord): string {
  const epochs = `${training.history.length} ${training.history.length === 1 ? "epoch" : "epochs"}`;
  if (test === null) return `Trained for ${epochs}; nothing was tested.`;
  const { accuracy, loss, count } = test.evaluation;
  return `Test accuracy ${fixed(accuracy, 4)}, loss ${fixed(loss, 4)}, on ${count.toLocaleString("en-US")} images of ${data.classNames.length} classes after ${epochs}.`;
}

function factTable({ rows }: Facts): Table {
  return {
    columns: [
      { title: "", align: "left" },
      { title: "", align: "left" },
    ],
    rows,
  };
}

/** All that a run was and came to, for programs; without pictures and single predictions. */
export function runAsJson(run: RunRecord): Readonly<Record<string, unknown>> {
  const { pictures: _, test, trama: __, format: ___, ...rest } = run;
  const judged = judgeRun(run);
  return {
    ...rest,
    test: test && { ...test.evaluation, seconds: test.seconds },
    report: judged && reportAsJson(judged.report),
    costs: judged && comparedRun(run, judged),
    power: powerOf(run),
  };
}
