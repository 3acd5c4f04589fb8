/** Guards: each is provoked once, and once there is nothing to say. */
import * as assert from "uvu/assert";
import { imageDataset, selectImages, syntheticGarments, takeImages, type ImageDataset } from "../../src/data/index.ts";
import { batchNorm, build, dense, flatten, sequential, sgd, type Model } from "../../src/nn/index.ts";
import {
  baselineDoubt,
  divergenceDoubt,
  earlyStopping,
  fit,
  laggingDoubt,
  leakDoubt,
  leakDoubts,
  monitorDoubt,
  testDoubt,
  type Callback,
  type FitOptions,
} from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("guards");
const { train: garments, test: others } = syntheticGarments({ trainCount: 300, testCount: 60, seed: 3 });
const validation: ImageDataset = { ...others, split: "validation" };

const network = (momentum = 0.9): Model => {
  const layers = [flatten(), dense(16), batchNorm({ momentum }), dense(10)] as const;
  return build(device, sequential(layers), { input: [28, 28, 1], seed: 5 });
};

const trained = (options: FitOptions, data = garments, model = network()) =>
  fit(model, data, { epochs: 12, batchSize: 50, validation, ...options });

/** Pictures of 5 pixels, so that their bytes do not fill words. */
const pictures = (...rows: readonly (readonly number[])[]): ImageDataset =>
  imageDataset({
    images: Uint8Array.from(rows.flat()),
    labels: new Uint8Array(rows.length),
    shape: [1, 5, 1],
    classNames: ["a"],
    origin: "test",
    synthetic: false,
    split: "train",
  });

tests("leaks between splits are counted and the first is named", () => {
  const first = pictures([0, 0, 0, 0, 0], [1, 2, 3, 4, 5], [9, 9, 9, 9, 9]);
  const second = pictures([1, 2, 3, 4, 6], [9, 9, 9, 9, 9], [9, 9, 9, 9, 9], [0, 0, 0, 0, 0]);
  assert.is(
    leakDoubt(["training", first], ["test", second]),
    "3 of 4 test images lie in the training part too, byte by byte (test 1 is training 2): a score on them measures memory",
  );
  assert.is(leakDoubt(["training", first], ["test", pictures([0, 0, 0, 0, 1])]), null);
  assert.is(leakDoubt(["training", first], ["test", garments]), null, "other shapes share nothing");
  const all = leakDoubts({ training: first, validation: null, test: second, more: first });
  assert.is(all.length, 3, "training and test, training and more, test and more");
});

tests("many images that are alike are compared in time", () => {
  const black = pictures(...Array.from({ length: 20_000 }, () => [0, 0, 0, 0, 0]));
  assert.match(leakDoubt(["training", black], ["test", black])!, /^20000 of 20000/);
});

tests("fit warns of images that training and validation share", async () => {
  const leaking = selectImages(garments, [3, 5, 7], "validation");
  const { warnings } = await trained({ validation: leaking });
  assert.ok(warnings.some((warning) => /3 of 3 validation images .* \(validation 0 is training 3\)/.test(warning)));
  assert.equal((await trained({})).warnings, []);
});

tests("validation by the test file is flagged", async () => {
  const { warnings } = await trained({ validation: others });
  assert.equal(warnings, [testDoubt(others)!]);
  assert.match(warnings[0]!, /^validation uses 60 images of the test file: .*early stopping included/);
  assert.is(testDoubt(validation), null);
});

tests("a monitor that cannot tell epochs apart is named", () => {
  assert.match(monitorDoubt("val_accuracy", [0.1, 0.1, 0.1])!, /^val_accuracy was 0\.1000 in each of 3 epochs/);
  assert.match(monitorDoubt("val_top5", [0.97, 0.9992, 0.9995, 1])!, /saturated, at 0\.9990 or more in 3 of 4 epochs/);
  assert.match(monitorDoubt("val_loss", [0.4, Number.NaN])!, /not finite in 1 of 2 epochs/);
  for (const values of [[0.1, 0.1], [0.8, 0.9, 0.9], [0.9, 1], []]) {
    assert.is(monitorDoubt("val_accuracy", values), null);
  }
  assert.is(monitorDoubt("val_loss", [1, 0.9995, 0.9999]), null, "losses have no bound at 1");
});

tests("early stopping on a saturated metric is flagged", async () => {
  const few = takeImages(garments, 40);
  const options = { epochs: 40, validation: 0.2, callbacks: [earlyStopping({ monitor: "accuracy", patience: 40 })] };
  const { warnings } = await trained(options, few);
  assert.ok(
    warnings.some((warning) => warning.startsWith("accuracy is saturated")),
    warnings.join("\n"),
  );
  const sound = await trained({ callbacks: [earlyStopping({ patience: 3 })] });
  assert.equal(sound.warnings, []);
});

tests("an accuracy that one answer reaches is held against it", async () => {
  const labels = Uint8Array.from([2, 2, 2, 1]);
  const classNames = ["a", "b", "c"];
  assert.is(
    baselineDoubt("validation accuracy", 0.75, { labels, classNames }),
    'validation accuracy, 0.7500, is not above the trivial baseline\'s 0.7500 (always "c")',
  );
  assert.is(baselineDoubt("validation accuracy", 0.76, { labels, classNames }), null);
  const layers = sequential([flatten(), dense(10, { initialiser: "zeros" })]);
  const ignorant = build(device, layers, { input: [28, 28, 1] });
  const { warnings } = await trained({ epochs: 1, optimizer: sgd({ learningRate: 1e-45 }) }, garments, ignorant);
  assert.equal(warnings, [
    'validation accuracy, 0.1000, is not above the trivial baseline\'s 0.1000 (always "T-shirt/top")',
  ]);
});

tests("a loss that leaps or rises is told", async () => {
  assert.match(
    divergenceDoubt([2, 0.5, 5.5, 0.4])!,
    /leapt to 5\.50 in epoch 3, more than 10 times its best \(0\.500\)/,
  );
  assert.match(divergenceDoubt([0.5, 0.4, 0.6])!, /rose from 0\.500 in epoch 1 to 0\.600 in epoch 3/);
  for (const losses of [[], [1], [2, 1, 1.5], [0.5, 4.9, 0.4]]) assert.is(divergenceDoubt(losses), null);
  const faster: Callback = {
    onEpochEnd: ({ epoch }, training) => {
      if (epoch === 2) training.rateFactor = 1e4;
    },
  };
  const { warnings } = await trained({ epochs: 5, callbacks: [faster] });
  assert.ok(
    warnings.some((warning) => /^the training loss (leapt|rose)/.test(warning)),
    warnings.join("\n"),
  );
});

tests("moving statistics that lag behind are told, with a momentum that would not", async () => {
  const model = network(0.99);
  const doubt = laggingDoubt(model, 100)!;
  assert.match(doubt, /^after 100 steps the moving statistics of batch norm are 37 % what they were before/);
  const momentum = Number(/at most (0\.\d+)$/.exec(doubt)![1]);
  assert.is(laggingDoubt(network(momentum), 100), null);
  assert.is.not(laggingDoubt(network(momentum + 0.01), 100), null);
  assert.is(laggingDoubt(model, 1000), null);
  const { warnings } = await trained({ epochs: 2 }, garments, network(0.99));
  assert.ok(
    warnings.some((warning) => /^after 12 steps .* 89 %/.test(warning)),
    warnings.join("\n"),
  );
  for (const parameter of model.parameters) parameter.frozen = parameter.name.includes("moving");
  assert.is(laggingDoubt(model, 100), null, "frozen statistics are meant to stay");
});

tests.run();
