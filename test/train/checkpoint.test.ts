/** Checkpoints: going on from one gives the bits of a run that was never stopped; damage is noticed and survived. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { syntheticGarments } from "../../src/data/index.ts";
import { build, conv2d, dense, dropout, flatten, maxPool2d, sequential, type Model } from "../../src/nn/index.ts";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  fit,
  readCheckpoint,
  writeCheckpoint,
  type Callback,
  type Checkpoint,
  type FitOptions,
} from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("checkpoints");
const { train: garments, test: others } = syntheticGarments({ trainCount: 300, testCount: 60, seed: 3 });
const folder = mkdtempSync(join(tmpdir(), "trama-checkpoints-"));
tests.after(() => rmSync(folder, { recursive: true }));

function network(): Model {
  const block = [conv2d(4, 3, { activation: "relu" }), maxPool2d(4)];
  return build(device, sequential([...block, flatten(), dropout(0.25), dense(10)]), { input: [28, 28, 1], seed: 6 });
}

const options: FitOptions = { epochs: 3, batchSize: 64, validation: others };
const weightsOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));

/** A callback that takes a checkpoint after the given number of steps, and ends training there if asked to. */
function takeAt(steps: number, taken: Checkpoint[], stop = false): Callback {
  let seen = 0;
  return {
    name: "counter",
    async onStep(_, training) {
      seen++;
      if (taken.length > 0 || seen < steps) return;
      taken.push(await training.checkpoint());
      if (stop) training.stop("enough");
    },
    state: () => seen,
    resume: (state) => {
      seen = state as number;
    },
  };
}

for (const steps of [2, 5, 7]) {
  tests(`a training resumed after submit ${steps} gives the bits of an uninterrupted one`, async () => {
    const whole = network();
    const straight = await fit(whole, garments, options);
    const taken: Checkpoint[] = [];
    await fit(network(), garments, { ...options, callbacks: [takeAt(steps, taken, true)] });
    const pieces = await encodeCheckpoint(taken[0]!);
    const read = await decodeCheckpoint(Buffer.concat(pieces));
    const second = network();
    const { history, steps: done } = await fit(second, garments, { ...options, resume: read });
    assert.equal(await weightsOf(second), await weightsOf(whole));
    assert.is(done, straight.steps);
    const facts = (result: typeof history) =>
      result.map(({ epoch, loss, accuracy, validation }) => ({ epoch, loss, accuracy, validation }));
    assert.equal(facts(history), facts(straight.history));
  });
}

tests("an epoch that was cut short is judged once, when it is whole", async () => {
  const judge = () => {
    const seen: number[] = [];
    const callback: Callback = {
      name: "judge",
      onEpochEnd: ({ steps }) => seen.push(steps),
      state: () => [...seen],
      resume: (state) => {
        seen.push(...(state as number[]));
      },
    };
    return { seen, callback };
  };
  const [straight, cut, resumed] = [judge(), judge(), judge()];
  const whole = network();
  const settings = { ...options, batchSize: 16, ema: 0.9 };
  await fit(whole, garments, { ...settings, callbacks: [straight.callback] });
  const stop = new AbortController();
  const taken: Checkpoint[] = [];
  const interrupter: Callback = {
    onStep: () => stop.abort(),
    async onEnd(_, training) {
      taken.push(await training.checkpoint());
    },
  };
  const callbacks = [cut.callback, interrupter];
  await fit(network(), garments, { ...settings, callbacks, signal: stop.signal });
  assert.ok(cut.seen.length === 1 && cut.seen[0]! < 19, String(cut.seen));
  assert.equal(taken[0]!.record.callbacks["judge"]!.state, []);
  const second = network();
  const { history } = await fit(second, garments, { ...settings, callbacks: [resumed.callback], resume: taken[0]! });
  assert.equal(resumed.seen, straight.seen);
  assert.equal(history.map(({ epoch }) => epoch), [0, 1, 2]); // prettier-ignore
  assert.equal(await weightsOf(second), await weightsOf(whole));
});

tests("the state of callbacks and the factor of the learning rate come back", async () => {
  const taken: Checkpoint[] = [];
  const halving: Callback = {
    onEpochEnd: (_, training) => {
      training.rateFactor /= 2;
    },
  };
  await fit(network(), garments, { ...options, callbacks: [halving, takeAt(7, taken, true)] });
  const { record } = taken[0]!;
  assert.is(record.rateFactor, 0.5 ** record.history.length);
  assert.equal(record.callbacks["counter"], { state: 7, snapshots: [] });
  const seen: number[] = [];
  const watch: Callback = { onEpochEnd: ({ learningRate }) => seen.push(learningRate) };
  await fit(network(), garments, { ...options, callbacks: [watch], resume: taken[0]! });
  assert.is(seen[0], 1e-3 * record.rateFactor);
});

tests("another seed, batch size, network or data set is refused", async () => {
  const taken: Checkpoint[] = [];
  await fit(network(), garments, { ...options, callbacks: [takeAt(1, taken, true)] });
  const resume = taken[0]!;
  const refusal = async (other: FitOptions, data = garments) => {
    const error = await fit(network(), data, { ...options, ...other, resume }).then(
      () => null,
      (thrown: Error) => thrown,
    );
    return error?.message ?? "no error";
  };
  assert.match(await refusal({ seed: 7 }), /resume: expected seed 7, got a checkpoint of seed 6/);
  assert.match(await refusal({ batchSize: 32 }), /batchSize/);
  assert.match(await refusal({}, others), /images/);
});

async function someCheckpoint(): Promise<Checkpoint> {
  const taken: Checkpoint[] = [];
  await fit(network(), garments, { ...options, callbacks: [takeAt(1, taken, true)] });
  return taken[0]!;
}

tests("a damaged file gives way to the one before it; damage everywhere is said", async () => {
  const checkpoint = await someCheckpoint();
  const path = join(folder, "last.checkpoint");
  const later = { ...checkpoint, record: { ...checkpoint.record, steps: 99 } };
  await writeCheckpoint(path, checkpoint);
  await writeCheckpoint(path, later);
  assert.is((await readCheckpoint(path))!.record.steps, 99);
  const bytes = readFileSync(path);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(path, bytes);
  assert.is((await readCheckpoint(path))!.record.steps, checkpoint.record.steps);
  writeFileSync(`${path}.previous`, bytes);
  assert.match(
    await readCheckpoint(path).then(
      () => "no error",
      (error: Error) => error.message,
    ),
    /contents that fit their hash/,
  );
});

tests("between its two renames, the newest checkpoint is found under its working name", async () => {
  const path = join(folder, "between.checkpoint");
  await writeCheckpoint(path, await someCheckpoint());
  renameSync(path, `${path}.next`);
  assert.ok(await readCheckpoint(path));
  assert.not.ok(existsSync(path));
});

tests("no file is no checkpoint", async () => {
  assert.is(await readCheckpoint(join(folder, "none")), null);
});

tests.run();
