/** Experiment files: what they may say, what is refused and in what words, and what is made of them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pixelStatistics, syntheticGarments, type FashionMnist } from "../../src/data/index.ts";
import {
  EXPERIMENT_SCHEMA,
  parseExperiment,
  prepareRun,
  problemsOf,
  resultTable,
  runResult,
  runsOf,
  scoresOf,
  spreadOf,
  type Experiment,
  type ExperimentResult,
} from "../../src/experiments/index.ts";
import { layerFrom, parametersOf } from "../../src/nn/index.ts";
import { markdownTable } from "../../src/report/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import { root } from "../layering/imports.ts";

const test = suite("experiments");
const folder = join(root, "experiments");
const names = readdirSync(folder).filter((name) => name !== "schema.json");
const read = (name: string): Experiment => parseExperiment(readFileSync(join(folder, name), "utf8"), name);
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
const isValid = ajv.compile(EXPERIMENT_SCHEMA);

test("the published schema is the one that is checked", () => {
  const published: unknown = JSON.parse(readFileSync(join(folder, "schema.json"), "utf8"));
  assert.equal(published, JSON.parse(JSON.stringify(EXPERIMENT_SCHEMA)), "run `npm run schema`");
});

test("every experiment of ours follows it, for another validator too", () => {
  for (const name of names) {
    const experiment = read(name);
    assert.ok(isValid(experiment), `${name}: ${JSON.stringify(isValid.errors)}`);
    assert.is(experiment.$schema, "./schema.json");
  }
});

const sound = {
  title: "a test",
  study: { name: "S2", figure: 0.8765 },
  model: { name: "mlp" },
  training: { epochs: 3 },
};

const layers = (...children: unknown[]) => ({ ...sound, model: { kind: "sequential", children } });
const trained = (more: object) => ({ ...sound, training: { epochs: 3, ...more } });

for (const [what, value, message] of [
  ["a key that does not exist", { ...sound, trainning: {} }, /there is no key "trainning"; did you mean "training"\?/],
  ["a key far from any", { ...sound, zzzzzz: 1 }, /there is no key "zzzzzz"; the keys here are \$schema, title, study/],
  ["a key that is missing", { ...sound, title: undefined }, /the key "title" is missing/],
  ["a missing key, misspelt", trained({ epochs: undefined, epoch: 3 }), /training: .*"epoch"; did you mean "epochs"\?/],
  ["a number as text", trained({ epochs: "3" }), /training\.epochs: expected a whole number ≥ 1, got "3"/],
  ["a number out of range", trained({ batchSize: 0 }), /training\.batchSize: expected a whole number ≥ 1, got 0/],
  ["another choice", trained({ precision: "f16" }), /training\.precision: expected one of "f32", "mixed", got "f16"/],
  ["an optimiser's name", trained({ optimizer: { name: "adamw" } }), /optimizer\.name: .* "adamw"; did you mean "adamW"\?/],
  ["another optimiser's option", trained({ optimizer: { name: "sgd", beta1: 0.9 } }), /training\.optimizer: .*"beta1"/],
  ["no optimiser's name", trained({ optimizer: { momentum: 0.9 } }), /training\.optimizer: a key "name" is missing/],
  ["a misspelt tag", trained({ optimizer: { nme: "sgd" } }), /training\.optimizer: .* "nme"; did you mean "name"\?/],
  ["a schedule's option", trained({ optimizer: { name: "sgd", learningRate: { kind: "cosine", rate: 1, step: 3 } } }), /learningRate: .*"step"/],
  ["a schedule after a warm-up", trained({ optimizer: { name: "sgd", learningRate: { kind: "warmup", epochs: 1, after: { kind: "cosine", rate: -1 } } } }), /after\.rate: expected a number > 0, got -1/],
  ["a network's name", { ...sound, model: { name: "resnet19" } }, /model\.name: .*; did you mean "resnet18"\?/],
  ["neither name nor layers", { ...sound, model: {} }, /model: a key "name" or "kind" is missing/],
  ["a layer's kind", layers({ kind: "conv3d", config: {} }), /model\.children\[0\]\.kind: .*; did you mean "conv2d"\?/],
  ["a layer's option", layers({ kind: "flatten" }, { kind: "dense", config: { unit: 10 } }), /model\.children\[1\]\.config: .*"unit"; did you mean "units"\?/],
  ["a layer inside a layer", layers({ kind: "add", children: [{ kind: "dropout", config: { rate: 2 } }] }), /children\[0\]\.children\[0\]\.config\.rate: expected a number ≥ 0 and < 1/],
  ["a pair of three", { ...sound, input: { size: [1, 2, 3] } }, /input\.size: expected a list of 2, got 3/],
  ["an object for a list", { ...sound, seeds: {} }, /seeds: expected a list, got {}/],
  ["no experiment at all", [], /expected an object, got \[\]/],
] as const) {
  test(`refused by name: ${what}`, () => {
    const content = JSON.stringify(value);
    assert.throws(() => parseExperiment(content, "file.json"), message);
    assert.not.ok(isValid(JSON.parse(content)), "the other validator agrees");
  });
} // prettier-ignore

test("all faults of a file are named at once, and what is no JSON is said to be none", () => {
  const content = JSON.stringify({ ...sound, seed: 1, training: { epochs: 0 } });
  assert.throws(
    () => parseExperiment(content, "file.json"),
    /^file\.json: .*"seed"; did you mean "seeds"\? · training\.epochs/,
  );
  assert.throws(() => parseExperiment("{ title", "file.json"), /file\.json: expected JSON, got /);
});

type Place = (string | number)[];

/** Every place in a value, as a list of keys. */
function placesIn(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [[]];
  const entries = Object.entries(value).map(
    ([key, item]) => [Array.isArray(value) ? Number(key) : key, item] as [string | number, unknown],
  );
  return [[], ...entries.flatMap(([key, item]) => placesIn(item).map((place) => ([key] as Place).concat(place)))];
}

function changed(value: unknown, [key, ...rest]: readonly (string | number)[], to: unknown): unknown {
  if (key === undefined) return to;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  const inside = changed(copy[key], rest, to);
  if (inside === undefined) delete copy[key];
  else copy[key] = inside;
  return copy;
}

test("whatever is changed in a file, another validator agrees whether it is sound", () => {
  const strange = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, 0, -1, 0.5, 1, 3, true, "", "none", "cosine", [], {}, [1, 2], {
      name: "sgd",
    }),
    fc.constantFrom<unknown>(
      { kind: "flatten" },
      { kind: "oneCycle", rate: 1 },
      [
        [0, 1],
        [1, 0],
      ],
      { mean: 1, std: 2 },
    ),
  );
  const files = names.map(read);
  const change = fc
    .constantFrom(...files)
    .chain((file) => fc.tuple(fc.constant(file), fc.constantFrom(...placesIn(file)), strange));
  let refused = 0;
  fc.assert(
    fc.property(change, ([file, place, to]) => {
      const value: unknown = JSON.parse(JSON.stringify(changed(file, place, to) ?? null));
      const problems = problemsOf(EXPERIMENT_SCHEMA, value);
      refused += Number(problems.length > 0);
      assert.is(problems.length === 0, isValid(value), JSON.stringify([place, to, problems, isValid.errors]));
    }),
    { numRuns: 2000 },
  );
  assert.ok(refused > 500 && refused < 1990, `${refused} of 2000 were refused`);
});

test("a file may name every kind of layer that there is", () => {
  const known = EXPERIMENT_SCHEMA.$defs["layer"]!.anyOf!.map(({ properties }) => properties!["kind"]!.const as string);
  let there: string[] = [];
  try {
    layerFrom({ kind: "none", config: {} }, "test");
  } catch (error) {
    there = /kinds (.*), got/.exec((error as Error).message)![1]!.split(", ");
  }
  assert.equal([...known].sort(), there.sort());
});

const data: FashionMnist = syntheticGarments({ trainCount: 200, testCount: 50, seed: 9 });
const prepare = (more: object, run = { seed: 42, fold: null as number | null }, source = data) =>
  prepareRun(parseExperiment(JSON.stringify({ ...sound, ...more })), source, run);

test("the studies' networks have as many parameters as the studies say", () => {
  const counts = Object.fromEntries(
    names.map((name) => {
      const { layers: architecture, model } = prepareRun(read(name), data, { seed: 1, fold: 0 });
      const sizes = parametersOf(architecture, model.input).map(({ shape }) => sizeOf(shape));
      return [name.replace(".json", ""), sizes.reduce((sum, size) => sum + size)];
    }),
  );
  assert.equal(counts["s2-depth-1"], 203_530);
  assert.equal(counts["s2-depth-2"], 235_146);
  assert.equal(counts["s2-depth-3"], 242_762);
  assert.equal(counts["s0-convnet"], 474_590);
  assert.equal(counts["s4-best"], 663_082);
  // Filters, four numbers a channel of batch norm, and a dense layer on 3×3×160.
  const filters = 9 * (32 + 32 * 64 + 64 * 64 + 64 * 160);
  assert.equal(counts["bn-convnet"], filters + 4 * (32 + 64 + 64 + 160) + (1440 + 1) * 10);
});

test("splits are the studies', a share, or folds; a split that uses test data says so", () => {
  const counts = (part: object, run?: { seed: number; fold: number | null }) => {
    const { training, validation, test: tested, warnings } = prepare({ data: part }, run).parts;
    return [training.count, validation?.count ?? 0, tested.count, warnings.length];
  };
  assert.equal(counts({}), [200, 0, 50, 0]);
  assert.equal(counts({ images: 100 }), [100, 0, 50, 0]);
  assert.equal(counts({ split: "S0" }), [190, 10, 50, 0]);
  assert.equal(counts({ split: "S4" }), [200, 30, 20, 1]);
  assert.equal(counts({ split: { validation: 0.1, stratified: true } }), [180, 20, 50, 0]);
  const folds = [0, 1, 2, 3].map((fold) => counts({ folds: 4 }, { seed: 1, fold }));
  for (const fold of folds) assert.equal(fold, [150, 50, 50, 0]);
  assert.throws(() => prepare({ data: { folds: 4, split: "S0" } }), /expected folds or a split, got both/);
});

test("folds hold every image once", () => {
  const experiment = parseExperiment(JSON.stringify({ ...sound, data: { folds: 4 }, seeds: [1, 2] }));
  const runs = runsOf(experiment);
  assert.equal(runs.slice(3, 5), [{ seed: 1, fold: 3 }, { seed: 2, fold: 0 }]); // prettier-ignore
  const sums = runs.slice(0, 4).map((run) => pixelStatistics(prepareRun(experiment, data, run).parts.validation!).mean);
  const mean = sums.reduce((sum, value) => sum + value) / 4;
  assert.ok(Math.abs(mean - pixelStatistics(data.train).mean) < 1e-9);
});

test("pixels are standardised by the training part alone", () => {
  const { model, parts } = prepare({ data: { split: "S1" }, input: { normalisation: "standardise" } });
  const { mean, std } = pixelStatistics(parts.training);
  assert.equal(model.normalisation, { mean, std });
  assert.is.not(mean, pixelStatistics(data.train).mean);
  assert.equal(prepare({ input: { normalisation: "none" } }).model.normalisation, { scale: 255, shift: 0 });
  assert.throws(() => prepare({ input: { normalisation: "network" } }), /a published network, .* got mlp/);
});

test("images may be brought to another size, classes merged or left out", () => {
  const { model, parts } = prepare({ input: { size: [48, 40], channels: 3 }, data: { labels: "groups" } });
  assert.equal(model.input, [48, 40, 3]);
  assert.equal(parts.test.classNames.length, 5);
  const classes = [0, 1, null, null, null, null, null, null, null, null];
  const two = prepare({ data: { labels: { classes, names: ["a", "b"] } } });
  assert.equal([two.parts.training.count, two.parts.test.count], [40, 10]);
  assert.equal(two.model.classNames, ["a", "b"]);
});

test("rates move by epochs, whatever the batch size and the number of images", () => {
  const rate = (learningRate: unknown, part = {}) =>
    prepare({
      data: part,
      training: { epochs: 3, batchSize: 50, optimizer: { name: "sgd", learningRate } },
    }).fit.optimizer!.learningRate;
  assert.equal(rate(0.1), 0.1);
  assert.equal(rate({ kind: "oneCycle", rate: 1 }), { kind: "oneCycle", rate: 1, steps: 12 });
  assert.equal(rate({ kind: "cosine", rate: 1, epochs: 1.5 }, { images: 110 }), { kind: "cosine", rate: 1, steps: 5 });
  assert.equal(rate({ kind: "step", rate: 1, every: 1, factor: 0.8 }), {
    kind: "step",
    rate: 1,
    every: 4,
    factor: 0.8,
  });
  assert.equal(rate({ kind: "warmup", epochs: 1, after: { kind: "cosine", rate: 1 } }), {
    kind: "warmup",
    steps: 4,
    after: { kind: "cosine", rate: 1, steps: 8 },
  });
});

test("options of the optimiser, the loss and the callbacks reach what they are for", () => {
  const { fit } = prepare({
    training: { epochs: 2, optimizer: { name: "sgd", momentum: 0.9, nesterov: true }, classWeights: "balanced" },
    callbacks: { earlyStopping: { patience: 2 }, reduceOnPlateau: {}, divergenceGuard: {} },
  });
  assert.equal(fit.optimizer!.slots, ["velocity"]);
  assert.equal(
    fit.callbacks!.map(({ name }) => name),
    ["divergenceGuard", "reduceOnPlateau", "earlyStopping"],
  );
  assert.throws(() => prepare({ training: { epochs: 1, classWeights: [1, 2] } }), /10 weights, one a class, got 2/);
  assert.throws(() => prepare({ training: { epochs: 1, loss: { name: "hinge" }, classWeights: "balanced" } }), /hinge/);
});

test("scores of several trainings as a box plot has them", () => {
  const spread = spreadOf([0.4, 0.1, 0.2, 0.3, 0.9]);
  assert.equal([spread.count, spread.five], [5, [0.1, 0.2, 0.3, 0.4, 0.9]]);
  assert.ok(Math.abs(spread.mean - 0.38) < 1e-12 && Math.abs(spread.deviation - 0.311_448_23) < 1e-8);
  assert.equal(spreadOf([1, 2]).five, [1, 1.25, 1.5, 1.75, 2]);
  assert.equal(spreadOf([0.5]), { count: 1, mean: 0.5, deviation: 0, five: [0.5, 0.5, 0.5, 0.5, 0.5] });
});

/** Every test image is taken for its class, but those of class 0 for class 1. */
const answers = Uint32Array.from(data.test.labels, (label) => Math.max(1, label));

function resultOf(experiment: Experiment, accuracies: readonly number[], more: Partial<ExperimentResult> = {}) {
  const run = (accuracy: number) =>
    runResult(
      { seed: 42, fold: null },
      { training: data.train, validation: data.test, test: data.test, warnings: [] },
      {
        history: [0.5, accuracy].map((score, epoch) => ({
          epoch,
          steps: 4,
          loss: 1,
          accuracy: score,
          validation: { loss: 1, accuracy: score / 2, count: 50 },
          learningRate: 0.1,
          seconds: 1,
        })),
        stopped: "completed",
        steps: 8,
        seconds: 61,
        imagesPerSecond: 100,
        firstStepSeconds: 1,
        message: null,
        parametersOf: null,
        warnings: [],
      },
      { evaluation: { loss: 1, accuracy, count: 50 }, answers: { classes: answers } },
      { cpuSeconds: 130, features: null, modelBytes: 2_500_000, inferenceSeconds: 3.2, watts: null },
      [],
    );
  const result: ExperimentResult = {
    version: "0",
    name: "s2-depth-1",
    experiment,
    reductions: [],
    adapter: { name: "llvmpipe", kind: "software" },
    data: { origin: "test", synthetic: false },
    parameters: 203_530,
    complete: true,
    runs: accuracies.map(run),
    ...more,
  };
  return result;
}

test("a result is a row beside the published figure", () => {
  const experiment = parseExperiment(
    JSON.stringify({ ...sound, training: { epochs: 2 }, study: { ...sound.study, aim: 0.8 } }),
  );
  const [head, , row] = markdownTable(resultTable([resultOf(experiment, [0.81])])).split("\n");
  assert.match(head!, /\| experiment +\| +study \| +ours \|/);
  assert.match(row!, /^\| s2-depth-1: a test \| 0\.8765 \| 0\.8100 \| test accuracy/);
  assert.match(row!, /203,530 +\| +2 \| +42 \| +61 s \(CPU 2\.2 min\) \| llvmpipe \| aim 0\.8 reached \|$/);
});

test("what was reduced, synthetic or unfinished says so; several trainings show how they spread", () => {
  const experiment = parseExperiment(
    JSON.stringify({ ...sound, study: { name: "S0", figure: null, metric: "validation accuracy" } }),
  );
  const more = {
    reductions: ["2 epochs instead of 3"],
    data: { origin: "SYNTHETIC", synthetic: true },
    complete: false,
  };
  const result = resultOf(experiment, [0.8, 0.9], more);
  assert.equal(scoresOf(result), [0.4, 0.45]);
  const row = resultTable([result]).rows[0]!.join(" | ");
  assert.match(row, /\| – \| 0\.4250 ± 0\.0354 \| validation accuracy \|/);
  assert.match(row, /\| 2 of 3 \|.*SYNTHETIC DATA; REDUCED: 2 epochs instead of 3; unfinished$/);
});

test.run();
