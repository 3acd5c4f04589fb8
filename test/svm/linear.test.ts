/** Linear machines: golden files of LIBLINEAR, optimality conditions on generated problems, solutions by hand. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import { linearDecisions, type LinearModel, linearPredict, trainLinear } from "../../src/svm/index.ts";
import { golden, noise, worstDifference } from "./oracle.ts";

const alone = { workers: 1 } as const;

test("two points, squared hinge, no intercept: w by hand", async () => {
  // x = 1 is class 1, x = −1 class 0: min ½ w² + 2 C (1 − w)² has w = 4C / (1 + 4C).
  for (const C of [0.1, 1, 7]) {
    const model = await trainLinear([[1], [-1]], [1, 0], { C, bias: 0, tolerance: 1e-10 });
    assert.ok(Math.abs((model.weights[0] as number) - (4 * C) / (1 + 4 * C)) < 1e-8);
    assert.is(model.intercepts[0], 0);
  }
});

test("two points, hinge: w is min(2C, 1)", async () => {
  // min ½ w² + 2 C max(0, 1 − w)
  for (const C of [0.1, 0.4, 3]) {
    const model = await trainLinear([[1], [-1]], [1, 0], { C, bias: 0, loss: "hinge", tolerance: 1e-10 });
    assert.ok(Math.abs((model.weights[0] as number) - Math.min(2 * C, 1)) < 1e-8);
  }
});

interface GoldenLinear {
  readonly parameters: { readonly C: number; readonly loss: string };
  readonly coef: readonly number[][];
  readonly intercept: readonly number[];
  readonly predicted: readonly number[];
}

test("equals LIBLINEAR (golden file): weights, intercepts, predictions", async () => {
  const file = golden("svm.json") as
    { train: number[][]; trainLabels: number[]; test: number[][]; linear: GoldenLinear[] } | undefined;
  if (file === undefined) return;
  for (const { parameters, coef, intercept, predicted } of file.linear) {
    const loss = parameters.loss === "hinge" ? "hinge" : "squared-hinge";
    const model = await trainLinear(
      file.train,
      file.trainLabels,
      { C: parameters.C, loss, tolerance: 1e-7, maxEpochs: 20_000 },
      alone,
    );
    assert.ok(
      worstDifference(model.weights, coef.flat()) < 1e-4,
      `${loss} ${worstDifference(model.weights, coef.flat())}`,
    );
    assert.ok(worstDifference(model.intercepts, intercept) < 1e-4);
    assert.equal(Array.from(linearPredict(model, file.test)), predicted);
  }
});

interface Problem {
  readonly points: Float32Array[];
  readonly labels: number[];
}

/** Clouds around a centre per class, overlapping. */
function clouds(samples: number, columns: number, classes: number, seed: number): Problem {
  const next = noise(seed);
  const centres = Array.from({ length: classes }, () => Array.from({ length: columns }, next));
  const labels = Array.from({ length: samples }, (_, i) =>
    i < classes ? i : Math.floor(((next() + 1) / 2) * classes),
  );
  const points = labels.map((label) =>
    Float32Array.from({ length: columns }, (_, k) => (centres[label]?.[k] as number) + next()),
  );
  return { points, labels };
}

/** ½‖w‖² + Σ C_i loss, intercept included in w, for the given class against the rest. */
function primal({ points, labels }: Problem, model: LinearModel, vector: number, C: number, bias: number): number {
  const width = model.columns;
  const w = model.weights.subarray(vector * width, (vector + 1) * width);
  const b = model.intercepts[vector] as number;
  let total = w.reduce((sum, value) => sum + value * value, 0) / 2 + (bias === 0 ? 0 : (b / bias) ** 2 / 2);
  points.forEach((point, i) => {
    const y = labels[i] === model.problems[vector]?.positive ? 1 : -1;
    const loss = Math.max(0, 1 - y * (point.reduce((sum, x, k) => sum + x * (w[k] as number), 0) + b));
    total += C * (model.loss === "hinge" ? loss : loss * loss);
  });
  return total;
}

const arbitrary = fc.record({
  samples: fc.integer({ min: 5, max: 60 }),
  columns: fc.integer({ min: 1, max: 20 }),
  classes: fc.integer({ min: 2, max: 5 }),
  seed: fc.integer(),
  C: fc.constantFrom(0.01, 0.5, 5),
  bias: fc.constantFrom(0, 1, 3),
  shrinking: fc.boolean(),
});

test("dual coordinate descent: no direction lowers the objective, and the duality gap closes", async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitrary,
      fc.constantFrom("hinge", "squared-hinge"),
      async ({ samples, columns, classes, seed, C, bias, shrinking }, loss) => {
        const problem = clouds(samples, columns, classes, seed);
        const options = { C, bias, shrinking, tolerance: 1e-6, maxEpochs: 50_000, loss: loss as "hinge", seed };
        const model = await trainLinear(problem.points, problem.labels, options, { onWarning: () => {} });
        const next = noise(seed + 1);
        model.problems.forEach(({ objective, relativeGap }, vector) => {
          assert.ok(Math.abs(relativeGap) < 1e-4, `gap ${relativeGap}`);
          const here = primal(problem, model, vector, C, bias);
          assert.ok(Math.abs(here / objective - 1) < 1e-5, "the objective is what it says");
          for (let step = 0; step < 5; step++) {
            const moved = { ...model, weights: model.weights.map((w) => w + 0.02 * next()) };
            assert.ok(primal(problem, moved, vector, C, bias) >= here * (1 - 1e-4));
          }
        });
      },
    ),
    { numRuns: 60, seed: 6 },
  );
});

/** Crammer & Singer's primal: ½ Σ ‖w_m‖² + C Σ_i max_m (1 − [m = y_i] + f_m − f_{y_i}). */
function jointPrimal({ points, labels }: Problem, model: LinearModel, C: number): number {
  const classes = model.classes.length;
  let total =
    (model.weights.reduce((sum, w) => sum + w * w, 0) + model.intercepts.reduce((sum, b) => sum + b * b, 0)) / 2;
  points.forEach((point, i) => {
    const own = labels[i] as number;
    const f = Array.from({ length: classes }, (_, m) =>
      point.reduce(
        (sum, x, k) => sum + x * (model.weights[m * model.columns + k] as number),
        model.intercepts[m] as number,
      ),
    );
    total += C * Math.max(...f.map((value, m) => value - (f[own] as number) + (m === own ? 0 : 1)));
  });
  return total;
}

test("Crammer–Singer: the duality gap closes, and no direction lowers the objective", async () => {
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ samples, columns, classes, seed, C, shrinking }) => {
      const problem = clouds(samples, columns, classes, seed);
      const options = { multiclass: "crammer-singer", C, shrinking, tolerance: 1e-6, maxEpochs: 20_000, seed } as const;
      const model = await trainLinear(problem.points, problem.labels, options, { onWarning: () => {} });
      const [first] = model.problems;
      const here = jointPrimal(problem, model, C);
      assert.ok(Math.abs(here / (first?.objective ?? NaN) - 1) < 1e-5);
      assert.ok(Math.abs(first?.relativeGap ?? NaN) < 1e-3, `gap ${first?.relativeGap}`);
      const next = noise(seed + 1);
      for (let step = 0; step < 10; step++) {
        const moved = { ...model, weights: model.weights.map((w) => w + 0.02 * next()) };
        assert.ok(jointPrimal(problem, moved, C) >= here * (1 - 1e-3));
      }
    }),
    { numRuns: 40, seed: 6 },
  );
});

test("averaged SGD comes near the optimum of dual coordinate descent", async () => {
  const problem = clouds(2000, 20, 3, 9);
  for (const loss of ["hinge", "squared-hinge"] as const) {
    const C = 0.05;
    const exact = await trainLinear(problem.points, problem.labels, { loss, C }, alone);
    const descent = await trainLinear(problem.points, problem.labels, { loss, C, solver: "sgd", maxEpochs: 20 }, alone);
    descent.problems.forEach(({ objective }, vector) => {
      assert.ok(
        Math.abs(objective / primal(problem, descent, vector, C, 1) - 1) < 1e-6,
        "the objective is what it says",
      );
      const best = exact.problems[vector]?.objective ?? NaN;
      assert.ok(objective >= best * (1 - 1e-6) && objective < 1.01 * best, `${loss}: ${objective} against ${best}`);
    });
  }
});

test("averaged SGD does not run away from long rows or large class weights", async () => {
  const { points, labels } = clouds(300, 5, 2, 12);
  const long = points.map((point, i) => (i % 50 === 0 ? point.map((x) => 100 * x) : point));
  for (const loss of ["hinge", "squared-hinge"] as const) {
    const model = await trainLinear(
      long,
      labels,
      { loss, solver: "sgd", maxEpochs: 30, classWeight: { 0: 20 } },
      alone,
    );
    const nothing = labels.reduce((sum, label) => sum + (label === 0 ? 20 : 1), 0); // the objective of w = 0
    assert.ok((model.problems[0]?.objective ?? NaN) < nothing, `${loss} ${model.problems[0]?.objective} < ${nothing}`);
  }
});

test("a warm start from another C needs fewer passes and ends at the same place", async () => {
  const problem = clouds(600, 15, 3, 2);
  const near = await trainLinear(problem.points, problem.labels, { C: 0.9 }, alone);
  const cold = await trainLinear(problem.points, problem.labels, { C: 1, tolerance: 1e-6 }, alone);
  const warm = await trainLinear(problem.points, problem.labels, { C: 1, tolerance: 1e-6, warmStart: near }, alone);
  const passes = ({ problems }: LinearModel): number => problems.reduce((sum, { epochs }) => sum + epochs, 0);
  assert.ok(passes(warm) < passes(cold), `${passes(warm)} against ${passes(cold)}`);
  assert.ok(worstDifference(warm.weights, cold.weights) < 1e-4);
  try {
    await trainLinear(problem.points.slice(1), problem.labels.slice(1), { warmStart: near });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ShapeError);
  }
});

test("workers change no bit; the seed does, and not the answer", async () => {
  const { points, labels } = clouds(400, 30, 4, 3);
  const [one, two, other] = [
    await trainLinear(points, labels, {}, alone),
    await trainLinear(points, labels, {}, { workers: 2 }),
    await trainLinear(points, labels, { seed: 5 }, alone),
  ];
  assert.equal(two.weights, one.weights);
  assert.not.equal(other.weights, one.weights);
  assert.ok(worstDifference(other.weights, one.weights) < 1e-2);
});

test("two classes share one vector; its sign is the answer", async () => {
  const { points, labels } = clouds(100, 3, 2, 1);
  const model = await trainLinear(
    points,
    labels.map((label) => (label === 0 ? -3 : 12)),
  );
  assert.equal(Array.from(model.classes), [-3, 12]);
  assert.is(model.intercepts.length, 1);
  const scores = linearDecisions(model, points);
  linearPredict(model, points).forEach((label, i) => assert.is(label, (scores[i] as number) > 0 ? 12 : -3));
});

test("stopping early warns with the distance from the optimum", async () => {
  const { points, labels } = clouds(300, 10, 2, 8);
  const warnings: string[] = [];
  const model = await trainLinear(
    points,
    labels,
    { C: 100, maxEpochs: 2 },
    { onWarning: (message) => void warnings.push(message) },
  );
  assert.is(warnings.length, 1);
  assert.match(warnings[0] as string, /after 2 passes at .* % from the optimum/);
  assert.not(model.problems[0]?.converged);
});

test("refuses impossible options", async () => {
  const refused = async (options: object): Promise<void> => {
    try {
      await trainLinear([[1], [2]], [0, 1], options);
    } catch (error) {
      assert.instance(error, OptionError);
      return;
    }
    assert.unreachable(JSON.stringify(options));
  };
  for (const options of [
    { C: 0 },
    { C: -1 },
    { C: NaN },
    { tolerance: 0 },
    { maxEpochs: 0 },
    { bias: NaN },
    { loss: "log" },
    { solver: "newton" },
  ]) {
    await refused(options);
  }
  await refused({ multiclass: "crammer-singer", loss: "squared-hinge" });
});

test.run();
