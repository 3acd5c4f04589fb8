/** `trama data duplicates`: images that occur twice, and leaks between parts. */
import type { Command } from "commander";
import {
  findLeaks,
  refuseLeaks,
  type DuplicateGroup,
  type DuplicateReport,
  type ImagePlace,
  type LeakReport,
} from "../../data/index.ts";
import { positiveNumber, wholeNumber } from "../options.ts";
import { perform } from "../perform.ts";
import type { Terminal } from "../terminal.ts";
import { count, table } from "../text.ts";
import { withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

interface DuplicatesOptions extends SourceOptions {
  readonly near: boolean;
  readonly distance: number;
  readonly correlation: number;
  readonly limit: number;
  readonly strict?: boolean;
}

const NOTES = `
Exact duplicates have the same bytes. Near duplicates have perceptual hashes that differ in at most --distance of 128 bits,
and pixels that correlate by --correlation or more. A leak is an image of a later part that has a duplicate in an earlier one.`;

export function addDuplicates(data: Command): void {
  withSourceOptions(data.command("duplicates").description("images that occur twice, and leaks between parts"))
    .option("--no-near", "exact duplicates only")
    .option("--distance <bits>", "of the hashes of near duplicates", wholeNumber(0), 8)
    .option("--correlation <r>", "of the pixels of near duplicates", positiveNumber, 0.998)
    .option("--limit <n>", "groups that are listed", wholeNumber(0), 20)
    .option("--strict", "exit code 1 when parts share images")
    .addHelpText("after", NOTES)
    .action((options: DuplicatesOptions) =>
      perform(options, (terminal) => withSource(options, terminal, (source) => tell(source, options, terminal))),
    );
}

async function tell(source: Source, options: DuplicatesOptions, terminal: Terminal): Promise<void> {
  const { near, distance, correlation } = options;
  const report = findLeaks(source.parts, { near, distance, correlation });
  const { duplicates, leaks } = report;
  terminal.event("duplicates", { ...duplicates, leaks: leaks.map(({ groups: _groups, ...leak }) => leak) });
  terminal.result("", ...totals(duplicates, terminal), "", ...leakLines(report, terminal));
  const groups = [
    ...duplicates.exact.map((group) => ({ kind: "exact", group })),
    ...duplicates.near.map((group) => ({ kind: "near", group })),
  ];
  const shown = groups.slice(0, options.limit);
  if (shown.length > 0) {
    const rows = shown.map(({ kind, group }) => groupRow(kind, group, source, terminal));
    terminal.say("", ...table([["", "r", "images", ""].map((head) => terminal.dim(head)), ...rows], "lrll"));
  }
  if (shown.length < groups.length) terminal.say(`… and ${count(groups.length - shown.length)} more (--limit)`);
  if (options.strict === true) refuseLeaks(report);
}

function totals({ parts, exact, near }: DuplicateReport, terminal: Terminal): string[] {
  const within = (groups: readonly DuplicateGroup[], name: string): string => {
    const inside = groups.map(({ places }) => places.filter(({ part }) => part === name).length);
    return count(inside.reduce((sum, images) => sum + Math.max(0, images - 1), 0));
  };
  return table(
    [
      ["", "images", "exact copies", "near copies"].map((head) => terminal.bold(head)),
      ...parts.map(({ name, count: images }) => [name, count(images), within(exact, name), within(near, name)]),
    ],
    "lrrr",
  );
}

function leakLines({ leaks, duplicates }: LeakReport, terminal: Terminal): string[] {
  const wrong = [...duplicates.exact, ...duplicates.near].filter(({ labelsDiffer }) => labelsDiffer).length;
  const labels =
    wrong > 0 ? [terminal.warning(`${count(wrong)} groups hold different labels for the same picture.`)] : [];
  if (duplicates.parts.length < 2) return labels;
  if (leaks.length === 0) return [terminal.good("No part shares an image with another."), ...labels];
  const lines = leaks.map(({ from, to, exact, near }) => {
    const size = duplicates.parts.find(({ name }) => name === to)?.count ?? 0;
    const where = `of ${count(size)} ${to} images, ${count(exact)} are in ${from} as well`;
    return terminal.warning(`Leak: ${where}, and ${count(near)} have a near duplicate there.`);
  });
  return [...lines, ...labels];
}

function groupRow(
  kind: string,
  { places, correlation, labelsDiffer }: DuplicateGroup,
  source: Source,
  terminal: Terminal,
) {
  const nameOf = ({ part, index }: ImagePlace): string => source.paths[part]?.[index] ?? `${part} ${index}`;
  const classOf = ({ part, label }: ImagePlace): string => source.parts[part]?.classNames[label] ?? String(label);
  const classes = [...new Set(places.map(classOf))].join(" / ");
  const some = places.slice(0, 6).map(nameOf).join(", ");
  const more = places.length > 6 ? `, and ${count(places.length - 6)} more` : "";
  return [kind, correlation.toFixed(5), some + more, labelsDiffer ? terminal.warning(classes) : terminal.dim(classes)];
}
