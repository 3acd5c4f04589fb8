/** What the bench asks of an engine, whichever it is. */
import type { Runnable } from "./harness.ts";

/** Other engines, as `--against` names them. The second word says what they run on. */
export const PEERS = ["tfjs-webgpu", "tfjs-wasm", "onnxruntime-web", "onnxruntime-webgpu", "jax-js"] as const;
export type PeerName = (typeof PEERS)[number];

/** What a case may be measured against besides: Trama itself in full precision, beside half precision. */
export const BASELINE = "trama-f32";
export type RivalName = PeerName | typeof BASELINE;

export interface Engine {
  readonly name: string;
  readonly version: string;
  /** Makes this engine the one that calls go to. */
  enter(): Promise<void>;
  /** Waits until all that was asked of it is done. */
  sync(): Promise<void>;
}

/** A case that an engine can run: inputs are in place, and everything is compiled that it compiles beforehand. */
export interface Contender {
  /** Asks for `times` runs. Where an engine's calls are asynchronous, resolves when it takes the next. */
  run(times: number): void | Promise<void>;
  /** What was computed, result by result, to compare it with another engine's. May run further. */
  values(): Promise<readonly ArrayLike<number>[]>;
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
