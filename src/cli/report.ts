/** `trama report`: what a run was and came to, as one HTML file; or several runs side by side. */
import { fileExists, writeFileAtomic } from "#files";
import { Option, type Command } from "commander";
import { DataError, OptionError } from "../errors.ts";
import {
  comparedBaseline,
  comparedRun,
  compareModels,
  comparisonTable,
  csvTable,
  judgeRun,
  markdownTable,
  readRun,
  reportAsCsv,
  runAsHtml,
  runAsJson,
  runAsMarkdown,
  textTable,
  type Comparison,
  type JudgedRun,
  type RunRecord,
} from "../report/index.ts";
import { withOutputOptions } from "./options.ts";
import { perform } from "./perform.ts";
import { lastRun, requireWritable, runNamed } from "./runs.ts";
import type { OutputOptions, Terminal } from "./terminal.ts";
import { fileSize, labelled } from "./text.ts";

type Format = "html" | "md" | "csv" | "json" | "text";

interface ReportOptions extends OutputOptions {
  readonly compare?: boolean;
  readonly out?: string;
  readonly format?: Format;
  readonly theme: "auto" | "light" | "dark";
  readonly by?: string;
}

const HELP = `
Examples:
  trama report                          the newest run, as runs/NAME.report.html
  trama report convnet --format md
  trama report --compare convnet mlp    scores and costs side by side, best first
  trama report --compare runs/*.run.json --format csv --out runs.csv

A run is named by its model, its .run.json file, or the part before that. \`trama train\` leaves it; nothing is trained
or predicted again. Power and energy are what the machine measured, and else unknown.`;

export function addReport(program: Command): void {
  const command = program
    .command("report")
    .description("what a run came to, as one HTML file that needs nothing else; or several runs compared")
    .argument("[run...]", "runs (default: the newest in runs/)")
    .option("--compare", "put runs side by side, best first, beside a trivial baseline")
    .option("--out <file>", "where to (default: NAME.report.html beside the run; other formats: stdout)")
    .addOption(
      new Option(
        "--format <format>",
        "of one run: html, md, csv or json; of a comparison: text, md, csv or json",
      ).choices(["html", "md", "csv", "json", "text"]),
    )
    .addOption(
      new Option("--theme <theme>", "of the HTML file; auto: as the reader's system prefers")
        .choices(["auto", "light", "dark"])
        .default("auto"),
    )
    .option("--by <score>", "the score that decides a comparison (default: accuracy)");
  withOutputOptions(command)
    .addHelpText("after", HELP)
    .action((names: string[], options: ReportOptions) =>
      perform(options, (terminal) =>
        options.compare === true ? compare(names, options, terminal) : report(names, options, terminal),
      ),
    );
}

async function report(names: readonly string[], options: ReportOptions, terminal: Terminal): Promise<void> {
  const { format = "html", theme } = options;
  if (names.length > 1) refuse("one run, or --compare", `${names.length} runs`);
  if (format === "text") refuse("--format html, md, csv or json of one run", "text");
  if (options.by !== undefined) refuse("--by with --compare only", `--by ${options.by}`);
  const file = names.length === 0 ? await lastRun() : await runNamed(names[0]!);
  const run = await readRun(file);
  const out = options.out ?? (format === "html" ? file.replace(/\.run\.json$/, "") + ".report.html" : undefined);
  if (out !== undefined) await requireWritable(out);
  await deliver(await written(run, format, theme), out, terminal);
}

async function written(
  run: RunRecord,
  format: Exclude<Format, "text">,
  theme: ReportOptions["theme"],
): Promise<string> {
  if (format === "html") return runAsHtml(run, { theme });
  if (format === "md") return runAsMarkdown(run);
  if (format === "json") return `${JSON.stringify(runAsJson(run), null, 2)}\n`;
  return reportAsCsv(tested(run).report);
}

async function compare(names: readonly string[], options: ReportOptions, terminal: Terminal): Promise<void> {
  const { format = "text", by = "accuracy", out } = options;
  if (format === "html") refuse("--format text, md, csv or json of a comparison", "html");
  if (names.length < 2) refuse("at least two runs to compare", String(names.length));
  const runs = await Promise.all(names.map(async (name) => readRun(await runNamed(name))));
  const judged = runs.map(tested);
  const [first] = judged;
  const lower = first!.report.scores.some(({ metric, better }) => metric === by && better === "lower");
  const compared = compareModels(
    distinct(runs).map((run, at) => comparedRun(run, judged[at]!)),
    comparedBaseline(first!.report),
    { by, better: lower ? "lower" : "higher" },
  );
  const warnings = [...compared.warnings, ...differences(runs, judged)];
  if (out !== undefined) await requireWritable(out);
  await deliver(comparisonAs(format, compared, warnings), out, terminal);
  terminal.event("comparison", { by, rows: compared.rows, warnings });
  for (const warning of warnings) terminal.notice(`Warning: ${warning}.`);
}

/** Runs of one name are told apart by their numbers. */
function distinct(runs: readonly RunRecord[]): RunRecord[] {
  const isTwice = (name: string): boolean => runs.filter((run) => run.name === name).length > 1;
  return runs.map((run, at) => (isTwice(run.name) ? { ...run, name: `${run.name} (${at + 1})` } : run));
}

/** On other images, scores are not of the same kind. */
function differences(runs: readonly RunRecord[], judged: readonly JudgedRun[]): string[] {
  const [first, ...rest] = runs;
  const same = (run: RunRecord, at: number): boolean =>
    run.data.origin === first!.data.origin &&
    Array.from(judged[at + 1]!.truth).join() === Array.from(judged[0]!.truth).join();
  return rest.flatMap((run, at) =>
    same(run, at)
      ? []
      : [`"${run.name}" was tested on other images than "${first!.name}": their scores cannot be compared`],
  );
}

/** Few columns for people, all of them for programs. */
const SHOWN = ["accuracy", "macro F1", "log loss"];

function comparisonAs(format: Exclude<Format, "html">, compared: Comparison, warnings: readonly string[]): string {
  if (format === "json") return `${JSON.stringify({ ...compared, warnings }, null, 2)}\n`;
  if (format === "csv") return csvTable(comparisonTable(compared, { digits: 6 }));
  if (format === "md") return `${markdownTable(comparisonTable(compared))}\n`;
  const scores = [...new Set([...SHOWN, compared.by])];
  return textTable(comparisonTable(compared, { scores }))
    .map((line) => `${line}\n`)
    .join("");
}

function tested(run: RunRecord): JudgedRun {
  const judged = judgeRun(run);
  if (judged !== null) return judged;
  throw new DataError({ where: `run "${run.name}"`, expected: "a test", got: "none", advice: "train it again" });
}

async function deliver(text: string, out: string | undefined, terminal: Terminal): Promise<void> {
  if (out === undefined) {
    terminal.result(text.replace(/\n$/, ""));
    return;
  }
  const bytes = new TextEncoder().encode(text);
  const replaced = await fileExists(out);
  await writeFileAtomic(out, bytes);
  terminal.event("report", { out, bytes: bytes.length });
  const size = `${out} (${fileSize(bytes.length)}${replaced ? ", in the place of an older one" : ""})`;
  terminal.result(...labelled(terminal.bold("Report"), size, terminal.width));
}

function refuse(expected: string, got: string): never {
  throw new OptionError({ where: "report", expected, got });
}
