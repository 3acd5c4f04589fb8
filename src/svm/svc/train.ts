/**
 * Training a kernel machine for any number of classes.
 *
 * Why one-vs-one by default: k(k − 1)/2 small problems cost less than k large ones (time grows faster than linearly in the
 * samples), are independent, and so spread over cores; it is LIBSVM's way, hence comparable.
 */
import { OptionError } from "../../errors.ts";
import { type Features, type FeatureMatrix, takeRows, toFeatures } from "../features.ts";
import { type Kernel, kernelSettings } from "../kernel/kernels.ts";
import { type ClassWeight, classWeights, type EncodedLabels, encodeLabels, requirePositive } from "../labels.ts";
import type { SmoOptions } from "../smo/problem.ts";
import type { LongWork } from "../workers/job.ts";
import { runJobs, threadCount } from "../workers/pool.ts";
import { svcJob, type SvcJobInput, type SvcJobOutput } from "./svcJob.ts";
import { classPairs, layerCount, type ProblemSummary, type SvcModel } from "./svcModel.ts";

export interface SvcOptions {
  /** Default RBF with γ "scale". */
  readonly kernel?: Kernel;
  /** Price of an error against the width of the margin. Default 1. */
  readonly C?: number;
  readonly classWeight?: ClassWeight;
  /** Default `one-vs-one`. Two classes are one problem either way. */
  readonly strategy?: "one-vs-one" | "one-vs-rest";
  /** Greatest violation of the KKT conditions at the end. Default 1e-3 (LIBSVM's). */
  readonly tolerance?: number;
  /** Default true. Changes the time, not the answer (within the tolerance). */
  readonly shrinking?: boolean;
  /** Bytes for cached kernel rows, of all workers together. Default 512 MiB. */
  readonly cacheBytes?: number;
  /** Default: the larger of 10,000,000 and 100 times the samples, per problem (LIBSVM's). */
  readonly maxIterations?: number;
  /** Also fit Platt's sigmoids, by cross validation with this many folds (true: 5). Default false. */
  readonly probability?: boolean | number;
  /** Seed of that cross validation. Default 0. */
  readonly seed?: number;
}

/** Options of work that may have something to say without failing. */
export interface TrainWork extends LongWork {
  /** Hears that a solver stopped early, and how far from the optimum. Default `console.warn`. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Trains on `features` (samples × features) and whole-number `labels`. The same data and options give the same bits with
 * any number of workers and any cache.
 * Throws `ShapeError`, `DataError` (NaN, one class only), `OptionError` (C ≤ 0 …).
 */
export async function trainSvc(
  features: Features,
  labels: ArrayLike<number>,
  options: SvcOptions = {},
  work: TrainWork = {},
): Promise<SvcModel> {
  const matrix = toFeatures("trainSvc", features);
  const encoded = encodeLabels("trainSvc", labels, matrix.rows);
  const inputs = jobInputs(matrix, encoded, options);
  // The dearest part of a problem: a kernel row for about a fifth of its samples.
  const samples = (input: SvcJobInput): number =>
    input.negative === null
      ? matrix.rows
      : (encoded.counts[input.positive] as number) + (encoded.counts[input.negative] as number);
  const cost = (input: SvcJobInput): number => 0.4 * samples(input) ** 2 * matrix.columns;
  const threads = threadCount(inputs, { ...work, cost });
  const perThread = inputs.map((input) => ({
    ...input,
    smo: { ...input.smo, cacheBytes: input.smo.cacheBytes / threads },
  }));
  const shared = { features: matrix.data, codes: encoded.codes };
  const outputs = await runJobs(svcJob, perThread, { stage: "train", ...work, shared, cost, workers: threads });
  warnOfEarlyStops(inputs, outputs, encoded, work);
  return assemble(matrix, encoded, inputs, outputs, options);
}

function jobInputs(matrix: FeatureMatrix, encoded: EncodedLabels, options: SvcOptions): SvcJobInput[] {
  const C = requirePositive("C", options.C ?? 1);
  const weights = classWeights(options.classWeight, encoded);
  const folds = options.probability === true ? 5 : Number(options.probability ?? 0);
  if (!Number.isInteger(folds) || folds < 0 || folds === 1) {
    throw new OptionError({
      where: "trainSvc",
      expected: "probability: true, false or a number of folds from 2",
      got: String(options.probability),
    });
  }
  const common = {
    columns: matrix.columns,
    kernel: kernelSettings(options.kernel ?? { type: "rbf" }, matrix),
    smo: smoOptions(options, matrix.rows),
    bounds: weights.map((weight) => C * weight),
    plattFolds: folds,
  };
  const classes = encoded.classes.length;
  const sides: [number, number | null][] =
    strategyOf(options, classes) === "one-vs-one"
      ? classPairs(classes)
      : Array.from(encoded.classes, (_, code) => [code, null]);
  return sides.map(([positive, negative], index) =>
    Object.assign({}, common, { positive, negative, seed: (options.seed ?? 0) + index }),
  );
}

function strategyOf({ strategy = "one-vs-one" }: SvcOptions, classes: number): SvcModel["strategy"] {
  if (strategy !== "one-vs-one" && strategy !== "one-vs-rest") {
    throw new OptionError({ where: "trainSvc", expected: "strategy one-vs-one or one-vs-rest", got: String(strategy) });
  }
  return classes === 2 ? "one-vs-one" : strategy;
}

function smoOptions(options: SvcOptions, samples: number): SmoOptions {
  return {
    tolerance: requirePositive("tolerance", options.tolerance ?? 1e-3),
    shrinking: options.shrinking ?? true,
    cacheBytes: requirePositive("cacheBytes", options.cacheBytes ?? 512 * 2 ** 20),
    maxIterations: requirePositive("maxIterations", options.maxIterations ?? Math.max(1e7, 100 * samples)),
  };
}

function warnOfEarlyStops(
  inputs: readonly SvcJobInput[],
  outputs: readonly SvcJobOutput[],
  { classes }: EncodedLabels,
  work: TrainWork,
): void {
  const warn = work.onWarning ?? ((message: string) => console.warn(message));
  outputs.forEach(({ converged, iterations, violation }, index) => {
    if (converged) return;
    const { positive, negative, smo } = inputs[index] as SvcJobInput;
    const against = negative === null ? "the rest" : `class ${classes[negative]}`;
    warn(
      `trainSvc: class ${classes[positive]} against ${against} stopped after ${iterations} iterations with a KKT violation of ` +
        `${violation.toPrecision(3)}, above the tolerance of ${smo.tolerance}; scale the features, lower C or raise maxIterations`,
    );
  });
}

function assemble(
  matrix: FeatureMatrix,
  encoded: EncodedLabels,
  inputs: readonly SvcJobInput[],
  outputs: readonly SvcJobOutput[],
  options: SvcOptions,
): SvcModel {
  const { classes, codes } = encoded;
  const strategy = strategyOf(options, classes.length);
  const supportIndices = supportInClassOrder(outputs, codes);
  const column = new Map(Array.from(supportIndices, (sample, at) => [sample, at]));
  const supportCounts = new Int32Array(classes.length);
  for (const sample of supportIndices) {
    supportCounts[codes[sample] as number] = (supportCounts[codes[sample] as number] as number) + 1;
  }

  const layers = layerCount({ strategy, classes });
  const dualCoefficients = new Float64Array(layers * supportIndices.length);
  outputs.forEach(({ indices, coefficients }, problem) => {
    const { positive, negative } = inputs[problem] as SvcJobInput;
    indices.forEach((sample, i) => {
      const own = codes[sample] as number;
      const other = own === positive ? (negative as number) : positive;
      const layer = strategy === "one-vs-rest" ? positive : other > own ? other - 1 : other;
      dualCoefficients[layer * supportIndices.length + (column.get(sample) as number)] = coefficients[i] as number;
    });
  });
  return {
    type: "svc",
    kernel: (inputs[0] as SvcJobInput).kernel,
    strategy,
    classes,
    supportVectors: takeRows(matrix, supportIndices),
    supportIndices,
    supportCounts,
    dualCoefficients,
    intercepts: Float64Array.from(outputs, ({ rho }) => -rho),
    sigmoids: outputs.flatMap(({ sigmoid }) => sigmoid ?? []),
    problems: outputs.map((output, index) => summary(output, inputs[index] as SvcJobInput, classes)),
  };
}

function supportInClassOrder(outputs: readonly SvcJobOutput[], codes: Int32Array): Int32Array {
  const all = new Set(outputs.flatMap(({ indices }) => Array.from(indices)));
  return Int32Array.from([...all].sort((a, b) => (codes[a] as number) - (codes[b] as number) || a - b));
}

function summary(output: SvcJobOutput, { positive, negative }: SvcJobInput, classes: Int32Array): ProblemSummary {
  const { samples, bounded, iterations, objective, violation, converged, kernelRows } = output;
  return {
    positive: classes[positive] as number,
    negative: negative === null ? null : (classes[negative] as number),
    samples,
    supportVectors: output.indices.length,
    bounded,
    iterations,
    objective,
    violation,
    converged,
    kernelRows,
  };
}
