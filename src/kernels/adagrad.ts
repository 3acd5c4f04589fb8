/**
 * Adagrad (Duchi et al. 2011) over a flat buffer of parameters.
 *
 *   s ← s + g²        p ← p − rate · g / √(a + s + ε)
 *
 * a is where the sum of squares begins; it is added here, so that the slot begins at 0 like all others. ε stands under the
 * root, as in Keras; PyTorch adds it to the root.
 */
import { defineUpdate, type UpdateOptions } from "./flatUpdate.ts";

export interface AdagradOptions extends UpdateOptions {
  /** a. Default: 0.1, as in Keras. */
  readonly initial?: number;
  /** Default: 1e-7. */
  readonly epsilon?: number;
}

/** Slots: `square`. */
export const adagradStep = defineUpdate<AdagradOptions>({
  name: "adagrad",
  options: ["initial", "epsilon"],
  slots: () => ["square"],
  uniforms: ({ initial = 0.1, epsilon = 1e-7 }) => ({ initial, epsilon }),
  wgsl: () => /* wgsl */ `
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let s = square[i] + gradient * gradient;
      square[i] = s;
      return parameter - rate * gradient / sqrt(u.initial + s + u.epsilon);
    }`,
  flops: 8,
});
