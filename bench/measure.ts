/** One case from start to end: load, first call, comparison of results, interleaved timing, memory. */
import { NumericError } from "../src/errors.ts";
import { loadPeer, type Case } from "./case.ts";
import { compare } from "./compare.ts";
import { runnable, type Contender, type Engine, type Loaded } from "./engine.ts";
import type { Peer } from "./engines/peers.ts";
import type { Trama } from "./engines/trama.ts";
import { interleave, Interrupted, ratioOf, timingOf, type Plan, type Ratio, type Timing } from "./harness.ts";

/** What one engine made of a case. */
export interface Measurement extends Timing {
  /** Milliseconds of compiling and the first run. */
  readonly first: number;
  /** GPU bytes held at most; null where it is not asked for. */
  readonly peakBytes: number | null;
}

export interface PeerResult {
  readonly engine: Pick<Engine, "name" | "version">;
  /** Whether the peer has such a thing at all, as far as we know. */
  readonly offered: boolean;
  /** Null where the peer does not offer the case, or cannot do it; then `error` says why. */
  readonly measurement: Measurement | null;
  /** The peer's time over ours. */
  readonly ratio: Ratio | null;
  readonly error: string | null;
}

export interface CaseResult {
  readonly suite: string;
  readonly of: Case;
  readonly trama: Measurement | null;
  readonly peers: readonly PeerResult[];
  /** What broke on our side, or a disagreement about the result: the case has failed. */
  readonly error: string | null;
}

export interface Bench {
  readonly trama: Trama;
  readonly peers: readonly Peer[];
  readonly plan: Plan;
  readonly signal: AbortSignal;
}

/** A contender after its first call. */
interface Entrant {
  readonly engine: Engine;
  readonly loaded: Loaded;
  readonly contender: Contender;
  readonly first: number;
}

async function enter(engine: Engine, load: () => Promise<Loaded>): Promise<Entrant>;
async function enter(engine: Engine, load: () => Promise<Loaded> | null): Promise<Entrant | null>;
async function enter(engine: Engine, load: () => Promise<Loaded> | null): Promise<Entrant | null> {
  await engine.enter();
  const loaded = await load();
  if (!loaded) return null;
  await engine.sync();
  const began = performance.now();
  const contender = await loaded.start();
  await contender.run(1);
  await engine.sync();
  return { engine, loaded, contender, first: performance.now() - began };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

/** Who takes part beside Trama. */
interface Admission {
  readonly admitted: readonly Entrant[];
  /** Peers that offer the case but cannot do it, or compute something else, with what is to be said of that. */
  readonly refused: ReadonlyMap<Engine, string>;
  /** Set where a peer contradicts Trama and none confirms it. */
  readonly mismatch: string | null;
}

/** Trama in full precision is a peer of the few cases that say so, and of no interest elsewhere. */
const peersOf = ({ peers: loaders }: Case, { peers }: Bench) =>
  peers.filter(({ library }) => library !== "trama" || loaders.baseline !== undefined);

async function admit(of: Case, bench: Bench, ours: Entrant): Promise<Admission> {
  const { trama, signal } = bench;
  const { summary = (values: ArrayLike<number>) => values, tolerance = 1e-4 } = of;
  const admitted: Entrant[] = [];
  const refused = new Map<Engine, string>();
  const contradictions: string[] = [];
  const expected = (await ours.contender.values()).map(summary);
  for (const peer of peersOf(of, bench)) {
    if (signal.aborted) break;
    let entrant: Entrant | null = null;
    try {
      entrant = await enter(peer, () => loadPeer(of, peer, trama));
      if (!entrant) continue;
      const got = (await entrant.contender.values()).map(summary);
      compare(`${of.name} on ${peer.name}`, expected, got, tolerance);
      admitted.push(entrant);
    } catch (error) {
      entrant?.contender.dispose();
      if (error instanceof NumericError) {
        contradictions.push(error.message);
        refused.set(peer, `computes something else: ${error.got}`);
      } else refused.set(peer, messageOf(error));
    }
  }
  const [mismatch = null] = admitted.length === 0 ? contradictions : [];
  return { admitted, refused, mismatch };
}

async function measurementOf({ loaded, contender, first }: Entrant, samples: readonly number[]): Promise<Measurement> {
  return { ...timingOf(samples), first, peakBytes: (await loaded.peakBytes?.(contender)) ?? null };
}

async function time(of: Case, suite: string, bench: Bench, ours: Entrant): Promise<CaseResult> {
  const { admitted, refused, mismatch } = await admit(of, bench, ours);
  const entrants = [ours, ...admitted];
  try {
    if (mismatch !== null) return { suite, of, trama: null, peers: [], error: mismatch };
    const runnables = entrants.map(({ engine, contender }) => runnable(engine, contender));
    const samples = await interleave(runnables, bench.plan, undefined, bench.signal);
    const trama = await measurementOf(ours, samples[0]!);
    const peers: PeerResult[] = [];
    for (const engine of peersOf(of, bench)) {
      const index = entrants.findIndex((entrant) => entrant.engine === engine);
      const error = refused.get(engine) ?? null;
      if (index < 0) peers.push({ engine, offered: error !== null, measurement: null, ratio: null, error });
      else {
        await engine.enter();
        const measurement = await measurementOf(entrants[index]!, samples[index]!);
        peers.push({ engine, offered: true, measurement, ratio: ratioOf(samples[index]!, samples[0]!), error });
      }
    }
    return { suite, of, trama, peers, error: null };
  } finally {
    for (const { engine, contender } of admitted) {
      await engine.enter();
      contender.dispose();
    }
  }
}

/** Measures a case. Never throws, except `Interrupted`. */
export async function measure(of: Case, suite: string, bench: Bench): Promise<CaseResult> {
  const { trama, signal } = bench;
  if (signal.aborted) throw new Interrupted("stopped");
  let ours: Entrant | null = null;
  try {
    ours = await enter(trama, () => of.trama(trama));
    return await time(of, suite, bench, ours);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return { suite, of, trama: null, peers: [], error: messageOf(error) };
  } finally {
    ours?.contender.dispose();
  }
}
