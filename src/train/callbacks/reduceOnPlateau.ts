/** Lowers the learning rate when what is monitored no longer gets better. */
import { OptionError } from "../../errors.ts";
import type { Callback } from "../callback.ts";
import { checkWhole } from "./checks.ts";
import { monitorOf, warnOfMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";

export interface ReduceOnPlateauOptions extends MonitorOptions {
  /** What the rate is multiplied by. Default: 0.1. */
  readonly factor?: number;
  /** Epochs without improvement that are borne. Default: 10. */
  readonly patience?: number;
  /** Epochs after a reduction in which nothing is judged. Default: 0. */
  readonly cooldown?: number;
  /** The rate never goes below this. Default: 0. */
  readonly minRate?: number;
}

interface Memory {
  best: number | null;
  waited: number;
  cooling: number;
}

/** As Keras' ReduceLROnPlateau, with its defaults (`minDelta` 1e-4). */
export function reduceOnPlateau(options: ReduceOnPlateauOptions = {}): Callback {
  const where = "reduceOnPlateau";
  const { factor = 0.1, patience = 10, cooldown = 0, minRate = 0, minDelta = 1e-4 } = options;
  if (!(factor > 0 && factor < 1)) {
    throw new OptionError({ where, expected: "a factor between 0 and 1", got: String(factor) });
  }
  checkWhole(where, { patience, cooldown });
  const settle = monitorOf(where, { ...options, minDelta });
  let monitor: Monitor | null = null;
  let memory: Memory = { best: null, waited: 0, cooling: 0 };
  return {
    name: where,
    onEpochEnd(result, training) {
      monitor ??= settle(result, training);
      const value = monitor.value(result);
      if (memory.cooling > 0) {
        memory.cooling--;
        memory.waited = 0;
      }
      if (monitor.improves(value, memory.best)) {
        memory = { ...memory, best: value, waited: 0 };
        return;
      }
      if (memory.cooling > 0) return;
      memory.waited++;
      const rate = training.learningRate;
      if (memory.waited < patience || rate <= minRate) return;
      training.rateFactor *= Math.max(factor, minRate / rate);
      memory = { ...memory, waited: 0, cooling: cooldown };
    },
    onEnd: ({ history }, training) => warnOfMonitor(monitor, history, training),
    state: () => ({ ...memory }),
    resume: (state) => {
      memory = state as unknown as Memory;
    },
  };
}
