/** Features of frozen layers: equal to what the layers make, kept in files that are right or not used. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { imageDataset, selectImages, syntheticGarments, type ImageDataset } from "../../src/data/index.ts";
import {
  adam,
  batchNorm,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  freeze,
  globalAveragePool2d,
  sequential,
  splitFrozen,
  type Model,
} from "../../src/nn/index.ts";
import { evaluate, featuresDoubt, featuresOf, fit, predict, type Features } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("features");
const { train: images, test: others } = syntheticGarments({ trainCount: 50, testCount: 20, seed: 3 });
const cache = mkdtempSync(join(tmpdir(), "trama-features-"));
tests.after(() => rmSync(cache, { recursive: true }));
tests.before.each(() => readdirSync(cache).forEach((name) => rmSync(join(cache, name))));

/** Frozen convolutions with a batch norm, which count as loaded, and a head with a dropout: always the same values. */
function make(): Model {
  const unit = [conv2d(8, 3, { stride: 2, activation: "relu" }), batchNorm(), conv2d(6, 3, { activation: "relu" })];
  const base = sequential([...unit, globalAveragePool2d()], { name: "base" });
  const head = sequential([flatten(), dense(16, { activation: "relu" }), dropout(0.3), dense(10)], { name: "head" });
  const options = { input: [12, 12, 3], seed: 8, normalisation: { mean: 70, std: 90 } };
  const model = build(device, sequential([base, head]), options);
  freezeBase(model);
  return model;
}

function freezeBase(model: Model): void {
  freeze(model, "base/");
  for (const parameter of model.parameters) parameter.untrained &&= !parameter.frozen;
}

const baseOf = (model = make()): Model => splitFrozen(model).base;
const valuesOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));
const files = (): string[] => readdirSync(cache);

tests("are what the layers make, whatever the batch size", async () => {
  const base = baseOf();
  const { data, found, file, fault } = await featuresOf(base, images, { batchSize: 16 });
  assert.equal([data.shape, data.count, found, file, fault], [[6], 50, false, null, null]);
  assert.equal([...data.labels], [...images.labels]);
  assert.equal([data.classNames, data.split, data.synthetic], [images.classNames, "train", true]);
  const whole = await featuresOf(base, images, { batchSize: 500 });
  assert.equal(whole.data.values, data.values);
  const last = selectImages(images, [49]);
  const [alone] = [await featuresOf(base, last)];
  assert.equal(alone.data.values, data.values.slice(49 * 6));
  assert.ok(data.values.some((value) => value > 0.01) && new Set(data.values).size > 200, "they are not all alike");
});

tests("a head trained on them is the model trained on the images, to the bit", async () => {
  const options = { epochs: 3, batchSize: 16, optimizer: adam({ learningRate: 0.01 }), seed: 4 };
  const model = make();
  const result = await fit(model, images, { ...options, validation: others });
  const split = make();
  const { base, head } = splitFrozen(split);
  const [made, held] = [await featuresOf(base, images), await featuresOf(base, others)];
  const short = await fit(head, made.data, { ...options, validation: held.data });
  assert.equal(
    short.history.map(({ loss, validation }) => [loss, validation]),
    result.history.map(({ loss, validation }) => [loss, validation]),
  );
  assert.equal(await valuesOf(split), await valuesOf(model), "and the whole model has learnt what the head learnt");
  assert.not.equal(await valuesOf(split), await valuesOf(make()));
  assert.equal(await evaluate(head, held.data), await evaluate(model, others));
  assert.equal(await predict(head, held.data), await predict(split, others.images, { shape: others.shape }));
});

tests("are found again, and computed again where anything that makes them is different", async () => {
  const first = await featuresOf(baseOf(), images, { cache });
  assert.equal([first.found, files().length], [false, 1]);
  const again = await featuresOf(baseOf(), images, { cache });
  assert.equal([again.found, again.file, again.seconds], [true, first.file, first.seconds]);
  assert.equal(again.data, first.data);
  const changed = make();
  const [kernel] = changed.parameters;
  device.write(kernel!.tensor, ((await kernel!.tensor.read()) as Float32Array<ArrayBuffer>).map((value) => value * 1.001)); // prettier-ignore
  const pixels = Uint8Array.from(images.images, (value, at) => (at === 17 ? 255 - value : value));
  const larger = build(device, make().architecture, { input: [13, 13, 3], seed: 8, normalisation: { mean: 70, std: 90 } });
  const brighter = build(device, make().architecture, { input: [12, 12, 3], seed: 8, normalisation: { mean: 60, std: 90 } });
  const nearest = build(device, make().architecture, { input: [12, 12, 3], seed: 8, normalisation: { mean: 70, std: 90 }, resize: { mode: "nearest" } });
  for (const other of [larger, brighter, nearest]) freezeBase(other);
  const cases: readonly (readonly [Model, ImageDataset])[] = [
    [changed, images],
    [larger, images],
    [brighter, images],
    [nearest, images],
    [make(), imageDataset({ ...images, images: pixels })],
    [make(), selectImages(images, [...images.labels.keys()].reverse())],
    [make(), others],
  ];
  for (const [model, set] of cases) {
    const { found, data } = await featuresOf(baseOf(model), set, { cache });
    assert.is(found, false);
    assert.not.equal(data.values, first.data.values);
  }
  assert.is(files().length, 1 + cases.length);
}); // prettier-ignore

tests("with other labels are the same", async () => {
  await featuresOf(baseOf(), images, { cache });
  const labels = images.labels.map((label) => label % 2);
  const two = imageDataset({ ...images, labels, classNames: ["even", "odd"] });
  const { found, data } = await featuresOf(baseOf(), two, { cache });
  assert.equal([found, data.classNames, [...data.labels]], [true, ["even", "odd"], [...labels]]);
});

/** Spoils the file of features and expects them to be right all the same. */
async function spoil(change: (bytes: Buffer) => Uint8Array, message: RegExp): Promise<void> {
  const first = await featuresOf(baseOf(), images, { cache });
  const whole = readFileSync(first.file!);
  writeFileSync(first.file!, change(Buffer.from(whole)));
  const made = await featuresOf(baseOf(), images, { cache });
  assert.is(made.found, false);
  assert.match(made.fault!, message);
  assert.equal(made.data.values, first.data.values);
  const after: Features = await featuresOf(baseOf(), images, { cache });
  assert.equal(
    [after.found, after.fault, files().length],
    [true, null, 1],
    "it was written anew, and nothing beside it",
  );
}

tests("of a damaged file are not believed", async () => {
  await spoil((bytes) => bytes.subarray(0, bytes.length - 40), /cut off|ends at|data up to/);
  await spoil((bytes) => {
    bytes.writeFloatLE(bytes.readFloatLE(bytes.length - 8) + 1, bytes.length - 8);
    return bytes;
  }, /damaged/);
  await spoil((bytes) => {
    const at = bytes.indexOf("seconds") + 9;
    bytes[at + 2] = bytes[at + 2] === 0x31 ? 0x32 : 0x31;
    return bytes;
  }, /damaged/);
  await spoil(() => Buffer.from("no features"), /expected/);
});

tests("of other layers under their name are not believed", async () => {
  const first = await featuresOf(baseOf(), images, { cache });
  const other = await featuresOf(baseOf(), others, { cache });
  copyFileSync(other.file!, first.file!);
  const made = await featuresOf(baseOf(), images, { cache });
  assert.is(made.found, false);
  assert.match(made.fault!, /features [0-9a-f]{12}….*, got those of [0-9a-f]{12}…/);
  assert.equal(made.data.values, first.data.values);
});

tests("that cannot be kept are used all the same, and it is said", async () => {
  const blocked = join(cache, "file");
  writeFileSync(blocked, "");
  const { data, file, fault } = await featuresOf(baseOf(), images, { cache: join(blocked, "below") });
  assert.equal([data.count, file], [50, null]);
  assert.match(fault!, /below/);
});

tests("of frozen layers that know nothing are refused, unless they are meant", async () => {
  const model = make();
  for (const parameter of model.parameters) parameter.untrained = true;
  const [base, options] = [baseOf(model), { allowUntrainedFrozen: true }];
  const refused = await featuresOf(base, images).then(
    () => "",
    (error: Error) => error.message,
  );
  assert.match(refused, /^featuresOf: expected frozen layers that were loaded or trained before, got 8 frozen/);
  assert.is((await featuresOf(base, images, options)).data.count, 50);
});

tests("report how far they are, and end when told to, leaving nothing", async () => {
  const seen: number[] = [];
  await featuresOf(baseOf(), images, { batchSize: 20, onProgress: (done, count) => seen.push(done, count) });
  assert.equal(seen, [20, 50, 40, 50, 50, 50]);
  const abort = new AbortController();
  const onProgress = () => abort.abort(new Error("enough"));
  const work = featuresOf(baseOf(), images, { batchSize: 20, cache, signal: abort.signal, onProgress });
  assert.is(await work.then(() => "", (error: Error) => error.message), "enough"); // prettier-ignore
  assert.equal(files(), []);
});

tests("stand in for images only where nothing changes by it", () => {
  const model = make();
  assert.is(featuresDoubt(model, {}), null);
  assert.is(featuresDoubt(model, { augmentation: {}, mix: null }, [100]), null);
  assert.match(featuresDoubt(model, { augmentation: { flip: 0.5 } })!, /^augmentation shows other images/);
  assert.match(featuresDoubt(model, { mix: { mode: "cutmix" } })!, /^cutmix shows other images/);
  const learning = build(device, model.architecture, { input: [12, 12, 3] });
  assert.match(featuresDoubt(learning, {})!, /^base\/conv2d is the first layer .* learns$/);
  const { maxStorageBufferBindingSize: limit } = device.gpu.limits;
  assert.is(featuresDoubt(model, {}, [10, Math.floor(limit / 24)]), null);
  assert.match(featuresDoubt(model, {}, [10, Math.floor(limit / 24) + 1])!, /^they would take .* MB, and one binding/);
});

tests.run();
