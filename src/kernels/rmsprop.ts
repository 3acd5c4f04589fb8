/**
 * RMSprop (Tieleman and Hinton 2012, lecture 6e) over a flat buffer of parameters.
 *
 *   v ← ρ·v + (1 − ρ)·g²        s = √(v + ε)         (centred, Graves 2013: m ← ρ·m + (1 − ρ)·g,  s = √(v − m² + ε))
 *   u ← μ·u + g / s             p ← p − rate · u
 *
 * ε stands under the root, as in Keras and TensorFlow.js; PyTorch adds it to the root.
 */
import { averageOf, defineUpdate, type UpdateOptions } from "./flatUpdate.ts";

export interface RmspropOptions extends UpdateOptions {
  /** Decay of the averages: PyTorch's α. Default: 0.9. */
  readonly rho?: number;
  /** μ. Default: 0. */
  readonly momentum?: number;
  /** Default: 1e-7. */
  readonly epsilon?: number;
  /** Divides by the deviation from the mean gradient. Default: false. */
  readonly centered?: boolean;
}

/** Slots: `square`, `mean` if it is centred, `velocity` if there is momentum. */
export const rmspropStep = defineUpdate<RmspropOptions>({
  name: "rmsprop",
  options: ["rho", "momentum", "epsilon", "centered"],
  flags: ({ momentum = 0, centered = false }) => ({ heavy: momentum > 0, centered }),
  slots: ({ heavy, centered }) => ["square", ...(centered ? ["mean"] : []), ...(heavy ? ["velocity"] : [])],
  uniforms: ({ rho = 0.9, momentum = 0, epsilon = 1e-7 }) => ({ fresh: averageOf(rho).fresh, momentum, epsilon }),
  wgsl: ({ heavy, centered }) => /* wgsl */ `
    fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v {
      let v = moved(square[i], gradient * gradient, u.fresh);
      square[i] = v;
      ${centered ? "let m = moved(mean[i], gradient, u.fresh); mean[i] = m;" : ""}
      var shift = gradient / sqrt(${centered ? "max(v - m * m, f32v())" : "v"} + u.epsilon);
      ${heavy ? "shift += u.momentum * velocity[i]; velocity[i] = shift;" : ""}
      return parameter - rate * shift;
    }`,
  flops: 10,
});
