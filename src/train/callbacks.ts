/** Hooks into training: small objects, each hook optional. */
import type { Evaluation } from "./evaluate.ts";

/** What is known before the first step. */
export interface RunInfo {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  readonly images: number;
  readonly validationImages: number;
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
  readonly learningRate: number;
  readonly seconds: number;
}

/** Why training ended. */
export type StopReason = "completed" | "interrupted" | "diverged";

export interface TrainingResult {
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
  /** What went wrong, if something did. */
  readonly message: string | null;
}

export interface Callback {
  onBegin?(info: RunInfo): void;
  /** After every few steps, as often as results come back. */
  onStep?(info: StepInfo): void;
  onEpochEnd?(result: EpochResult): void;
  onEnd?(result: TrainingResult): void;
}
