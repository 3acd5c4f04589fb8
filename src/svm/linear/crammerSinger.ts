/**
 * The multi-class machine of Crammer and Singer: one weight vector per class, trained together.
 *
 *   min ½ Σ_m ‖w_m‖² + Σ_i C_i max_m (1 − [m = y_i] + ⟨w_m − w_{y_i}, x_i⟩)⁺
 *
 * Why: one-vs-rest asks each class to beat an average of all others; here only the strongest rival of each sample counts.
 *
 * The dual has a vector α_i of one variable per class for each sample, Σ_m α_im = 0, α_im ≤ [m = y_i] C_i, and
 * w_m = Σ_i α_im x_i. The sequential dual method minimises over one α_i exactly, by sorting.
 *
 * Sources: K. Crammer, Y. Singer, JMLR 2, 2001; S. S. Keerthi et al., "A Sequential Dual Method for Large Scale Multi-Class
 * Linear SVMs", KDD 2008; the subproblem's solution is Algorithm 2 in R.-E. Fan et al., "LIBLINEAR", JMLR 9, 2008, app. E.
 */
import type { FeatureMatrix } from "../features.ts";
import { Random } from "../random.ts";
import { withWorkspace, type Placed } from "../wasm/workspace.ts";
import type { JobContext } from "../workers/job.ts";
import type { LinearSettings, LinearSolution } from "./problem.ts";
import { DenseRows } from "./rows.ts";

export interface CrammerSingerProblem {
  readonly features: FeatureMatrix;
  /** Class of each row, 0 … classes − 1. */
  readonly codes: Int32Array;
  readonly classes: number;
  readonly costs: Float64Array;
  /** Samples × classes. */
  readonly start?: Float64Array;
}

/** One solution per class. `alpha` (samples × classes) is in the first, empty in the others. */
export async function solveCrammerSinger(
  problem: CrammerSingerProblem,
  settings: LinearSettings,
  context: JobContext,
): Promise<LinearSolution[]> {
  const { rows, columns } = problem.features;
  return withWorkspace(DenseRows.bytes(rows, columns, problem.classes), (workspace) =>
    new SequentialDual(new DenseRows(workspace, problem.features, settings.bias), problem, settings).run(context),
  );
}

const negligible = 1e-12;

class SequentialDual {
  private readonly rows: DenseRows;
  private readonly problem: CrammerSingerProblem;
  private readonly settings: LinearSettings;
  private readonly weights: readonly Placed<Float64Array>[];
  private readonly alpha: Float64Array;
  private readonly squares: Float64Array;
  private readonly order: Int32Array;
  private active: number;
  /** Derivatives of the dual along one sample's variables, and their next values. */
  private readonly gradient: Float64Array;
  private readonly next: Float64Array;

  constructor(rows: DenseRows, problem: CrammerSingerProblem, settings: LinearSettings) {
    this.rows = rows;
    this.problem = problem;
    this.settings = settings;
    this.weights = Array.from({ length: problem.classes }, () => rows.weights());
    this.alpha = new Float64Array(rows.count * problem.classes);
    this.squares = Float64Array.from({ length: rows.count }, (_, i) => rows.squaredLength(i));
    this.order = Int32Array.from({ length: rows.count }, (_, i) => i);
    this.active = rows.count;
    this.gradient = new Float64Array(problem.classes);
    this.next = new Float64Array(problem.classes);
    if (problem.start !== undefined) this.warm(problem.start);
  }

  /** Takes over a sample's variables where they are feasible for its new C. */
  private warm(start: Float64Array): void {
    const { classes, codes, costs } = this.problem;
    for (let i = 0; i < this.rows.count; i++) {
      const own = start[i * classes + (codes[i] as number)] as number;
      if (own <= 0) continue;
      const scale = Math.min(1, (costs[i] as number) / own);
      for (let m = 0; m < classes; m++) this.set(i, m, scale * (start[i * classes + m] as number));
    }
  }

  private set(i: number, m: number, value: number): void {
    const at = i * this.problem.classes + m;
    const change = value - (this.alpha[at] as number);
    if (Math.abs(change) < negligible) return;
    this.alpha[at] = value;
    this.rows.add(this.weights[m] as Placed<Float64Array>, i, change);
  }

  async run(context: JobContext): Promise<LinearSolution[]> {
    const { tolerance, maxEpochs, seed } = this.settings;
    const random = new Random(seed);
    let [epochs, converged, full] = [0, false, true];
    let shrinkTolerance = Math.max(10 * tolerance, 1);
    while (epochs < maxEpochs) {
      random.shuffle(this.order, this.active);
      const violation = await this.pass(context);
      epochs++;
      context.progress(Math.min(0.99, epochs / maxEpochs), `violation ${violation.toPrecision(3)}`);
      if (violation >= shrinkTolerance) {
        full = false;
        continue;
      }
      converged = violation < tolerance && full;
      if (converged) break;
      this.active = this.rows.count;
      shrinkTolerance = Math.max(shrinkTolerance / 2, tolerance);
      full = true;
    }
    const quality = this.quality();
    return this.weights.map((weights, m) => ({
      ...this.rows.split(weights),
      alpha: m === 0 ? this.alpha : new Float64Array(0),
      epochs,
      converged,
      ...quality,
    }));
  }

  /** One visit of every active sample. Gives the greatest violation. */
  private async pass(context: JobContext): Promise<number> {
    let worst = 0;
    for (let s = 0; s < this.active; s++) {
      if (s % 256 === 0) await context.breathe();
      const i = this.order[s] as number;
      if (this.squares[i] === 0) continue; // a row of zeros changes no weight
      const { violation, settled } = this.look(i);
      if (this.settings.shrinking && settled) {
        this.active--;
        this.order[s] = this.order[this.active] as number;
        this.order[this.active] = i;
        s--;
        continue;
      }
      worst = Math.max(worst, violation);
      if (violation > negligible) this.minimise(i);
    }
    return worst;
  }

  /** Fills `gradient`; the violation is max G − min G over variables that can grow; settled where one variable at most can move. */
  private look(i: number): { violation: number; settled: boolean } {
    const { classes, codes, costs } = this.problem;
    const own = codes[i] as number;
    const bound = (m: number): number => (m === own ? (costs[i] as number) : 0);
    let [most, least] = [-Infinity, Infinity];
    for (let m = 0; m < classes; m++) {
      const g = this.rows.dot(this.weights[m] as Placed<Float64Array>, i) + (m === own ? 0 : 1);
      this.gradient[m] = g;
      most = Math.max(most, g);
      if ((this.alpha[i * classes + m] as number) < bound(m)) least = Math.min(least, g);
    }
    let movable = 0;
    for (let m = 0; m < classes; m++) {
      const atBound = this.alpha[i * classes + m] === bound(m);
      if (!(atBound && (this.gradient[m] as number) < least)) movable++;
    }
    return { violation: least === Infinity ? 0 : most - least, settled: movable <= 1 };
  }

  /** The exact minimum over the variables of sample i. */
  private minimise(i: number): void {
    const { classes, codes, costs } = this.problem;
    const own = codes[i] as number;
    const cost = costs[i] as number;
    const square = this.squares[i] as number;
    const b = this.next;
    for (let m = 0; m < classes; m++) {
      b[m] = (this.gradient[m] as number) - square * (this.alpha[i * classes + m] as number);
    }
    const sorted = Float64Array.from(b, (value, m) => (m === own ? value + square * cost : value))
      .sort()
      .reverse();
    let beta = (sorted[0] as number) - square * cost;
    let r = 1;
    for (; r < classes && beta < r * (sorted[r] as number); r++) beta += sorted[r] as number;
    beta /= r;
    for (let m = 0; m < classes; m++) {
      this.set(i, m, Math.min(m === own ? cost : 0, (beta - (b[m] as number)) / square));
    }
  }

  private quality(): { objective: number; relativeGap: number } {
    const { classes, codes, costs } = this.problem;
    const half = this.weights.reduce((sum, { view }) => sum + view.reduce((part, w) => part + w * w, 0), 0) / 2;
    let [primal, dual] = [half, -half];
    for (let i = 0; i < this.rows.count; i++) {
      const own = codes[i] as number;
      let most = -Infinity;
      for (let m = 0; m < classes; m++) {
        const score = this.rows.dot(this.weights[m] as Placed<Float64Array>, i) + (m === own ? 0 : 1);
        most = Math.max(most, score);
        if (m !== own) dual -= this.alpha[i * classes + m] as number;
      }
      primal += (costs[i] as number) * (most - this.rows.dot(this.weights[own] as Placed<Float64Array>, i));
    }
    return { objective: primal, relativeGap: primal > 0 ? (primal - dual) / primal : 0 };
  }
}
