/**
 * Runs the suites. benny frames them: a benny suite for each, a benny case for each, its `complete` hook for the table.
 * The numbers are our harness's, because benny's sampling cannot wait for a GPU and does not interleave.
 */
import { add, complete, configure, suite as bennySuite } from "benny";
import type { Case, Suite } from "./case.ts";
import { Interrupted } from "./harness.ts";
import { measure, type Bench, type CaseResult } from "./measure.ts";

/** A benny case runs once: it waits for our measurement, which it cannot repeat. */
const ONCE = { cases: { initCount: 1, minSamples: 1, minTime: 1e-9, maxTime: 0, delay: 0 } };

type Measured = (of: Case) => Promise<void>;

/**
 * benny calls a case when it looks at it, and again when it runs it. So a case is measured at the first call, after the
 * one before it, and every call waits for that.
 */
function inTurn(measureOne: Measured): Measured {
  const begun = new Map<Case, Promise<void>>();
  let last: Promise<void> = Promise.resolve();
  return (of) => {
    const known = begun.get(of);
    if (known) return known;
    last = last.then(() => measureOne(of));
    begun.set(of, last);
    return last;
  };
}

export interface Listener {
  onCase(result: CaseResult): void;
  onSuite(name: string, results: readonly CaseResult[]): void;
}

/** All results so far; after an interruption, those that were complete by then. */
export async function runSuites(suites: readonly Suite[], bench: Bench, listener: Listener): Promise<CaseResult[]> {
  const all: CaseResult[] = [];
  for (const { name, cases } of suites) {
    if (bench.signal.aborted) break;
    const results: CaseResult[] = [];
    const turn = inTurn(async (of) => {
      const result = await measure(of, name, bench).catch(unlessInterrupted);
      if (!result) return;
      results.push(result);
      listener.onCase(result);
    });
    const entries = cases.map((of) => add(of.name, async () => () => turn(of)));
    await bennySuite(
      name,
      configure(ONCE),
      ...entries,
      complete(() => listener.onSuite(name, results)),
    );
    all.push(...results);
  }
  return all;
}

function unlessInterrupted(error: unknown): null {
  if (error instanceof Interrupted) return null;
  throw error;
}
