/**
 * Dual coordinate descent for linear machines.
 *
 *   min ½ αᵀ(Q + D)α − Σα   subject to  0 ≤ α_i ≤ U_i,   Q_ij = y_i y_j ⟨x_i, x_j⟩
 *   hinge: D = 0, U_i = C_i;   squared hinge: D_ii = 1 / (2 C_i), U_i = ∞
 *
 * Why: with w = Σ y_i α_i x_i kept up to date, the derivative along one α_i costs one dot product, and the exact minimum
 * along it is one division. No kernel row, no cache: time is linear in the data per pass. There is no constraint
 * yᵀα = 0, because the intercept is a weight of a constant feature.
 *
 * Why shrinking: an α_i at a bound whose gradient points outwards by more than any violation of the last pass
 * will most likely stay there; it is skipped, and looked at again before the end.
 *
 * Source: C.-J. Hsieh, K.-W. Chang, C.-J. Lin, S. S. Keerthi, S. Sundararajan, "A Dual Coordinate Descent Method for
 * Large-scale Linear SVM", ICML 2008 (Algorithm 3; eq. 8 and 9; §3.2 shrinking and stopping).
 */
import { Random } from "../random.ts";
import { withWorkspace, type Placed } from "../wasm/workspace.ts";
import type { JobContext } from "../workers/job.ts";
import type { LinearProblem, LinearSettings, LinearSolution } from "./problem.ts";
import { DenseRows } from "./rows.ts";

/** A projected gradient below this is no reason to move (LIBLINEAR's). */
const negligible = 1e-12;

export async function solveLinear(
  problem: LinearProblem,
  settings: LinearSettings,
  context: JobContext,
): Promise<LinearSolution> {
  const { rows, columns } = problem.features;
  return withWorkspace(DenseRows.bytes(rows, columns, 1), (workspace) =>
    new DualDescent(new DenseRows(workspace, problem.features, settings.bias), problem, settings).run(context),
  );
}

/** Largest and smallest projected gradient of one pass. */
interface Spread {
  most: number;
  least: number;
}

class DualDescent {
  private readonly rows: DenseRows;
  private readonly y: Int8Array;
  private readonly costs: Float64Array;
  private readonly settings: LinearSettings;
  private readonly weights: Placed<Float64Array>;
  private readonly alpha: Float64Array;
  /** U, D_ii, and Q_ii + D_ii. */
  private readonly upper: Float64Array;
  private readonly shift: Float64Array;
  private readonly curvature: Float64Array;
  private readonly order: Int32Array;
  private active: number;

  constructor(rows: DenseRows, { y, costs, start }: LinearProblem, settings: LinearSettings) {
    this.rows = rows;
    this.y = y;
    this.costs = costs;
    this.settings = settings;
    const hinge = settings.loss === "hinge";
    this.weights = rows.weights();
    this.upper = hinge ? costs : new Float64Array(rows.count).fill(Infinity);
    this.shift = costs.map((cost) => (hinge ? 0 : 0.5 / cost));
    this.curvature = this.shift.map((shift, i) => shift + rows.squaredLength(i));
    this.order = Int32Array.from({ length: rows.count }, (_, i) => i);
    this.active = rows.count;
    this.alpha = new Float64Array(rows.count);
    if (start !== undefined) this.warm(start);
  }

  private warm(start: Float64Array): void {
    for (let i = 0; i < this.rows.count; i++) {
      const alpha = Math.min(Math.max(start[i] as number, 0), this.upper[i] as number);
      this.alpha[i] = alpha;
      if (alpha > 0) this.rows.add(this.weights, i, alpha * (this.y[i] as number));
    }
  }

  async run(context: JobContext): Promise<LinearSolution> {
    const { tolerance, maxEpochs, seed } = this.settings;
    const random = new Random(seed);
    let limits: Spread = { most: Infinity, least: -Infinity };
    let [epochs, converged] = [0, false];
    while (epochs < maxEpochs) {
      random.shuffle(this.order, this.active);
      const spread = await this.pass(limits, context);
      epochs++;
      if (spread.most - spread.least <= tolerance) {
        converged = this.active === this.rows.count;
        if (converged) break;
        this.active = this.rows.count; // it may only look settled: once more with all
        limits = { most: Infinity, least: -Infinity };
        continue;
      }
      limits = { most: spread.most > 0 ? spread.most : Infinity, least: spread.least < 0 ? spread.least : -Infinity };
      context.progress(Math.min(0.99, epochs / maxEpochs), `violation ${(spread.most - spread.least).toPrecision(3)}`);
    }
    return { ...this.rows.split(this.weights), alpha: this.alpha, epochs, converged, ...this.quality() };
  }

  /** One visit of every active variable. */
  private async pass(limits: Spread, context: JobContext): Promise<Spread> {
    const spread: Spread = { most: -Infinity, least: Infinity };
    for (let s = 0; s < this.active; s++) {
      if (s % 1024 === 0) await context.breathe();
      const i = this.order[s] as number;
      const alpha = this.alpha[i] as number;
      const gradient = (this.y[i] as number) * this.rows.dot(this.weights, i) - 1 + alpha * (this.shift[i] as number);
      if (this.settings.shrinking && this.settled(i, alpha, gradient, limits)) {
        this.active--;
        this.order[s] = this.order[this.active] as number;
        this.order[this.active] = i;
        s--;
        continue;
      }
      const projected = this.project(i, alpha, gradient);
      spread.most = Math.max(spread.most, projected);
      spread.least = Math.min(spread.least, projected);
      if (Math.abs(projected) > negligible) this.move(i, alpha, gradient);
    }
    return this.active === 0 ? { most: 0, least: 0 } : spread;
  }

  private settled(i: number, alpha: number, gradient: number, { most, least }: Spread): boolean {
    return (alpha === 0 && gradient > most) || (alpha === this.upper[i] && gradient < least);
  }

  /** The gradient, or 0 where the bound forbids to follow it (eq. 8). */
  private project(i: number, alpha: number, gradient: number): number {
    if (alpha === 0) return Math.min(gradient, 0);
    return alpha === this.upper[i] ? Math.max(gradient, 0) : gradient;
  }

  /** The exact minimum along α_i, clipped to the box (eq. 9). A row of zeros has no curvature: it goes to its bound. */
  private move(i: number, alpha: number, gradient: number): void {
    const next = Math.min(Math.max(alpha - gradient / (this.curvature[i] as number), 0), this.upper[i] as number);
    if (!Number.isFinite(next)) return;
    this.alpha[i] = next;
    this.rows.add(this.weights, i, (next - alpha) * (this.y[i] as number));
  }

  /** The primal objective, and how far the dual is from it. */
  private quality(): { objective: number; relativeGap: number } {
    const margin = (i: number): number => Math.max(0, 1 - (this.y[i] as number) * this.rows.dot(this.weights, i));
    const half = this.weights.view.reduce((sum, weight) => sum + weight * weight, 0) / 2;
    let [primal, dual] = [half, -half];
    for (let i = 0; i < this.rows.count; i++) {
      const loss = margin(i);
      const alpha = this.alpha[i] as number;
      primal += (this.costs[i] as number) * (this.settings.loss === "hinge" ? loss : loss * loss);
      dual += alpha - 0.5 * alpha * alpha * (this.shift[i] as number);
    }
    return { objective: primal, relativeGap: primal > 0 ? (primal - dual) / primal : 0 };
  }
}
