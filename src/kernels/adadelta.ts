/**
 * Adadelta (Zeiler 2012, algorithm 1) over a flat buffer of parameters.
 *
 *   v ← ρ·v + (1 − ρ)·g²        Δ = √(d + ε) / √(v + ε) · g        d ← ρ·d + (1 − ρ)·Δ²        p ← p − rate · Δ
 *
 * The same in Keras and PyTorch; the paper has no rate: rate 1.
 */
import { averageOf, defineUpdate, type UpdateOptions } from "./flatUpdate.ts";

export interface AdadeltaOptions extends UpdateOptions {
  /** Decay of both averages. Default: 0.95. */
  readonly rho?: number;
  /** Default: 1e-7, as in Keras; 1e-6 in the paper and in PyTorch. */
  readonly epsilon?: number;
}

/** Slots: `square`, `delta`. */
export const adadeltaStep = defineUpdate<AdadeltaOptions>({
  name: "adadelta",
  options: ["rho", "epsilon"],
  slots: () => ["square", "delta"],
  uniforms: ({ rho = 0.95, epsilon = 1e-7 }) => ({ fresh: averageOf(rho).fresh, epsilon }),
  wgsl: () => /* wgsl */ `
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let v = moved(square[i], gradient * gradient, u.fresh);
      let d = delta[i];
      let shift = sqrt(d + u.epsilon) / sqrt(v + u.epsilon) * gradient;
      square[i] = v;
      delta[i] = moved(d, shift * shift, u.fresh);
      return parameter - rate * shift;
    }`,
  flops: 14,
});
