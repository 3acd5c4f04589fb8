/** Metrics by name and of one's own: scikit-learn's values, in evaluation and training, and everything that reads them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { arrayDataset, generatorDataset, selectRows, streamOf, syntheticGarments } from "../../src/data/index.ts";
import { OptionError } from "../../src/errors.ts";
import { build, dense, flatten, sequential, type Model } from "../../src/nn/index.ts";
import { trainingCurves } from "../../src/report/index.ts";
import {
  csvLog,
  earlyStopping,
  evaluate,
  fit,
  modelCheckpoint,
  predict,
  progress,
  reduceOnPlateau,
  type Metric,
  type MetricChoice,
} from "../../src/train/index.ts";
import { namedMetric } from "../../src/train/metrics/named.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("chosen metrics");
const { train: garments, test: others } = syntheticGarments({ trainCount: 300, testCount: 90, seed: 3 });
const folder = mkdtempSync(join(tmpdir(), "trama-metrics-"));
tests.after(() => rmSync(folder, { recursive: true }));

const network = (): Model => build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], seed: 6 });

type Triple = readonly [precision: number, recall: number, f1: number];
interface Golden {
  readonly answers: readonly {
    readonly name: string;
    readonly classes: number;
    readonly truth: readonly number[];
    readonly predicted: readonly number[];
    readonly balancedAccuracy: number;
    readonly cohenKappa: number | "nan";
    readonly matthews: number;
    readonly scores: readonly ({ readonly zeroDivision: unknown; readonly beta: number } & Record<
      "macro" | "weighted" | "micro",
      Triple
    >)[];
  }[];
  readonly rankings: readonly {
    readonly classes: number;
    readonly truth: readonly number[];
    readonly probabilities: readonly number[];
    readonly logLoss: number;
    readonly brierScore: number;
  }[];
}
const golden = JSON.parse(readFileSync(new URL("fixtures/metrics.json", import.meta.url), "utf8")) as Golden;

const close = (got: number, want: number, what: string): void =>
  assert.ok(Math.abs(got - want) < 1e-6, `${what}: ${got}, scikit-learn ${want}`);

tests("scores of answers by their names are scikit-learn's", () => {
  for (const { name, classes, truth, predicted, scores, ...more } of golden.answers) {
    const probabilities = new Float32Array(truth.length * classes);
    predicted.forEach((answer, row) => (probabilities[row * classes + answer] = 1));
    const score = (metric: string) => namedMetric("test", metric).compute({ probabilities, labels: truth, classes });
    for (const one of scores.filter(({ zeroDivision, beta }) => zeroDivision === 0 && beta === 1)) {
      for (const average of ["macro", "weighted", "micro"] as const) {
        ["Precision", "Recall", "F1"].forEach((kind, k) =>
          close(score(average + kind), one[average][k]!, `${name}, ${average}${kind}`),
        );
      }
    }
    close(score("balancedAccuracy"), more.balancedAccuracy, `${name}, balancedAccuracy`);
    close(score("matthewsCorrelation"), more.matthews, `${name}, matthewsCorrelation`);
    if (more.cohenKappa === "nan") assert.ok(Number.isNaN(score("cohenKappa")));
    else close(score("cohenKappa"), more.cohenKappa, `${name}, cohenKappa`);
  }
});

tests("scores of probabilities by their names are scikit-learn's", () => {
  // A probability of 0 is kept one rounding away from it, and f32 has other roundings than the f64 of the golden values.
  const cases = golden.rankings.filter(({ probabilities }) => Math.min(...probabilities) > 0);
  assert.ok(cases.length > 0);
  for (const { classes, truth, probabilities, logLoss, brierScore } of cases) {
    const answered = { probabilities: Float32Array.from(probabilities), labels: truth, classes };
    close(namedMetric("test", "logLoss").compute(answered), logLoss, "logLoss");
    close(namedMetric("test", "brierScore").compute(answered), brierScore, "brierScore");
    assert.is(namedMetric("test", `top${classes}`).compute(answered), 1);
  }
});

tests("negative predictive value and specificity are ratios of counts", () => {
  // Truth 0 0 0 1, answers 0 0 1 1. Class 0: tp 2, fn 1, fp 0, tn 1. Class 1: tp 1, fn 0, fp 1, tn 2.
  const probabilities = Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1);
  const score = (name: string) =>
    namedMetric("test", name).compute({ probabilities, labels: [0, 0, 0, 1], classes: 2 });
  close(score("npv"), (1 / 2 + 2 / 2) / 2, "npv");
  close(score("macroNpv"), 0.75, "macroNpv");
  close(score("weightedNpv"), (3 * 0.5 + 1 * 1) / 4, "weightedNpv");
  close(score("macroSpecificity"), (1 + 2 / 3) / 2, "macroSpecificity");
});

/** What a user would write by hand. */
const hitsOfTopThree: Metric = {
  name: "top3-by-hand",
  compute({ probabilities, labels, classes }) {
    const hits = Array.from(labels).filter((label, row) => {
      const scores = [...probabilities.subarray(row * classes, (row + 1) * classes)];
      return scores.filter((score) => score > scores[label]!).length < 3;
    });
    return hits.length / labels.length;
  },
};

tests("evaluation computes them over every form of data, and says nothing where none was asked for", async () => {
  const model = network();
  await fit(model, garments, { epochs: 1 });
  const metrics: MetricChoice[] = ["top3", "logLoss", "microF1", hitsOfTopThree];
  const { metrics: scores, loss, accuracy } = await evaluate(model, others, { metrics, batchSize: 32 });
  assert.ok(Math.abs(scores!["logLoss"]! - loss) < 1e-5);
  assert.ok(Math.abs(scores!["microF1"]! - accuracy) < 1e-12);
  assert.is(scores!["top3"], scores!["top3-by-hand"]);
  assert.ok(scores!["top3"]! > accuracy);
  assert.equal((await evaluate(model, streamOf(others), { metrics, batchSize: 32 })).metrics, scores);
  const { images: values, labels, shape, classNames, count } = others;
  const made = generatorDataset({ count, shape, classNames, dtype: "u8", batches: () => [{ values, labels }] });
  assert.equal((await evaluate(model, made, { metrics, batchSize: 32 })).metrics, scores);
  assert.not.ok("metrics" in (await evaluate(model, others)));
});

tests("training computes them after each epoch; logs, progress and plots show them", async () => {
  const model = network();
  const log = join(folder, "log.csv");
  const lines: string[] = [];
  const { history } = await fit(model, garments, {
    epochs: 3,
    validation: others,
    metrics: ["macroF1", hitsOfTopThree],
    callbacks: [csvLog(log), progress({ output: { write: (text) => lines.push(text) } })],
  });
  const last = history.at(-1)!.validation!.metrics!;
  assert.equal(Object.keys(last), ["macroF1", "top3-by-hand"]);
  const { classes } = await predict(model, others);
  const f1 = Array.from({ length: 10 }, (_, k) => {
    const [truth, answers] = [others.labels, classes].map((list) => Array.from(list, (label) => label === k));
    const tp = truth!.filter((is, row) => is && answers![row]).length;
    const total = truth!.filter(Boolean).length + answers!.filter(Boolean).length;
    return total === 0 ? 0 : (2 * tp) / total;
  });
  close(last["macroF1"]!, f1.reduce((sum, value) => sum + value, 0) / 10, "macroF1");
  const csv = readFileSync(log, "utf8").split("\n");
  assert.is(csv[0], "epoch,loss,accuracy,val_loss,val_accuracy,val_macroF1,val_top3-by-hand,learning_rate,seconds");
  assert.is(Number(csv[3]!.split(",")[5]), last["macroF1"]);
  assert.match(lines.at(-1)!, new RegExp(`macroF1 ${last["macroF1"]!.toFixed(4)}`));
  const { option } = trainingCurves(history);
  const axes = (option["yAxis"] as { name: string }[]).map(({ name }) => name);
  assert.equal(axes.slice(0, 4), ["loss (nats)", "accuracy", "macroF1", "top3-by-hand"]);
  const drawn = (option["series"] as { data: unknown[] }[]).map(({ data }) => data);
  assert.ok(drawn.some((data) => data[2] === last["macroF1"]));
});

/** Goes 3, 1, 2: the best epoch is the first where more is better, and the second where less is. */
const scripted = (mode?: "min" | "max"): Metric => {
  const values = [3, 1, 2];
  let epoch = 0;
  return { name: "scripted", ...(mode && { mode }), compute: () => values[epoch++ % 3]! };
};

for (const [mode, best] of [
  [undefined, 0],
  ["max", 0],
  ["min", 1],
] as const) {
  tests(`a monitor knows which way a metric of mode ${mode ?? "none"} goes`, async () => {
    const stopping = earlyStopping({ monitor: "val_scripted", patience: 5 });
    const plateau = reduceOnPlateau({ monitor: "val_scripted", patience: 1, factor: 0.5 });
    const path = join(folder, `${mode}.safetensors`);
    const { history, parametersOf } = await fit(network(), garments, {
      epochs: 3,
      validation: others,
      metrics: [scripted(mode)],
      callbacks: [stopping, plateau, modelCheckpoint({ path, monitor: "val_scripted" })],
    });
    assert.is(stopping.best!.epoch, best);
    assert.is(parametersOf, best);
    const rates = history.map(({ learningRate }) => learningRate);
    assert.equal(rates, mode === "min" ? [1e-3, 1e-3, 1e-3] : [1e-3, 1e-3, 5e-4]);
    assert.match(readFileSync(path, "latin1").slice(0, 20_000), new RegExp(`epoch[^}]*${best + 1}`));
  });
}

tests("less log loss is better", async () => {
  const stopping = earlyStopping({ monitor: "val_logLoss", patience: 1 });
  const { history } = await fit(network(), garments, {
    epochs: 4,
    validation: others,
    metrics: ["logLoss"],
    callbacks: [stopping],
  });
  assert.is(history.length, 4, "it goes down for a while");
  assert.is(stopping.best!.epoch, 3);
});

tests("what makes no sense is refused by name before anything runs", async () => {
  const cases: [MetricChoice[], RegExp][] = [
    [["macroF2" as "macroF1"], /macro, weighted or micro before Precision.*got "macroF2"/],
    [["top0"], /got "top0"/],
    [["toString" as "npv"], /got "toString"/],
    [["macroF1", "macroF1"], /macroF1 twice/],
    [[{ name: "loss", compute: () => 0 }], /loss twice/],
    [[{ name: "a,b", compute: () => 0 }], /names of letters/],
    [[{ name: "idle" } as Metric], /metrics \{ name, compute \}/],
  ];
  for (const [metrics, message] of cases) {
    for (const work of [
      () => fit(network(), garments, { epochs: 1, validation: others, metrics }),
      () => evaluate(network(), others, { metrics }),
    ]) {
      const error = await work().then(
        () => null,
        (thrown: Error) => thrown,
      );
      assert.instance(error, OptionError);
      assert.match(error!.message, message);
    }
  }
  const alone = await fit(network(), garments, { metrics: ["npv"] }).then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.match(alone!.message, /a validation to compute them in/);
  const broken = { name: "broken", compute: () => "much" as unknown as number };
  const error = await evaluate(network(), others, { metrics: [broken] }).then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.match(error!.message, /metric "broken": expected a number, got much/);
});

tests("more outputs than classes, and a class that does not occur", async () => {
  const values = Float32Array.from({ length: 40 }, (_, at) => Math.sin(at));
  const rows = arrayDataset({
    values,
    labels: Array.from({ length: 10 }, (_, row) => row % 2),
    classNames: ["a", "b", "c"],
  });
  const model = build(device, sequential([dense(4)]), { input: [4], seed: 1 });
  const { metrics, accuracy } = await evaluate(model, selectRows(rows, [0, 2, 4, 6, 8]), {
    metrics: ["balancedAccuracy"],
  });
  assert.is(metrics!["balancedAccuracy"], accuracy, "one class occurs: its recall is the accuracy");
});

tests.run();
