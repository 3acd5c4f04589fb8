/** Results for machines: one flat record for each case and engine. */
import { accessSync, constants, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { OptionError } from "../../src/errors.ts";
import type { Engine } from "../engine.ts";
import type { CaseResult, Measurement, PeerResult } from "../measure.ts";
import type { Spread } from "../statistics.ts";
import type { Header } from "./header.ts";
import { extrasOf, rate, verdictsOf, type Surroundings, type Verdict } from "./verdicts.ts";

export interface BenchRecord {
  readonly name: string;
  readonly suite: string;
  readonly adapter: string;
  readonly driver: string;
  readonly engine: string;
  readonly version: string;
  /** Milliseconds of a call; null where the engine cannot do the case. */
  readonly median: number | null;
  readonly spread: Spread | null;
  readonly rounds: number;
  /** This engine's time over Trama's: the median of the ratios of each round, and their spread. */
  readonly ratio: number | null;
  readonly ratioSpread: Spread | null;
  readonly gflops: number | null;
  readonly gigabytesPerSecond: number | null;
  /** Milliseconds of the first call, compiling included. */
  readonly firstCall: number | null;
  readonly peakBytes: number | null;
  readonly targets: readonly Verdict[];
  /** Whether the engine has such a thing at all, as far as we know. */
  readonly offered: boolean;
  readonly error: string | null;
  readonly date: string;
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

type Named = Pick<Engine, "name" | "version">;

function record(result: CaseResult, engine: Named, measurement: Measurement | null, header: Header): BenchRecord {
  const { of, suite, error } = result;
  const milliseconds = measurement?.median ?? Number.NaN;
  return {
    name: of.name,
    suite,
    adapter: header.adapter,
    driver: header.driver,
    engine: engine.name,
    version: engine.version,
    median: measurement?.median ?? null,
    spread: measurement?.spread ?? null,
    rounds: measurement?.rounds ?? 0,
    ratio: null,
    ratioSpread: null,
    gflops: finite(rate(of.flops, milliseconds)),
    gigabytesPerSecond: finite(rate(of.bytes, milliseconds)),
    firstCall: measurement?.first ?? null,
    peakBytes: measurement?.peakBytes ?? null,
    targets: [],
    offered: true,
    error,
    date: header.date,
  };
}

function peerRecord(result: CaseResult, peer: PeerResult, header: Header, verdicts: readonly Verdict[]): BenchRecord {
  const { name } = peer.engine;
  const extras = extrasOf(result).filter((extra) => extra.peer === name);
  return {
    ...record(result, peer.engine, peer.measurement, header),
    ratio: peer.ratio?.median ?? null,
    ratioSpread: peer.ratio?.spread ?? null,
    targets: [
      ...verdicts.filter((verdict) => verdict.peer === name),
      ...extras.map(({ what, met }) => ({ target: `≤ 0.5 of ${name}: ${what}`, met, peer: name })),
    ],
    offered: peer.offered,
    error: peer.error,
  };
}

export function recordsOf(
  result: CaseResult,
  version: string,
  header: Header,
  surroundings: Surroundings,
): BenchRecord[] {
  const verdicts = verdictsOf(result, surroundings);
  const own: BenchRecord = {
    ...record(result, { name: "trama", version }, result.trama, header),
    ratio: result.trama ? 1 : null,
    targets: verdicts.filter(({ peer }) => peer === null),
  };
  return [own, ...result.peers.map((peer) => peerRecord(result, peer, header, verdicts))];
}

/** Throws, before anything is measured, where `path` could not be written. */
export function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw unwritable(cause);
  }
}

/** Writes the whole file or none of it. */
export function writeRecords(path: string, records: readonly BenchRecord[]): void {
  const draft = `${path}.${process.pid}.part`;
  try {
    writeFileSync(draft, `${JSON.stringify(records, null, 2)}\n`);
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw unwritable(cause);
  }
}

function unwritable(cause: unknown): OptionError {
  const got = cause instanceof Error ? cause.message : String(cause);
  const advice = "choose a file in a folder that exists and can be written";
  return new OptionError({ where: "--json", expected: "a file that can be written", got, advice }, { cause });
}
