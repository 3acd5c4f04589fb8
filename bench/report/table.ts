/** Results as lines of cells: the same for the terminal and for Markdown. */
import type { CaseResult, Measurement, PeerResult } from "../measure.ts";
import type { Spread } from "../statistics.ts";
import { extrasOf, rate, verdictsOf, type Surroundings } from "./verdicts.ts";

export const COLUMNS = [
  "case",
  "Trama ms",
  "peer ms",
  "peer",
  "ratio (middle half)",
  "rate",
  "first call ms",
  "target",
] as const;

export type Row = readonly string[];

const digits = (value: number) => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);

const spread = ({ lower, upper }: Spread) => `${digits(lower)}–${digits(upper)}`;

/** The lines of a case: one for each peer, or a single one. */
export function rowsOf(result: CaseResult, surroundings: Surroundings): Row[] {
  const { of, trama, peers, error } = result;
  if (!trama) return [[of.name, `FAILED: ${error}`]];
  const own = [of.name, digits(trama.median)];
  if (peers.length === 0) return [[...own, "", "", "", speed(result, trama), digits(trama.first), ""]];
  const cells = (peer: PeerResult) => peerCells(result, trama, peer, surroundings);
  return peers.map((peer, index) => (index === 0 ? own : ["", ""]).concat(cells(peer)));
}

function peerCells(result: CaseResult, trama: Measurement, peer: PeerResult, surroundings: Surroundings): string[] {
  const { measurement, engine, error } = peer;
  const [ms, ratio] = measurement ? [digits(measurement.median), ratioCell(peer)] : ["–", `cannot: ${error}`];
  const first = `${digits(trama.first)} / ${measurement ? digits(measurement.first) : "–"}`;
  const verdicts = verdictsOf(result, peer, surroundings).map(
    ({ target, met }) => `${target} ${met ? "met" : "MISSED"}`,
  );
  return [ms, engine.name, ratio, speed(result, trama), first, verdicts.join(", ")];
}

function ratioCell({ ratio }: PeerResult): string {
  return ratio ? `${digits(ratio.median)}× (${spread(ratio.spread)})` : "";
}

function speed({ of }: CaseResult, { median }: Measurement): string {
  if (of.flops !== undefined) return `${digits(rate(of.flops, median))} GFLOP/s`;
  return of.bytes === undefined ? "" : `${digits(rate(of.bytes, median))} GB/s`;
}

/** Lines about first step and memory. */
export function extraLines(result: CaseResult): string[] {
  return extrasOf(result).map(({ what, ours, theirs, peer, met }) => {
    const verdict = met ? "met" : "MISSED";
    return `${what}: Trama ${digits(ours)}, ${peer} ${digits(theirs)}, ${(ours / theirs).toFixed(2)} of it (target ≤ 0.5: ${verdict})`;
  });
}

/** Columns of equal width; the first and the last two columns are words, the rest numbers. */
export function asText(rows: readonly Row[]): string {
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.filter(({ length }) => length > 2).map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: Row) =>
    row.length <= 2
      ? row.join("  ")
      : row
          .map((cell, column) => pad(cell, widths[column]!, column))
          .join("  ")
          .trimEnd();
  return rows.map(line).join("\n");
}

const LEFT_ALIGNED: ReadonlySet<number> = new Set([0, 3, 4, 7]);

function pad(cell: string, width: number, column: number): string {
  return LEFT_ALIGNED.has(column) ? cell.padEnd(width) : cell.padStart(width);
}

export function asMarkdown(rows: readonly Row[]): string {
  const line = (cells: Row) =>
    `| ${COLUMNS.map((_, column) => (cells[column] ?? "").replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(COLUMNS), `|${" --- |".repeat(COLUMNS.length)}`, ...rows.map(line)].join("\n");
}
