/**
 * Stochastic gradient descent with momentum over a flat buffer of parameters, as PyTorch defines it (Sutskever et al. 2013).
 *
 *   v ← μ·v + g        p ← p − rate · v              (Nesterov: p ← p − rate · (g + μ·v))
 *
 * The rate stays outside of the velocity (Keras keeps it inside): a schedule then acts at once, and not through the memory.
 */
import { defineUpdate, type UpdateOptions } from "./flatUpdate.ts";

export interface SgdOptions extends UpdateOptions {
  /** μ. Default: 0. */
  readonly momentum?: number;
  /** Looks ahead along the velocity. Default: false. */
  readonly nesterov?: boolean;
}

/** Slots: `velocity`, if there is momentum. */
export const sgdStep = defineUpdate<SgdOptions>({
  name: "sgd",
  options: ["momentum", "nesterov"],
  flags: ({ momentum = 0, nesterov = false }) => ({ heavy: momentum > 0, nesterov }),
  slots: ({ heavy }) => (heavy ? ["velocity"] : []),
  uniforms: ({ momentum = 0 }) => ({ momentum }),
  wgsl: ({ heavy, nesterov }) => /* wgsl */ `
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      ${heavy ? "let v = u.momentum * velocity[i] + gradient; velocity[i] = v;" : "let v = gradient;"}
      return parameter - rate * ${heavy && nesterov ? "(gradient + u.momentum * v)" : "v"};
    }`,
  flops: 6,
});
