/** What the bench asks of an engine, whichever it is. */
import type { Runnable } from "./harness.ts";

export const PEERS = ["tfjs-webgpu", "tfjs-wasm"] as const;
export type PeerName = (typeof PEERS)[number];

export interface Engine {
  readonly name: string;
  readonly version: string;
  enter(): Promise<void>;
  sync(): Promise<void>;
}

/** A case that an engine can run: inputs are in place, and everything is compiled that it compiles beforehand. */
export interface Contender {
  run(times: number): void;
  /** What was computed, to compare it with another engine's. May run further. */
  values(): Promise<ArrayLike<number>>;
  dispose(): void;
}

/** A case whose inputs are on the device and of which nothing has run or compiled. */
export interface Loaded {
  /** Compiles what is compiled ahead. Timed, with the first run, as the first call. */
  start(): Promise<Contender>;
  /** GPU bytes that the case holds at most while it runs; asked for after timing. */
  peakBytes?(contender: Contender): Promise<number>;
}

export function runnable({ enter, sync }: Engine, contender: Contender): Runnable {
  return { enter, sync, run: (times) => contender.run(times) };
}
