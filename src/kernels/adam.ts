/**
 * Adam (Kingma and Ba 2015, algorithm 1) over a flat buffer of parameters.
 *
 *   m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
 *   p ← p − rate · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * ε is added to the corrected root, as in the paper's algorithm and in PyTorch; Keras adds it before the correction (the
 * paper's ε̂). AMSGrad (Reddi et al. 2018) divides by the greatest v so far, corrected like v, as in PyTorch. With
 * decoupled weight decay it is AdamW (Loshchilov and Hutter 2019).
 */
import { averageOf, defineUpdate, ONE_MINUS_EXP, type UpdateOptions } from "./flatUpdate.ts";

export interface AdamOptions extends UpdateOptions {
  /** Decay of the mean of gradients. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squares. Default: 0.999. */
  readonly beta2?: number;
  /** Added to the root. Default: 1e-7, as in Keras. */
  readonly epsilon?: number;
  /** Divides by the greatest mean of squares so far. Default: false. */
  readonly amsgrad?: boolean;
}

/** Slots: `mean`, `square`, and `greatest` with AMSGrad. */
export const adamStep = defineUpdate<AdamOptions>({
  name: "adam",
  options: ["beta1", "beta2", "epsilon", "amsgrad"],
  flags: ({ amsgrad = false }) => ({ amsgrad }),
  slots: ({ amsgrad }) => ["mean", "square", ...(amsgrad ? ["greatest"] : [])],
  timed: true,
  uniforms({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }) {
    const [first, second] = [averageOf(beta1), averageOf(beta2)];
    return { fresh1: first.fresh, log1: first.log, fresh2: second.fresh, log2: second.log, epsilon };
  },
  wgsl: ({ amsgrad }) => /* wgsl */ `${ONE_MINUS_EXP}
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let t = f32(step[0] + 1u);
      let m = moved(mean[i], gradient, u.fresh1);
      let v = moved(square[i], gradient * gradient, u.fresh2);
      mean[i] = m;
      square[i] = v;
      ${amsgrad ? "let divisor = max(greatest[i], v); greatest[i] = divisor;" : "let divisor = v;"}
      let root = sqrt(divisor) * (1.0 / sqrt(oneMinusExp(t * u.log2)));
      return parameter - rate / oneMinusExp(t * u.log1) * m / (root + u.epsilon);
    }`,
  flops: 14,
});
