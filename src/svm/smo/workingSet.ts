/**
 * Which two multipliers to change next.
 *
 * Why two: the constraint yᵀα = 0 forbids changing one. Why second order: the pair that violates the optimality conditions
 * most often gains little, because its kernel row says that the two points are alike or unlike. So i is the worst
 * violator, and j the one with which a step of the exact length lowers the objective most.
 *
 * Source: R.-E. Fan, P.-H. Chen, C.-J. Lin, "Working Set Selection Using Second Order Information for Training Support
 * Vector Machines", JMLR 6, 2005, WSS 2 (§2.3), written with F_t = y_t ∇f(α)_t:
 *   i = argmax −F_t over t in I_up;   j = argmax b²/a over t in I_low with b = F_t − F_i > 0, a = K_ii + K_tt − 2 K_it
 */

/** α_t can move so that y_t α_t grows (I_up). */
export const canRise = 1;
/** α_t can move so that y_t α_t falls (I_low). */
export const canFall = 2;

/** In place of a curvature that is not positive (duplicate points, sigmoid kernels). LIBSVM's TAU. */
export const leastCurvature = 1e-12;

/** The worst violators: the best of I_up and of I_low, by first order. */
export interface Extremes {
  /** Position of max −F over I_up, or −1. */
  readonly first: number;
  /** m(α) = max −F over I_up. */
  readonly up: number;
  /** −M(α) = max F over I_low. */
  readonly low: number;
}

export function extremes(gradient: Float64Array, moves: Uint8Array, active: number): Extremes {
  let [first, up, low] = [-1, -Infinity, -Infinity];
  for (let t = 0; t < active; t++) {
    const value = gradient[t] as number;
    const move = moves[t] as number;
    if ((move & canRise) !== 0 && -value > up) {
      up = -value;
      first = t;
    }
    if ((move & canFall) !== 0 && value > low) low = value;
  }
  return { first, up, low };
}

/** j for the given i, whose kernel row starts at `row` of `heap`; −1 where no step lowers the objective. */
export function partner(
  gradient: Float64Array,
  moves: Uint8Array,
  diagonal: Float64Array,
  active: number,
  first: number,
  heap: Float32Array,
  row: number,
): number {
  const up = -(gradient[first] as number);
  const own = diagonal[first] as number;
  let [best, gain] = [-1, 0];
  for (let t = 0; t < active; t++) {
    if (((moves[t] as number) & canFall) === 0) continue;
    const difference = up + (gradient[t] as number);
    if (difference <= 0) continue;
    const curvature = own + (diagonal[t] as number) - 2 * (heap[row + t] as number);
    const decrease = (difference * difference) / (curvature > 0 ? curvature : leastCurvature);
    if (decrease > gain) {
      gain = decrease;
      best = t;
    }
  }
  return best;
}

/** Up to `count` positions, worst violators first, whose rows `wanted` says are worth computing. */
export function worstViolators(
  gradient: Float64Array,
  moves: Uint8Array,
  active: number,
  { up, low }: Extremes,
  count: number,
  wanted: (position: number) => boolean,
): number[] {
  const positions: number[] = [];
  const scores: number[] = [];
  for (let t = 0; t < active; t++) {
    const value = gradient[t] as number;
    const move = moves[t] as number;
    const score = Math.max(
      (move & canRise) !== 0 ? -value - up : -Infinity,
      (move & canFall) !== 0 ? value - low : -Infinity,
    );
    const full = scores.length === count;
    if ((full && score <= (scores[count - 1] as number)) || score < -(up + low) || !wanted(t)) continue;
    let at = full ? count - 1 : scores.length;
    while (at > 0 && (scores[at - 1] as number) < score) at--;
    scores.splice(at, 0, score);
    positions.splice(at, 0, t);
    if (full) {
      scores.pop();
      positions.pop();
    }
  }
  return positions;
}
