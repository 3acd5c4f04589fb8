/**
 * Dropout (Srivastava et al. 2014), inverted: what survives is scaled up, so that inference needs no change.
 *
 *   y[i] = u[i] ≥ rate ? x[i] / (1 − rate) : 0          dx[i] = u[i] ≥ rate ? dy[i] / (1 − rate) : 0
 *
 * u[i] is a pure function of seed, layer, step and i (Philox), so no mask is stored: the backward pass runs the same
 * kernel on dy. One invocation draws four numbers at once, for four neighbours.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, seedKey, type Tensor } from "../tensor/index.ts";

/** Names a stream of random numbers. */
export interface RandomKey {
  /** Any non-negative safe integer. */
  readonly seed: number;
  /** Tells layers of one model apart. */
  readonly layer: number;
  /** `[1]`, u32: the training step, kept on the GPU so that every step draws anew. */
  readonly step: Tensor;
}

const kernel = defineKernel({
  name: "dropout",
  uniforms: { keyLow: "u32", keyHigh: "u32", layer: "u32", count: "u32", rate: "f32", scale: "f32" },
  inputs: { x: "f32", step: "u32" },
  outputs: { y: "real" },
  wgsl: /* wgsl */ `
    fn run(block: u32) {                                   // one thread per four elements
      let words = philox(vec4u(block, u.layer, step[0], 1u), vec2u(u.keyLow, u.keyHigh));
      for (var k = 0u; k < 4u; k++) {
        let i = block * 4u + k;
        if (i < u.count) { store_y(i, select(0.0, x[i] * u.scale, toUnit(words[k]) >= u.rate)); }
      }
    }`,
  flops: (threads) => threads * 4,
});

function drop(x: Tensor, rate: number, { seed, layer, step }: RandomKey): Tensor {
  const [keyLow, keyHigh] = seedKey(seed);
  const uniforms = { keyLow, keyHigh, layer, count: x.size, rate, scale: 1 / (1 - rate) };
  return run(kernel, { x, step }, { y: x.shape }, uniforms, { threads: Math.ceil(x.size / 4) }).y;
}

/** Zeroes each element with probability `rate` (0 ≤ rate < 1) and scales the others by 1 / (1 − rate). */
export const dropout = defineOp("dropout", {
  forward(x: Tensor, rate: number, key: RandomKey) {
    if (!(rate >= 0 && rate < 1)) {
      throw new OptionError({ where: "dropout", expected: "a rate in [0, 1)", got: String(rate) });
    }
    return { output: drop(x, rate, key), saved: { rate, key } };
  },
  backward: (dy, { rate, key }) => [drop(dy, rate, key), null],
});
