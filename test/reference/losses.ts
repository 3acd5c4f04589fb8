/**
 * Losses: each as the value and the slope of single terms; and how terms are weighed and reduced, which is the same for
 * all of them.
 */
import { unary } from "./elementwise.ts";
import { forEachLine, map, nd, zeros, type Nd } from "./nd.ts";
import { logSoftmax } from "./softmax.ts";

export type Reduction = "mean" | "weightedMean" | "sum" | "none";

function divisor(weights: Nd, reduction: Reduction): number {
  if (reduction === "mean") return weights.data.length;
  return reduction === "weightedMean" ? weights.data.reduce((sum, weight) => sum + weight, 0) : 1;
}

/** Σ w ℓ / divisor: the number of terms (Keras), the sum of weights (PyTorch), or 1; or the weighted terms themselves. */
export function reduced(terms: Nd, weights: Nd, reduction: Reduction): Nd {
  const weighted = map(terms, (value, i) => value * weights.data[i]!);
  if (reduction === "none") return weighted;
  return nd([], [weighted.data.reduce((sum, value) => sum + value, 0) / divisor(weights, reduction)]);
}

/** dL/dℓ of each term. */
export function reducedGrad(weights: Nd, reduction: Reduction, dy: Nd): Nd {
  return map(weights, (weight, i) => (weight * dy.data[reduction === "none" ? i : 0]!) / divisor(weights, reduction));
}

/** One-hot rows. */
export function oneHot(labels: ArrayLike<number>, classes: number): Nd {
  const rows = zeros([labels.length, classes]);
  Array.from(labels).forEach((label, row) => (rows.data[row * classes + label] = 1));
  return rows;
}

/** (1 − ε)·t + ε/K (Szegedy et al. 2016, section 7) */
export function smoothed(targets: Nd, smoothing: number): Nd {
  return map(targets, (t) => (1 - smoothing) * t + smoothing / targets.shape[1]!);
}

/** −Σₖ qₖ ln softmax(z)ₖ of each row */
export function crossEntropy(logits: Nd, targets: Nd): Nd {
  const logs = logSoftmax(logits);
  const rows = zeros([logits.shape[0]!]);
  forEachLine(logits.shape, 1, (line, row) => {
    for (const i of line) rows.data[row]! -= targets.data[i]! * logs.data[i]!;
  });
  return rows;
}

/** d/dzₖ = softmax(z)ₖ Σⱼ qⱼ − qₖ, times the gradient of the row */
export function crossEntropyGrad(logits: Nd, targets: Nd, drow: Nd): Nd {
  const logs = logSoftmax(logits);
  const dz = zeros(logits.shape);
  forEachLine(logits.shape, 1, (line, row) => {
    const mass = line.reduce((sum, i) => sum + targets.data[i]!, 0);
    for (const i of line) dz.data[i] = (Math.exp(logs.data[i]!) * mass - targets.data[i]!) * drow.data[row]!;
  });
  return dz;
}

/** What a row of these targets weighs: Σₖ tₖ cₖ */
export function rowWeights(targets: Nd, classWeights: Nd): Nd {
  const rows = zeros([targets.shape[0]!]);
  forEachLine(targets.shape, 1, (line, row) => {
    line.forEach((i, k) => (rows.data[row]! += targets.data[i]! * classWeights.data[k]!));
  });
  return rows;
}

export interface ElementLoss {
  /** ℓ(x, t), p its parameter */
  readonly value: (x: number, t: number, p: number) => number;
  /** dℓ/dx */
  readonly slope: (x: number, t: number, p: number) => number;
}

/** s of hinge losses: 1 for a positive target, else −1 */
const side = (t: number): number => (t > 0 ? 1 : -1);
const { sigmoid, softplus } = unary;

export const elementLosses = {
  /** −p t ln σ(x) − (1 − t) ln (1 − σ(x)) = p t softplus(−x) + (1 − t) softplus(x) */
  sigmoidCrossEntropy: {
    value: (x, t, p) => p * t * softplus.f(-x) + (1 - t) * softplus.f(x),
    slope: (x, t, p) => (1 - t) * sigmoid.f(x) - p * t * sigmoid.f(-x),
  },
  meanSquaredError: { value: (x, t) => (x - t) ** 2, slope: (x, t) => 2 * (x - t) },
  meanAbsoluteError: { value: (x, t) => Math.abs(x - t), slope: (x, t) => Math.sign(x - t) },
  /** ½ d² for |d| ≤ δ, else δ (|d| − ½ δ) (Huber 1964) */
  huber: {
    value: (x, t, p) => (Math.abs(x - t) <= p ? (x - t) ** 2 / 2 : p * (Math.abs(x - t) - p / 2)),
    slope: (x, t, p) => (Math.abs(x - t) <= p ? x - t : p * Math.sign(x - t)),
  },
  hinge: {
    value: (x, t) => Math.max(0, 1 - side(t) * x),
    slope: (x, t) => (1 - side(t) * x > 0 ? -side(t) : 0),
  },
  squaredHinge: {
    value: (x, t) => Math.max(0, 1 - side(t) * x) ** 2,
    slope: (x, t) => -2 * side(t) * Math.max(0, 1 - side(t) * x),
  },
} satisfies Record<string, ElementLoss>;

/** max(0, 1 + max_{k ≠ y} x_k − x_y) of each row (Crammer & Singer 2001), and the strongest other class. */
export function categoricalHinge(x: Nd, labels: ArrayLike<number>): { rows: Nd; rivals: number[] } {
  const rows = zeros([labels.length]);
  const rivals: number[] = [];
  forEachLine(x.shape, 1, (line, row) => {
    const own = line[labels[row]!]!;
    const rival = line.filter((i) => i !== own).reduce((best, i) => (x.data[i]! > x.data[best]! ? i : best));
    rows.data[row] = Math.max(0, 1 + x.data[rival]! - x.data[own]!);
    rivals.push(rival);
  });
  return { rows, rivals };
}

/** 1 − meanₖ (1 + β²) TPₖ / ((1 + β²) TPₖ + β² FNₖ + FPₖ + ε) with counts made of probabilities */
export function softFBeta(logits: Nd, targets: Nd, beta: number, epsilon: number): number {
  const [rows, classes] = logits.shape as [number, number];
  let sum = 0;
  for (let k = 0; k < classes; k++) {
    let [tp, fn, fp] = [0, 0, 0];
    for (let row = 0; row < rows; row++) {
      const p = sigmoid.f(logits.data[row * classes + k]!);
      const t = targets.data[row * classes + k]!;
      tp += p * t;
      fn += (1 - p) * t;
      fp += p * (1 - t);
    }
    sum += ((1 + beta ** 2) * tp) / ((1 + beta ** 2) * tp + beta ** 2 * fn + fp + epsilon);
  }
  return 1 - sum / classes;
}

/** With D the denominator, Σp + β² Σt + ε: dL/dx = −1/K · (1 + β²) (t D − TP) / D² · p (1 − p) */
export function softFBetaGrad(logits: Nd, targets: Nd, beta: number, epsilon: number): Nd {
  const classes = logits.shape[1]!;
  const p = map(logits, sigmoid.f);
  const columns = (value: (i: number) => number): number[] => {
    const sums = new Array<number>(classes).fill(0);
    logits.data.forEach((_, i) => (sums[i % classes]! += value(i)));
    return sums;
  };
  const tp = columns((i) => p.data[i]! * targets.data[i]!);
  const all = columns((i) => p.data[i]! + beta ** 2 * targets.data[i]!);
  return map(logits, (_, i) => {
    const d = all[i % classes]! + epsilon;
    const slope = ((1 + beta ** 2) * (targets.data[i]! * d - tp[i % classes]!)) / d ** 2;
    return (-slope * p.data[i]! * (1 - p.data[i]!)) / classes;
  });
}
