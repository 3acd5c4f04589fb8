/** Learning rates of experiment files: lengths in epochs, so that a file holds for any batch size and number of images. */
import type { Schedule } from "../nn/index.ts";
import type { Experiment } from "./experiment.ts";

type RateText = NonNullable<NonNullable<Experiment["training"]["optimizer"]>["learningRate"]>;

/** Steps of one epoch, and the epochs of the training. */
export interface Pace {
  readonly stepsPerEpoch: number;
  readonly epochs: number;
}

/** The same rate by steps, as optimisers read it. */
export function rateInSteps(rate: RateText, { stepsPerEpoch, epochs }: Pace): number | Schedule {
  if (typeof rate === "number") return rate;
  const steps = (length: number): number => Math.max(1, Math.round(length * stepsPerEpoch));
  if (rate.kind === "warmup") {
    const { epochs: length, after, ...rest } = rate;
    const left = { stepsPerEpoch, epochs: Math.max(epochs - length, 1 / stepsPerEpoch) };
    return { ...rest, steps: steps(length), after: rateInSteps(after, left) } as Schedule;
  }
  if (rate.kind === "constant") return rate;
  if (rate.kind === "step" || rate.kind === "exponential") return { ...rate, every: steps(rate.every) };
  const { epochs: length = epochs, ...rest } = rate;
  return { ...rest, steps: steps(length) };
}
