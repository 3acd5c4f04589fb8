/** What callbacks watch: one number of each epoch's result, and whether it got better. */
import { OptionError } from "../../errors.ts";
import type { EpochResult, Training } from "../callback.ts";
import { modeOf } from "../chosenMetrics.ts";
import { monitorDoubt } from "../guards.ts";

export interface MonitorOptions {
  /**
   * `loss`, `accuracy`, or with validation `val_loss`, `val_accuracy` and `val_` before the name of a metric.
   * Default: `val_loss` where there is validation, else `loss`.
   */
  readonly monitor?: string;
  /** Whether less is better. Default: what the metric says, else `min` for losses and errors and `max` for all others. */
  readonly mode?: "min" | "max";
  /** The least change that counts. Default: 0. */
  readonly minDelta?: number;
}

export interface Monitor {
  readonly name: string;
  value(result: EpochResult): number;
  /** Whether `value` is better than `best` by more than `minDelta`; anything finite is better than null. */
  improves(value: number, best: number | null): boolean;
}

/** Resolves options; the name is settled with the first result, when it is known whether there is validation. */
export function monitorOf(
  where: string,
  options: MonitorOptions,
): (result: EpochResult, training: Training) => Monitor {
  const { mode, minDelta = 0 } = options;
  if (mode !== undefined && mode !== "min" && mode !== "max") {
    throw new OptionError({ where, expected: 'mode "min" or "max"', got: JSON.stringify(mode) });
  }
  if (!(minDelta >= 0)) throw new OptionError({ where, expected: "minDelta ≥ 0", got: String(minDelta) });
  return (result, { metrics }) => {
    const name = options.monitor ?? (result.validation ? "val_loss" : "loss");
    const sign = (mode ?? modeOf(name, metrics)) === "min" ? -1 : 1;
    return {
      name,
      value: (one) => valueOf(where, one, name),
      improves: (value, best) => Number.isFinite(value) && (best === null || sign * (value - best) > minDelta),
    };
  };
}

/** Says so where what was monitored could not tell epochs apart. */
export function warnOfMonitor(monitor: Monitor | null, history: readonly EpochResult[], training: Training): void {
  const doubt =
    monitor && monitorDoubt(monitor.name, history.map(monitor.value), modeOf(monitor.name, training.metrics));
  if (doubt !== null) training.warn(doubt);
}

/** The numbers of a result by the names that logs and monitors use. */
export function numbersOf({ loss, accuracy, validation, learningRate, seconds }: EpochResult): Record<string, number> {
  const judged = validation ? { val_loss: validation.loss, val_accuracy: validation.accuracy } : {};
  const metrics = Object.entries(validation?.metrics ?? {}).map(([name, value]) => [`val_${name}`, value] as const);
  return { loss, accuracy, ...judged, ...Object.fromEntries(metrics), learning_rate: learningRate, seconds };
}

function valueOf(where: string, result: EpochResult, name: string): number {
  const numbers = numbersOf(result);
  const value = numbers[name];
  if (value !== undefined) return value;
  throw new OptionError({
    where,
    expected: `a monitor among ${Object.keys(numbers).join(", ")}`,
    got: JSON.stringify(name),
    ...(name.startsWith("val_") && !result.validation ? { advice: "give fit a validation set" } : {}),
  });
}
