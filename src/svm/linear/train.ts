/** Training a linear machine for any number of classes. */
import { OptionError, ShapeError } from "../../errors.ts";
import { type Features, type FeatureMatrix, toFeatures } from "../features.ts";
import { type ClassWeight, classWeights, type EncodedLabels, encodeLabels, requirePositive } from "../labels.ts";
import type { TrainWork } from "../svc/train.ts";
import { runJobs } from "../workers/pool.ts";
import { linearJob, type LinearJobInput } from "./linearJob.ts";
import type { LinearModel } from "./linearModel.ts";
import type { LinearLoss, LinearSettings, LinearSolution } from "./problem.ts";

export interface LinearOptions {
  /** `dual` (coordinate descent) or `sgd` (averaged). Default `dual`. */
  readonly solver?: "dual" | "sgd";
  /** Default `squared-hinge`. Crammer–Singer is defined for `hinge` only, and takes it. */
  readonly loss?: LinearLoss;
  /** Default `one-vs-rest`. */
  readonly multiclass?: "one-vs-rest" | "crammer-singer";
  /** Price of an error against the width of the margin. Default 1. */
  readonly C?: number;
  readonly classWeight?: ClassWeight;
  /** Value of the constant feature whose weight is the intercept. Default 1; 0 for no intercept. */
  readonly bias?: number;
  /** Default 1e-3. */
  readonly tolerance?: number;
  /** Passes over the data at most (SGD: exactly). Default 1000; SGD 10. */
  readonly maxEpochs?: number;
  /** Default true. */
  readonly shrinking?: boolean;
  /** Of the order of visits. Default 0. */
  readonly seed?: number;
  /** A model of the same samples to start from: one trained with another C converges in few passes. */
  readonly warmStart?: LinearModel;
}

/**
 * Trains on `features` (samples × features) and whole-number `labels`; the same seed gives the same bits with any
 * number of workers. Throws `ShapeError`, `DataError` (NaN, one class only), `OptionError`.
 */
export async function trainLinear(
  features: Features,
  labels: ArrayLike<number>,
  options: LinearOptions = {},
  work: TrainWork = {},
): Promise<LinearModel> {
  const matrix = toFeatures("trainLinear", features);
  const encoded = encodeLabels("trainLinear", labels, matrix.rows);
  const inputs = jobInputs(matrix, encoded, options);
  const cost = ({ solver, classes }: LinearJobInput): number =>
    40 * matrix.data.length * (solver === "crammer-singer" ? classes : 1);
  const shared = { features: matrix.data, codes: encoded.codes };
  const outputs = await runJobs(linearJob, inputs, { stage: "train", ...work, shared, cost });
  return assemble(matrix, encoded, options, outputs.flat(), inputs, work);
}

function jobInputs({ rows, columns }: FeatureMatrix, encoded: EncodedLabels, options: LinearOptions): LinearJobInput[] {
  const { multiclass = "one-vs-rest", solver = "dual", warmStart } = options;
  if (!["one-vs-rest", "crammer-singer"].includes(multiclass) || !["dual", "sgd"].includes(solver)) {
    throw new OptionError({
      where: "trainLinear",
      expected: "multiclass one-vs-rest or crammer-singer, solver dual or sgd",
      got: `${multiclass}, ${solver}`,
    });
  }
  const C = requirePositive("C", options.C ?? 1);
  const costs = classWeights(options.classWeight, encoded).map((weight) => C * weight);
  const classes = encoded.classes.length;
  const crammerSinger = multiclass === "crammer-singer";
  if (warmStart !== undefined) requireSameSamples(warmStart, rows, classes, crammerSinger);
  const settings = linearSettings(options);
  const common = { columns, classes, settings, costs, solver: crammerSinger ? ("crammer-singer" as const) : solver };
  const positives = crammerSinger ? [0] : classes === 2 ? [1] : Array.from({ length: classes }, (_, code) => code);
  return positives.map((positive, index) => {
    const start = warmStart?.dual[index];
    const own = { positive, settings: Object.assign({}, settings, { seed: settings.seed + positive }) };
    return Object.assign({}, common, own, start === undefined ? {} : { start });
  });
}

function linearSettings(options: LinearOptions): LinearSettings {
  const crammerSinger = options.multiclass === "crammer-singer";
  const loss = options.loss ?? (crammerSinger ? "hinge" : "squared-hinge");
  if (!["hinge", "squared-hinge"].includes(loss) || (crammerSinger && loss !== "hinge")) {
    throw new OptionError({
      where: "trainLinear",
      expected: crammerSinger ? "loss hinge with crammer-singer" : "loss hinge or squared-hinge",
      got: loss,
    });
  }
  const bias = options.bias ?? 1;
  if (!Number.isFinite(bias)) {
    throw new OptionError({ where: "trainLinear", expected: "a finite bias", got: String(bias) });
  }
  return {
    loss,
    bias,
    tolerance: requirePositive("tolerance", options.tolerance ?? 1e-3),
    maxEpochs: requirePositive("maxEpochs", options.maxEpochs ?? (options.solver === "sgd" ? 10 : 1000)),
    shrinking: options.shrinking ?? true,
    seed: options.seed ?? 0,
  };
}

function requireSameSamples(warmStart: LinearModel, rows: number, classes: number, crammerSinger: boolean): void {
  const vectors = crammerSinger ? 1 : classes === 2 ? 1 : classes;
  const length = crammerSinger ? rows * classes : rows;
  if (warmStart.dual.length === vectors && warmStart.dual.every((dual) => dual.length === length)) return;
  throw new ShapeError({
    where: "trainLinear warmStart",
    expected: `${vectors} × ${length} dual variables, from the same samples and kind of machine`,
    got: `${warmStart.dual.length} × ${warmStart.dual[0]?.length ?? 0}`,
    advice: "start from a dual model of these very samples, or from none",
  });
}

function assemble(
  matrix: FeatureMatrix,
  { classes }: EncodedLabels,
  options: LinearOptions,
  solutions: readonly LinearSolution[],
  inputs: readonly LinearJobInput[],
  work: TrainWork,
): LinearModel {
  const { settings } = inputs[0] as LinearJobInput;
  const label = (vector: number): number => classes[solutions.length === 1 ? 1 : vector] as number;
  const warn = work.onWarning ?? ((message: string) => console.warn(message));
  solutions.forEach(({ converged, epochs, relativeGap }, vector) => {
    if (converged || (vector > 0 && options.multiclass === "crammer-singer")) return;
    warn(
      `trainLinear: class ${label(vector)} stopped after ${epochs} passes at ${(100 * relativeGap).toPrecision(3)} % from the optimum ` +
        `(relative duality gap); scale the features, lower C or raise maxEpochs`,
    );
  });
  const weights = new Float64Array(solutions.length * matrix.columns);
  solutions.forEach(({ coefficients }, vector) => weights.set(coefficients, vector * matrix.columns));
  return {
    type: "linear",
    multiclass: options.multiclass ?? "one-vs-rest",
    loss: settings.loss,
    classes,
    columns: matrix.columns,
    weights,
    intercepts: Float64Array.from(solutions, ({ intercept }) => intercept),
    problems: solutions.map(({ epochs, objective, relativeGap, converged, alpha }, vector) => ({
      positive: label(vector),
      epochs,
      objective,
      relativeGap,
      converged,
      supportVectors: alpha.reduce((count, value) => count + (value > 0 ? 1 : 0), 0),
    })),
    dual: solutions.map(({ alpha }) => alpha).filter((alpha) => alpha.length > 0),
  };
}
