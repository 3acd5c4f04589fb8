/** Machines of several classes: strategies, votes, probabilities, bad input, stopping. */
import fc from "fast-check";
import ndarray from "ndarray";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DataError, NumericError, OptionError, ShapeError, type TramaError } from "../../src/errors.ts";
import {
  type Features,
  labelsFromDecisions,
  svcDecisions,
  svcPredict,
  svcProbabilities,
  trainSvc,
} from "../../src/svm/index.ts";
import { coupleProbabilities, fitSigmoid, sigmoidProbability } from "../../src/svm/svc/platt.ts";
import { runJobs } from "../../src/svm/workers/pool.ts";
import { flattenError, restoreError } from "../../src/svm/workers/protocol.ts";
import { kernelValue, noise, rowOf, worstDifference } from "./oracle.ts";

const alone = { workers: 1 } as const;

/** Three overlapping clouds in the plane, labels 10, 20, 30. */
function clouds(samples: number, seed: number): { points: number[][]; labels: number[] } {
  const next = noise(seed);
  const centres = [
    [0, 0],
    [1.6, 0],
    [0, 1.6],
  ] as const;
  const labels = Array.from({ length: samples }, (_, i) => 10 * ((i % 3) + 1));
  return {
    labels,
    points: labels.map((label) =>
      (centres[label / 10 - 1] as readonly number[]).map((c) => c + 0.6 * (next() + next())),
    ),
  };
}

test("one-vs-one: each decision value is the sum over the published dual coefficients", async () => {
  const { points, labels } = clouds(90, 1);
  const model = await trainSvc(points, labels, { C: 2 });
  const decisions = await svcDecisions(model, points);
  const starts = Array.from(model.supportCounts).map((_, a) =>
    model.supportCounts.slice(0, a).reduce((x, y) => x + y, 0),
  );
  const n = model.supportIndices.length;
  points.forEach((point, i) => {
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ].forEach(([a, b], problem) => {
      let sum = model.intercepts[problem] as number;
      for (const [own, layer] of [
        [a, (b as number) - 1],
        [b, a],
      ] as [number, number][]) {
        for (let s = starts[own] as number; s < (starts[own] as number) + (model.supportCounts[own] as number); s++) {
          sum +=
            (model.dualCoefficients[layer * n + s] as number) *
            kernelValue(model.kernel, rowOf(model.supportVectors, s), Float32Array.from(point));
        }
      }
      assert.ok(Math.abs(sum - (decisions[i * 3 + problem] as number)) < 1e-4);
    });
  });
  assert.equal(
    model.supportVectors.data.slice(0, 2),
    Float32Array.from(points[model.supportIndices[0] as number] as number[]),
  );
});

test("one-vs-rest: as many problems as classes, the largest decision wins, about as accurate", async () => {
  const { points, labels } = clouds(240, 2);
  const model = await trainSvc(points, labels, { strategy: "one-vs-rest", C: 2 });
  assert.is(model.problems.length, 3);
  assert.equal(
    model.problems.map(({ positive, negative }) => [positive, negative]),
    [
      [10, null],
      [20, null],
      [30, null],
    ],
  );
  const decisions = await svcDecisions(model, points);
  const predicted = labelsFromDecisions(model, decisions);
  predicted.forEach((label, i) => {
    const row = decisions.slice(3 * i, 3 * i + 3);
    assert.is(row[label / 10 - 1], Math.max(...row));
  });
  const accuracy = (guess: Int32Array): number =>
    guess.filter((label, i) => label === labels[i]).length / labels.length;
  const pairs = await svcPredict(await trainSvc(points, labels, { C: 2 }), points);
  assert.ok(accuracy(predicted) > 0.8 && Math.abs(accuracy(predicted) - accuracy(pairs)) < 0.05);
});

test("probabilities: distributions, fair where classes overlap, the same bits with any workers", async () => {
  const { points, labels } = clouds(300, 3);
  for (const strategy of ["one-vs-one", "one-vs-rest"] as const) {
    const model = await trainSvc(points, labels, { strategy, probability: true, seed: 4 }, alone);
    assert.is(model.sigmoids.length, 3);
    assert.ok(
      model.sigmoids.every(({ a }) => a < 0),
      "a larger decision value is a larger probability",
    );
    const p = await svcProbabilities(model, points);
    let [likelihood, hits] = [0, 0];
    labels.forEach((label, i) => {
      const row = p.slice(3 * i, 3 * i + 3);
      assert.ok(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-9);
      assert.ok(row.every((value) => value >= 0));
      likelihood += Math.log(row[label / 10 - 1] as number) / labels.length;
      if (row[label / 10 - 1] === Math.max(...row)) hits++;
    });
    assert.ok(likelihood > Math.log(0.6), `far better than guessing (ln ⅓): ${likelihood}`);
    assert.ok(hits / labels.length > 0.8);
    const again = await trainSvc(points, labels, { strategy, probability: true, seed: 4 }, { workers: 2 });
    assert.equal(again.sigmoids, model.sigmoids);
  }
});

test("Platt's sigmoid is the maximum of its likelihood", () => {
  const next = noise(5);
  const decisions = Array.from({ length: 200 }, () => 3 * next());
  const signs = decisions.map((f) => (f + 0.8 + 1.5 * next() > 0 ? 1 : -1));
  const positives = signs.filter((sign) => sign > 0).length;
  const [high, low] = [(positives + 1) / (positives + 2), 1 / (200 - positives + 2)];
  const loss = (a: number, b: number): number =>
    decisions.reduce((sum, f, i) => {
      const p = 1 / (1 + Math.exp(a * f + b));
      const target = (signs[i] as number) > 0 ? high : low;
      return sum - target * Math.log(p) - (1 - target) * Math.log(1 - p);
    }, 0);
  const { a, b } = fitSigmoid(decisions, signs);
  for (const [da, db] of [
    [0.01, 0],
    [-0.01, 0],
    [0, 0.01],
    [0, -0.01],
  ] as const) {
    assert.ok(loss(a + da, b + db) > loss(a, b));
  }
  assert.ok(
    sigmoidProbability({ a: -1e4, b: 0 }, 1e4) === 1 && sigmoidProbability({ a: -1e4, b: 0 }, -1e4) === 0,
    "no overflow",
  );
});

test("coupling undoes pairs that come from one distribution", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.05, max: 1, noNaN: true }), { minLength: 2, maxLength: 8 }), (weights) => {
      const total = weights.reduce((a, b) => a + b, 0);
      const p = weights.map((w) => w / total);
      const k = p.length;
      const pairwise = Float64Array.from({ length: k * k }, (_, at) => {
        const [pi, pj] = [p[Math.floor(at / k)] as number, p[at % k] as number];
        return pi / (pi + pj);
      });
      const out = new Float64Array(k);
      coupleProbabilities(pairwise, k, out);
      assert.ok(worstDifference(out, p) < 0.01);
    }),
    { numRuns: 100, seed: 6 },
  );
});

test("an ndarray of any strides is as good as a list of rows", async () => {
  const { points, labels } = clouds(60, 6);
  const byColumns = ndarray(
    Float64Array.from([...points.map((p) => p[0] as number), ...points.map((p) => p[1] as number)]),
    [2, 60],
  ).transpose(1, 0);
  const [a, b] = [await trainSvc(points, labels), await trainSvc(byColumns, labels)];
  assert.equal(b.dualCoefficients, a.dualCoefficients);
  assert.equal(await svcDecisions(b, byColumns), await svcDecisions(a, points));
});

// ---------------------------------------------------------------- bad input

async function refusal(features: Features, labels: ArrayLike<number>, options = {}): Promise<TramaError> {
  return trainSvc(features, labels, options).then(
    () => assert.unreachable("should refuse"),
    (error: TramaError) => error,
  ) as Promise<TramaError>;
}

test("refuses bad data with typed errors that say where", async () => {
  const nan = await refusal(
    [
      [1, 2],
      [3, NaN],
    ],
    [0, 1],
  );
  assert.instance(nan, DataError);
  assert.match(nan.message, "row 1, column 1");
  assert.instance(await refusal([[Infinity], [0]], [0, 1]), DataError);
  const single = await refusal([[1], [2]], [4, 4]);
  assert.instance(single, DataError);
  assert.match(single.message, "only class 4");
  assert.instance(await refusal([], []), ShapeError);
  assert.instance(await refusal([[], []], [0, 1]), ShapeError);
  assert.instance(await refusal([[1, 2], [3]], [0, 1]), ShapeError);
  assert.instance(await refusal([[1], [2]], [0]), ShapeError);
  assert.instance(await refusal([[1], [2]], [0, 0.5]), DataError);
  assert.instance(await refusal([[1], [2]], [0, NaN]), DataError);
  const two: [Features, number[]] = [
    [[1], [2]],
    [0, 1],
  ];
  for (const options of [
    { C: 0 },
    { C: -1 },
    { C: NaN },
    { C: Infinity },
    { tolerance: 0 },
    { cacheBytes: 0 },
    { strategy: "all" },
    { probability: 1 },
    { classWeight: { 0: 0 } },
  ]) {
    assert.instance(await refusal(...two, options), OptionError, JSON.stringify(options));
  }
  for (const kernel of [
    { type: "rbf", gamma: 0 },
    { type: "rbf", gamma: -1 },
    { type: "polynomial", degree: 1.5 },
    { type: "laplace" },
    { type: "sigmoid", coef0: NaN },
  ]) {
    assert.instance(await refusal(...two, { kernel }), OptionError, JSON.stringify(kernel));
  }
  assert.instance(await trainSvc(...two, {}, { workers: 0 }).catch((error: unknown) => error), OptionError);
});

test("constant features have a defined answer: the more frequent label", async () => {
  const points = Array.from({ length: 9 }, () => [5, 5, 5]);
  const labels = [0, 0, 0, 1, 1, 1, 1, 1, 1];
  for (const type of ["linear", "rbf", "polynomial", "sigmoid"] as const) {
    const model = await trainSvc(points, labels, { kernel: { type } });
    assert.ok(model.problems[0]?.converged, type);
    assert.equal(Array.from(await svcPredict(model, [[5, 5, 5]])), [1], type);
  }
});

test("prediction refuses another number of features, and probabilities that were not trained", async () => {
  const model = await trainSvc(
    [
      [0, 1],
      [1, 0],
    ],
    [0, 1],
  );
  const wrong = await svcPredict(model, [[1, 2, 3]]).catch((error: unknown) => error);
  assert.instance(wrong, ShapeError);
  assert.match((wrong as Error).message, "2 features per sample");
  assert.instance(await svcPredict(model, [[NaN, 2]]).catch((error: unknown) => error), DataError);
  assert.instance(await svcProbabilities(model, [[1, 2]]).catch((error: unknown) => error), OptionError);
});

test("badly scaled, contradictory data ends, and the warning says how far from the optimum", async () => {
  const next = noise(7);
  const points = Array.from({ length: 200 }, () => [1e4 * next(), 1e4 * next()]);
  const labels = points.map(() => Number(next() > 0));
  const warnings: string[] = [];
  const model = await trainSvc(
    points,
    labels,
    { kernel: { type: "linear" }, C: 1e6, maxIterations: 500 },
    { onWarning: (message) => void warnings.push(message) },
  );
  assert.is(model.problems[0]?.iterations, 500);
  assert.not(model.problems[0]?.converged);
  assert.is(warnings.length, 1);
  assert.match(warnings[0] as string, /after 500 iterations with a KKT violation of .*, above the tolerance of 0.001/);
  assert.ok((model.problems[0]?.violation ?? 0) > 1e-3);
});

test("numbers too large for the kernel are an error, not a silent nonsense", async () => {
  const points = [
    [1e30, 1],
    [-1e30, 2],
    [3e30, 3],
    [-2e30, 1],
  ];
  for (const kernel of [{ type: "rbf", gamma: 1 }, { type: "linear" }, { type: "polynomial", gamma: 1, degree: 9 }]) {
    const error = await refusal(points, [0, 1, 0, 1], { kernel });
    assert.instance(error, NumericError, kernel.type);
    assert.match(error.message, "scale the features");
  }
});

test("a kernel that is not positive definite ends too", async () => {
  const { points, labels } = clouds(120, 8);
  const model = await trainSvc(
    points,
    labels,
    { kernel: { type: "sigmoid", gamma: 5, coef0: -3 }, C: 10, maxIterations: 100_000 },
    { onWarning: () => {} },
  );
  assert.ok(model.problems.every(({ iterations }) => iterations <= 100_000));
});

test("an abort stops training in this thread and in workers, with the signal's own reason", async () => {
  const next = noise(9);
  const points = Array.from({ length: 3000 }, () => Float32Array.from({ length: 20 }, () => next()));
  const labels = points.map(() => Number(next() > 0)); // nothing to learn: slow
  for (const workers of [1, 2]) {
    const stop = new AbortController();
    const reason = new Error("enough");
    const begun = performance.now();
    setTimeout(() => stop.abort(reason), 200);
    const seen: number[] = [];
    const result = await trainSvc(
      points,
      labels,
      { C: 1e4, kernel: { type: "rbf", gamma: 1e-3 }, tolerance: 1e-9 },
      { workers, signal: stop.signal, onProgress: ({ done }) => void seen.push(done) },
    ).catch((error: unknown) => error);
    assert.is(result, reason);
    assert.ok(performance.now() - begun < 3000);
  }
  const before = await trainSvc(points, labels, {}, { signal: AbortSignal.abort(new Error("before")) }).catch(
    (error: unknown) => error,
  );
  assert.is((before as Error).message, "before");
});

test("progress ends at all jobs done", async () => {
  const { points, labels } = clouds(60, 10);
  const seen: { done: number; total: number; stage: string }[] = [];
  await trainSvc(points, labels, {}, { ...alone, onProgress: (progress) => void seen.push(progress) });
  const last = seen.at(-1);
  assert.equal([last?.stage, last?.done, last?.total], ["train", 3, 3]);
});

test("a worker's error keeps its type and its four parts", () => {
  const thrown = new DataError({ where: "here", expected: "this", got: "that", advice: "do so" });
  const arrived = restoreError(structuredClone(flattenError(thrown)));
  assert.instance(arrived, DataError);
  assert.is(arrived.message, thrown.message);
  assert.is((arrived as DataError).advice, "do so");
  const fault = restoreError(structuredClone(flattenError(new RangeError("far"))));
  assert.is(fault.name, "RangeError");
  assert.match(fault.message, "far");
});

test("a job that fails in a worker rejects the call, and ends the others", async () => {
  const job = { name: "no such job", run: async () => 1 };
  const failure = await runJobs(job, [1, 2, 3], { stage: "test", shared: {}, cost: () => 1, workers: 2 }).catch(
    (error: unknown) => error,
  );
  assert.match(String(failure), "no job named no such job");
});

test("a cache budget beyond all rows takes no more than they need", async () => {
  const features = { data: new Float32Array(2 ** 10).map((_, i) => Math.sin(i)), rows: 2 ** 10, columns: 1 };
  const labels = Array.from({ length: 2 ** 10 }, (_, i) => i % 4);
  const model = await trainSvc(features, labels, { cacheBytes: 2 ** 40 }, alone);
  assert.is(model.problems.length, 6);
});

test.run();
