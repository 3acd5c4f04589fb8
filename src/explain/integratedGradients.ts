/**
 * Integrated gradients (Sundararajan, Taly and Yan 2017): the class's score, shared out among the input's values.
 *
 *   a_i = (x_i − x′_i) · ∫₀¹ ∂F(x′ + α (x − x′)) / ∂x_i dα          (equation 1), from a baseline x′
 *
 * The integral is a sum over the middles of equal steps. Attributions then add up to F(x) − F(x′), the axiom of
 * completeness, but for the error of that sum, which is reported.
 */
import { OptionError, ShapeError } from "../errors.ts";
import type { Model } from "../nn/index.ts";
import { formatShape, sizeOf, valueAndGradients } from "../tensor/index.ts";
import { compileRows, type RowProgram } from "./rows.ts";
import { batchSizeOf, chosenScore, examine, inference, requireWhole, scoresOf, valuesOf } from "./subject.ts";
import type { ExplainOptions, Explanation, Inputs, Subject } from "./subject.ts";

export interface IntegratedGradientsOptions extends ExplainOptions {
  /** Gradients that the integral is made of: kinks of ReLUs and poolings need many. Default: 128. */
  readonly steps?: number;
  /**
   * What the input is compared with: one value everywhere (of a pixel, or as the first layer sees it where inputs are
   * floats), or an input of the same type. Default: 0, black.
   */
  readonly baseline?: number | Inputs;
}

export interface IntegratedGradients extends Explanation {
  /** What each value of the input adds to the score, `[…model.input]`; `map` has their sums over channels. */
  readonly attributions: Float32Array;
  readonly baselineScore: number;
  /** Σ attributions. */
  readonly sum: number;
  /** |Σ attributions − (score − baseline's score)| as a share of |score − baseline's score|: more steps make it smaller. */
  readonly incompleteness: number;
}

/**
 * Explains each input by what its values contribute.
 * @returns for each input a map of its size (one row where it is no picture); values below 0 speak against the class.
 * @throws {OptionError} for a baseline that does not fit. @throws {ShapeError} for inputs of another size.
 */
export async function integratedGradients(
  model: Model,
  inputs: Inputs,
  options: IntegratedGradientsOptions = {},
): Promise<IntegratedGradients[]> {
  const where = "integratedGradients";
  const { steps = 128 } = options;
  requireWhole(where, "steps", steps);
  const subjects = await examine(where, model, inputs, options);
  const baseline = await baselineOf(model, inputs, options);
  const batchSize = Math.min(batchSizeOf(where, options), steps);
  const [baselineScores] = await scoresOf(model, [baseline], 1);
  const program = await compileRows(model.device, batchSize, [model.input, model.output], (x, choice) => {
    return valueAndGradients(() => chosenScore(model.call(x, inference()), choice), [x]).gradients;
  });
  try {
    const results: IntegratedGradients[] = [];
    for (const subject of subjects) {
      const attributions = await integrate(program, subject, baseline, steps);
      results.push(summed(model, subject, attributions, baselineScores![subject.class]!));
    }
    return results;
  } finally {
    program.dispose();
  }
}

/** Equation 1, the mean gradient in float64. */
async function integrate(
  program: RowProgram,
  { x, class: chosen }: Subject,
  baseline: Float32Array,
  steps: number,
): Promise<Float32Array> {
  const total = new Float64Array(x.length);
  await program.run(
    steps,
    (k, [point, choice]) => {
      const share = (k + 0.5) / steps;
      x.forEach((value, i) => (point![i] = baseline[i]! + share * (value - baseline[i]!)));
      choice![chosen] = 1;
    },
    (_, [gradient]) => gradient!.forEach((value, i) => (total[i]! += value)),
  );
  return Float32Array.from(x, (value, i) => ((value - baseline[i]!) * total[i]!) / steps);
}

function summed(
  { input }: Model,
  { x: _, ...opinion }: Subject,
  attributions: Float32Array,
  baselineScore: number,
): IntegratedGradients {
  const sum = attributions.reduce((total, value) => total + value, 0);
  const difference = opinion.score - baselineScore;
  const [height = 1, width = 1, channels = 1] = input.length === 3 ? input : [1, attributions.length, 1];
  const values = new Float32Array(height * width);
  attributions.forEach((value, at) => (values[Math.floor(at / channels)]! += value));
  const incompleteness = Math.abs(sum - difference) / Math.abs(difference);
  return { ...opinion, attributions, baselineScore, sum, incompleteness, map: { values, height, width } };
}

async function baselineOf(
  model: Model,
  inputs: Inputs,
  { baseline = 0, shape: pictures = model.input }: IntegratedGradientsOptions,
): Promise<Float32Array> {
  const where = "integratedGradients";
  const shape = inputs instanceof Float32Array ? model.input : pictures;
  const size = sizeOf(shape);
  if (typeof baseline === "number") {
    if (!Number.isFinite(baseline)) {
      throw new OptionError({ where, expected: "baseline: a finite number", got: String(baseline) });
    }
    const one = inputs instanceof Float32Array ? new Float32Array(size) : new Uint8Array(size);
    return valuesOf(model, one.fill(baseline), shape);
  }
  if (baseline.length !== size || baseline.constructor !== inputs.constructor) {
    throw new ShapeError({
      where,
      expected: `a baseline like the inputs: one ${inputs.constructor.name} of ${formatShape(shape)}`,
      got: `${baseline.constructor.name} of ${baseline.length} values`,
    });
  }
  return valuesOf(model, baseline, shape);
}
