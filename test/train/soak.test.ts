/** Five thousand steps in a row: buffers, heap and resident memory stay where they were after the first few hundred. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as assert from "uvu/assert";
import { syntheticGarments } from "../../src/data/index.ts";
import { build, dense, dropout, flatten, sequential } from "../../src/nn/index.ts";
import { fit, type Callback } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("soak");

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const STEPS = 5000;
const STEPS_PER_EPOCH = 25;
const BATCH = 16;

interface Sample {
  readonly buffers: number;
  readonly bytes: number;
  readonly created: number;
  readonly heap: number;
  readonly resident: number;
}

function sample(): Sample {
  collectGarbage();
  const { heapUsed: heap, rss: resident } = process.memoryUsage();
  const { buffersInUse: buffers, bytesInUse: bytes, created } = device.memory;
  return { buffers, bytes, created, heap, resident };
}

const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

tests(`${STEPS} training steps leave no more memory in use than a few hundred do`, async () => {
  const { train: garments } = syntheticGarments({ trainCount: STEPS_PER_EPOCH * BATCH, testCount: 20, seed: 3 });
  const layers = [flatten(), dense(24, { activation: "relu" }), dropout(0.1), dense(10)] as const;
  const model = build(device, sequential(layers), { input: [28, 28, 1] });
  const samples: Sample[] = [];
  const watch: Callback = { onEpochEnd: () => samples.push(sample()) };
  const epochs = STEPS / STEPS_PER_EPOCH;
  const { steps } = await fit(model, garments, { epochs, batchSize: BATCH, validation: 0.1, callbacks: [watch] });
  assert.ok(steps >= STEPS * 0.9, `${steps} steps`);
  const part = Math.floor(epochs / 4);
  const [early, late] = [samples.slice(part, 2 * part), samples.slice(-part)];
  const growth = (of: (one: Sample) => number) => middle(late.map(of)) - middle(early.map(of));
  assert.is(
    growth(({ buffers }) => buffers),
    0,
  );
  assert.is(
    growth(({ bytes }) => bytes),
    0,
  );
  assert.is(
    growth(({ created }) => created),
    0,
  );
  assert.ok(growth(({ heap }) => heap) < 2e6, `heap grew by ${growth(({ heap }) => heap)} bytes`);
  assert.ok(growth(({ resident }) => resident) < 16e6, `memory grew by ${growth(({ resident }) => resident)} bytes`);
});

tests.run();
