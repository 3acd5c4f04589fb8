/**
 * The kernel machine: duals solved by hand, KKT conditions on generated problems (by kernels computed here in float64),
 * golden files of LIBSVM, and LIBSVM itself where it is installed.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  hog,
  type Kernel,
  svcDecisions,
  svcPredict,
  type SvcModel,
  totalObjective,
  trainSvc,
} from "../../src/svm/index.ts";
import { blockRows, slotCount } from "../../src/svm/kernel/cache.ts";
import { cachedRowBytes } from "../../src/svm/kernel/rows.ts";
import {
  dualObjective,
  fashionMnist,
  golden,
  hasFashionMnist,
  kernelValue,
  rowOf,
  selection,
  noise,
} from "./oracle.ts";
import { libsvm, libsvmModel } from "./peers.ts";

const alone = { workers: 1 } as const;

/** Signed coefficients of a two-class model by training row. */
function coefficients({ supportIndices, dualCoefficients }: SvcModel, samples: number): number[] {
  const out = new Array<number>(samples).fill(0);
  supportIndices.forEach((sample, i) => (out[sample] = dualCoefficients[i] as number));
  return out;
}

// ---------------------------------------------------------------- solved by hand

test("two points: α = 2 / distance², the plane halfway", async () => {
  // Dual: max 2α − ½ α² ‖a − b‖²; a = (3, 0), b = (−1, 0): distance² = 16, α = 1/8, w = 1/8 · 4 = 1/2, b = −1/2.
  const model = await trainSvc(
    [
      [3, 0],
      [-1, 0],
    ],
    [0, 1],
    { kernel: { type: "linear" }, C: 10, tolerance: 1e-9 },
  );
  assert.equal(coefficients(model, 2), [1 / 8, -1 / 8]);
  assert.is(model.intercepts[0], -1 / 2);
  assert.is(model.problems[0]?.objective, -1 / 8);
});

test("two points whose α would exceed C stop at C", async () => {
  const model = await trainSvc(
    [
      [3, 0],
      [-1, 0],
    ],
    [0, 1],
    { kernel: { type: "linear" }, C: 0.05, tolerance: 1e-9 },
  );
  assert.equal(coefficients(model, 2), [0.05, -0.05]);
  assert.is(model.problems[0]?.bounded, 2);
  // objective ½ · 16 · C² − 2 C
  assert.ok(Math.abs((model.problems[0]?.objective ?? 0) - (8 * 0.0025 - 0.1)) < 1e-12);
});

test("six points of two triangles: only the two inner corners matter", async () => {
  // The classes are mirror images; the nearest points are (−1, −1) and (1, 1): distance² = 8, α = 1/4, w = (½, ½), b = 0.
  const points = [
    [-2, -1],
    [-1, -1],
    [-1, -2],
    [1, 1],
    [1, 2],
    [2, 1],
  ];
  const model = await trainSvc(points, [1, 1, 1, 2, 2, 2], { kernel: { type: "linear" }, tolerance: 1e-9 });
  assert.equal(Array.from(model.supportIndices), [1, 3]);
  assert.equal(Array.from(model.dualCoefficients), [0.25, -0.25]); // class 1 is positive
  assert.is(Math.abs(model.intercepts[0] as number), 0);
});

test("exclusive or with (1 + ⟨x, z⟩)²: all α are 1/8", async () => {
  // K is 9 on the diagonal and 1 elsewhere; by symmetry all α are equal: max 4α − ½ α² (4·9 + 4·1 − 8·1) = 4α − 16 α².
  const kernel: Kernel = { type: "polynomial", degree: 2, gamma: 1, coef0: 1 };
  const points = [
    [1, 1],
    [-1, -1],
    [1, -1],
    [-1, 1],
  ];
  const model = await trainSvc(points, [0, 0, 1, 1], { kernel, C: 1, tolerance: 1e-9 });
  for (const alpha of coefficients(model, 4).map(Math.abs)) assert.ok(Math.abs(alpha - 1 / 8) < 1e-9);
  assert.ok(Math.abs((model.problems[0]?.objective ?? 0) + 1 / 4) < 1e-9);
  assert.equal(Array.from(await svcPredict(model, points)), [0, 0, 1, 1]);
});

test("the same point with both labels: α of both at C, and the decision there is between", async () => {
  const model = await trainSvc(
    [
      [1, 2],
      [1, 2],
    ],
    [0, 1],
    { kernel: { type: "rbf", gamma: 1 }, C: 3 },
  );
  assert.equal(coefficients(model, 2), [3, -3]);
  assert.ok(model.problems[0]?.converged);
  assert.is((await svcDecisions(model, [[1, 2]]))[0], 0);
});

test("class weights move the bounds", async () => {
  const points = [[0], [0], [0], [1], [1], [1]];
  const model = await trainSvc(points, [0, 1, 0, 1, 0, 1], {
    kernel: { type: "linear" },
    C: 2,
    classWeight: { 0: 3, 1: 0.5 },
    tolerance: 1e-6,
  });
  const c = coefficients(model, 6);
  assert.ok(Math.max(...c) <= 6 && Math.min(...c) >= -1);
  assert.ok(Math.abs(c.reduce((a, b) => a + b, 0)) < 1e-9);
  assert.is(Math.min(...c), -1);
});

// ---------------------------------------------------------------- the KKT conditions

const problemArbitrary = fc.record({
  samples: fc.integer({ min: 4, max: 40 }),
  columns: fc.integer({ min: 1, max: 9 }),
  seed: fc.integer(),
  C: fc.constantFrom(0.01, 0.3, 1, 10, 100),
  weight: fc.constantFrom(1, 1, 4),
  type: fc.constantFrom("linear", "rbf", "polynomial"),
  gamma: fc.constantFrom(0.05, 0.5, 3),
  shrinking: fc.boolean(),
  duplicates: fc.boolean(),
  cacheBytes: fc.constantFrom(1, 2 ** 20),
});

test("every solution satisfies the KKT conditions to the tolerance", async () => {
  await fc.assert(
    fc.asyncProperty(
      problemArbitrary,
      async ({ samples, columns, seed, C, weight, type, gamma, shrinking, duplicates, cacheBytes }) => {
        const next = noise(seed);
        const points = Array.from({ length: samples }, () => Float32Array.from({ length: columns }, () => next()));
        if (duplicates) for (let i = 1; i < samples; i += 3) points[i] = points[i - 1] as Float32Array<ArrayBuffer>;
        const labels = points.map((_, i) => (i < 2 ? i : Number(next() > 0.3)));
        const tolerance = 1e-3;
        const kernel = (
          type === "polynomial"
            ? { type, gamma, degree: 2, coef0: 1 }
            : type === "rbf"
              ? { type, gamma }
              : { type: "linear" }
        ) as Kernel;
        const model = await trainSvc(points, labels, {
          kernel,
          C,
          classWeight: { 0: weight },
          tolerance,
          shrinking,
          cacheBytes,
        });
        assert.ok(model.problems[0]?.converged);

        const c = coefficients(model, samples); // y α, with y = +1 for class 0
        assert.ok(Math.abs(c.reduce((a, b) => a + b, 0)) < 1e-9 * C * samples, "yᵀα = 0");
        points.forEach((point, i) => {
          const y = labels[i] === 0 ? 1 : -1;
          const alpha = (c[i] as number) * y;
          const bound = C * (y === 1 ? weight : 1);
          assert.ok(alpha >= 0 && alpha <= bound * (1 + 1e-12), "0 ≤ α ≤ C");
          const f = points.reduce(
            (sum, other, j) => sum + (c[j] as number) * kernelValue(model.kernel, other, point),
            model.intercepts[0] as number,
          );
          const size = 1 + c.reduce((sum, value) => sum + Math.abs(value), 0);
          const allowed = tolerance + 4e-6 * size; // float32 kernel values
          if (alpha < bound) assert.ok(y * f >= 1 - allowed, `α below C needs a margin of 1: ${y * f}`);
          if (alpha > 0) assert.ok(y * f <= 1 + allowed, `α above 0 forbids more than 1: ${y * f}`);
        });
      },
    ),
    { numRuns: 200, seed: 6 },
  );
});

test("shrinking, a tiny cache and two workers change nothing that matters", async () => {
  const next = noise(4);
  const points = Array.from({ length: 1500 }, () => Float32Array.from({ length: 12 }, () => next()));
  const labels = points.map((x) => ((x[0] as number) + 0.4 * next() > 0 ? 1 : 0) + ((x[1] as number) > 0.2 ? 2 : 0));
  const options = { kernel: { type: "rbf", gamma: 0.5 }, C: 5 } as const;
  const base = await trainSvc(points, labels, options, alone);
  const [small, parallel] = [
    await trainSvc(points, labels, { ...options, cacheBytes: 2 ** 17 }, alone),
    await trainSvc(points, labels, options, { workers: 2 }),
  ];
  assert.equal(small.dualCoefficients, base.dualCoefficients, "the cache changes no bit");
  assert.equal(parallel.dualCoefficients, base.dualCoefficients, "workers change no bit");
  assert.equal(parallel.intercepts, base.intercepts);
  assert.ok((small.problems[0]?.kernelRows ?? 0) > (base.problems[0]?.kernelRows ?? 0), "and it was small indeed");
  const queries = points.slice(0, 300);
  assert.equal(await svcDecisions(base, queries, { workers: 2 }), await svcDecisions(base, queries, alone));
  const plain = await trainSvc(points, labels, { ...options, shrinking: false }, alone);
  assert.ok(Math.abs(totalObjective(plain) / totalObjective(base) - 1) < 1e-5);
});

test("cached rows stay within the budget, down to the one block that the solver cannot do without", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 100_000 }), fc.integer({ min: 1, max: 2 ** 30 }), (count, budget) => {
      const slots = slotCount(count, budget);
      assert.ok(slots * cachedRowBytes(count) <= budget || slots === blockRows + 4);
      assert.ok(slots <= Math.max(count, blockRows + 4));
    }),
  );
});

// ---------------------------------------------------------------- other implementations

interface GoldenParameters {
  readonly kernel: string;
  readonly C: number;
  readonly gamma?: number;
  readonly degree?: number;
  readonly coef0?: number;
  readonly class_weight?: Record<number, number>;
}

function fromGolden({ kernel, C, gamma = 1, degree = 3, coef0 = 0, class_weight }: GoldenParameters) {
  const type = kernel === "poly" ? "polynomial" : kernel;
  return {
    kernel: { type, gamma, degree, coef0 } as Kernel,
    C,
    ...(class_weight === undefined ? {} : { classWeight: class_weight }),
    tolerance: 1e-6,
  };
}

interface GoldenPair {
  readonly supportVectors: number;
  readonly dualObjective: number;
  readonly bias: number;
  readonly decision: readonly number[];
}

test("equals LIBSVM on one pair of classes, all kernels (selection beside the tests)", async () => {
  interface Selection {
    readonly labels: number[];
    readonly train: number[][];
    readonly test: number[][];
    readonly svc: (GoldenPair & { readonly parameters: GoldenParameters })[];
  }
  const file = selection("svm-selection.json.gz") as Selection;
  const millionths = (rows: readonly number[][]): Float32Array[] =>
    rows.map((row) => Float32Array.from(row, (value) => value / 1e6));
  for (const expected of file.svc) {
    const model = await trainSvc(millionths(file.train), file.labels, fromGolden(expected.parameters), alone);
    const name = expected.parameters.kernel;
    assert.is(model.supportIndices.length, expected.supportVectors, name);
    assert.ok(Math.abs(totalObjective(model) / expected.dualObjective - 1) < 1e-5, `${name} objective`);
    assert.ok(Math.abs(Math.abs(model.intercepts[0] as number) - Math.abs(expected.bias)) < 1e-3, `${name} bias`);
    const decisions = await svcDecisions(model, millionths(file.test), alone);
    const sign = Math.sign((decisions[0] as number) * (expected.decision[0] as number)); // which class is positive is convention
    decisions.forEach((value, i) =>
      assert.ok(Math.abs(value * sign - (expected.decision[i] as number)) < 1e-3, `${name} decision ${i}`),
    );
  }
});

test("equals LIBSVM on three classes (all golden cases)", async () => {
  interface Golden {
    readonly train: number[][];
    readonly trainLabels: number[];
    readonly test: number[][];
    readonly svc: {
      readonly parameters: GoldenParameters;
      readonly pairs: GoldenPair[];
      readonly predicted: number[];
    }[];
  }
  const file = golden("svm.json") as Golden | undefined;
  if (file === undefined) return;
  for (const { parameters, pairs, predicted } of file.svc) {
    const model = await trainSvc(file.train, file.trainLabels, fromGolden(parameters), alone);
    model.problems.forEach(({ supportVectors, objective }, i) => {
      assert.is(supportVectors, pairs[i]?.supportVectors);
      assert.ok(Math.abs(objective / (pairs[i]?.dualObjective ?? NaN) - 1) < 1e-5, `${parameters.kernel} ${objective}`);
    });
    assert.equal(Array.from(await svcPredict(model, file.test, alone)), predicted, parameters.kernel);
  }
});

test("equals LIBSVM, run here, on HOG features of ten classes", async () => {
  const SVM = await libsvm();
  if (SVM === undefined || !hasFashionMnist) return;
  const { pixels, labels } = fashionMnist(0, 1600);
  const features = await hog(
    { data: pixels, count: 1600, height: 28, width: 28 },
    { orientations: 8, pixelsPerCell: 7, cellsPerBlock: 2 },
    alone,
  );
  const rows = Array.from({ length: 1600 }, (_, i) => Array.from(rowOf(features, i)));
  // LIBSVM numbers classes as it meets them, and gives ties to the first: sorted labels make its order ours.
  const order = Array.from({ length: 600 }, (_, i) => i).sort((a, b) => (labels[a] as number) - (labels[b] as number));
  const [train, rest] = [order.map((i) => rows[i] as number[]), rows.slice(600)];
  const y = order.map((i) => labels[i] as number);
  for (const { kernel, C, code } of [
    { kernel: { type: "rbf", gamma: 0.1 }, C: 10, code: "2" },
    { kernel: { type: "linear" }, C: 0.5, code: "0" },
  ] as const) {
    const peer = new SVM({ type: "0", kernel: code, gamma: 0.1, cost: C, tolerance: 1e-3, quiet: true });
    peer.train(train, y);
    const model = await trainSvc(train, y, { kernel, C }, alone);
    const ours = await svcPredict(model, rest, alone);
    const equal = peer.predict(rest).filter((label, i) => label === ours[i]).length;
    assert.ok(equal >= 0.999 * rest.length, `${equal} of ${rest.length} predictions equal`);

    // The objectives of a pair of classes, both from the definition.
    const pick = y.flatMap((label, i) => (label === 0 || label === 6 ? [i] : []));
    const [pairRows, pairLabels] = [pick.map((i) => train[i] as number[]), pick.map((i) => y[i] as number)];
    peer.train(pairRows, pairLabels);
    const theirs = libsvmModel(peer.serializeModel(), features.columns);
    const pairModel = await trainSvc(pairRows, pairLabels, { kernel, C }, alone);
    const expected = dualObjective(pairModel.kernel, theirs.vectors, theirs.coefficients);
    const got = dualObjective(pairModel.kernel, pairRows, coefficients(pairModel, pairRows.length));
    assert.ok(Math.abs(got / expected - 1) < 1e-3, `${got} against ${expected}`);
    assert.ok(Math.abs(got / totalObjective(pairModel) - 1) < 1e-4, "what the model reports is what it is");
    peer.free();
  }
});

test.run();
