/**
 * Stochastic gradient descent with momentum over a flat buffer of parameters, as PyTorch defines it (Sutskever et al. 2013).
 *
 *   v ← μ·v + g        p ← p − rate · v              (Nesterov: p ← p − rate · (g + μ·v))
 */
import { defineKernel, run, type Tensor } from "../tensor/index.ts";
import { checkFlat, type UpdateInputs } from "./adam.ts";

const kernel = defineKernel({
  name: "sgd",
  uniforms: { momentum: "f32", decay: "f32" },
  inputs: { g: "f32v", rate: "f32" },
  updates: { p: "f32v", velocity: "f32v" },
  wgsl: ({ nesterov }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four parameters
      let parameter = p[i];
      let gradient = g[i] + u.decay * parameter;
      let v = u.momentum * velocity[i] + gradient;
      velocity[i] = v;
      p[i] = parameter - rate[0] * ${nesterov === true ? "(gradient + u.momentum * v)" : "v"};
    }`,
  flops: (threads) => threads * 24,
});

export interface SgdOptions {
  /** Default: 0. */
  readonly momentum?: number;
  /** Looks ahead along the velocity. Default: false. */
  readonly nesterov?: boolean;
  /** L2 penalty, added to the gradient. Default: 0. */
  readonly weightDecay?: number;
}

/** One step on flat `parameters` and `velocity` of the same size, a multiple of four; both change in place. */
export function sgdStep(
  parameters: Tensor,
  { velocity }: { velocity: Tensor },
  { gradients, rate }: UpdateInputs,
  { momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions = {},
): void {
  checkFlat("sgd", parameters, { gradients, velocity });
  const options = { updates: [parameters, velocity], threads: parameters.size / 4, constants: { width: 4, nesterov } };
  run(kernel, { g: gradients, rate }, {}, { momentum, decay: weightDecay }, options);
}
