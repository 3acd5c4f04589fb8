/** What the bench says on the terminal. */
import type { CaseResult } from "../measure.ts";
import type { Header } from "./header.ts";
import { asMarkdown } from "./markdown.ts";
import { asText, COLUMNS, extraLines, rowsOf } from "./table.ts";
import type { Surroundings } from "./verdicts.ts";

export function printHeader({ lines }: Header): void {
  console.log(`${lines.join("\n")}\n`);
}

export function printCase({ of, error }: CaseResult): void {
  console.log(`  ${error === null ? "measured" : "FAILED  "}  ${of.name}`);
}

export function printTable(results: readonly CaseResult[], surroundings: Surroundings): void {
  if (results.length === 0) return;
  const rows = results.flatMap((result) => rowsOf(result, surroundings));
  console.log(`\n${[asText([COLUMNS, ...rows]), ...results.flatMap(extraLines)].join("\n")}\n`);
}

export function printMarkdown(header: Header, results: readonly CaseResult[], surroundings: Surroundings): void {
  const facts = header.lines.map((line) => `- ${line.replace(/ {2,}/, ": ")}`);
  console.log([...facts, "", asMarkdown(results, surroundings)].join("\n"));
}

/** As the shell counts a process that SIGINT ended. */
const INTERRUPTED = 130;

/** Says what came of it, and returns the exit code: 1 for a case that failed, 130 for an interruption. */
export function conclude(results: readonly CaseResult[], interrupted: boolean): number {
  const failed = results.filter(({ error }) => error !== null);
  console.log(`${results.length} cases measured, ${failed.length} failed${interrupted ? ", interrupted" : ""}`);
  for (const { of, error } of failed) console.error(`${of.name}: ${error}`);
  return failed.length > 0 ? 1 : interrupted ? INTERRUPTED : 0;
}
