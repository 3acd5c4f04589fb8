/**
 * Dynamic loss scale for training in half precision (Micikevicius et al. 2018, section 3.2).
 *
 *   The loss is multiplied by `scale`, so that small gradients are not flushed to 0, and the optimiser divides them by it.
 *   Where that makes one overflow, the step is left out and the scale halved (not below 1); after `growthInterval` good
 *   steps in a row it is doubled (not above 2²⁴).
 *
 * One thread decides, from the norm of the gradients; it clips them on the way. It also counts the updates that were made,
 * because an optimiser's bias corrections depend on those and not on the steps that were tried.
 */
import { defineKernel, run, type Tensor } from "../tensor/index.ts";
import { FINITE } from "./gradientNorm.ts";
import { checkNumber, range } from "./ranges.ts";

const kernel = defineKernel({
  name: "lossScale",
  uniforms: { interval: "u32", limit: "f32" },
  inputs: { norm: "f32" },
  outputs: { gradientScale: "f32", step: "u32" },
  updates: { scale: "f32", goodSteps: "u32", updateCount: "u32" },
  workgroup: 1,
  wgsl: ({ clipped }) => /* wgsl */ `${FINITE}
    fn run(i: u32) {
      let s = scale[0];
      let good = isFinite(norm[0]);
      let factor = ${clipped === true ? "min(1.0 / s, u.limit / norm[0])" : "1.0 / s"};  // the norm is that of scaled gradients
      store_gradientScale(0u, select(0.0, factor, good));
      store_step(0u, updateCount[0]);
      if (!good) {
        scale[0] = max(0.5 * s, 1.0);
        goodSteps[0] = 0u;
        return;
      }
      updateCount[0] += 1u;
      goodSteps[0] += 1u;
      if (goodSteps[0] >= u.interval) {
        scale[0] = min(2.0 * s, 16777216.0);
        goodSteps[0] = 0u;
      }
    }`,
});

/** What lasts from step to step. */
export interface LossScaleState {
  /** `[1]`: what the loss is multiplied by; begin with 65,536. */
  readonly scale: Tensor;
  /** `[1]`, u32: steps without overflow since the scale last changed. */
  readonly goodSteps: Tensor;
  /** `[1]`, u32: updates made so far. */
  readonly updates: Tensor;
}

export interface LossScaleOptions {
  /** Bound on the norm of the gradients as they are without the scale. Default: none. */
  readonly maxNorm?: number;
  /** Good steps after which the scale is doubled. Default: 2000. */
  readonly growthInterval?: number;
}

/**
 * Judges a step by the norm of its scaled gradients, and moves the state on. Returns what the optimiser's step reads:
 * `gradientScale`, clip factor over scale or 0 after an overflow, and `step`, the updates made before this one.
 */
export function lossScaleStep(
  { scale, goodSteps, updates }: LossScaleState,
  norm: Tensor,
  { maxNorm, growthInterval = 2000 }: LossScaleOptions = {},
): { gradientScale: Tensor; step: Tensor } {
  if (maxNorm !== undefined) checkNumber("lossScale", "maxNorm", range.positive, maxNorm);
  checkNumber("lossScale", "growthInterval", range.count, growthInterval);
  const uniforms = { interval: growthInterval, limit: maxNorm ?? 0 };
  const options = { constants: { clipped: maxNorm !== undefined }, updates: [scale, goodSteps, updates], threads: 1 };
  return run(kernel, { norm }, { gradientScale: [1], step: [1] }, uniforms, options);
}
