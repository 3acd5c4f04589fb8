/**
 * Sequential minimal optimisation with second-order working sets, shrinking and a kernel cache.
 *
 * Each step changes two multipliers by the exact length that minimises the objective along their line, clipped to
 * the box. What the solver keeps is F_t = y_t ∇f(α)_t = Σ_s y_s α_s K_ts − y_t. In this form no sign of y appears in a
 * step: y_i α_i rises by δ, y_j α_j falls by δ, and F changes by δ (K_i − K_j).
 *
 * Why shrinking: most multipliers settle at 0 or C early. Samples that are at a bound and push against it are moved
 * behind the active ones and left alone; before the end their gradients are rebuilt and they may come back. The
 * answer is the same, the loops are shorter.
 *
 * Sources: Platt 1998 (SMO); Fan, Chen, Lin 2005 (working set, Algorithm 2); Chang & Lin 2011, §4 and §5.1 (shrinking,
 * stopping, ρ). Differs from LIBSVM in that no gradient of bounded multipliers is kept: rebuilding takes rows
 * in blocks, which is cheap here.
 */
import { NumericError } from "../../errors.ts";
import { blockRows, RowCache, slotCount } from "../kernel/cache.ts";
import { centreOf, exchange, KernelRows, slack } from "../kernel/rows.ts";
import type { KernelSettings } from "../kernel/kernels.ts";
import { withWorkspace, type Placed, type Workspace } from "../wasm/workspace.ts";
import type { JobContext } from "../workers/job.ts";
import type { BinaryProblem, BinarySolution, SmoOptions } from "./problem.ts";
import { canFall, canRise, extremes, type Extremes, leastCurvature, partner, worstViolators } from "./workingSet.ts";

/** Iterations between two attempts to shrink (LIBSVM's). */
const shrinkEvery = 1000;
/** Iterations between two looks at the clock and at the abort signal. */
const breatheEvery = 64;

/** Solves the dual. Always ends: at the tolerance, where no step helps, or after `maxIterations`, with `converged` false. */
export async function solveBinary(
  problem: BinaryProblem,
  kernel: KernelSettings,
  options: SmoOptions,
  context: JobContext,
): Promise<BinarySolution> {
  const count = problem.indices.length;
  const slots = slotCount(count, options.cacheBytes);
  const bytes =
    KernelRows.bytes(count, problem.features.columns) + RowCache.bytes(count, slots) + 8 * (count + slack) + 64;
  return withWorkspace(bytes, (workspace) => new SmoSolver(workspace, problem, kernel, options, slots).run(context));
}

class SmoSolver {
  private readonly count: number;
  private readonly rows: KernelRows;
  private readonly cache: RowCache;
  private readonly workspace: Workspace;
  private readonly options: SmoOptions;

  // By position; the first `active` positions are the active set. `samples` gives the original number.
  private active: number;
  private readonly samples: Int32Array;
  private readonly y: Int8Array;
  private readonly bounds: Float64Array;
  private readonly alpha: Float64Array;
  private readonly moves: Uint8Array;
  private readonly diagonal: Float64Array;
  private readonly gradient: Placed<Float64Array>;
  /** Whether the one early rebuilding of the gradient (near the end, at ten tolerances) has happened. */
  private rebuilt = false;

  constructor(
    workspace: Workspace,
    problem: BinaryProblem,
    kernel: KernelSettings,
    options: SmoOptions,
    slots: number,
  ) {
    this.workspace = workspace;
    this.options = options;
    this.count = problem.indices.length;
    this.active = this.count;
    this.rows = new KernelRows(workspace, problem, kernel, centreOf(problem, kernel));
    this.cache = new RowCache(workspace, this.rows, slots);
    this.samples = Int32Array.from({ length: this.count }, (_, i) => i);
    this.y = Int8Array.from(problem.y);
    this.bounds = Float64Array.from(problem.bounds);
    this.alpha = new Float64Array(this.count);
    this.moves = new Uint8Array(this.count);
    this.diagonal = Float64Array.from({ length: this.count }, (_, i) => this.rows.diagonal(i));
    this.gradient = workspace.doubles(this.count + slack);
    for (let t = 0; t < this.count; t++) {
      this.gradient.view[t] = -(this.y[t] as number);
      this.updateMoves(t);
    }
  }

  async run(context: JobContext): Promise<BinarySolution> {
    const { tolerance, maxIterations, shrinking } = this.options;
    const period = Math.min(this.count, shrinkEvery);
    let untilShrink = period;
    let iterations = 0;
    let worst = this.look();
    const start = gap(worst);
    for (;;) {
      if (gap(worst) < tolerance || !this.step(worst)) {
        if (this.active === this.count) break;
        this.rebuildGradient();
        worst = this.look();
        if (gap(worst) < tolerance) break;
        untilShrink = 1; // what was activated in vain goes at once
        if (!this.step(worst)) break;
      }
      iterations++;
      if (iterations >= maxIterations) break;
      untilShrink--;
      if (shrinking && untilShrink === 0) {
        this.shrink();
        untilShrink = period;
      }
      worst = this.look();
      if (iterations % breatheEvery === 0) {
        await context.breathe();
        if (iterations % 1024 === 0) {
          context.progress(fractionDone(start, gap(worst), tolerance), `violation ${gap(worst).toPrecision(3)}`);
        }
      }
    }
    if (this.active < this.count) this.rebuildGradient();
    return this.solution(iterations, gap(this.look()));
  }

  private look(): Extremes {
    return extremes(this.gradient.view, this.moves, this.active);
  }

  /** One step of two multipliers. False where no pair lowers the objective. */
  private step(worst: Extremes): boolean {
    const i = worst.first;
    if (i < 0) return false;
    const { heap } = this.rows;
    const rowI = this.row(i, worst);
    const j = partner(this.gradient.view, this.moves, this.diagonal, this.active, i, heap, rowI / 4);
    if (j < 0) return false;
    const kernelValue = heap[rowI / 4 + j] as number;
    const rowJ = this.row(j, worst);
    const curvature = Math.max(
      (this.diagonal[i] as number) + (this.diagonal[j] as number) - 2 * kernelValue,
      leastCurvature,
    );
    const wanted = ((this.gradient.view[j] as number) - (this.gradient.view[i] as number)) / curvature;
    const step = Math.min(wanted, this.room(i, 1), this.room(j, -1));
    this.move(i, step);
    this.move(j, -step);
    this.workspace.loops.addDifference(this.gradient.at, rowI, rowJ, step, this.active);
    return true;
  }

  /** Address of the kernel row at `position`; a missing one is computed together with those likely to be next. */
  private row(position: number, worst: Extremes): number {
    const sample = this.samples[position] as number;
    if (!this.cache.has(sample, this.active)) {
      const missing = (t: number): boolean => t !== position && !this.cache.has(this.samples[t] as number, this.active);
      const others = worstViolators(this.gradient.view, this.moves, this.active, worst, blockRows - 1, missing);
      this.cache.fetch([position, ...others], this.samples, this.active);
    }
    return this.cache.address(sample);
  }

  /** How far y α can move in `direction` before α meets a bound. */
  private room(t: number, direction: 1 | -1): number {
    const alpha = this.alpha[t] as number;
    return this.y[t] === direction ? (this.bounds[t] as number) - alpha : alpha;
  }

  /** Changes y α at `t` by `change`; the last digits never leave the box, and a full step ends exactly on the bound. */
  private move(t: number, change: number): void {
    const bound = this.bounds[t] as number;
    const moved = (this.alpha[t] as number) + (this.y[t] as number) * change;
    const near = bound * 1e-14;
    this.alpha[t] = moved <= near ? 0 : moved >= bound - near ? bound : moved;
    this.updateMoves(t);
  }

  private updateMoves(t: number): void {
    const alpha = this.alpha[t] as number;
    const [grow, fall] = this.y[t] === 1 ? [canRise, canFall] : [canFall, canRise];
    this.moves[t] = (alpha < (this.bounds[t] as number) ? grow : 0) | (alpha > 0 ? fall : 0);
  }

  /** Moves samples that are at a bound, and satisfied by more than any active one is violated, behind the active set. */
  private shrink(): void {
    const worst = this.look();
    if (!this.rebuilt && gap(worst) <= 10 * this.options.tolerance) {
      this.rebuilt = true;
      this.rebuildGradient();
    }
    const { up, low } = this.look();
    const settled = (t: number): boolean => {
      const value = this.gradient.view[t] as number;
      if (this.moves[t] === canFall) return -value > up;
      return this.moves[t] === canRise && value > low;
    };
    const pairs: [number, number][] = [];
    let active = this.active;
    for (let t = 0; t < active; t++) {
      if (!settled(t)) continue;
      active--;
      while (active > t && settled(active)) active--;
      if (active > t) {
        this.exchange(t, active);
        pairs.push([t, active]);
      }
    }
    this.cache.exchangeColumns(pairs);
    this.active = active;
  }

  private exchange(a: number, b: number): void {
    this.rows.swap(a, b);
    for (const list of [this.samples, this.y, this.bounds, this.alpha, this.moves, this.diagonal, this.gradient.view]) {
      exchange(list, a, b);
    }
  }

  /** F of the inactive samples from its definition, and all samples active again. */
  private rebuildGradient(): void {
    const { count, active, gradient } = this;
    if (active === count) return;
    for (let t = active; t < count; t++) gradient.view[t] = -(this.y[t] as number);
    const support: number[] = [];
    for (let t = 0; t < count; t++) if ((this.alpha[t] as number) > 0) support.push(t);
    const groupBytes = 4 * (Math.ceil((count - active) / slack) * slack);
    for (let from = 0; from < support.length; from += blockRows) {
      const block = support.slice(from, from + blockRows);
      this.cache.fetch(block, this.samples, count);
      for (const t of block) {
        const weight = (this.y[t] as number) * (this.alpha[t] as number);
        const row = this.cache.address(this.samples[t] as number);
        this.workspace.loops.addScaled(gradient.at + 8 * active, row + 4 * active, weight, groupBytes);
      }
    }
    this.active = count;
  }

  private solution(iterations: number, violation: number): BinarySolution {
    const alpha = new Float64Array(this.count);
    let objective = 0;
    for (let t = 0; t < this.count; t++) {
      alpha[this.samples[t] as number] = this.alpha[t] as number;
      objective += (this.alpha[t] as number) * ((this.y[t] as number) * (this.gradient.view[t] as number) - 1);
    }
    if (!Number.isFinite(objective)) {
      throw new NumericError({
        where: "trainSvc",
        expected: "finite kernel values",
        got: `an objective of ${objective / 2}`,
        advice: "scale the features, or lower gamma, degree or C",
      });
    }
    return {
      alpha,
      rho: this.rho(),
      objective: objective / 2,
      iterations,
      violation: Math.max(0, violation),
      converged: violation < this.options.tolerance,
      kernelRows: this.cache.computed,
    };
  }

  /** ρ: the mean of F over free multipliers, where it must be one number; else the middle of what the bounds allow. */
  private rho(): number {
    let [sum, free] = [0, 0];
    for (let t = 0; t < this.count; t++) {
      if (this.moves[t] !== (canRise | canFall)) continue;
      sum += this.gradient.view[t] as number;
      free++;
    }
    if (free > 0) return sum / free;
    const { up, low } = this.look();
    return (low - up) / 2;
  }
}

/** m(α) − M(α); −∞ where one of the sets is empty (then α is optimal). */
const gap = ({ up, low }: Extremes): number => up + low;

/** Progress on a logarithmic scale between the first violation and the tolerance. */
function fractionDone(start: number, now: number, tolerance: number): number {
  if (!(start > tolerance)) return 1;
  return Math.min(0.99, Math.max(0, Math.log(start / Math.max(now, tolerance)) / Math.log(start / tolerance)));
}
