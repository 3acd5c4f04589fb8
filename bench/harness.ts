/**
 * Timing. All contenders of a case are timed in turn, round after round (A B A B …), so that whatever else the machine
 * does meets them alike; what is reported are medians, and ratios taken within each round.
 */
import { median, ratios, spreadOf, type Spread } from "./statistics.ts";

/** What is timed: some calls of an engine, and the wait until it has done them. */
export interface Runnable {
  /** Makes this engine the one that calls go to. Not timed. */
  enter(): Promise<void>;
  /** Asks for `times` runs; resolves, where it is a promise, once the next may be asked for. */
  run(times: number): void | Promise<void>;
  /** Waits until all that was asked is done. */
  sync(): Promise<void>;
}

export interface Plan {
  readonly rounds: number;
  /** Rounds that even the slowest case gets. */
  readonly leastRounds: number;
  /** Milliseconds after which a case gets no further round. */
  readonly budget: number;
  /** A sample makes as many calls as fill this many milliseconds, so that the wait weighs little. */
  readonly sample: number;
}

/** Milliseconds from any origin. */
export type Clock = () => number;

/** The user asked to stop. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

const MOST_CALLS = 64;

/** Milliseconds of one call, taken over `times` calls. */
export async function sample(contender: Runnable, times: number, clock: Clock): Promise<number> {
  await contender.enter();
  const began = clock();
  await contender.run(times);
  await contender.sync();
  return (clock() - began) / times;
}

/** Warms up, and decides how many calls make a sample. */
async function callsPerSample(contender: Runnable, plan: Plan, clock: Clock): Promise<number> {
  const one = await sample(contender, 1, clock);
  const calls = Math.max(1, Math.min(MOST_CALLS, Math.ceil(plan.sample / one)));
  if (calls === 1) return 1;
  const warm = await sample(contender, calls, clock);
  return Math.max(1, Math.min(MOST_CALLS, Math.ceil(plan.sample / warm)));
}

/** One list of samples for each contender, all of the same length: the round is the index. */
export async function interleave(
  contenders: readonly Runnable[],
  plan: Plan,
  clock: Clock = () => performance.now(),
  signal?: AbortSignal,
): Promise<number[][]> {
  const calls: number[] = [];
  for (const contender of contenders) {
    checkSignal(signal);
    calls.push(await callsPerSample(contender, plan, clock));
  }
  const samples: number[][] = contenders.map(() => []);
  const began = clock();
  for (let round = 0; round < plan.rounds; round++) {
    if (round >= plan.leastRounds && clock() - began > plan.budget) break;
    for (const [index, contender] of contenders.entries()) {
      checkSignal(signal);
      samples[index]!.push(await sample(contender, calls[index]!, clock));
    }
  }
  return samples;
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Interrupted("stopped before the case was over");
}

export interface Timing {
  /** Milliseconds of a call. */
  readonly median: number;
  readonly spread: Spread;
  readonly rounds: number;
}

export function timingOf(samples: readonly number[]): Timing {
  return { median: median(samples), spread: spreadOf(samples), rounds: samples.length };
}

export interface Ratio {
  /** How many times longer the peer takes. */
  readonly median: number;
  readonly spread: Spread;
}

/** The peer's time over ours, round by round. */
export function ratioOf(peer: readonly number[], ours: readonly number[]): Ratio {
  const each = ratios(peer, ours);
  return { median: median(each), spread: spreadOf(each) };
}
