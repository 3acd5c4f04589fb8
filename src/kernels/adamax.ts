/**
 * Adamax (Kingma and Ba 2015, algorithm 2) over a flat buffer of parameters.
 *
 *   m ← β₁·m + (1 − β₁)·g        n ← max(β₂·n, |g|)        p ← p − rate / (1 − β₁ᵗ) · m / (n + ε)
 *
 * ε is added to the norm, as in Keras; PyTorch adds it to |g|; the paper has none.
 */
import { averageOf, defineUpdate, ONE_MINUS_EXP, type UpdateOptions } from "./flatUpdate.ts";

export interface AdamaxOptions extends UpdateOptions {
  /** Decay of the mean of gradients. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the greatest gradient. Default: 0.999. */
  readonly beta2?: number;
  /** Default: 1e-7. */
  readonly epsilon?: number;
}

/** Slots: `mean`, `norm`. */
export const adamaxStep = defineUpdate<AdamaxOptions>({
  name: "adamax",
  options: ["beta1", "beta2", "epsilon"],
  slots: () => ["mean", "norm"],
  timed: true,
  uniforms({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }) {
    const { fresh, log } = averageOf(beta1);
    return { fresh, log, beta2, epsilon };
  },
  wgsl: () => /* wgsl */ `${ONE_MINUS_EXP}
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let m = moved(mean[i], gradient, u.fresh);
      let n = max(u.beta2 * norm[i], abs(gradient));
      mean[i] = m;
      norm[i] = n;
      return parameter - rate / oneMinusExp(f32(step[0] + 1u) * u.log) * m / (n + u.epsilon);
    }`,
  flops: 9,
});
