/** The results as a Markdown table: one line a case, one column a peer. */
import type { CaseResult, PeerResult } from "../measure.ts";
import { digits, extraLines, shortened, speed, spread, targets, type Row } from "./table.ts";
import { verdictsOf, type Surroundings, type Verdict } from "./verdicts.ts";

/** The table, and below it what needs words: first step and memory, and why a peer cannot do a case. */
export function asMarkdown(results: readonly CaseResult[], surroundings: Surroundings): string {
  const names = [...new Set(results.flatMap(({ peers }) => peers.map(({ engine }) => engine.name)))];
  const columns = ["case", "Trama ms", "rate", "first call ms", ...names];
  const ruler = columns.map((_, column) => (column === 0 ? "---" : "---:"));
  const rows = results.map((result) => rowOf(result, names, surroundings));
  const remarks = [...results.flatMap(extraLines), ...inabilities(results)];
  return [...[columns, ruler, ...rows].map(line), "", ...remarks.map((remark) => `- ${remark}`)].join("\n");
}

const line = (cells: Row) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

function rowOf(result: CaseResult, names: readonly string[], surroundings: Surroundings): Row {
  const { of, trama, peers, error } = result;
  if (!trama) return [of.name, `FAILED: ${error}`, "", "", ...names.map(() => "")];
  const verdicts = verdictsOf(result, surroundings);
  const cells = names.map((name) =>
    cellOf(
      peers.find(({ engine }) => engine.name === name),
      verdicts,
    ),
  );
  const rate = sentence(speed(result, trama), targets(verdicts, null));
  return [of.name, digits(trama.median), rate, digits(trama.first), ...cells];
}

function cellOf(peer: PeerResult | undefined, verdicts: readonly Verdict[]): string {
  if (!peer?.offered) return "";
  if (!peer.ratio) return "cannot";
  const { median, spread: range } = peer.ratio;
  return sentence(`${digits(median)}× (${spread(range)})`, targets(verdicts, peer.engine.name));
}

const sentence = (...parts: readonly string[]) => parts.filter((part) => part !== "").join(", ");

/** Each reason once, with the cases that it is about. */
function inabilities(results: readonly CaseResult[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { of, peers } of results) {
    for (const { engine, error } of peers) {
      if (error === null) continue;
      const reason = `${engine.name}, “${shortened(error)}”`;
      reasons.set(reason, [...(reasons.get(reason) ?? []), of.name]);
    }
  }
  return [...reasons].map(([reason, names]) => `${reason}: ${names.join("; ")}`);
}
