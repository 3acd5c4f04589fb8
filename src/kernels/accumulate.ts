/**
 * Sum of the gradients of several batches, for an update that sees them as one.
 *
 *   sum ← g at the first batch, then sum ← sum + g
 *
 * Losses that are means are to be divided by the number of batches.
 */
import { copyInto, defineKernel, run, type Tensor } from "../tensor/index.ts";
import { checkFlat } from "./flatUpdate.ts";

const kernel = defineKernel({
  name: "accumulate",
  inputs: { g: "f32v", first: "u32" },
  updates: { sum: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) { sum[i] = select(sum[i] + g[i], g[i], first[0] != 0u); }  // one thread per four gradients`,
  flops: (threads) => threads * 4,
});

const addKernel = defineKernel({
  name: "accumulate.add",
  inputs: { g: "f32v" },
  updates: { sum: "f32v" },
  wgsl: `fn run(i: u32) { sum[i] += g[i]; }`,
  flops: (threads) => threads * 4,
});

/**
 * Adds flat `gradients` to `sum`, both of one size, a multiple of four; at the `first` batch `sum` is overwritten. `first` is
 * known now, or a tensor `[1]`, u32, that is not 0 then: a compiled step can tell by its counter.
 */
export function accumulate(sum: Tensor, gradients: Tensor, first: boolean | Tensor): void {
  checkFlat("accumulate", gradients, { sum });
  const options = { constants: { width: 4 }, updates: [sum], threads: sum.size / 4 };
  if (first === true) copyInto(gradients, sum);
  else if (first === false) run(addKernel, { g: gradients }, {}, {}, options);
  else run(kernel, { g: gradients, first }, {}, {}, options);
}
