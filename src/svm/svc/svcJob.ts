/** One two-class problem of a multi-class machine: what a worker is given, and gives back. */
import type { KernelSettings } from "../kernel/kernels.ts";
import { classDecisions } from "./decisions.ts";
import type { BinaryProblem, BinarySolution, SmoOptions } from "../smo/problem.ts";
import { solveBinary } from "../smo/solver.ts";
import { indicesWhere, stratifiedFolds } from "../split.ts";
import type { Job, JobContext } from "../workers/job.ts";
import { fitSigmoid } from "./platt.ts";
import type { Sigmoid } from "./svcModel.ts";

export interface SvcJobInput {
  readonly columns: number;
  readonly kernel: KernelSettings;
  readonly smo: SmoOptions;
  /** Class codes. `negative` null: all others. */
  readonly positive: number;
  readonly negative: number | null;
  /** C times the class weight, of each class code. */
  readonly bounds: Float64Array;
  /** Folds of the cross validation behind Platt's sigmoid; 0 for none. */
  readonly plattFolds: number;
  readonly seed: number;
}

export interface SvcJobOutput extends Omit<BinarySolution, "alpha"> {
  /** Rows of the training features with α > 0, and their y α. */
  readonly indices: Int32Array;
  readonly coefficients: Float64Array;
  readonly samples: number;
  readonly bounded: number;
  readonly sigmoid?: Sigmoid;
}

/** Shared arrays: `features` (float32, row-major) and `codes`. */
export const svcJob: Job<SvcJobInput, SvcJobOutput> = {
  name: "svc",
  async run(input, shared, context) {
    const codes = shared["codes"] as Int32Array;
    const features = { data: shared["features"] as Float32Array, rows: codes.length, columns: input.columns };
    const { positive, negative, bounds } = input;
    const indices = indicesWhere(
      codes.length,
      (i) => codes[i] === positive || negative === null || codes[i] === negative,
    );
    const y = Int8Array.from(indices, (index) => (codes[index] === positive ? 1 : -1));
    const problem = {
      features,
      indices,
      y,
      bounds: Float64Array.from(indices, (index) => bounds[codes[index] as number] as number),
    };
    const solution = await solveBinary(problem, input.kernel, input.smo, context);
    const sigmoid = input.plattFolds > 0 ? await crossValidatedSigmoid(problem, input, context) : undefined;
    return { ...compact(problem, solution), ...(sigmoid === undefined ? {} : { sigmoid }) };
  },
};

function compact({ indices, y, bounds }: BinaryProblem, { alpha, ...rest }: BinarySolution): SvcJobOutput {
  const support = indicesWhere(alpha.length, (i) => (alpha[i] as number) > 0);
  return {
    ...rest,
    samples: indices.length,
    indices: Int32Array.from(support, (i) => indices[i] as number),
    coefficients: Float64Array.from(support, (i) => (y[i] as number) * (alpha[i] as number)),
    bounded: support.filter((i) => alpha[i] === bounds[i]).length,
  };
}

/** Decision values of each fold by a machine trained on the others, and the sigmoid fitted to them. */
async function crossValidatedSigmoid(
  problem: BinaryProblem,
  input: SvcJobInput,
  context: JobContext,
): Promise<Sigmoid> {
  const sides = Int32Array.from(problem.y, (sign) => (sign > 0 ? 1 : 0));
  const folds = stratifiedFolds(sides, Math.min(input.plattFolds, sides.length), input.seed);
  const decisions = new Float64Array(sides.length);
  for (const { train, test } of folds) {
    const part: BinaryProblem = {
      features: problem.features,
      indices: train.map((i) => problem.indices[i] as number),
      y: Int8Array.from(train, (i) => problem.y[i] as number),
      bounds: Float64Array.from(train, (i) => problem.bounds[i] as number),
    };
    const values = await foldDecisions(
      part,
      test.map((i) => problem.indices[i] as number),
      input,
      context,
    );
    test.forEach((i, at) => (decisions[i] = values[at] as number));
  }
  return fitSigmoid(decisions, problem.y);
}

/** A fold without samples of one side (LIBSVM's rule): all decisions point to the side there is. */
async function foldDecisions(
  part: BinaryProblem,
  test: Int32Array,
  input: SvcJobInput,
  context: JobContext,
): Promise<Float64Array> {
  const sides = new Set(part.y);
  if (sides.size < 2) return new Float64Array(test.length).fill([...sides][0] ?? 0);
  const solution = compact(part, await solveBinary(part, input.kernel, input.smo, context));
  const support = { features: part.features, indices: solution.indices };
  const queries = { features: part.features, indices: test };
  const sums = await classDecisions(
    support,
    Int32Array.of(solution.indices.length),
    solution.coefficients,
    1,
    queries,
    input.kernel,
    context,
  );
  return sums.map((sum) => sum - solution.rho);
}
