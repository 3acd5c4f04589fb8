/**
 * Exponential moving average of a flat buffer of parameters.
 *
 *   a ← a + (1 − d)·(p − a),   d = min(decay, (1 + t) / (10 + t))
 *
 * The second bound is TensorFlow's warm-up: the average of the first steps forgets the initial values quickly. Here it
 * stands as 1 − d = max(1 − decay, 9 / (10 + t)), which loses no digits.
 */
import { defineKernel, run, type Tensor } from "../tensor/index.ts";
import { checkFlat } from "./flatUpdate.ts";
import { checkNumber, range } from "./ranges.ts";

const kernel = defineKernel({
  name: "movingAverage",
  uniforms: { fresh: "f32" },
  inputs: { p: "f32v", step: "u32" },
  updates: { average: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four parameters
      let old = average[i];
      average[i] = old + max(u.fresh, 9.0 / (10.0 + f32(step[0]))) * (p[i] - old);
    }`,
  flops: (threads) => threads * 4 * 3,
});

/** Moves flat `average` towards `parameters`, both of one size, a multiple of four. `step` counts from 0: `[1]`, u32. */
export function emaStep(average: Tensor, parameters: Tensor, decay: number, step: Tensor): void {
  checkNumber("emaStep", "decay", range.share, decay);
  checkFlat("emaStep", parameters, { average });
  const options = { constants: { width: 4 }, updates: [average], threads: parameters.size / 4 };
  run(kernel, { p: parameters, step }, {}, { fresh: 1 - decay }, options);
}
