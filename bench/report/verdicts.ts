/** Targets held against what was measured. */
import type { CaseResult } from "../measure.ts";
import { MOST_OF_PEER, targetsOf, type AdapterClass, type Target } from "../targets.ts";

export interface Verdict {
  /** `≥ 25×` */
  readonly target: string;
  readonly met: boolean;
  /** Whom it is about; null for Trama by itself. */
  readonly peer: string | null;
}

export interface Surroundings {
  readonly adapter: AdapterClass;
  /** Of a plain copy, in GB/s; null where no target needs it. */
  readonly bandwidth: number | null;
}

/** Targets that this run could judge: those of peers that took part, and those of Trama by itself. */
export function verdictsOf({ of, trama, peers }: CaseResult, { adapter, bandwidth }: Surroundings): Verdict[] {
  const judge = (target: Target): Verdict | null => {
    const { kind, least } = target;
    if (kind === "ratio") {
      const ratio = peers.find(({ engine }) => engine.name === target.peer)?.ratio;
      return ratio ? { target: `≥ ${least}×`, met: ratio.median >= least, peer: target.peer } : null;
    }
    if (!trama) return null;
    if (kind === "gflops") {
      return { target: `≥ ${least} GFLOP/s`, met: rate(of.flops, trama.median) >= least, peer: null };
    }
    const met = rate(of.bytes, trama.median) >= least * (bandwidth ?? Infinity);
    return { target: `≥ ${100 * least} % of copying`, met, peer: null };
  };
  return targetsOf(of.goal, adapter)
    .map(judge)
    .filter((verdict) => verdict !== null);
}

/** Thousand millions a second, for an amount in `milliseconds`; NaN where no amount is known. */
export function rate(amount: number | undefined, milliseconds: number): number {
  return amount === undefined ? Number.NaN : amount / milliseconds / 1e6;
}

/** A line about first call or memory of a training step. */
export interface Extra {
  readonly what: string;
  readonly ours: number;
  readonly theirs: number;
  readonly peer: string;
  readonly met: boolean;
}

/** First step and memory, as shares of tfjs' WebGPU backend's. */
export function extrasOf({ of, trama, peers }: CaseResult): Extra[] {
  const peer = peers.find(({ engine }) => engine.name === "tfjs-webgpu");
  if (of.goal !== "convNetStep" || !trama || !peer?.measurement) return [];
  const theirs = peer.measurement;
  const extra = (what: string, ours: number, other: number): Extra => ({
    what: `${of.name}: ${what}`,
    ours,
    theirs: other,
    peer: peer.engine.name,
    met: ours <= MOST_OF_PEER * other,
  });
  const first = extra("first step, compiling included (ms)", trama.first, theirs.first);
  if (trama.peakBytes === null || theirs.peakBytes === null) return [first];
  return [first, extra("peak GPU memory (MiB)", trama.peakBytes / 2 ** 20, theirs.peakBytes / 2 ** 20)];
}
