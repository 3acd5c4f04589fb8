/** The pipeline: scaler, splits, saved models, evaluation, grid search with resume. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, OptionError, ShapeError } from "../../src/errors.ts";
import {
  applyScaler,
  combinations,
  evaluatePipeline,
  fitScaler,
  fromTensors,
  gridHeatMap,
  gridSearch,
  type GridSpace,
  type GridState,
  gridTable,
  type ImageBatch,
  invertScaler,
  predictPipeline,
  type SavedPipeline,
  stratifiedFolds,
  stratifiedSplit,
  toTensors,
  trainPipeline,
} from "../../src/svm/index.ts";
import { noise, worstDifference } from "./oracle.ts";

/** Stripes of three directions under noise: pictures that HOG tells apart. */
function stripes(count: number, seed: number): { images: ImageBatch; labels: Int32Array } {
  const next = noise(seed);
  const size = 16;
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const data = new Uint8Array(count * size * size);
  labels.forEach((label, i) => {
    const shift = Math.floor(4 * (next() + 1));
    for (let r = 0; r < size; r++) {
      for (let c = 0; c < size; c++) {
        const along = label === 0 ? r : label === 1 ? c : r + c;
        data[(i * size + r) * size + c] = ((along + shift) % 6 < 3 ? 90 : 160) + 80 * next();
      }
    }
  });
  return { images: { data, count, height: size, width: size }, labels };
}

const features = { orientations: 6, pixelsPerCell: 8, cellsPerBlock: 2 } as const;

test("the scaler gives mean 0 and variance 1, leaves constants at 0, and can be undone", () => {
  const next = noise(1);
  const rows = Array.from({ length: 50 }, () => [3 + next(), 1000 * next(), 7, 1e4 + 0.1 * next()]);
  const scaler = fitScaler(rows);
  const scaled = applyScaler(scaler, rows);
  for (let c = 0; c < 4; c++) {
    const column = Array.from({ length: 50 }, (_, r) => scaled.data[4 * r + c] as number);
    const mean = column.reduce((a, b) => a + b, 0) / 50;
    const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 50;
    assert.ok(Math.abs(mean) < 1e-4);
    assert.ok(Math.abs(variance - (c === 2 ? 0 : 1)) < 1e-3, `column ${c}: ${variance}`);
  }
  assert.ok(worstDifference(invertScaler(scaler, scaled).data, Float32Array.from(rows.flat())) < 1e-3);
  assert.throws(
    () => applyScaler(scaler, [[1, 2]]),
    (error: unknown) => error instanceof ShapeError,
  );
});

test("stratified folds: a partition, every class spread evenly, the same for the same seed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(4), { minLength: 6, maxLength: 200 }),
      fc.integer({ min: 2, max: 6 }),
      fc.nat(),
      (list, folds, seed) => {
        const codes = Int32Array.from(list);
        const parts = stratifiedFolds(codes, folds, seed);
        assert.equal(
          parts.flatMap(({ test: held }) => Array.from(held)).sort((a, b) => a - b),
          list.map((_, i) => i),
        );
        for (const { train, test: held } of parts) {
          assert.is(train.length + held.length, codes.length);
          assert.not(train.some((i) => held.includes(i)));
        }
        for (const code of new Set(list)) {
          const sizes = parts.map(({ test: held }) => held.filter((i) => codes[i] === code).length);
          assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
        }
        assert.equal(stratifiedFolds(codes, folds, seed), parts);
      },
    ),
    { numRuns: 100, seed: 6 },
  );
  assert.throws(
    () => stratifiedFolds(Int32Array.of(0, 1), 3, 0),
    (error: unknown) => error instanceof OptionError,
  );
});

test("a stratified split holds out the fraction of each class", () => {
  const codes = Int32Array.from({ length: 1000 }, (_, i) => (i < 700 ? 0 : i < 900 ? 1 : 2));
  const { train, test: held } = stratifiedSplit(codes, 0.1, 42);
  assert.is(train.length + held.length, 1000);
  assert.equal(
    [0, 1, 2].map((code) => held.filter((i) => codes[i] === code).length),
    [70, 20, 10],
  );
  assert.not.equal(stratifiedSplit(codes, 0.1, 43).test, held);
});

const classifiers = [
  { type: "svc", C: 5, kernel: { type: "rbf" }, probability: 3 },
  { type: "svc", strategy: "one-vs-rest", kernel: { type: "polynomial", degree: 2, coef0: 1 } },
  { type: "linear", loss: "hinge" },
  { type: "linear", solver: "sgd" },
  { type: "linear", multiclass: "crammer-singer" },
] as const;

test("learns, and a saved model predicts the same after a trip through JSON and bytes", async () => {
  const [train, other] = [stripes(90, 2), stripes(60, 3)];
  for (const classifier of classifiers) {
    const model = await trainPipeline(train.images, train.labels, {
      features,
      scale: classifier.type === "linear",
      classifier,
    });
    const { accuracy, baseline, confusion } = await evaluatePipeline(model, other.images, other.labels);
    assert.ok(accuracy > 0.9, `${JSON.stringify(classifier)} ${accuracy}`);
    assert.is(baseline, 1 / 3);
    assert.is(
      confusion.reduce((a, b) => a + b, 0),
      60,
    );
    assert.ok(
      Math.abs((confusion[0] as number) + (confusion[4] as number) + (confusion[8] as number) - 60 * accuracy) < 1e-9,
    );
    const loaded = fromTensors(trip(toTensors(model)));
    assert.equal(await predictPipeline(loaded, other.images), await predictPipeline(model, other.images));
    assert.equal(toTensors(loaded), toTensors(model));
  }
});

/** What a safetensors file does to arrays and JSON to the rest. */
function trip({ tensors, config }: SavedPipeline): SavedPipeline {
  const copies = Object.entries(tensors).map(([name, { data, shape }]) => [
    name,
    { data: data.slice(), shape: [...shape] },
  ]);
  return {
    tensors: Object.fromEntries(copies) as SavedPipeline["tensors"],
    config: JSON.parse(JSON.stringify(config)) as SavedPipeline["config"],
  };
}

test("a damaged model is refused with the tensor's name", async () => {
  const { images, labels } = stripes(30, 4);
  const saved = trip(toTensors(await trainPipeline(images, labels, { features })));
  const refused = (broken: SavedPipeline, pattern: string): void =>
    assert.throws(
      () => fromTensors(broken),
      (error: unknown) => error instanceof FormatError && error.message.includes(pattern),
    );
  const { support_vectors: vectors, ...rest } = saved.tensors;
  refused({ ...saved, tensors: rest }, "a tensor named support_vectors");
  refused(
    { ...saved, tensors: { ...saved.tensors, dual_coefficients: { data: new Float64Array(3), shape: [3] } } },
    "dual_coefficients",
  );
  refused(
    { ...saved, tensors: { ...saved.tensors, intercepts: { data: new Float32Array(3), shape: [3] } } },
    "Float64Array",
  );
  refused(
    {
      ...saved,
      tensors: { ...saved.tensors, support_vectors: { data: vectors?.data ?? new Float32Array(0), shape: [1, 1] } },
    },
    "support_vectors",
  );
  refused({ ...saved, config: { ...saved.config, format: "trama-svm-9" as "trama-svm-1" } }, "trama-svm-9");
});

test("pictures of another size are refused", async () => {
  const { images, labels } = stripes(30, 5);
  const model = await trainPipeline(images, labels, { features: "pixels", classifier: { type: "linear" } });
  const other = { data: new Uint8Array(64), count: 1, height: 8, width: 8 };
  const error = await predictPipeline(model, other).catch((reason: unknown) => reason);
  assert.instance(error, ShapeError);
  assert.match((error as Error).message, "16×16×1");
});

const space: GridSpace = {
  features: [features, { ...features, orientations: 3 }],
  classifiers: combinations<{ type: "svc"; C: number; kernel: { type: "rbf"; gamma: number } }>({
    type: ["svc"],
    C: [0.1, 10],
    kernel: [
      { type: "rbf", gamma: 0.05 },
      { type: "rbf", gamma: 5 },
    ],
  }),
};

test("grid search: every candidate on the same folds; table and heat map", async () => {
  const { images, labels } = stripes(60, 6);
  const result = await gridSearch(images, labels, space, { validation: { folds: 3 }, seed: 1 }, { workers: 1 });
  assert.is(result.rows.length, 8);
  assert.is(result.best, result.rows[0]);
  for (const { mean, scores } of result.rows) {
    assert.is(scores.length, 3);
    assert.ok(mean <= result.best.mean);
    assert.ok(Math.abs(mean - scores.reduce((sum, { accuracy }) => sum + accuracy, 0) / 3) < 1e-12);
  }
  const map = gridHeatMap(result, "classifier.C", "classifier.kernel.gamma");
  assert.equal(
    [map.rows, map.columns],
    [
      ["0.1", "10"],
      ["0.05", "5"],
    ],
  );
  assert.is(Math.max(...map.values), result.best.mean);
  const table = gridTable(result).split("\n");
  assert.is(table.length, 10);
  assert.is(
    table[0],
    "| # | features.orientations | classifier.C | classifier.kernel.gamma | accuracy | ± | support vectors | train s | predict s |",
  );
  assert.throws(
    () => gridHeatMap(result, "classifier.C", "nothing"),
    (error: unknown) => error instanceof OptionError,
  );
});

test("grid search on two workers gives the same scores", async () => {
  const { images, labels } = stripes(60, 6);
  const run = async (workers: number) =>
    gridSearch(images, labels, space, { validation: { holdOut: 0.25 }, seed: 1 }, { workers });
  const accuracies = ({ rows }: Awaited<ReturnType<typeof run>>): number[] => rows.map(({ mean }) => mean);
  const [one, two] = [await run(1), await run(2)];
  assert.equal(accuracies(two), accuracies(one));
  assert.equal(
    two.rows.map(({ candidate }) => candidate),
    one.rows.map(({ candidate }) => candidate),
  );
});

test("a stopped grid search goes on where it stopped, and refuses a foreign state", async () => {
  const { images, labels } = stripes(60, 6);
  const whole = await gridSearch(images, labels, space, { validation: { folds: 3 } }, { workers: 1 });
  const stop = new AbortController();
  let saved: GridState | undefined;
  const stopped = await gridSearch(
    images,
    labels,
    space,
    { validation: { folds: 3 } },
    {
      workers: 1,
      signal: stop.signal,
      onState: (state) => {
        saved = JSON.parse(JSON.stringify(state)) as GridState;
        if (state.scores.flat().filter((score) => score !== null).length === 10) stop.abort(new Error("Ctrl-C"));
      },
    },
  ).catch((error: unknown) => error);
  assert.match((stopped as Error).message, "Ctrl-C");
  const finished = saved?.scores.flat().filter((score) => score !== null).length ?? 0;
  assert.ok(finished >= 10 && finished < 24);

  let done = 0;
  const state = saved as GridState;
  const resumed = await gridSearch(
    images,
    labels,
    space,
    { validation: { folds: 3 }, state },
    { workers: 1, onState: () => void done++ },
  );
  assert.is(done, 24 - finished, "nothing is done twice");
  assert.equal(
    resumed.rows.map(({ mean }) => mean),
    whole.rows.map(({ mean }) => mean),
  );
  const foreign = await gridSearch(images, labels, space, { validation: { folds: 4 }, state }).catch(
    (error: unknown) => error,
  );
  assert.instance(foreign, OptionError);
});

test.run();
