/**
 * Batch normalisation over the last (channel) axis and layer normalisation over trailing axes.
 *
 * Both share one formula: over each group of m elements, μ = Σ x / m, σ² = Σ (x − μ)² / m (biased),
 * x̂ = (x − μ) / √(σ² + ε), y = γ x̂ + β, and one gradient (Ioffe & Szegedy 2015, section 3, simplified):
 * dx = (g − mean(g) − x̂ · mean(g x̂)) / √(σ² + ε) with g = γ dy, means over the group.
 */
import { map, requireShape, size, zeros, type Nd } from "./nd.ts";

interface Grouping {
  readonly groups: number;
  /** The group whose mean and variance normalise element i. */
  readonly groupOf: (i: number) => number;
  /** The element of γ and β that element i takes. */
  readonly parameterOf: (i: number) => number;
}

interface Normalised {
  readonly mean: Nd;
  readonly variance: Nd;
  readonly xhat: Nd;
}

function normalise(x: Nd, { groups, groupOf }: Grouping, epsilon: number): Normalised {
  const count = x.data.length / groups;
  const mean = zeros([groups]);
  const variance = zeros([groups]);
  x.data.forEach((value, i) => {
    mean.data[groupOf(i)]! += value / count;
  });
  x.data.forEach((value, i) => {
    variance.data[groupOf(i)]! += (value - mean.data[groupOf(i)]!) ** 2 / count;
  });
  const xhat = map(x, (value, i) => (value - mean.data[groupOf(i)]!) / Math.sqrt(variance.data[groupOf(i)]! + epsilon));
  return { mean, variance, xhat };
}

export interface NormGradients {
  readonly dx: Nd;
  readonly dgamma: Nd;
  readonly dbeta: Nd;
}

function normaliseGrad(x: Nd, gamma: Nd, dy: Nd, grouping: Grouping, epsilon: number): NormGradients {
  requireShape("norm gradient: dy", dy.shape, x.shape);
  const { groups, groupOf, parameterOf } = grouping;
  const { variance, xhat } = normalise(x, grouping, epsilon);
  const count = x.data.length / groups;
  const dgamma = zeros(gamma.shape);
  const dbeta = zeros(gamma.shape);
  const meanG = new Float64Array(groups);
  const meanGXhat = new Float64Array(groups);
  dy.data.forEach((d, i) => {
    const g = gamma.data[parameterOf(i)]! * d;
    dgamma.data[parameterOf(i)]! += d * xhat.data[i]!;
    dbeta.data[parameterOf(i)]! += d;
    meanG[groupOf(i)]! += g / count;
    meanGXhat[groupOf(i)]! += (g * xhat.data[i]!) / count;
  });
  const dx = map(dy, (d, i) => {
    const group = groupOf(i);
    const g = gamma.data[parameterOf(i)]! * d;
    return (g - meanG[group]! - xhat.data[i]! * meanGXhat[group]!) / Math.sqrt(variance.data[group]! + epsilon);
  });
  return { dx, dgamma, dbeta };
}

function byChannel(x: Nd): Grouping {
  const channels = x.shape.at(-1)!;
  return { groups: channels, groupOf: (i) => i % channels, parameterOf: (i) => i % channels };
}

/**
 * Training mode: x [..., C] is normalised by the mean and biased variance of each channel in this batch, both of
 * which are returned. ε defaults to Keras' 1e-3; PyTorch's is 1e-5.
 */
export function batchNorm(x: Nd, gamma: Nd, beta: Nd, epsilon = 1e-3): { y: Nd; mean: Nd; variance: Nd } {
  const grouping = byChannel(x);
  requireShape("batchNorm: gamma", gamma.shape, [grouping.groups]);
  requireShape("batchNorm: beta", beta.shape, [grouping.groups]);
  const { mean, variance, xhat } = normalise(x, grouping, epsilon);
  const y = map(xhat, (value, i) => gamma.data[i % grouping.groups]! * value + beta.data[i % grouping.groups]!);
  return { y, mean, variance };
}

/** The gradient through the batch's own mean and variance. */
export function batchNormGrad(x: Nd, gamma: Nd, dy: Nd, epsilon = 1e-3): NormGradients {
  return normaliseGrad(x, gamma, dy, byChannel(x), epsilon);
}

/** Inference mode: y = γ (x − mean) / √(variance + ε) + β with given statistics. */
export function batchNormInference(x: Nd, gamma: Nd, beta: Nd, mean: Nd, variance: Nd, epsilon = 1e-3): Nd {
  const channels = x.shape.at(-1)!;
  return map(x, (value, i) => {
    const c = i % channels;
    return (gamma.data[c]! * (value - mean.data[c]!)) / Math.sqrt(variance.data[c]! + epsilon) + beta.data[c]!;
  });
}

/** A frozen layer: the statistics are constants, so dx = γ dy / √(variance + ε). */
export function batchNormInferenceGrad(
  x: Nd,
  gamma: Nd,
  mean: Nd,
  variance: Nd,
  dy: Nd,
  epsilon = 1e-3,
): NormGradients {
  const channels = x.shape.at(-1)!;
  const dgamma = zeros([channels]);
  const dbeta = zeros([channels]);
  const dx = map(x, (value, i) => {
    const c = i % channels;
    const scale = 1 / Math.sqrt(variance.data[c]! + epsilon);
    dgamma.data[c]! += dy.data[i]! * (value - mean.data[c]!) * scale;
    dbeta.data[c]! += dy.data[i]!;
    return dy.data[i]! * gamma.data[c]! * scale;
  });
  return { dx, dgamma, dbeta };
}

export interface RunningStatistics {
  readonly mean: Nd;
  readonly variance: Nd;
}

/**
 * Moves the running statistics towards those of a batch of `count` elements a channel (`batch.variance` biased).
 * "keras": r ← m·r + (1 − m)·batch, biased variance (m = 0.99 by default there).
 * "pytorch": r ← (1 − m)·r + m·batch, unbiased variance: biased · count/(count − 1) (m = 0.1 by default there);
 * a count of 1, which PyTorch refuses, leaves the variance uncorrected.
 */
export function runningUpdate(
  running: RunningStatistics,
  batch: RunningStatistics,
  count: number,
  momentum: number,
  convention: "keras" | "pytorch",
): RunningStatistics {
  const keep = convention === "keras" ? momentum : 1 - momentum;
  const correction = convention === "pytorch" && count > 1 ? count / (count - 1) : 1;
  return {
    mean: map(running.mean, (r, c) => keep * r + (1 - keep) * batch.mean.data[c]!),
    variance: map(running.variance, (r, c) => keep * r + (1 - keep) * batch.variance.data[c]! * correction),
  };
}

function byRow(x: Nd, gamma: Nd): Grouping {
  const width = size(gamma.shape);
  requireShape("layerNorm: gamma", gamma.shape, x.shape.slice(x.shape.length - gamma.shape.length));
  return { groups: x.data.length / width, groupOf: (i) => Math.floor(i / width), parameterOf: (i) => i % width };
}

/**
 * Layer normalisation (Ba et al. 2016) over the trailing axes that γ and β span, each row by itself.
 * ε defaults to Keras' 1e-3; PyTorch's is 1e-5. `mean` and `variance` have one element a row.
 */
export function layerNorm(x: Nd, gamma: Nd, beta: Nd, epsilon = 1e-3): { y: Nd; mean: Nd; variance: Nd } {
  const grouping = byRow(x, gamma);
  requireShape("layerNorm: beta", beta.shape, gamma.shape);
  const { mean, variance, xhat } = normalise(x, grouping, epsilon);
  const y = map(xhat, (value, i) => gamma.data[grouping.parameterOf(i)]! * value + beta.data[grouping.parameterOf(i)]!);
  return { y, mean, variance };
}

export function layerNormGrad(x: Nd, gamma: Nd, dy: Nd, epsilon = 1e-3): NormGradients {
  return normaliseGrad(x, gamma, dy, byRow(x, gamma), epsilon);
}
