/** Files that training leaves behind: checkpoints to resume from, and models to use. */
import { OptionError } from "../../errors.ts";
import { save } from "../../weights/index.ts";
import type { Callback, Training } from "../callback.ts";
import { writeCheckpoint } from "../checkpoint.ts";
import { checkWhole } from "./checks.ts";
import { monitorOf, warnOfMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";

export interface CheckpointingOptions {
  /** The file; the one before is kept beside it, as `<path>.previous`. */
  readonly path: string;
  /** Seconds between two checkpoints within an epoch. Default: 60; `Infinity` for epoch ends only. */
  readonly everySeconds?: number;
  /** Epochs between two checkpoints at the ends of epochs. Default: 1. */
  readonly everyEpochs?: number;
}

/** Keeps a checkpoint up to date: `fit(…, { resume: await readCheckpoint(path) })` goes on from it with the same bits. */
export function checkpointing(options: CheckpointingOptions): Callback {
  const { path, everySeconds = 60, everyEpochs = 1 } = options;
  if (!(everySeconds > 0)) {
    throw new OptionError({ where: "checkpointing", expected: "everySeconds above 0", got: String(everySeconds) });
  }
  checkWhole("checkpointing", { everyEpochs });
  let latest = performance.now();
  const write = async (training: Training) => {
    await writeCheckpoint(path, await training.checkpoint());
    latest = performance.now();
  };
  return {
    async onStep(_, training) {
      if (performance.now() - latest > 1000 * everySeconds) await write(training);
    },
    async onEpochEnd({ epoch }, training) {
      if (everyEpochs > 0 && (epoch + 1) % everyEpochs === 0) await write(training);
    },
    async onEnd({ stopped }, training) {
      if (stopped === "interrupted") await write(training);
    },
  };
}

export interface ModelCheckpointOptions extends MonitorOptions {
  /** The model's file; `{epoch}` becomes the number of the epoch, from 1. */
  readonly path: string;
  /** Only when the monitored value is the best so far. Default: true. */
  readonly bestOnly?: boolean;
  /** Default: 1. */
  readonly everyEpochs?: number;
}

/** Saves the model at the ends of epochs, wholly or not at all. */
export function modelCheckpoint(options: ModelCheckpointOptions): Callback {
  const { path, bestOnly = true, everyEpochs = 1 } = options;
  checkWhole("modelCheckpoint", { everyEpochs });
  const settle = monitorOf("modelCheckpoint", options);
  let monitor: Monitor | null = null;
  let best: number | null = null;
  return {
    name: "modelCheckpoint",
    async onEpochEnd(result, training) {
      monitor ??= settle(result, training);
      const value = monitor.value(result);
      const better = monitor.improves(value, best);
      if (better) best = value;
      if ((bestOnly && !better) || (result.epoch + 1) % Math.max(1, everyEpochs) !== 0) return;
      const notes = { epoch: String(result.epoch + 1), [monitor.name]: String(value) };
      await save(training.model, path.replaceAll("{epoch}", String(result.epoch + 1)), { notes });
    },
    onEnd: ({ history }, training) => warnOfMonitor(bestOnly ? monitor : null, history, training),
    state: () => best,
    resume: (state) => {
      best = state as number | null;
    },
  };
}
