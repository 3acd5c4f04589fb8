/** What a kernel machine says about new samples: decision values, labels, probabilities. */
import { OptionError } from "../../errors.ts";
import { type Features, requireColumns, toFeatures } from "../features.ts";
import type { KernelSettings } from "../kernel/kernels.ts";
import type { Job, LongWork } from "../workers/job.ts";
import { runJobs, threadCount } from "../workers/pool.ts";
import { classDecisions } from "./decisions.ts";
import { coupleProbabilities, sigmoidProbability } from "./platt.ts";
import { classPairs, layerCount, type Sigmoid, type SvcModel } from "./svcModel.ts";

export interface DecisionJobInput {
  readonly columns: number;
  readonly kernel: KernelSettings;
  readonly supportCounts: Int32Array;
  readonly layers: number;
  /** Rows of the shared `queries`. */
  readonly from: number;
  readonly to: number;
}

/** Shared arrays: `support`, `coefficients`, `queries`. */
export const decisionJob: Job<DecisionJobInput, Float64Array> = {
  name: "decisions",
  async run({ columns, kernel, supportCounts, layers, from, to }, shared, context) {
    const whole = (data: Float32Array) => ({ data, rows: data.length / columns, columns });
    const support = whole(shared["support"] as Float32Array);
    const queries = whole(shared["queries"] as Float32Array);
    const range = (start: number, end: number): Int32Array =>
      Int32Array.from({ length: end - start }, (_, i) => start + i);
    return classDecisions(
      { features: support, indices: range(0, support.rows) },
      supportCounts,
      shared["coefficients"] as Float64Array,
      layers,
      { features: queries, indices: range(from, to) },
      kernel,
      context,
    );
  },
};

/**
 * Decision values: samples × problems, row-major, problems in the order of `model.problems`. Positive speaks for the
 * problem's first class. Throws `ShapeError` for another number of features than in training.
 */
export async function svcDecisions(model: SvcModel, features: Features, work: LongWork = {}): Promise<Float64Array> {
  const queries = toFeatures("svc predict", features);
  requireColumns("svc predict", queries, model.supportVectors.columns);
  const { supportVectors, supportCounts, kernel, classes } = model;
  const layers = layerCount(model);
  const cost = (input: { from: number; to: number }): number =>
    2 * (input.to - input.from) * supportVectors.data.length;
  const threads = threadCount(Array.from({ length: queries.rows }), {
    ...work,
    cost: () => 2 * supportVectors.data.length,
  });
  const share = Math.ceil(queries.rows / threads);
  const inputs: DecisionJobInput[] = [];
  for (let from = 0; from < queries.rows; from += share) {
    inputs.push({
      columns: queries.columns,
      kernel,
      supportCounts,
      layers,
      from,
      to: Math.min(queries.rows, from + share),
    });
  }
  const shared = { support: supportVectors.data, coefficients: model.dualCoefficients, queries: queries.data };
  const parts = await runJobs(decisionJob, inputs, { stage: "predict", ...work, shared, cost, workers: inputs.length });

  const problems = model.intercepts.length;
  const decisions = new Float64Array(queries.rows * problems);
  const width = classes.length * layers;
  parts.forEach((sums, part) => {
    for (let i = 0; i < sums.length / width; i++) {
      combine(model, sums.subarray(i * width, (i + 1) * width), decisions, (part * share + i) * problems);
    }
  });
  return decisions;
}

/** From sums by class and layer to decision values of one sample. */
function combine({ strategy, classes, intercepts }: SvcModel, sums: Float64Array, out: Float64Array, at: number): void {
  const k = classes.length;
  if (strategy === "one-vs-one") {
    classPairs(k).forEach(([a, b], problem) => {
      const both = (sums[a * (k - 1) + b - 1] as number) + (sums[b * (k - 1) + a] as number);
      out[at + problem] = both + (intercepts[problem] as number);
    });
    return;
  }
  for (let layer = 0; layer < k; layer++) {
    let sum = intercepts[layer] as number;
    for (let group = 0; group < k; group++) sum += sums[group * k + layer] as number;
    out[at + layer] = sum;
  }
}

/**
 * Labels from decision values. One-vs-one: the class that wins most pairs; ties go to the lower label (LIBSVM's rule).
 * One-vs-rest: the largest decision value.
 */
export function labelsFromDecisions(model: SvcModel, decisions: Float64Array): Int32Array {
  const problems = model.intercepts.length;
  const pairs = classPairs(model.classes.length);
  const scores = new Float64Array(model.classes.length);
  return Int32Array.from({ length: decisions.length / problems }, (_, sample) => {
    const row = decisions.subarray(sample * problems, (sample + 1) * problems);
    if (model.strategy === "one-vs-one") {
      scores.fill(0);
      pairs.forEach(([a, b], problem) => {
        const winner = (row[problem] as number) > 0 ? a : b;
        scores[winner] = (scores[winner] as number) + 1;
      });
    } else {
      scores.set(row);
    }
    return model.classes[firstMaximum(scores)] as number;
  });
}

export function firstMaximum(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

/** The label of each sample. */
export async function svcPredict(model: SvcModel, features: Features, work: LongWork = {}): Promise<Int32Array> {
  return labelsFromDecisions(model, await svcDecisions(model, features, work));
}

/**
 * Class probabilities: samples × classes, row-major; each row sums to 1. Their order may differ from that of the
 * votes, as in LIBSVM. Throws `OptionError` where the model was trained without `probability`.
 */
export async function svcProbabilities(
  model: SvcModel,
  features: Features,
  work: LongWork = {},
): Promise<Float64Array> {
  if (model.sigmoids.length === 0) {
    throw new OptionError({
      where: "svc probabilities",
      expected: "a model trained with probability",
      got: "one without",
      advice: "train with probability: true",
    });
  }
  const decisions = await svcDecisions(model, features, work);
  const k = model.classes.length;
  const problems = model.intercepts.length;
  const out = new Float64Array((decisions.length / problems) * k);
  for (let sample = 0; sample < decisions.length / problems; sample++) {
    const row = decisions.subarray(sample * problems, (sample + 1) * problems);
    const target = out.subarray(sample * k, (sample + 1) * k);
    if (model.strategy === "one-vs-one") coupled(model, row, target);
    else normalised(model, row, target);
  }
  return out;
}

/** LIBSVM keeps pairwise probabilities this far from 0 and 1. */
const least = 1e-7;

function coupled({ classes, sigmoids }: SvcModel, decisions: Float64Array, out: Float64Array): void {
  const k = classes.length;
  const pairwise = new Float64Array(k * k);
  classPairs(k).forEach(([a, b], problem) => {
    const p = Math.min(
      1 - least,
      Math.max(least, sigmoidProbability(sigmoids[problem] as Sigmoid, decisions[problem] as number)),
    );
    pairwise[a * k + b] = p;
    pairwise[b * k + a] = 1 - p;
  });
  if (k === 2) out.set([pairwise[1] as number, pairwise[2] as number]);
  else coupleProbabilities(pairwise, k, out);
}

/** One-vs-rest: each class by its own sigmoid, divided by their sum. */
function normalised({ sigmoids }: SvcModel, decisions: Float64Array, out: Float64Array): void {
  let sum = 0;
  for (let i = 0; i < out.length; i++) {
    const p = Math.max(least, sigmoidProbability(sigmoids[i] as Sigmoid, decisions[i] as number));
    out[i] = p;
    sum += p;
  }
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) / sum;
}
