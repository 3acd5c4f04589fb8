/** Callbacks: each is driven by hand-made results, as Keras' documentation says it should react, and some by real training. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { syntheticGarments, takeImages } from "../../src/data/index.ts";
import { build, dense, flatten, sequential, sgd, type Model } from "../../src/nn/index.ts";
import {
  checkpointing,
  csvLog,
  divergenceGuard,
  earlyStopping,
  evaluate,
  fit,
  modelCheckpoint,
  readCheckpoint,
  reduceOnPlateau,
  type Callback,
  type EpochResult,
  type Snapshot,
  type Training,
} from "../../src/train/index.ts";
import { load } from "../../src/weights/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("callbacks");
const { train: garments, test: others } = syntheticGarments({ trainCount: 300, testCount: 60, seed: 3 });
const folder = mkdtempSync(join(tmpdir(), "trama-callbacks-"));
tests.after(() => rmSync(folder, { recursive: true }));

const perceptron = (): Model =>
  build(device, sequential([flatten(), dense(16, { activation: "relu" }), dense(10)]), { input: [28, 28, 1], seed: 5 });

/** Epochs with these validation losses, and what the callback does to the training meanwhile. */
async function drive(callback: Callback, losses: readonly number[], rate = 1) {
  const log = { stoppedAfter: null as number | null, restored: null as number | null, rates: [] as number[] };
  let epoch = -1;
  let factor = 1;
  const training = {
    get learningRate() {
      return rate * factor;
    },
    get rateFactor() {
      return factor;
    },
    set rateFactor(value: number) {
      factor = value;
    },
    stop: () => {
      log.stoppedAfter ??= epoch;
    },
    snapshot: (): Snapshot => ({ epoch }),
    restore: (snapshot: Snapshot) => {
      log.restored = snapshot.epoch;
    },
    metrics: [],
    warn: () => undefined,
  } as unknown as Training;
  const history: EpochResult[] = [];
  for (const loss of losses) {
    epoch++;
    const validation = { loss, accuracy: 0.5, count: 10 };
    const result = { epoch, steps: 1, loss, accuracy: 0.5, validation, learningRate: rate * factor, seconds: 1 };
    history.push(result);
    await callback.onEpochEnd?.(result, training);
    log.rates.push(rate * factor);
    if (log.stoppedAfter !== null) break;
  }
  const end = { history, stopped: "completed" as const, steps: 0, seconds: 0, imagesPerSecond: 0, firstStepSeconds: 0 };
  await callback.onEnd?.({ ...end, message: null, parametersOf: null, warnings: [] }, training);
  return log;
}

tests("early stopping bears as many epochs as its patience", async () => {
  const losses = [5, 4, 4.5, 4.2, 4.1, 4.3];
  assert.is((await drive(earlyStopping(), losses)).stoppedAfter, 2);
  assert.is((await drive(earlyStopping({ patience: 1 }), losses)).stoppedAfter, 2);
  assert.is((await drive(earlyStopping({ patience: 3 }), losses)).stoppedAfter, 4);
  assert.is((await drive(earlyStopping({ patience: 5 }), losses)).stoppedAfter, null);
});

tests("early stopping restores the best epoch however training ends", async () => {
  assert.is((await drive(earlyStopping({ patience: 2 }), [5, 3, 4, 4])).restored, 1);
  assert.is((await drive(earlyStopping({ patience: 9 }), [5, 3, 4, 4])).restored, 1);
  assert.is((await drive(earlyStopping({ patience: 9 }), [5, 4, 3])).restored, null); // it ends with the best
});

tests("early stopping counts changes above minDelta only, and nothing before startFromEpoch", async () => {
  assert.is((await drive(earlyStopping({ minDelta: 0.5, patience: 2 }), [5, 4.8, 4.7])).stoppedAfter, 2);
  const late = earlyStopping({ startFromEpoch: 3, patience: 1 });
  assert.is((await drive(late, [5, 6, 7, 8, 9])).stoppedAfter, 4);
  assert.equal(late.best, { epoch: 3, value: 8 });
});

tests("early stopping with a baseline waits for it to be surpassed", async () => {
  assert.is((await drive(earlyStopping({ baseline: 3, patience: 2 }), [5, 4, 4.5])).stoppedAfter, 2);
  assert.is((await drive(earlyStopping({ baseline: 4.5, patience: 2 }), [5, 4, 4.5, 4.2])).stoppedAfter, 3);
});

tests("NaN is never the best", async () => {
  const stopping = earlyStopping({ patience: 3 });
  await drive(stopping, [Number.NaN, 2, Number.NaN]);
  assert.equal(stopping.best, { epoch: 1, value: 2 });
});

tests("a plateau lowers the rate, not below its minimum, and not while it cools down", async () => {
  const options = { factor: 0.5, patience: 2, cooldown: 1, minRate: 0.2 };
  const { rates } = await drive(reduceOnPlateau(options), [5, 5, 5, 5, 5, 5, 5, 5, 5]);
  assert.equal(rates, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]);
});

tests("a leap of the loss puts the best parameters back and stops, or goes on more slowly", async () => {
  const losses = [2, 1, 50, 1, 60];
  const strict = await drive(divergenceGuard(), losses);
  assert.equal([strict.stoppedAfter, strict.restored], [2, 1]);
  const patient = await drive(divergenceGuard({ retries: 1 }), losses);
  assert.equal([patient.stoppedAfter, patient.rates], [4, [1, 1, 0.5, 0.5, 0.5]]);
});

tests("a monitor that does not exist is refused with the ones that do", async () => {
  const error = await drive(earlyStopping({ monitor: "val_f1" }), [1]).then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.match(error!.message, /expected a monitor among loss, accuracy, val_loss, .*got "val_f1"/);
  assert.throws(() => reduceOnPlateau({ factor: 2 }), /a factor between 0 and 1/);
});

tests("the best parameters are back after real training", async () => {
  const model = perceptron();
  const stopping = earlyStopping({ monitor: "val_loss", patience: 3 });
  const optimizer = sgd({ learningRate: 1.5 }); // far too large on purpose: it overshoots
  const { history, parametersOf } = await fit(model, takeImages(garments, 64), {
    epochs: 12,
    batchSize: 16,
    validation: others,
    optimizer,
    callbacks: [stopping],
  });
  const best = Math.min(...history.map(({ validation }) => validation!.loss));
  assert.is(stopping.best!.value, best);
  assert.is((await evaluate(model, others)).loss, best);
  if (history.at(-1)!.validation!.loss !== best) assert.is(parametersOf, stopping.best!.epoch);
});

tests("a resumed training knows its best parameters", async () => {
  const run = async (stopAfter: number | null, resume: boolean) => {
    const model = perceptron();
    const path = join(folder, "resumed.checkpoint");
    const stopping = earlyStopping({ patience: 20 });
    const stop: Callback = {
      onEpochEnd: ({ epoch }, training) => epoch + 1 === stopAfter && training.stop("for the test"),
    };
    const kept = checkpointing({ path });
    await fit(model, takeImages(garments, 64), {
      epochs: 8,
      batchSize: 16,
      validation: others,
      optimizer: sgd({ learningRate: 1.5 }),
      callbacks: stopAfter === null ? [stopping] : [stopping, kept, stop],
      resume: resume ? await readCheckpoint(path) : null,
    });
    return { best: stopping.best, loss: (await evaluate(model, others)).loss };
  };
  const straight = await run(null, false);
  await run(5, false);
  assert.equal(await run(null, true), straight);
});

tests("logs and models are written as training goes", async () => {
  const [log, file] = [join(folder, "log.csv"), join(folder, "best-{epoch}.safetensors")];
  const model = perceptron();
  const { history } = await fit(model, garments, {
    epochs: 2,
    validation: others,
    callbacks: [csvLog(log), modelCheckpoint({ path: file, bestOnly: false })],
  });
  const [head, ...lines] = readFileSync(log, "utf8").trimEnd().split("\n");
  assert.is(head, "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds");
  assert.equal(
    lines.map((line) => Number(line.split(",")[1])),
    history.map(({ loss }) => loss),
  );
  const saved = await load(device, file.replace("{epoch}", "2"));
  assert.is((await evaluate(saved, others)).loss, history[1]!.validation!.loss);
});

tests.run();
