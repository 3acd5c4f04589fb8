/**
 * Kernel functions: inner products in a space where the classes are easier to part.
 *
 *   linear      ⟨x, z⟩
 *   rbf         exp(−γ ‖x − z‖²)
 *   polynomial  (γ ⟨x, z⟩ + c₀)^degree
 *   sigmoid     tanh(γ ⟨x, z⟩ + c₀)      not positive definite for all γ, c₀: a solution exists, but may be a local one
 *
 * Source: C.-C. Chang, C.-J. Lin, "LIBSVM: A Library for Support Vector Machines", ACM TIST 2:27, 2011; γ "scale" and
 * "auto" are scikit-learn's.
 */
import { OptionError } from "../../errors.ts";
import type { FeatureMatrix } from "../features.ts";

/** γ: a number > 0; `scale` (default), 1 / (features · variance of all values); or `auto`, 1 / features. */
export type Gamma = number | "scale" | "auto";

export type Kernel =
  | { readonly type: "linear" }
  | { readonly type: "rbf"; readonly gamma?: Gamma }
  | {
      readonly type: "polynomial";
      readonly gamma?: Gamma;
      /** Default 3. */ readonly degree?: number;
      /** Default 0. */ readonly coef0?: number;
    }
  | { readonly type: "sigmoid"; readonly gamma?: Gamma; /** Default 0. */ readonly coef0?: number };

/** A kernel with numbers in all places, ready to compute and to save. */
export interface KernelSettings {
  readonly type: Kernel["type"];
  readonly gamma: number;
  readonly degree: number;
  readonly coef0: number;
}

/** Fills in defaults, and γ from the training features. Throws `OptionError`. */
export function kernelSettings(kernel: Kernel, features: FeatureMatrix): KernelSettings {
  if (!["linear", "rbf", "polynomial", "sigmoid"].includes(kernel.type)) {
    throw new OptionError({ where: "svm kernel", expected: "linear, rbf, polynomial or sigmoid", got: kernel.type });
  }
  const degree = kernel.type === "polynomial" ? (kernel.degree ?? 3) : 0;
  if (!Number.isInteger(degree) || degree < 0) {
    throw new OptionError({ where: "svm kernel", expected: "degree, a whole number from 0", got: String(degree) });
  }
  const coef0 = kernel.type === "polynomial" || kernel.type === "sigmoid" ? (kernel.coef0 ?? 0) : 0;
  if (!Number.isFinite(coef0)) {
    throw new OptionError({ where: "svm kernel", expected: "a finite coef0", got: String(coef0) });
  }
  return {
    type: kernel.type,
    gamma: kernel.type === "linear" ? 1 : gammaOf(kernel.gamma ?? "scale", features),
    degree,
    coef0,
  };
}

function gammaOf(gamma: Gamma, features: FeatureMatrix): number {
  if (gamma === "auto") return 1 / features.columns;
  if (gamma === "scale") {
    const spread = variance(features.data);
    return spread > 0 ? 1 / (features.columns * spread) : 1; // all values equal: any γ does; scikit-learn takes 1
  }
  if (Number.isFinite(gamma) && gamma > 0) return gamma;
  throw new OptionError({ where: "svm kernel", expected: 'gamma > 0, "scale" or "auto"', got: String(gamma) });
}

/** Variance of all values, about the mean found in a first pass. */
function variance(data: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] as number;
  const mean = sum / data.length;
  let squares = 0;
  for (let i = 0; i < data.length; i++) {
    const difference = (data[i] as number) - mean;
    squares += difference * difference;
  }
  return squares / data.length;
}

/** Turns dot products at `values[from…to)` into values of a polynomial or sigmoid kernel, in place. Linear stays. */
export function fromDotProducts(kernel: KernelSettings, values: Float32Array, from: number, to: number): void {
  const { gamma, coef0, degree } = kernel;
  if (kernel.type === "polynomial") {
    for (let i = from; i < to; i++) values[i] = wholePower(gamma * (values[i] as number) + coef0, degree);
  } else if (kernel.type === "sigmoid") {
    for (let i = from; i < to; i++) values[i] = Math.tanh(gamma * (values[i] as number) + coef0);
  }
}

/** base^exponent by squaring: `Math.pow` is slower and not the same in every engine. */
function wholePower(base: number, exponent: number): number {
  let [result, factor] = [1, base];
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) result *= factor;
    factor *= factor;
  }
  return result;
}
