/** Runs: what is written down is what was measured, and the report of it needs nothing but itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { imageDataset, selectImages, stratifiedSplit, streamOf, syntheticGarments } from "../../src/data/index.ts";
import { FormatError } from "../../src/errors.ts";
import { build, dense, flatten, sequential } from "../../src/nn/index.ts";
import {
  classificationReport,
  judgeRun,
  parseRun,
  readRun,
  recordRun,
  runAsHtml,
  runAsJson,
  runAsMarkdown,
  runFileOf,
  writeRun,
  type FinishedRun,
  type RunRecord,
} from "../../src/report/index.ts";
import { packFloats, packWhole, unpack } from "../../src/report/run/packed.ts";
import { evaluate, fit, hardwareLog, predict } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { wordsIn } from "./svgText.ts";

const tests = deviceSuite("runs");
const folder = mkdtempSync(join(tmpdir(), "trama-run-"));
tests.after(() => rmSync(folder, { recursive: true }));

const MARKUP = `<script>alert("1")</script> & 'so on'`;

/** A real, short run on garments, one class of which has an evil name. */
async function finished(): Promise<FinishedRun> {
  const drawn = syntheticGarments({ trainCount: 300, testCount: 120, seed: 3 });
  const classNames = drawn.train.classNames.map((name, k) => (k === 3 ? MARKUP : name));
  const [all, images] = [drawn.train, drawn.test].map((part) => imageDataset({ ...part, classNames }));
  const parts = stratifiedSplit(all!.labels, { fraction: 0.2, seed: 1 });
  const training = selectImages(all!, parts.train, "train");
  const validation = selectImages(all!, parts.validation, "validation");
  const model = build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], classNames });
  const hardware = hardwareLog({
    openProcessorMeter: async () => ({ name: "a test", joules: async () => performance.now(), close: () => undefined }),
    openGpuMeter: async () => "there is none",
    peakResidentBytes: () => 1e8,
  });
  const result = await fit(model, training, { epochs: 3, validation, callbacks: [hardware] });
  const evaluation = await evaluate(model, images!);
  const predictions = await predict(model, images!.images);
  return {
    name: "perceptron",
    model,
    file: { path: "runs/perceptron.safetensors", bytes: 31_400 },
    configuration: { epochs: 3, "learning rate": { kind: "step", rate: 0.1 } },
    seed: 42,
    training,
    validation,
    result,
    test: { images: images!, evaluation, predictions, seconds: 0.5 },
    hardware: hardware.summary,
    ended: new Date("2024-05-06T07:08:09Z"),
  };
}

let run = null as unknown as FinishedRun;
let record = null as unknown as RunRecord;

tests("a record comes back from its file as it was", async () => {
  run = await finished();
  record = recordRun(run);
  const file = join(folder, "deep", "perceptron.run.json");
  await writeRun(file, record);
  assert.equal(await readRun(file), JSON.parse(JSON.stringify(record)));
  assert.is(runFileOf("runs/a.b.safetensors"), "runs/a.b.run.json");
  assert.is(runFileOf("a"), "a.run.json");
});

tests("packed numbers are equal bit by bit, whatever their type", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 ** 20 })), fc.array(fc.float({ noNaN: true })), (whole, floats) => {
      assert.equal([...unpack(packWhole(whole), "")], whole);
      assert.equal([...unpack(packFloats(floats), "")], floats);
    }),
  );
  assert.equal(
    ["u8", "u16", "u32"],
    [255, 256, 65_536].map((value) => packWhole([value]).dtype),
  );
  for (const odd of [
    { ...packWhole([1]), count: 2 },
    { ...packWhole([1]), base64: "?" },
    { ...packWhole([1]), dtype: "u9" as "u8" },
  ]) {
    assert.throws(
      () => unpack(odd, "there"),
      (error: unknown) => error instanceof FormatError,
    );
  }
});

tests("judged from the record, a run has the scores of its predictions", () => {
  const { images, predictions, evaluation } = run.test!;
  const judged = judgeRun(parseRun(JSON.stringify(record)))!;
  const { classes, probabilities } = predictions;
  const direct = classificationReport({
    truth: images.labels,
    predicted: classes,
    classNames: images.classNames,
    probabilities,
  });
  assert.equal(judged.report, direct);
  assert.ok(Math.abs(judged.report.metrics.accuracy - evaluation.accuracy) < 1e-6);
  assert.equal(
    Array.from(judged.confidence),
    Array.from(classes, (k, row) => probabilities[row * 10 + k]!),
  );
});

tests("where probabilities are too many, every nth is kept, and the report says so", () => {
  const [samples, classes] = [3000, 400];
  const labels = new Uint8Array(samples);
  const images = {
    labels,
    classNames: Array.from({ length: classes }, (_, k) => `c${k}`),
    count: samples,
    shape: [1, 1, 1],
    images: new Uint8Array(samples),
    split: "test",
  };
  const probabilities = new Float32Array(samples * classes);
  for (let row = 0; row < samples; row++) probabilities[row * classes + (row % 2)] = 1;
  const predictions = { probabilities, classes: Uint32Array.from(labels, (_, row) => row % 2) };
  const large = recordRun({
    ...run,
    test: { ...run.test!, images: images as unknown as NonNullable<FinishedRun["test"]>["images"], predictions },
  });
  assert.is(large.test!.step, 3);
  assert.is(large.test!.probabilities.count, 1000 * classes);
  const { report, ranked, truth } = judgeRun(large)!;
  assert.is(truth.length, samples);
  assert.is(report.metrics.accuracy, 0.5);
  assert.equal([ranked.truth.length, Array.from(ranked.predicted).slice(0, 4)], [1000, [0, 1, 0, 1]]);
  assert.ok(report.scores.some(({ metric }) => metric === "log loss"));
  assert.match(report.warnings.at(-1)!, /of 1000 of the 3000 test images/);
});

/** Tags that are opened and never closed, or the reverse. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const odd: string[] = [];
  const single = new Set(["meta", "!doctype"]);
  for (const [, slash, name, rest] of html.replace(/<style>[^]*?<\/style>/g, "").matchAll(/<(\/?)([!\w]+)([^>]*)>/g)) {
    if (slash === "/") odd.push(...(open.at(-1) === name ? (open.pop(), []) : [`</${name}>`]));
    else if (!rest!.endsWith("/") && !single.has(name!)) open.push(name!);
  }
  return [...odd, ...open.map((name) => `<${name}>`)];
}

tests("the HTML report is whole, and fetches nothing", async () => {
  const html = await runAsHtml(record);
  assert.not.match(html, /https?:|\bsrc=|@import|url\((?!#)/i);
  assert.not.match(html, /<script|<link|<iframe|\son\w+=/i);
  assert.not.match(html, /NaN|undefined|\[object|Infinity/);
  assert.match(html, /Content-Security-Policy" content="default-src 'none'/);
  assert.equal(unbalanced(html), []);
  assert.ok(html.length < 1e6, `${html.length} characters`);
  for (const title of ["Result", "Training", "Test", "Pictures", "Data", "Model", "Circumstances"]) {
    assert.ok(html.includes(`<h2>${title}</h2>`), title);
  }
  const words = new Set(wordsIn(html).map(({ text }) => text));
  for (const title of [
    "Training",
    "Confusion matrix",
    "Scores of each class",
    "ROC curves",
    "Precision–recall curves",
    "Calibration",
    "Confidence of answers",
    "Samples of each class",
    "Samples of the training part",
    "Wrong answers, the most confident first",
  ]) {
    assert.ok(words.has(title), title);
  }
  for (const fact of [
    "SYNTHETIC DATA",
    "2024-05-06 07:08:09 UTC",
    "&quot;kind&quot;:&quot;step&quot;",
    "runs/perceptron.safetensors",
    "measured: a test",
    run.model.device.name,
  ]) {
    assert.ok(html.includes(fact), fact);
  }
  assert.match(html, /best epoch \d: 0\.\d{4}|best epoch \d: \d\.\d{4}/);
  assert.equal(
    new Set(Array.from(html.matchAll(/ id="([^"]+)"/g), ([, id]) => id)).size,
    Array.from(html.matchAll(/ id="/g)).length,
    "no name twice",
  );
  assert.ok(
    Array.from(html.matchAll(/<svg /g)).length ===
      Array.from(html.matchAll(/<svg [^>]*role="img"[^>]*aria-label="[^"]/g)).length,
    "words for every picture",
  );
});

tests("themes: both in one, or one of them", async () => {
  const colours = (html: string) => Array.from(html.matchAll(/--trama-surface:(#\w+)/g), ([, colour]) => colour);
  assert.equal(colours(await runAsHtml(record)), ["#ffffff", "#12161c"]);
  assert.equal(colours(await runAsHtml(record, { theme: "dark" })), ["#12161c"]);
  assert.equal(colours(await runAsHtml(record, { theme: "light" })), ["#ffffff"]);
});

tests("an interrupted run without test, validation and measurements is reported on as such", async () => {
  const bare = recordRun({
    ...run,
    test: null,
    validation: null,
    hardware: null,
    file: null,
    training: streamOf(run.training as Parameters<typeof streamOf>[0]),
    result: {
      ...run.result,
      history: [{ ...run.result.history[0]!, validation: null }],
      stopped: "interrupted",
      warnings: ["something is doubtful"],
    },
  });
  assert.is(judgeRun(bare), null);
  const html = await runAsHtml(bare);
  assert.equal(unbalanced(html), []);
  assert.not.match(html, /NaN|undefined|<h2>Test/);
  for (const text of [
    "Nothing was tested.",
    "interrupted",
    "unknown: nothing was measured",
    "Warning: something is doubtful.",
    "not saved",
  ]) {
    assert.ok(html.includes(text), text);
  }
  assert.match(runAsMarkdown(bare), /nothing was tested/);
  assert.is(runAsJson(bare)["report"], null);
});

tests("Markdown and JSON hold the same facts", () => {
  const markdown = runAsMarkdown(record);
  const accuracy = run.test!.evaluation.accuracy.toFixed(4);
  assert.ok(markdown.includes(`Test accuracy ${accuracy}`));
  assert.match(markdown, /\| epoch \| +loss \|.* processor Wh \| +processor W \|/);
  assert.match(markdown, /\*\*SYNTHETIC DATA\*\*/);
  const json = JSON.parse(JSON.stringify(runAsJson(record))) as {
    test: { accuracy: number };
    report: { accuracy: number };
    costs: { parameters: number; watts: number | null };
    power: { source: string };
  };
  assert.is(json.test.accuracy, run.test!.evaluation.accuracy);
  assert.is(json.costs.parameters, 7850);
  assert.match(json.power.source, device.isSoftware ? /^measured: a test/ : /^unknown: there is none/);
});

tests("what is no run is refused, and says why", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["nothing", /got no JSON/],
    ["null", /other JSON/],
    ['{"trama":"model"}', /other JSON/],
    [JSON.stringify({ ...record, format: 9 }), /format 9, written by Trama "0\.\d+\.\d+"; install a newer/],
    [JSON.stringify({ ...record, data: undefined }), /the field "data"/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseRun(text, "a file"),
      (error: unknown) => error instanceof FormatError && message.test(error.message),
    );
  }
});

tests.run();
