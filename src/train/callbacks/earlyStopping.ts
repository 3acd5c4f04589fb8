/** Early stopping: ends training when what is monitored no longer gets better, and puts the best parameters back. */
import type { Callback, EpochResult, Snapshot, Training } from "../callback.ts";
import { checkWhole } from "./checks.ts";
import { monitorOf, warnOfMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without improvement that are borne. Default: 0, as in Keras. */
  readonly patience?: number;
  /** What must be surpassed for an improvement to count. Default: none. */
  readonly baseline?: number;
  /** Epochs (from 0) before which nothing is judged. Default: 0. */
  readonly startFromEpoch?: number;
}

interface Memory {
  best: number | null;
  bestEpoch: number;
  waited: number;
}

export interface EarlyStopping extends Callback {
  /** The epoch (from 0) of the best value so far, and the value; null before the first. */
  readonly best: { readonly epoch: number; readonly value: number } | null;
}

/**
 * Stops when the monitored value has not improved for `patience` epochs. The best parameters are restored however training
 * ends: by this callback, by itself, by an interruption or a divergence.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): EarlyStopping {
  const where = "earlyStopping";
  const { patience = 0, baseline, startFromEpoch = 0 } = options;
  checkWhole(where, { patience, startFromEpoch });
  const settle = monitorOf(where, options);
  let monitor: Monitor | null = null;
  let memory: Memory = { best: null, bestEpoch: -1, waited: 0 };
  let kept: Snapshot | null = null;

  const judge = (result: EpochResult, training: Training): void => {
    monitor ??= settle(result, training);
    const value = monitor.value(result);
    if (result.epoch < startFromEpoch) return;
    memory.waited++;
    if (monitor.improves(value, memory.best)) {
      const counts = baseline === undefined || monitor.improves(value, baseline);
      memory = { best: value, bestEpoch: result.epoch, waited: counts ? 0 : memory.waited };
      kept = training.snapshot(kept ?? undefined);
      return;
    }
    if (memory.waited < Math.max(1, patience)) return;
    const since = `${memory.waited} ${memory.waited === 1 ? "epoch" : "epochs"}`;
    const { best, bestEpoch } = memory;
    const peak = best === null ? "" : `; its best is ${Number(best.toPrecision(4))} of epoch ${bestEpoch + 1}`;
    training.stop(`${monitor.name} has not improved for ${since}${peak}`);
  };

  return {
    name: where,
    get best() {
      return memory.best === null ? null : { epoch: memory.bestEpoch, value: memory.best };
    },
    onEpochEnd: judge,
    onEnd({ history }, training) {
      warnOfMonitor(monitor, history, training);
      if (kept && history.at(-1)?.epoch !== memory.bestEpoch) training.restore(kept);
    },
    state: () => ({ ...memory }),
    snapshots: () => (kept ? [kept] : []),
    resume(state, [snapshot]) {
      memory = state as unknown as Memory;
      kept = snapshot ?? null;
    },
  };
}
