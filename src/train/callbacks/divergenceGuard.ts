/** Divergence: a loss that leaps far above the best one. Infinite losses and NaN end training without any guard. */
import { OptionError } from "../../errors.ts";
import type { Callback, Snapshot, Training } from "../callback.ts";

export interface DivergenceGuardOptions {
  /** How many times the best training loss an epoch's may be. Default: 10. */
  readonly factor?: number;
  /** Whether to go on from the best parameters at half the learning rate, so many times. Default: 0, stop at once. */
  readonly retries?: number;
}

interface Memory {
  best: number;
  retries: number;
}

/** Notices a spike of the training loss, puts the parameters of the best epoch back, and stops or tries again more slowly. */
export function divergenceGuard({ factor = 10, retries = 0 }: DivergenceGuardOptions = {}): Callback {
  if (!(factor > 1)) {
    throw new OptionError({ where: "divergenceGuard", expected: "a factor above 1", got: String(factor) });
  }
  let memory: Memory = { best: Number.POSITIVE_INFINITY, retries };
  let kept: Snapshot | null = null;
  const spiked = (training: Training, loss: number): void => {
    if (kept) training.restore(kept);
    const story = `the training loss leapt to ${loss.toPrecision(3)}, more than ${factor} times its best (${memory.best.toPrecision(3)})`;
    if (memory.retries <= 0) return training.stop(`${story}; the parameters of the best epoch were put back`);
    memory = { ...memory, retries: memory.retries - 1 };
    training.rateFactor /= 2;
    training.warn(`${story}; training went on from the best epoch at half the learning rate`);
  };
  return {
    name: "divergenceGuard",
    onEpochEnd({ loss }, training) {
      if (loss > factor * memory.best) return spiked(training, loss);
      if (loss >= memory.best) return;
      memory = { ...memory, best: loss };
      kept = training.snapshot(kept ?? undefined);
    },
    state: () => ({ ...memory }),
    snapshots: () => (kept ? [kept] : []),
    resume(state, [snapshot]) {
      memory = state as unknown as Memory;
      kept = snapshot ?? null;
    },
  };
}
