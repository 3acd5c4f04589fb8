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

/** g ← min(max(g, −limit), limit) (Keras' clipvalue). */
export function clipByValue(g: Vector, limit: number): Vector {
  return g.map((value) => Math.min(Math.max(value, -limit), limit));
}

/** Decoupled decay (Loshchilov & Hutter 2019): p ← (1 − η λ) p, before the step with the plain gradient (PyTorch). */
export function decayed(p: Vector, learningRate: number, weightDecay: number): Vector {
  return p.map((value) => value * (1 - learningRate * weightDecay));
}

export interface AdamState {
  readonly p: Vector;
  readonly m: Vector;
  readonly v: Vector;
  /** The greatest v so far; AMSGrad's alone. */
  readonly greatest?: Vector;
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
  /** v̂ = max over all steps of v, divided by 1 − β₂ᵗ (Reddi et al. 2018; PyTorch). */
  readonly amsgrad?: boolean;
}

/** m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t = 1, 2, … (Kingma & Ba 2015) */
export function adam(state: AdamState, g: Vector, options: AdamOptions): AdamState {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0 } = options;
  const { epsilonHat = false, amsgrad = false } = options;
  const gradient = withL2(state.p, g, weightDecay);
  const step = state.step + 1;
  const m = state.m.map((value, i) => beta1 * value + (1 - beta1) * gradient[i]!);
  const v = state.v.map((value, i) => beta2 * value + (1 - beta2) * gradient[i]! ** 2);
  const greatest = v.map((value, i) => Math.max(value, amsgrad ? (state.greatest?.[i] ?? 0) : 0));
  const correction1 = 1 - beta1 ** step;
  const correction2 = 1 - beta2 ** step;
  const p = state.p.map((value, i) => {
    const update = epsilonHat
      ? ((Math.sqrt(correction2) / correction1) * m[i]!) / (Math.sqrt(greatest[i]!) + epsilon)
      : m[i]! / correction1 / (Math.sqrt(greatest[i]! / correction2) + epsilon);
    return value - learningRate * update;
  });
  return { p, m, v, greatest, step };
}

/** Decoupled decay, then Adam's step with the plain gradient (Loshchilov & Hutter 2019; PyTorch). */
export function adamW(state: AdamState, g: Vector, { weightDecay = 0.01, ...options }: AdamOptions): AdamState {
  return adam({ ...state, p: decayed(state.p, options.learningRate, weightDecay) }, g, options);
}

export interface NadamState {
  readonly p: Vector;
  readonly m: Vector;
  readonly v: Vector;
  readonly step: number;
  /** μ₁ · … · μₜ */
  readonly product: number;
}

export interface NadamOptions {
  readonly learningRate: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly momentumDecay?: number;
}

/**
 * μₜ = β₁ (1 − 0.5 · 0.96^(t ψ)); p ← p − η [μₜ₊₁ m / (1 − Πₜ₊₁) + (1 − μₜ) g / (1 − Πₜ)] / (√v̂ + ε) (Dozat 2016,
 * algorithm 2; PyTorch's NAdam, where ψ = 0.004)
 */
export function nadam(state: NadamState, g: Vector, options: NadamOptions): NadamState {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, momentumDecay = 0.004 } = options;
  const step = state.step + 1;
  const momentumAt = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
  const [mu, next] = [momentumAt(step), momentumAt(step + 1)];
  const product = state.product * mu;
  const m = state.m.map((value, i) => beta1 * value + (1 - beta1) * g[i]!);
  const v = state.v.map((value, i) => beta2 * value + (1 - beta2) * g[i]! ** 2);
  const p = state.p.map((value, i) => {
    const direction = (next * m[i]!) / (1 - product * next) + ((1 - mu) * g[i]!) / (1 - product);
    return value - (learningRate * direction) / (Math.sqrt(v[i]! / (1 - beta2 ** step)) + epsilon);
  });
  return { p, m, v, step, product };
}

export interface AdamaxState {
  readonly p: Vector;
  readonly m: Vector;
  /** Running maximum norm. */
  readonly n: Vector;
  readonly step: number;
}

/** m as in Adam; n ← max(β₂ n, |g|); p ← p − η / (1 − β₁ᵗ) · m / (n + ε) (Kingma & Ba 2015, algorithm 2; Keras) */
export function adamax(state: AdamaxState, g: Vector, options: Omit<NadamOptions, "momentumDecay">): AdamaxState {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  const step = state.step + 1;
  const m = state.m.map((value, i) => beta1 * value + (1 - beta1) * g[i]!);
  const n = state.n.map((value, i) => Math.max(beta2 * value, Math.abs(g[i]!)));
  const p = state.p.map((value, i) => value - ((learningRate / (1 - beta1 ** step)) * m[i]!) / (n[i]! + epsilon));
  return { p, m, n, step };
}

export interface AdagradState {
  readonly p: Vector;
  /** Σ g² */
  readonly s: Vector;
}

/** s ← s + g²; p ← p − η g / √(a + s + ε) (Duchi et al. 2011; Keras, which begins the sum at a = 0.1) */
export function adagrad(
  state: AdagradState,
  g: Vector,
  { learningRate, initial = 0.1, epsilon = 1e-7 }: { learningRate: number; initial?: number; epsilon?: number },
): AdagradState {
  const s = state.s.map((value, i) => value + g[i]! ** 2);
  return { p: state.p.map((value, i) => value - (learningRate * g[i]!) / Math.sqrt(initial + s[i]! + epsilon)), s };
}

export interface AdadeltaState {
  readonly p: Vector;
  readonly v: Vector;
  /** Running mean of Δ². */
  readonly d: Vector;
}

/** v ← ρ v + (1 − ρ) g²; Δ = √(d + ε)/√(v + ε) · g; d ← ρ d + (1 − ρ) Δ²; p ← p − η Δ (Zeiler 2012, algorithm 1) */
export function adadelta(
  state: AdadeltaState,
  g: Vector,
  { learningRate, rho = 0.95, epsilon = 1e-7 }: { learningRate: number; rho?: number; epsilon?: number },
): AdadeltaState {
  const v = state.v.map((value, i) => rho * value + (1 - rho) * g[i]! ** 2);
  const move = state.d.map((value, i) => (Math.sqrt(value + epsilon) / Math.sqrt(v[i]! + epsilon)) * g[i]!);
  const d = state.d.map((value, i) => rho * value + (1 - rho) * move[i]! ** 2);
  return { p: state.p.map((value, i) => value - learningRate * move[i]!), v, d };
}

export interface RmspropState {
  readonly p: Vector;
  /** Running mean of g². */
  readonly v: Vector;
  readonly velocity: Vector;
  /** Running mean of g; the centred form's alone. */
  readonly m?: Vector;
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
  /** v − m² in place of v under the root (Graves 2013, equations 38 to 45). */
  readonly centered?: boolean;
}

/**
 * v ← ρ v + (1 − ρ) g² (Tieleman & Hinton 2012); u ← μ u + g/√(v + ε); p ← p − η u. Keras keeps η inside u: the same
 * while η is constant.
 */
export function rmsprop(state: RmspropState, g: Vector, options: RmspropOptions): RmspropState {
  const { learningRate, rho = 0.9, momentum = 0, epsilon = 1e-7, weightDecay = 0 } = options;
  const { epsilonInside = true, centered = false } = options;
  const gradient = withL2(state.p, g, weightDecay);
  const v = state.v.map((value, i) => rho * value + (1 - rho) * gradient[i]! ** 2);
  const m = gradient.map((value, i) => rho * (state.m?.[i] ?? 0) + (1 - rho) * value);
  const velocity = state.velocity.map((value, i) => {
    const spread = centered ? v[i]! - m[i]! ** 2 : v[i]!;
    const scale = epsilonInside ? Math.sqrt(spread + epsilon) : Math.sqrt(spread) + epsilon;
    return momentum * value + gradient[i]! / scale;
  });
  return { p: state.p.map((value, i) => value - learningRate * velocity[i]!), v, velocity, m };
}

/** g · min(1, limit/‖g‖₂), the norm taken over all gradients together (Pascanu et al. 2013; Keras' global_clipnorm). */
export function clipByGlobalNorm(gradients: readonly Vector[], limit: number): { clipped: Vector[]; norm: number } {
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((inner, value) => inner + value * value, 0), 0));
  const scale = norm > limit ? limit / norm : 1;
  return { clipped: gradients.map((g) => g.map((value) => value * scale)), norm };
}
