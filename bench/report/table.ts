/** The results as a table for the terminal: a line for each peer. */
import type { CaseResult, Measurement, PeerResult } from "../measure.ts";
import type { Spread } from "../statistics.ts";
import { extrasOf, rate, verdictsOf, type Surroundings, type Verdict } from "./verdicts.ts";

export const COLUMNS = [
  "case",
  "Trama ms",
  "peer ms",
  "peer",
  "ratio (middle half)",
  "rate",
  "first call ms",
  "target, or what went wrong",
] as const;

export type Row = readonly string[];

export const digits = (value: number): string => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);

export const spread = ({ lower, upper }: Spread): string => `${digits(lower)}–${digits(upper)}`;

/** The lines of a case: one for each peer that offers it, and one for all that do not. */
export function rowsOf(result: CaseResult, surroundings: Surroundings): Row[] {
  const { of, trama, peers, error } = result;
  if (!trama) return [[of.name, `FAILED: ${error}`]];
  const verdicts = verdictsOf(result, surroundings);
  const lines = peers.filter(({ offered }) => offered).map((peer) => peerLine(peer, verdicts));
  const others = peers.filter(({ offered }) => !offered).map(({ engine }) => engine.name);
  if (others.length > 0 || lines.length === 0) lines.push(othersLine(others));
  return lines.map(({ ms, name, ratio, first, remark }, index) => {
    if (index > 0) return ["", "", ms, name, ratio, "", first, remark];
    const firsts = first === "" ? digits(trama.first) : `${digits(trama.first)} ${first}`;
    const remarks = [targets(verdicts, null), remark].filter((text) => text !== "").join(", ");
    return [of.name, digits(trama.median), ms, name, ratio, speed(result, trama), firsts, remarks];
  });
}

/** What a line says about a peer. */
interface Line {
  readonly ms: string;
  readonly name: string;
  readonly ratio: string;
  readonly first: string;
  readonly remark: string;
}

function peerLine({ measurement, engine: { name }, ratio, error }: PeerResult, verdicts: readonly Verdict[]): Line {
  const remark = error === null ? targets(verdicts, name) : shortened(error);
  if (!measurement) return { ms: "–", name, ratio: "cannot", first: "/ –", remark };
  const ratios = ratio ? `${digits(ratio.median)}× (${spread(ratio.spread)})` : "";
  return { ms: digits(measurement.median), name, ratio: ratios, first: `/ ${digits(measurement.first)}`, remark };
}

function othersLine(names: readonly string[]): Line {
  const ratio = names.length > 0 ? "not offered" : "";
  return { ms: "", name: names.join(", "), ratio, first: "", remark: "" };
}

const LONGEST_ERROR = 120;

export const shortened = (text: string): string =>
  text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR - 1)}…` : text;

export const targets = (verdicts: readonly Verdict[], peer: string | null): string =>
  verdicts
    .filter((verdict) => verdict.peer === peer)
    .map(({ target, met }) => `${target} ${met ? "met" : "MISSED"}`)
    .join(", ");

export function speed({ of }: CaseResult, { median }: Measurement): string {
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
