/**
 * The worst that can happen to a training: its process is killed at any moment, its disk is full, its device is lost. Each time
 * the last checkpoint is whole, and what goes on from it ends with the bits of a training that nothing happened to.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import * as assert from "uvu/assert";
import { FileError, seededRandom, syntheticGarments } from "../../src/data/index.ts";
import { DeviceError } from "../../src/errors.ts";
import { build as buildModel, dense, flatten, sequential, type Model } from "../../src/nn/index.ts";
import { openDevice, type Device } from "../../src/tensor/index.ts";
import { checkpointing, fit, readCheckpoint, type Callback, type Checkpoint } from "../../src/train/index.ts";
import { root } from "../layering/imports.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("kills, full disks, lost devices");
const folder = mkdtempSync(join(tmpdir(), "trama-kill-"));
const program = join(folder, "training.mjs");

tests.before(async () => {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  // One file, so that a process begins within a moment; packages stay where they are.
  await build({
    entryPoints: [join(root, "test/train/kill/training.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["source"],
    packages: "external",
    absWorkingDir: root,
    logLevel: "error",
  });
});
tests.after(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly killed: boolean;
  /** Milliseconds from the first step to the end. */
  readonly milliseconds: number;
  readonly stderr: string;
}

/** Runs the training in `place`, and kills it so many milliseconds after its first step. */
function runTraining(place: string, killAfter: number | null): Promise<Ended> {
  const child = spawn(process.execPath, [program, place], { stdio: ["ignore", "pipe", "pipe"] });
  let [stderr, began, killed] = ["", Number.NaN, false];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (!Number.isNaN(began) || !text.includes("training")) return;
    began = performance.now();
    if (killAfter === null) return;
    setTimeout(() => (killed = child.kill("SIGKILL")), killAfter);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ code, killed: killed && signal === "SIGKILL", milliseconds: performance.now() - began, stderr }),
    );
  });
}

function newPlace(name: string): string {
  const place = join(folder, name);
  mkdirSync(place);
  return place;
}

const checkpointIn = (place: string) => readCheckpoint(join(place, "training.checkpoint"));
const weightsIn = (place: string) => readFileSync(join(place, "weights"));

const KILLS = 20;

tests(`a training killed ${KILLS} times ends with the bits of one that never was`, async () => {
  const straight = newPlace("straight");
  const { code, milliseconds, stderr } = await runTraining(straight, null);
  assert.is(code, 0, stderr);
  const random = seededRandom(2026);
  // So that most of the kills hit before the end, however fast the machine is.
  const longest = (2 * milliseconds) / KILLS;
  let [kills, ends, round] = [0, 0, 0];
  while (kills < KILLS || ends === 0) {
    const place = newPlace(`round-${round++}`);
    for (let done = 0; ;) {
      const ended = await runTraining(place, kills < KILLS ? random.nextBetween(0, longest) : null);
      const { record } = (await checkpointIn(place)) ?? { record: { steps: 0 } };
      assert.ok(record.steps >= done, "no checkpoint goes back");
      done = record.steps;
      if (!ended.killed) {
        assert.is(ended.code, 0, ended.stderr);
        break;
      }
      kills++;
    }
    ends++;
    assert.ok(weightsIn(place).equals(weightsIn(straight)), `the weights of round ${round} are others`);
  }
});

const { train: garments } = syntheticGarments({ trainCount: 400, testCount: 10, seed: 4 });
const weightsOf = (model: Model) => model.device.readMany(model.parameters.map(({ tensor }) => tensor));

async function trainOn(device: Device, callbacks: readonly Callback[], resume: Checkpoint | null = null) {
  const layers = sequential([flatten(), dense(16, { activation: "relu" }), dense(10)]);
  const model = buildModel(device, layers, { input: [28, 28, 1], seed: 8 });
  await fit(model, garments, { epochs: 4, batchSize: 40, callbacks, resume });
  return weightsOf(model);
}

/** A device on which nothing more is written: half of what comes fits, and then it is full. */
async function fillDisk(): Promise<() => void> {
  const handle = await open(program);
  const prototype = Object.getPrototypeOf(handle) as { writeFile(content: Uint8Array): Promise<void> };
  await handle.close();
  const { writeFile } = prototype;
  prototype.writeFile = async function half(content) {
    await writeFile.call(this, content.subarray(0, content.length / 2));
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  return () => {
    prototype.writeFile = writeFile;
  };
}

const failure = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );

tests("a full disk ends training with an error; the last checkpoint is whole", async () => {
  const place = newPlace("full");
  const path = join(place, "training.checkpoint");
  const keeper = checkpointing({ path, everySeconds: Number.POSITIVE_INFINITY });
  const straight = await trainOn(device, []);
  let empty: (() => void) | null = null;
  const filler: Callback = {
    async onEpochBegin(epoch) {
      if (epoch === 2) empty = await fillDisk();
    },
  };
  const error = await failure(trainOn(device, [keeper, filler])).finally(() => empty?.());
  assert.instance(error, FileError);
  assert.match(
    (error as Error).message,
    /training\.checkpoint\.next: expected to write the file, got a full disk; free/,
  );
  assert.equal(readdirSync(place).sort(), ["training.checkpoint", "training.checkpoint.previous"]);
  const found = await readCheckpoint(path);
  assert.equal([found!.record.epoch, found!.record.steps], [2, 20]);
  assert.equal(await trainOn(device, [], found), straight);
});

tests("a lost device ends training with an error; a new one goes on from the last checkpoint", async () => {
  const path = join(newPlace("lost"), "training.checkpoint");
  const keeper = checkpointing({ path, everySeconds: Number.POSITIVE_INFINITY });
  const straight = await trainOn(device, []);
  const doomed = await openDevice();
  let lost = false;
  const destroyer: Callback = {
    onStep({ epoch }) {
      if (epoch < 2 || lost) return;
      lost = true;
      doomed.gpu.destroy();
    },
  };
  const error = await failure(trainOn(doomed, [keeper, destroyer]));
  assert.instance(error, DeviceError);
  assert.match((error as Error).message, /got a lost one .*open a new device and load the last checkpoint/);
  await doomed.close();
  const found = await readCheckpoint(path);
  assert.equal([found!.record.epoch, found!.record.step, found!.record.steps], [2, 0, 20]);
  assert.equal(await trainOn(device, [], found), straight);
});

tests.run();
