/**
 * Stochastic gradient descent on the hinge loss, with averaging.
 *
 *   min λ/2 ‖w‖² + mean_i loss(y_i ⟨w, x_i⟩),   λ = 1 / (C · samples)
 *
 * Why: one look at each sample already gives a useful machine, whatever the size of the data. Single iterates jitter; their
 * average converges at the best possible rate.
 *
 * Step η_t = 1 / (λ (t + t₀)). The decay (1 − η λ) of every step touches all weights, so w is kept as scale · v and only
 * `scale` decays. The average needs no pass over the weights either: with S_t = Σ_{τ≤t} scale_τ,
 * Σ_τ w_τ = S_T v_T − Σ_updates S_before · Δv.
 *
 * Sources: S. Shalev-Shwartz et al., "Pegasos", Math. Programming 127, 2011; W. Xu, "Towards Optimal One Pass Large Scale
 * Learning with Averaged Stochastic Gradient Descent", arXiv 1107.2490 (§4.2, the averaging trick).
 */
import { NumericError } from "../../errors.ts";
import { Random } from "../random.ts";
import { withWorkspace } from "../wasm/workspace.ts";
import type { JobContext } from "../workers/job.ts";
import type { LinearProblem, LinearSettings, LinearSolution } from "./problem.ts";
import { DenseRows } from "./rows.ts";

/** Below this the scale is multiplied into v, before it loses digits. */
const smallestScale = 1e-9;

export async function solveSgd(
  problem: LinearProblem,
  settings: LinearSettings,
  context: JobContext,
): Promise<LinearSolution> {
  const { rows, columns } = problem.features;
  return withWorkspace(DenseRows.bytes(rows, columns, 2), (workspace) =>
    descend(new DenseRows(workspace, problem.features, settings.bias), problem, settings, context),
  );
}

async function descend(
  rows: DenseRows,
  { y, costs }: LinearProblem,
  settings: LinearSettings,
  context: JobContext,
): Promise<LinearSolution> {
  const meanCost = costs.reduce((sum, cost) => sum + cost, 0) / rows.count;
  const lambda = 1 / (meanCost * rows.count);
  const [v, corrections] = [rows.weights(), rows.weights()];
  const order = Int32Array.from({ length: rows.count }, (_, i) => i);
  const random = new Random(settings.seed);
  // No step may overshoot the margin of the longest and most costly row, or the iterates would grow without end.
  let steepest = 0;
  for (let i = 0; i < rows.count; i++) {
    steepest = Math.max(steepest, (rows.squaredLength(i) * (costs[i] as number)) / meanCost);
  }
  const offset = Math.max(2, (steepest * (settings.loss === "hinge" ? 1 : 2)) / lambda);
  let [scale, scaleSum, averaged, t] = [1, 0, 0, 0];
  for (let epoch = 0; epoch < settings.maxEpochs; epoch++) {
    random.shuffle(order, rows.count);
    // The first pass only finds the neighbourhood of the optimum: averaged with the rest it would hold the mean back.
    const averaging = epoch > 0 || settings.maxEpochs === 1;
    for (let s = 0; s < rows.count; s++, t++) {
      if (s % 1024 === 0) await context.breathe();
      const i = order[s] as number;
      const sign = y[i] as number;
      const rate = 1 / (lambda * (t + offset));
      const margin = sign * scale * rows.dot(v, i);
      scale *= 1 - rate * lambda;
      if (margin < 1) {
        const slope = settings.loss === "hinge" ? 1 : 2 * (1 - margin);
        const change = (rate * slope * sign * (costs[i] as number)) / meanCost / scale;
        rows.add(v, i, change);
        rows.add(corrections, i, scaleSum * change);
      }
      if (averaging) {
        scaleSum += scale;
        averaged++;
      }
      if (scale < smallestScale) {
        // w = scale · v stays; S and the corrections are sums of scale · Δv and scale with their product fixed.
        for (let k = 0; k < v.view.length; k++) v.view[k] = (v.view[k] as number) * scale;
        scaleSum /= scale;
        scale = 1;
      }
    }
    context.progress((epoch + 1) / settings.maxEpochs);
  }
  for (let k = 0; k < v.view.length; k++) {
    v.view[k] = (scaleSum * (v.view[k] as number) - (corrections.view[k] as number)) / averaged;
  }
  let objective = v.view.reduce((sum, weight) => sum + weight * weight, 0) / 2;
  for (let i = 0; i < rows.count; i++) {
    const loss = Math.max(0, 1 - (y[i] as number) * rows.dot(v, i));
    objective += (costs[i] as number) * (settings.loss === "hinge" ? loss : loss * loss);
  }
  if (!Number.isFinite(objective)) {
    throw new NumericError({
      where: "trainLinear",
      expected: "a finite objective",
      got: String(objective),
      advice: "scale the features",
    });
  }
  return {
    ...rows.split(v),
    alpha: new Float64Array(0),
    epochs: settings.maxEpochs,
    objective,
    relativeGap: NaN,
    converged: true,
  };
}
