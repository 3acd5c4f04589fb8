/** Transfer learning in experiment files: whose weights, what is frozen, heads; and its results class by class. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { syntheticGarments } from "../../src/data/index.ts";
import {
  parseExperiment,
  prepareRun,
  resultTable,
  runResult,
  transferTables,
  type Experiment,
  type ExperimentResult,
} from "../../src/experiments/index.ts";
import { build, freeze, outlineOf, unfreeze, type Model } from "../../src/nn/index.ts";
import { markdownTable } from "../../src/report/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import { keras, loadWeightsBytes, saveBytes, torchvision } from "../../src/weights/index.ts";
import { root } from "../layering/imports.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const test = deviceSuite("transfer in experiments");
const data = syntheticGarments({ trainCount: 60, testCount: 20, seed: 5 });
const folder = join(root, "experiments");
const read = (name: string): Experiment => parseExperiment(readFileSync(join(folder, `${name}.json`), "utf8"), name);
const names = readdirSync(folder).map((name) => name.replace(".json", ""));
const prepare = (experiment: Experiment) => prepareRun(experiment, data, { seed: 42, fold: null });

const sound = {
  title: "a test",
  study: { name: "S1", figure: 0.9 },
  input: { size: [40, 40], channels: 3, normalisation: "network" },
  model: { name: "squeezenet1_1", pooling: "avg", head: [16, { drop: 0.5 }] },
  training: { epochs: 1 },
};
const parse = (more: object): Experiment => parseExperiment(JSON.stringify({ ...sound, ...more }));

for (const [what, more, message] of [
  ["a map", { weights: { file: "a", names: "torchvison/resnet" } }, /weights\.names: .*; did you mean "torchvision\/resnet"\?/],
  ["weights without a file", { weights: { names: "keras" } }, /weights: the key "file" is missing/],
  ["a selection", { freeze: "allButTheClassifier" }, /freeze: .*"allButClassifier"/],
  ["a selection's key", { freeze: { lst: 3 } }, /freeze: .*"lst"; did you mean "last"\?/],
  ["one of several", { freeze: [{ last: 3 }, { last: -1 }] }, /freeze\[1\]\.last: expected a whole number ≥ 0, got -1/],
  ["a step of the head", { model: { ...sound.model, head: [16, { dropout: 0.5 }] } }, /model\.head\[1\].*"dropout"; did you mean "drop"\?/],
  ["features", { training: { epochs: 1, features: "keep" } }, /training\.features: expected one of "cache", "never"/],
  ["a need", { needs: "GPU" }, /needs: .*; did you mean "gpu"\?/],
] as const) {
  test(`refused by name: ${what}`, () => assert.throws(() => parse(more), message));
} // prettier-ignore

/** Paths of layers that are frozen after an experiment's selections, in a model with a head or one without. */
const models = [{}, { model: { name: "squeezenet1_1" } }].map((more): Model => {
  const { layers, model } = prepare(parse(more));
  return build(device, layers, model);
});

function frozenIn(more: object): string[] {
  const model = models["model" in more ? 1 : 0]!;
  unfreeze(model);
  for (const selection of prepare(parse(more)).transfer.frozen) freeze(model, selection);
  const paths = model.parameters.filter(({ frozen }) => frozen).map(({ name }) => name.replace(/\/\w+$/, ""));
  return [...new Set(paths)];
}

const HEAD = ["head/hidden1", "head/predictions"];

test("freezing: all but the head, the last layers before it, by name, by pattern, and several", () => {
  const all = frozenIn({ freeze: "allButClassifier" });
  assert.is(all.length, 25);
  assert.not.ok(all.some((path) => HEAD.includes(path)));
  assert.equal(frozenIn({ freeze: { last: 0 } }), all);
  assert.equal(frozenIn({ freeze: { last: 3 } }), all.slice(0, -3), "counted without the head");
  assert.equal(frozenIn({ freeze: { names: ["conv1", "fire2/squeeze"] } }), all.slice(0, 2));
  assert.equal(frozenIn({ freeze: { matching: "^squeezenet1_1/conv1|squeeze1x1$" } }).length, 9);
  assert.equal(frozenIn({ freeze: [{ names: ["conv1"] }, { last: 24 }, { names: ["predictions"] }] }), [all[0], HEAD[1]]);
  assert.equal(frozenIn({}), []);
  const plain = { model: { name: "squeezenet1_1" } };
  const whole = frozenIn({ ...plain, freeze: { last: 0 } });
  assert.equal([whole.length, whole.at(-1)], [26, "conv10"]);
  assert.equal(frozenIn({ ...plain, freeze: "allButClassifier" }), whole.slice(0, -1));
}); // prettier-ignore

test("weights reach all but the head, whatever else the file holds; what is missing is refused", async () => {
  const { layers, model, transfer } = prepare(parse({ weights: { file: "any.safetensors" } }));
  const options = { input: [40, 40, 3], seed: 3 };
  const other = prepare(parse({ model: { name: "squeezenet1_1" } }));
  const bytes = await saveBytes(build(device, other.layers, options)); // with a classifier of its own, other names before all
  const built = build(device, layers, model);
  const report = loadWeightsBytes(built, bytes, "file", transfer.weights!.options);
  assert.equal(report.missing, HEAD.flatMap((path) => [`${path}/kernel`, `${path}/bias`])); // prettier-ignore
  assert.equal([report.loaded.length, report.unexpected], [50, ["conv10/kernel", "conv10/bias"]]);
  const { layers: without } = prepare(parse({ model: { name: "mobilenetv2", pooling: "avg", head: [] } }));
  assert.throws(() => loadWeightsBytes(build(device, without, options), bytes, "file", transfer.weights!.options), /missing: mobilenetv2\/Conv1/); // prettier-ignore
});

test("maps and exceptions are those that are named", () => {
  const optionsOf = (weights: object, more = {}) =>
    prepare(parse({ ...more, weights: { file: "w", ...weights } })).transfer.weights!.options;
  assert.is(optionsOf({ names: "torchvision/squeezenet1_1" }).map, torchvision.squeezenet1_1);
  assert.is(optionsOf({ names: "keras" }).map, keras);
  const kept = optionsOf({ except: ["fire9", "head"] }).except!;
  const matched = ["squeezenet1_1/fire9/x", "head/hidden1/kernel", "ahead/kernel", "fire8/x"].map((path) => kept.test(path)); // prettier-ignore
  assert.equal(matched, [true, true, false, false]);
  assert.equal(optionsOf({}, { model: { name: "squeezenet1_1" } }), {}, "all of a file, and nothing else");
});

test("a pooling needs a head to pool for", () => {
  assert.throws(() => prepare(parse({ model: { name: "vgg16", pooling: "avg" } })), /"head": \[\]/);
});

test("the studies' networks are as large as they say, and learn what they say", () => {
  const sizes = (name: string) => {
    const { layers, model } = prepare(read(name));
    const { parameters } = outlineOf(layers, model.input);
    const count = (all: typeof parameters) => all.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return [count(parameters), count(parameters.filter(({ trainable }) => trainable))];
  };
  assert.equal(sizes("s1-mobilenetv2-finetuned"), [2_264_389, 2_230_277]);
  assert.equal(sizes("s1-squeezenet-finetuned"), [855_109, 855_109]);
  for (const name of names.filter((one) => /^s[01]-(mobile|squeeze|vgg|res|dense)/.test(one))) {
    const { reduced, needs, weights } = read(name);
    assert.is(name.endsWith("-small"), reduced !== undefined, `${name} says how it is smaller`);
    assert.is(needs, reduced === undefined ? "gpu" : undefined, name);
    assert.ok(weights !== undefined || /RANDOM/.test(read(name).title), name);
  }
});

function resultOf(more: object, ran = true): ExperimentResult {
  const experiment = parse({ data: { labels: "groups" }, freeze: "allButClassifier", ...more });
  const { parts } = prepare(experiment);
  const classes = Uint32Array.from(parts.test.labels, (label) => Math.max(1, label));
  const history = [{ epoch: 0, steps: 1, loss: 1, accuracy: 1, validation: null, learningRate: 1, seconds: 1 }];
  const run = runResult(
    { seed: 42, fold: null },
    parts,
    { history, stopped: "completed", steps: 1, seconds: 20, imagesPerSecond: 1, firstStepSeconds: 1, message: null, parametersOf: null, warnings: [] },
    { evaluation: { loss: 1, accuracy: 0.75, count: 20 }, answers: { classes } },
    { cpuSeconds: 21, features: { images: 80, seconds: 130, found: true }, modelBytes: 2_540_000, inferenceSeconds: 31, watts: null },
    [],
  ); // prettier-ignore
  const parameters = 855_109;
  const adapter = { name: "a", kind: "software" };
  const origin = { origin: "o", synthetic: false };
  const base = { version: "0", name: "s1-test", experiment, reductions: [], adapter, data: origin, complete: true };
  return { ...base, parameters, runs: ran ? [run] : [] };
}

test("a transferred network has a row with recall, precision and negative predictive value of each group", () => {
  const [table, ...none] = transferTables([
    resultOf({}),
    resultOf({ freeze: undefined }),
    resultOf({}, false),
    { ...resultOf({}), reductions: ["1 epoch"] },
  ]);
  assert.equal(none, []);
  const [head, , first, second, ...rest] = markdownTable(table!).split("\n");
  assert.equal(rest, [], "neither what took nothing over nor what has not run");
  assert.match(head!, /\| experiment +\| +study \| +ours \| +parameters \| +MB \| +inference \| +W \| +Upper part \| +Bottom part \|/);
  // Of 20 images, two a class, 8 are of class 0 and taken for class 1, which has 2 of its own.
  assert.match(first!, /^\| s1-test +\| +0\.9000 \| +0\.7500 \| +855,109 \| +2\.5 \| +31 s \| unknown \| 0\.000 \/ 0\.000 \/ 0\.600 \| 1\.000 \/ 0\.200 \/ 1\.000 \|/);
  assert.match(second!, /^\| s1-test, REDUCED \|/);
}); // prettier-ignore

test("networks of other classes have a table of their own", () => {
  const tables = transferTables([resultOf({}), resultOf({ data: {} })]);
  assert.equal(tables.map(({ columns }) => columns.length), [7 + 5, 7 + 10]); // prettier-ignore
});

test("the first table says what features cost, what is reduced, and what needs a GPU", () => {
  const experiment = { reduced: "64² instead of 224²", data: { labels: "groups", testImages: 20 } };
  const rows = resultTable([resultOf(experiment), resultOf({ needs: "gpu" }, false)]).rows.map((row) =>
    row.join(" | "),
  );
  assert.match(rows[0]!, /\| test accuracy, 20 images \|/);
  assert.match(rows[0]!, /REDUCED: 64² instead of 224²; .*features of 80 images, computed once in 2\.2 min/);
  assert.match(rows[1]!, /\| not yet run \(needs a GPU\) \|/);
});

test.run();
