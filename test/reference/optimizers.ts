/**
 * One step of each optimiser over a flat vector of parameters. Every function returns new arrays and leaves its
 * arguments alone; state starts as zeros.
 */

type Vector = Float64Array;

/** g + λ p: L2 regularisation coupled into the gradient. */
function withL2(p: Vector, g: Vector, weightDecay: number): Vector {
  return g.map((value, i) => value + weightDecay * p[i]!);
}

export interface SgdState {
  readonly p: Vector;
  readonly velocity: Vector;
}

export interface SgdOptions {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Coupled L2: g ← g + λ p. */
  readonly weightDecay?: number;
}

/**
 * v ← μ v + g; p ← p − η v, or with Nesterov p ← p − η (g + μ v) (PyTorch). Keras keeps η inside the velocity
 * (v ← μ v − η g; p ← p + v): the same while η is constant.
 */
export function sgd(state: SgdState, g: Vector, options: SgdOptions): SgdState {
  const { learningRate, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  const gradient = withL2(state.p, g, weightDecay);
  const velocity = state.velocity.map((v, i) => momentum * v + gradient[i]!);
  const p = state.p.map(
    (value, i) => value - learningRate * (nesterov ? gradient[i]! + momentum * velocity[i]! : velocity[i]!),
  );
  return { p, velocity };
}

export interface AdamState {
  readonly p: Vector;
  readonly m: Vector;
  readonly v: Vector;
  /** Steps taken so far: 0 before the first. */
  readonly step: number;
}

export interface AdamOptions {
  readonly learningRate: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  /** Coupled L2: g ← g + λ p. */
  readonly weightDecay?: number;
  /**
   * false (default): p ← p − η m̂ / (√v̂ + ε) (Kingma & Ba 2015, algorithm 1; PyTorch, TensorFlow.js).
   * true: p ← p − η √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε) (ibid., end of section 2, "ε̂"; Keras): ε weighs more in early steps.
   */
  readonly epsilonHat?: boolean;
}

/** m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = 1, 2, … (Kingma & Ba 2015) */
export function adam(state: AdamState, g: Vector, options: AdamOptions): AdamState {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0, epsilonHat = false } = options;
  const gradient = withL2(state.p, g, weightDecay);
  const step = state.step + 1;
  const m = state.m.map((value, i) => beta1 * value + (1 - beta1) * gradient[i]!);
  const v = state.v.map((value, i) => beta2 * value + (1 - beta2) * gradient[i]! ** 2);
  const correction1 = 1 - beta1 ** step;
  const correction2 = 1 - beta2 ** step;
  const p = state.p.map((value, i) => {
    const update = epsilonHat
      ? ((Math.sqrt(correction2) / correction1) * m[i]!) / (Math.sqrt(v[i]!) + epsilon)
      : m[i]! / correction1 / (Math.sqrt(v[i]! / correction2) + epsilon);
    return value - learningRate * update;
  });
  return { p, m, v, step };
}

/** Decoupled decay (Loshchilov & Hutter 2019): p ← (1 − η λ) p, then Adam's step with the plain gradient (PyTorch). */
export function adamW(state: AdamState, g: Vector, { weightDecay = 0.01, ...options }: AdamOptions): AdamState {
  const decayed = state.p.map((value) => value * (1 - options.learningRate * weightDecay));
  return adam({ ...state, p: decayed }, g, options);
}

export interface RmspropState {
  readonly p: Vector;
  /** Running mean of g². */
  readonly v: Vector;
  readonly velocity: Vector;
}

export interface RmspropOptions {
  readonly learningRate: number;
  /** Decay of the running mean: ρ in Keras, α in PyTorch. */
  readonly rho?: number;
  readonly momentum?: number;
  readonly epsilon?: number;
  /** Coupled L2: g ← g + λ p. */
  readonly weightDecay?: number;
  /** true (default; Keras, TensorFlow.js): g/√(v + ε). false (PyTorch): g/(√v + ε). */
  readonly epsilonInside?: boolean;
}

/**
 * v ← ρ v + (1 − ρ) g² (Tieleman & Hinton 2012); u ← μ u + g/√(v + ε); p ← p − η u. Keras keeps η inside u: the same
 * while η is constant.
 */
export function rmsprop(state: RmspropState, g: Vector, options: RmspropOptions): RmspropState {
  const { learningRate, rho = 0.9, momentum = 0, epsilon = 1e-7, weightDecay = 0, epsilonInside = true } = options;
  const gradient = withL2(state.p, g, weightDecay);
  const v = state.v.map((value, i) => rho * value + (1 - rho) * gradient[i]! ** 2);
  const velocity = state.velocity.map((value, i) => {
    const scale = epsilonInside ? Math.sqrt(v[i]! + epsilon) : Math.sqrt(v[i]!) + epsilon;
    return momentum * value + gradient[i]! / scale;
  });
  return { p: state.p.map((value, i) => value - learningRate * velocity[i]!), v, velocity };
}

/** g · min(1, limit/‖g‖₂), the norm taken over all gradients together (Pascanu et al. 2013; Keras' global_clipnorm). */
export function clipByGlobalNorm(gradients: readonly Vector[], limit: number): { clipped: Vector[]; norm: number } {
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((inner, value) => inner + value * value, 0), 0));
  const scale = norm > limit ? limit / norm : 1;
  return { clipped: gradients.map((g) => g.map((value) => value * scale)), norm };
}
