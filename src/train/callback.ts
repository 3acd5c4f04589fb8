/** Hooks into training: small objects, each hook optional. A hook may be asynchronous; training waits for it. */
import type { Json, Model } from "../nn/index.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Metric } from "./metrics/named.ts";

/** What is known before the first step. */
export interface RunInfo {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  readonly images: number;
  readonly validationImages: number;
  /** Epochs that were done before, when training is resumed. */
  readonly resumedEpochs: number;
}

/** Where training stands; loss and accuracy are means since the epoch began, over training batches. */
export interface StepInfo {
  /** From 0. */
  readonly epoch: number;
  /** Steps of this epoch that are done, and of a whole one. */
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly accuracy: number;
  /** Seconds since the epoch began. */
  readonly seconds: number;
}

export interface EpochResult {
  /** From 0. */
  readonly epoch: number;
  /** Steps that were done; fewer than `stepsPerEpoch` when training was stopped in the middle. */
  readonly steps: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly validation: Evaluation | null;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  readonly seconds: number;
}

/** Why training ended: all epochs done, by a callback, by the user, or without hope. */
export type StopReason = "completed" | "stopped" | "interrupted" | "diverged";

export interface TrainingResult {
  /** Plain data: it can be saved as JSON, loaded and plotted. */
  readonly history: readonly EpochResult[];
  readonly stopped: StopReason;
  /** Steps done in all. */
  readonly steps: number;
  /** Seconds of training and validation, without compiling. */
  readonly seconds: number;
  /** Training images a second, without compiling and validation. */
  readonly imagesPerSecond: number;
  /** Seconds until the first step was done, compiling included. */
  readonly firstStepSeconds: number;
  /** Why it was stopped, or what went wrong; null when all epochs were done. */
  readonly message: string | null;
  /** The epoch (from 0) at whose end the parameters were as they are now, −1 before the first; null after the last step. */
  readonly parametersOf: number | null;
  /** What is doubtful about the data or the result, in sentences. */
  readonly warnings: readonly string[];
}

/** Parameters as they were at some moment, kept on the GPU until training ends. */
export interface Snapshot {
  /** The last epoch that was done, from 0; −1 before the first. */
  readonly epoch: number;
}

/** What a callback may do to the training that calls it. */
export interface Training {
  readonly model: Model;
  /** What each validation computes besides loss and accuracy. */
  readonly metrics: readonly Metric[];
  /** Of the next step. */
  readonly learningRate: number;
  /** Multiplies the learning rate of all steps to come; 1 at first. */
  rateFactor: number;
  /** Ends training: at once when called in `onStep`, before the next epoch when called in `onEpochEnd`. */
  stop(why: string): void;
  /** Keeps the parameters as they are now. `over` is an earlier snapshot whose memory may be used again. */
  snapshot(over?: Snapshot): Snapshot;
  /** Puts kept parameters back. */
  restore(snapshot: Snapshot): void;
  /** All that it takes to go on from here with the same bits. */
  checkpoint(): Promise<Checkpoint>;
  /** Adds a doubt to the result's warnings. */
  warn(sentence: string): void;
}

/** Nothing, or a promise to wait for. */
type Awaitable = unknown;

export interface Callback {
  /** The key of its state in a checkpoint; callbacks without one have no state. */
  readonly name?: string;
  onBegin?(run: RunInfo, training: Training): Awaitable;
  onEpochBegin?(epoch: number, training: Training): Awaitable;
  /** After every few steps, as often as results come back. */
  onStep?(info: StepInfo, training: Training): Awaitable;
  onEpochEnd?(result: EpochResult, training: Training): Awaitable;
  /** Also after an interruption or a divergence. */
  onEnd?(result: TrainingResult, training: Training): Awaitable;
  /** What it remembers, as JSON, for a checkpoint. */
  state?(): Json;
  /** Parameters that it has kept and that a checkpoint must keep as well. */
  snapshots?(): readonly Snapshot[];
  /** Takes up what it remembered. */
  resume?(state: Json, snapshots: readonly Snapshot[]): void;
}
