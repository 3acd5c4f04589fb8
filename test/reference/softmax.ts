/**
 * Softmax, and the losses: each a formula, its mean, and the gradient of that mean.
 */
import { unary } from "./elementwise.ts";
import { forEachLine, map, requireShape, zeros, type Nd } from "./nd.ts";

/** yₖ = e^(xₖ − m) / Σⱼ e^(xⱼ − m), m = max x, along `axis` */
export function softmax(x: Nd, axis = -1): Nd {
  return map(logSoftmax(x, axis), Math.exp);
}

/** dxₖ = yₖ (dyₖ − Σⱼ dyⱼ yⱼ) */
export function softmaxGrad(x: Nd, dy: Nd, axis = -1): Nd {
  requireShape("softmaxGrad: dy", dy.shape, x.shape);
  const y = softmax(x, axis);
  const dx = zeros(x.shape);
  forEachLine(x.shape, axis, (line) => {
    let weighted = 0;
    for (const i of line) weighted += dy.data[i]! * y.data[i]!;
    for (const i of line) dx.data[i] = y.data[i]! * (dy.data[i]! - weighted);
  });
  return dx;
}

/** yₖ = xₖ − m − ln Σⱼ e^(xⱼ − m), m = max x, along `axis` */
export function logSoftmax(x: Nd, axis = -1): Nd {
  const y = zeros(x.shape);
  forEachLine(x.shape, axis, (line) => {
    let largest = x.data[line[0]!]!;
    for (const i of line) largest = Math.max(largest, x.data[i]!);
    let sum = 0;
    for (const i of line) sum += Math.exp(x.data[i]! - largest);
    for (const i of line) y.data[i] = x.data[i]! - largest - Math.log(sum);
  });
  return y;
}

/** dxₖ = dyₖ − softmax(x)ₖ Σⱼ dyⱼ */
export function logSoftmaxGrad(x: Nd, dy: Nd, axis = -1): Nd {
  requireShape("logSoftmaxGrad: dy", dy.shape, x.shape);
  const p = softmax(x, axis);
  const dx = zeros(x.shape);
  forEachLine(x.shape, axis, (line) => {
    let total = 0;
    for (const i of line) total += dy.data[i]!;
    for (const i of line) dx.data[i] = dy.data[i]! - p.data[i]! * total;
  });
  return dx;
}

export interface CrossEntropyOptions {
  /** ε of label smoothing: targets q = (1 − ε)·onehot + ε/K (Szegedy et al. 2016, equation 10; Keras). */
  readonly smoothing?: number | undefined;
  /** One factor a class: row i weighs `classWeights[labels[i]]` times its sample weight (Keras). */
  readonly classWeights?: ArrayLike<number> | undefined;
  /** One factor a row. */
  readonly sampleWeights?: ArrayLike<number> | undefined;
  /** What the weighted sum is divided by: the number of rows (default; Keras) or the sum of weights (PyTorch). */
  readonly divideBy?: "rows" | "weights" | undefined;
}

interface Row {
  readonly line: readonly number[];
  readonly label: number;
  /** wᵢ / divisor */
  readonly weight: number;
}

function rowsOf(logits: Nd, labels: ArrayLike<number>, options: CrossEntropyOptions): Row[] {
  const classes = logits.shape.at(-1)!;
  const { classWeights, sampleWeights, divideBy } = options;
  const chosen = Array.from({ length: logits.data.length / classes }, (_, i) => {
    const label = labels[i];
    if (label === undefined || !Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(`softmaxCrossEntropy: label ${label} of row ${i} is not one of ${classes} classes`);
    }
    return label;
  });
  const weights = chosen.map((label, i) => (classWeights?.[label] ?? 1) * (sampleWeights?.[i] ?? 1));
  const divisor = divideBy === "weights" ? weights.reduce((sum, weight) => sum + weight, 0) : weights.length;
  const rows: Row[] = [];
  forEachLine(logits.shape, -1, (line, i) => {
    rows.push({ line, label: chosen[i]!, weight: weights[i]! / divisor });
  });
  return rows;
}

/** qₖ = (1 − ε)·[k = label] + ε/K */
function target(k: number, { label, line }: Row, smoothing: number): number {
  return (k === label ? 1 - smoothing : 0) + smoothing / line.length;
}

/**
 * rows[i] = −Σₖ qₖ ln softmax(logits)ᵢₖ, one a row (the last axis holds the classes), unweighted;
 * loss = Σᵢ wᵢ rows[i] / divisor.
 */
export function softmaxCrossEntropy(
  logits: Nd,
  labels: ArrayLike<number>,
  options: CrossEntropyOptions = {},
): { loss: number; rows: Nd } {
  const logp = logSoftmax(logits);
  const rows = zeros(logits.shape.slice(0, -1));
  let loss = 0;
  rowsOf(logits, labels, options).forEach((row, i) => {
    let entropy = 0;
    row.line.forEach((at, k) => {
      entropy -= target(k, row, options.smoothing ?? 0) * logp.data[at]!;
    });
    rows.data[i] = entropy;
    loss += row.weight * entropy;
  });
  return { loss, rows };
}

/** dlogitsᵢₖ = scale · wᵢ/divisor · (softmax(logits)ᵢₖ − qₖ); `scale` is the gradient that reaches the loss. */
export function softmaxCrossEntropyGrad(
  logits: Nd,
  labels: ArrayLike<number>,
  options: CrossEntropyOptions = {},
  scale = 1,
): Nd {
  const p = softmax(logits);
  const dx = zeros(logits.shape);
  for (const row of rowsOf(logits, labels, options)) {
    row.line.forEach((at, k) => {
      dx.data[at] = scale * row.weight * (p.data[at]! - target(k, row, options.smoothing ?? 0));
    });
  }
  return dx;
}

export interface BceOptions {
  /** Factor on the positive term (PyTorch's pos_weight). */
  readonly positiveWeight?: number | undefined;
}

/** Mean over all elements of w·z·softplus(−x) + (1 − z)·softplus(x), x the logit, z the target in [0, 1]. */
export function bceWithLogits(logits: Nd, targets: Nd, { positiveWeight = 1 }: BceOptions = {}): number {
  requireShape("bceWithLogits: targets", targets.shape, logits.shape);
  let sum = 0;
  logits.data.forEach((x, i) => {
    const z = targets.data[i]!;
    sum += positiveWeight * z * unary.softplus.f(-x) + (1 - z) * unary.softplus.f(x);
  });
  return sum / logits.data.length;
}

/** dx = scale/n · ((1 − z)·σ(x) − w·z·σ(−x)) */
export function bceWithLogitsGrad(logits: Nd, targets: Nd, { positiveWeight = 1 }: BceOptions = {}, scale = 1): Nd {
  return map(logits, (x, i) => {
    const z = targets.data[i]!;
    return (scale / logits.data.length) * ((1 - z) * unary.sigmoid.f(x) - positiveWeight * z * unary.sigmoid.f(-x));
  });
}

/** Mean over all elements of (x − z)² */
export function meanSquaredError(x: Nd, targets: Nd): number {
  requireShape("meanSquaredError: targets", targets.shape, x.shape);
  return x.data.reduce((sum, value, i) => sum + (value - targets.data[i]!) ** 2, 0) / x.data.length;
}

/** dx = scale · 2 (x − z) / n */
export function meanSquaredErrorGrad(x: Nd, targets: Nd, scale = 1): Nd {
  return map(x, (value, i) => (scale * 2 * (value - targets.data[i]!)) / x.data.length);
}
