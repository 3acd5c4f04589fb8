/**
 * Nadam, Adam with Nesterov's momentum (Dozat 2016, algorithm 2), with PyTorch's warm-up of the momentum, over a flat
 * buffer of parameters.
 *
 *   μₜ = β₁·(1 − ½·0.96^(t·ψ))        Πₜ = μ₁·…·μₜ
 *   m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
 *   p ← p − rate · (μₜ₊₁·m / (1 − Πₜ₊₁) + (1 − μₜ)·g / (1 − Πₜ)) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * Keras is the same with ψ = 1. A thread of its own finds the two factors anew from t at every step, so that there is no
 * product to keep: after some tens of factors Π no longer changes 1 − Π.
 */
import { defineKernel, run } from "../tensor/index.ts";
import { averageOf, defineUpdate, ONE_MINUS_EXP, type UpdateOptions } from "./flatUpdate.ts";

const factorKernel = defineKernel({
  name: "nadam.factors",
  uniforms: { beta1: "f32", decay: "f32" },
  inputs: { step: "u32" },
  outputs: { factors: "f32" },
  workgroup: 1,
  wgsl: /* wgsl */ `
    fn momentum(t: u32) -> f32 { return u.beta1 * (1.0 - 0.5 * exp(f32(t) * u.decay)); }
    fn run(i: u32) {
      let t = step[0] + 1u;
      var product = 1.0;
      for (var k = 1u; k <= t && product > 1e-10; k++) { product *= momentum(k); }
      let next = momentum(t + 1u);
      store_factors(0u, next / (1.0 - product * next));
      store_factors(1u, (1.0 - momentum(t)) / (1.0 - product));
    }`,
});

export interface NadamOptions extends UpdateOptions {
  /** Decay of the mean of gradients, and the momentum's limit. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squares. Default: 0.999. */
  readonly beta2?: number;
  /** Added to the root. Default: 1e-7. */
  readonly epsilon?: number;
  /** ψ. Default: 0.004, as in PyTorch. */
  readonly momentumDecay?: number;
}

/** Slots: `mean`, `square`. */
export const nadamStep = defineUpdate<NadamOptions>({
  name: "nadam",
  options: ["beta1", "beta2", "epsilon", "momentumDecay"],
  slots: () => ["mean", "square"],
  timed: true,
  prepare({ step }, { beta1 = 0.9, momentumDecay = 4e-3 }) {
    const uniforms = { beta1, decay: Math.log(0.96) * momentumDecay };
    return run(factorKernel, { step }, { factors: [2] }, uniforms, { threads: 1 });
  },
  uniforms({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }) {
    const second = averageOf(beta2);
    return { fresh1: averageOf(beta1).fresh, fresh2: second.fresh, log2: second.log, epsilon };
  },
  wgsl: () => /* wgsl */ `${ONE_MINUS_EXP}
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let m = moved(mean[i], gradient, u.fresh1);
      let v = moved(square[i], gradient * gradient, u.fresh2);
      mean[i] = m;
      square[i] = v;
      let root = sqrt(v) * (1.0 / sqrt(oneMinusExp(f32(step[0] + 1u) * u.log2)));
      return parameter - rate * (factors[0] * m + factors[1] * gradient) / (root + u.epsilon);
    }`,
  flops: 16,
});
