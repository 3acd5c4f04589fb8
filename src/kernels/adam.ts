/**
 * Adam (Kingma and Ba 2015, algorithm 1) over a flat buffer of parameters.
 *
 *   m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
 *   p ← p − rate · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * All parameters of a model are one buffer, so one dispatch updates them all. The step t and the learning rate are read
 * from GPU memory: steps need no word from the CPU.
 */
import { ShapeError } from "../errors.ts";
import { defineKernel, formatShape, run, type Tensor } from "../tensor/index.ts";

const kernel = defineKernel({
  name: "adam",
  uniforms: { beta1: "f32", beta2: "f32", epsilon: "f32", decay: "f32" },
  inputs: { g: "f32v", rate: "f32", step: "u32" },
  updates: { p: "f32v", m: "f32v", v: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four parameters
      let t = f32(step[0] + 1u);
      let parameter = p[i];
      let gradient = g[i] + u.decay * parameter;
      let first = u.beta1 * m[i] + (1.0 - u.beta1) * gradient;
      let second = u.beta2 * v[i] + (1.0 - u.beta2) * gradient * gradient;
      m[i] = first;
      v[i] = second;
      let corrected = first / (1.0 - pow(u.beta1, t));
      p[i] = parameter - rate[0] * corrected / (sqrt(second / (1.0 - pow(u.beta2, t))) + u.epsilon);
    }`,
  flops: (threads) => threads * 4 * 14,
});

export interface AdamOptions {
  /** Decay of the mean of gradients. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squares. Default: 0.999. */
  readonly beta2?: number;
  /** Added to the root. Default: 1e-7, as in Keras. */
  readonly epsilon?: number;
  /** L2 penalty, added to the gradient as in PyTorch (coupled). Default: 0. */
  readonly weightDecay?: number;
}

/** The buffers that an optimiser's step reads: flat gradients, learning rate `[1]`, and number of steps done `[1]`, u32. */
export interface UpdateInputs {
  readonly gradients: Tensor;
  readonly rate: Tensor;
  readonly step: Tensor;
}

/** One thread takes four elements, and finds all buffers equally long. */
export function checkFlat(where: string, parameters: Tensor, others: Readonly<Record<string, Tensor>>): void {
  if (parameters.size % 4 !== 0) {
    throw new ShapeError({
      where,
      expected: "a multiple of four parameters",
      got: formatShape(parameters.shape),
      advice: "pad the flat buffer",
    });
  }
  for (const [name, { size, shape }] of Object.entries(others)) {
    if (size !== parameters.size) {
      throw new ShapeError({ where, expected: `${parameters.size} values in ${name}`, got: formatShape(shape) });
    }
  }
}

/** One step on flat `parameters`, `mean` and `square` of the same size, a multiple of four; all change in place. */
export function adamStep(
  parameters: Tensor,
  { mean, square }: { mean: Tensor; square: Tensor },
  { gradients, rate, step }: UpdateInputs,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0 }: AdamOptions = {},
): void {
  checkFlat("adam", parameters, { gradients, mean, square });
  const uniforms = { beta1, beta2, epsilon, decay: weightDecay };
  const options = { updates: [parameters, mean, square], threads: parameters.size / 4, constants: { width: 4 } };
  run(kernel, { g: gradients, rate, step }, {}, uniforms, options);
}
