/**
 * Functions of one or two numbers, applied element by element, with NumPy's broadcasting.
 *
 * Every entry is a formula and its derivative. Where a function has a kink, the derivative is a convention; the ones
 * here are TensorFlow's: relu′(0) = 0, relu6′(0) = relu6′(6) = 0, |x|′(0) = 0, leakyRelu′(0) = α, and a tie of
 * maximum or minimum gives its gradient to the first operand.
 */
import { map, nd, requireShape, size, strides, unravel, zeros, type Nd } from "./nd.ts";

export interface Unary {
  /** y = f(x) */
  readonly f: (x: number) => number;
  /** dy/dx */
  readonly df: (x: number) => number;
}

export interface Binary {
  /** y = f(a, b) */
  readonly f: (a: number, b: number) => number;
  /** ∂y/∂a */
  readonly da: (a: number, b: number) => number;
  /** ∂y/∂b */
  readonly db: (a: number, b: number) => number;
}

/**
 * erf(x) = 2/√π ∫₀ˣ exp(−t²) dt.
 * |x| < 2: 2/√π · exp(−x²) · Σₙ 2ⁿ x²ⁿ⁺¹ / (2n+1)!! (Abramowitz & Stegun 7.1.6, all terms of one sign);
 * beyond: 1 − erfc(x).
 */
export function erf(x: number): number {
  if (Math.abs(x) >= 2) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/**
 * erfc(x) = 1 − erf(x), without cancellation for large x.
 * x ≥ 2: exp(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + 2/(x + …))))) (Abramowitz & Stegun 7.1.14).
 */
export function erfc(x: number): number {
  if (x < 2) return 1 - erf(x);
  let tail = x;
  for (let k = 200; k >= 1; k--) tail = x + k / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}

/** Φ(x) = erfc(−x/√2) / 2, the standard normal distribution function. */
const normalCdf = (x: number): number => erfc(-x / Math.SQRT2) / 2;
/** φ(x) = exp(−x²/2) / √(2π), its density. */
const normalPdf = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** σ(x) = 1/(1 + e⁻ˣ), from the side on which exp does not overflow. */
const logistic = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
/** u(x) = √(2/π) (x + 0.044715 x³), the argument of tanh in the approximate GELU. */
const geluArgument = (x: number): number => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

export const unary = {
  /** y = x */
  identity: { f: (x) => x, df: () => 1 },
  /** y = −x */
  neg: { f: (x) => -x, df: () => -1 },
  /** y = eˣ */
  exp: { f: Math.exp, df: Math.exp },
  /** y = ln x */
  log: { f: Math.log, df: (x) => 1 / x },
  /** y = √x */
  sqrt: { f: Math.sqrt, df: (x) => 1 / (2 * Math.sqrt(x)) },
  /** y = x² */
  square: { f: (x) => x * x, df: (x) => 2 * x },
  /** y = |x| */
  abs: { f: Math.abs, df: (x) => Math.sign(x) },
  /** y = max(x, 0) */
  relu: { f: (x) => (x > 0 ? x : 0), df: (x) => (x > 0 ? 1 : 0) },
  /** y = min(max(x, 0), 6) */
  relu6: { f: (x) => Math.min(Math.max(x, 0), 6), df: (x) => (x > 0 && x < 6 ? 1 : 0) },
  /** y = σ(x) = 1/(1 + e⁻ˣ), y′ = σ(x) σ(−x) */
  sigmoid: { f: logistic, df: (x) => logistic(x) * logistic(-x) },
  /** y = tanh x, y′ = 1/cosh² x */
  tanh: { f: Math.tanh, df: (x) => 1 / Math.cosh(x) ** 2 },
  /** y = x σ(x) (Elfwing et al. 2017; Ramachandran et al. 2017 with β = 1) */
  silu: { f: (x) => x * logistic(x), df: (x) => logistic(x) * (1 + x * logistic(-x)) },
  /** y = x Φ(x) (Hendrycks & Gimpel 2016, exact form) */
  gelu: { f: (x) => x * normalCdf(x), df: (x) => normalCdf(x) + x * normalPdf(x) },
  /** y = x/2 · (1 + tanh u(x)), u = √(2/π) (x + 0.044715 x³) (Hendrycks & Gimpel 2016, tanh form) */
  geluTanh: {
    f: (x) => (x / 2) * (1 + Math.tanh(geluArgument(x))),
    df: (x) => {
      const u = geluArgument(x);
      const du = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
      return (1 + Math.tanh(u)) / 2 + ((x / 2) * du) / Math.cosh(u) ** 2;
    },
  },
  /** y = ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), y′ = σ(x) */
  softplus: { f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), df: logistic },
} as const satisfies Record<string, Unary>;

/** y = x for x > 0, α x otherwise (Maas et al. 2013). */
export function leakyRelu(alpha: number): Unary {
  return { f: (x) => (x > 0 ? x : alpha * x), df: (x) => (x > 0 ? 1 : alpha) };
}

/** y = x for x > 0, α (eˣ − 1) otherwise (Clevert et al. 2016). */
export function elu(alpha: number): Unary {
  return { f: (x) => (x > 0 ? x : alpha * Math.expm1(x)), df: (x) => (x > 0 ? 1 : alpha * Math.exp(x)) };
}

export const binary = {
  /** y = a + b */
  add: { f: (a, b) => a + b, da: () => 1, db: () => 1 },
  /** y = a − b */
  sub: { f: (a, b) => a - b, da: () => 1, db: () => -1 },
  /** y = a b */
  mul: { f: (a, b) => a * b, da: (_, b) => b, db: (a) => a },
  /** y = a / b */
  div: { f: (a, b) => a / b, da: (_, b) => 1 / b, db: (a, b) => -a / (b * b) },
  /** y = max(a, b); a tie counts as a */
  maximum: { f: (a, b) => (a >= b ? a : b), da: (a, b) => (a >= b ? 1 : 0), db: (a, b) => (a >= b ? 0 : 1) },
  /** y = min(a, b); a tie counts as a */
  minimum: { f: (a, b) => (a <= b ? a : b), da: (a, b) => (a <= b ? 1 : 0), db: (a, b) => (a <= b ? 0 : 1) },
  /** y = aᵇ; ∂y/∂a = b aᵇ⁻¹ (0 for b = 0); ∂y/∂b = aᵇ ln a, taken as 0 where a ≤ 0 (TensorFlow) */
  pow: {
    f: (a, b) => a ** b,
    da: (a, b) => (b === 0 ? 0 : b * a ** (b - 1)),
    db: (a, b) => (a > 0 ? a ** b * Math.log(a) : 0),
  },
} as const satisfies Record<string, Binary>;

/** yᵢ = f(xᵢ) */
export function applyUnary(op: Unary, x: Nd): Nd {
  return map(x, (value) => op.f(value));
}

/** dxᵢ = dyᵢ · f′(xᵢ) */
export function unaryGrad(op: Unary, x: Nd, dy: Nd): Nd {
  requireShape("unaryGrad: dy", dy.shape, x.shape);
  return map(x, (value, i) => dy.data[i]! * op.df(value));
}

/** The common shape of two operands: aligned at the last axis, each pair of extents equal or one of them 1 (NumPy). */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const extentA = a[axis - rank + a.length] ?? 1;
    const extentB = b[axis - rank + b.length] ?? 1;
    if (extentA !== extentB && extentA !== 1 && extentB !== 1) {
      throw new RangeError(`shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`);
    }
    return extentA === 1 ? extentB : extentA;
  });
}

/** For each element of the broadcast shape `to`, the flat position in `from` of the element that it repeats. */
export function broadcastSource(from: readonly number[], to: readonly number[]): Int32Array {
  const step = strides(from);
  const skipped = to.length - from.length;
  return Int32Array.from({ length: size(to) }, (_, flat) =>
    unravel(flat, to)
      .slice(skipped)
      .reduce((position, k, axis) => position + (from[axis] === 1 ? 0 : k) * step[axis]!, 0),
  );
}

/** x repeated along the axes where its extent is 1 or missing. */
export function broadcastTo(x: Nd, shape: readonly number[]): Nd {
  return nd(
    shape,
    Float64Array.from(broadcastSource(x.shape, shape), (from) => x.data[from]!),
  );
}

/** The gradient of broadcasting: each element of `shape` receives the sum of dy over its copies. */
export function sumTo(dy: Nd, shape: readonly number[]): Nd {
  const dx = zeros(shape);
  broadcastSource(shape, dy.shape).forEach((to, i) => {
    dx.data[to]! += dy.data[i]!;
  });
  return dx;
}

/** y = f(a, b) after broadcasting both to their common shape. */
export function applyBinary(op: Binary, a: Nd, b: Nd): Nd {
  const shape = broadcastShape(a.shape, b.shape);
  const left = broadcastTo(a, shape);
  const right = broadcastTo(b, shape);
  return map(left, (value, i) => op.f(value, right.data[i]!));
}

/** da = Σ over a's copies of dy · ∂f/∂a, db likewise. */
export function binaryGrad(op: Binary, a: Nd, b: Nd, dy: Nd): { da: Nd; db: Nd } {
  const shape = broadcastShape(a.shape, b.shape);
  requireShape("binaryGrad: dy", dy.shape, shape);
  const left = broadcastTo(a, shape);
  const right = broadcastTo(b, shape);
  return {
    da: sumTo(
      map(dy, (g, i) => g * op.da(left.data[i]!, right.data[i]!)),
      a.shape,
    ),
    db: sumTo(
      map(dy, (g, i) => g * op.db(left.data[i]!, right.data[i]!)),
      b.shape,
    ),
  };
}
