/**
 * From decision values to probabilities.
 *
 * Why: a decision value is a distance without a scale. Platt (1999) fits a sigmoid to decision values of samples that the
 * machine was *not* trained on (otherwise the support vectors, all at ±1 or beyond, would make it overconfident);
 * for several classes the probabilities of the pairs are coupled into one distribution.
 *
 * Sources: H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs for support vector machines", Machine
 * Learning 68, 2007 (Algorithm 1: Newton's method with backtracking, free of overflow); T.-F. Wu, C.-J. Lin, R. Weng,
 * "Probability estimates for multi-class classification by pairwise coupling", JMLR 5, 2004 (§4.2, Algorithm 2).
 */
import type { Sigmoid } from "./svcModel.ts";

const newtonSteps = 100;
const leastStep = 1e-10;
const ridge = 1e-12;
const gradientTolerance = 1e-5;

/** 1 / (1 + e^z), and 1 minus it, without overflow. */
function sigmoidParts(z: number): { p: number; q: number } {
  const e = Math.exp(-Math.abs(z));
  const [large, small] = [1 / (1 + e), e / (1 + e)];
  return z >= 0 ? { p: small, q: large } : { p: large, q: small };
}

/** P(positive) at decision value `f`. */
export const sigmoidProbability = ({ a, b }: Sigmoid, f: number): number => sigmoidParts(a * f + b).p;

/** Fits Platt's sigmoid to decision values and their true signs (+1, −1) by maximum likelihood with Platt's priors. */
export function fitSigmoid(decisions: ArrayLike<number>, signs: ArrayLike<number>): Sigmoid {
  let positives = 0;
  for (let i = 0; i < signs.length; i++) if ((signs[i] as number) > 0) positives++;
  const negatives = signs.length - positives;
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (negatives + 2);
  const target = (i: number): number => ((signs[i] as number) > 0 ? high : low);

  const loss = (a: number, b: number): number => {
    let sum = 0;
    for (let i = 0; i < signs.length; i++) {
      const z = (decisions[i] as number) * a + b;
      const tail = Math.log1p(Math.exp(-Math.abs(z)));
      sum += z >= 0 ? target(i) * z + tail : (target(i) - 1) * z + tail;
    }
    return sum;
  };

  let [a, b] = [0, Math.log((negatives + 1) / (positives + 1))];
  let value = loss(a, b);
  for (let iteration = 0; iteration < newtonSteps; iteration++) {
    let [h11, h22, h21, g1, g2] = [ridge, ridge, 0, 0, 0];
    for (let i = 0; i < signs.length; i++) {
      const f = decisions[i] as number;
      const { p, q } = sigmoidParts(f * a + b);
      h11 += f * f * p * q;
      h22 += p * q;
      h21 += f * p * q;
      g1 += f * (target(i) - p);
      g2 += target(i) - p;
    }
    if (Math.abs(g1) < gradientTolerance && Math.abs(g2) < gradientTolerance) break;
    const determinant = h11 * h22 - h21 * h21;
    const stepA = -(h22 * g1 - h21 * g2) / determinant;
    const stepB = -(h11 * g2 - h21 * g1) / determinant;
    const slope = g1 * stepA + g2 * stepB;
    let scale = 1;
    for (; scale >= leastStep; scale /= 2) {
      const next = loss(a + scale * stepA, b + scale * stepB);
      if (next >= value + 1e-4 * scale * slope) continue;
      [a, b, value] = [a + scale * stepA, b + scale * stepB, next];
      break;
    }
    if (scale < leastStep) break; // no step helps any more
  }
  return { a, b };
}

/**
 * Class probabilities from those of pairs: `pairwise[i * k + j]` = P(i | i or j). Minimises
 * Σ_{i≠j} (r_ji p_i − r_ij p_j)² over distributions p, by the fixed-point iteration of Algorithm 2.
 */
export function coupleProbabilities(pairwise: Float64Array, k: number, out: Float64Array): void {
  const q = new Float64Array(k * k);
  const r = (i: number, j: number): number => pairwise[i * k + j] as number;
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      if (i === j) continue;
      q[i * k + i] = (q[i * k + i] as number) + r(j, i) * r(j, i);
      q[i * k + j] = -r(j, i) * r(i, j);
    }
  }
  const at = (i: number, j: number): number => q[i * k + j] as number;
  out.fill(1 / k);
  const products = new Float64Array(k);
  for (let round = 0; round < Math.max(100, k); round++) {
    let energy = 0;
    for (let i = 0; i < k; i++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += at(i, j) * (out[j] as number);
      products[i] = sum;
      energy += (out[i] as number) * sum;
    }
    if (products.every((product) => Math.abs(product - energy) < 0.005 / k)) return;
    for (let i = 0; i < k; i++) {
      const change = (energy - (products[i] as number)) / at(i, i);
      out[i] = (out[i] as number) + change;
      energy = (energy + change * (change * at(i, i) + 2 * (products[i] as number))) / (1 + change) ** 2;
      for (let j = 0; j < k; j++) {
        products[j] = ((products[j] as number) + change * at(i, j)) / (1 + change);
        out[j] = (out[j] as number) / (1 + change);
      }
    }
  }
}
