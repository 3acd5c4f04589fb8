/** Freezing: which layers are meant, that training leaves them alone, and that frozen noise is refused. */
import * as assert from "uvu/assert";
import { DeviceError, OptionError } from "../../src/errors.ts";
import { syntheticGarments } from "../../src/data/index.ts";
import {
  activation,
  add,
  batchNorm,
  build,
  conv2d,
  dense,
  flatten,
  freeze,
  globalAveragePool2d,
  identity,
  outlineOf,
  sequential,
  unfreeze,
  type Layer,
  type LayerSelection,
  type Model,
} from "../../src/nn/index.ts";
import { openDevice } from "../../src/tensor/index.ts";
import { fit } from "../../src/train/index.ts";
import { loadBytes, loadWeightsBytes, saveBytes } from "../../src/weights/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { refusal } from "../weights/refusals.ts";

const tests = deviceSuite("freezing");

function unit(name: string): Layer[] {
  return [conv2d(4, 3, { padding: "same", stride: 2, name: `${name}_conv` }), batchNorm({ name: `${name}_bn` })];
}

/** A base of two units, the second in a residual block, and a head of two dense layers. */
function network(): Layer {
  const block = add([identity(), sequential([conv2d(4, 1, { name: "two_conv" }), batchNorm({ name: "two_bn" })])]);
  const base = sequential([...unit("one"), activation("relu"), block], { name: "base" });
  const head = [dense(5, { activation: "relu", name: "hidden" }), dense(10, { name: "predictions" })];
  return sequential([base, globalAveragePool2d(), ...head]);
}

const make = (): Model => build(device, network(), { input: [28, 28, 1] });

const ONE = ["base/one_conv", "base/one_bn"];
const TWO = ["base/add/sequential/two_conv", "base/add/sequential/two_bn"];

for (const [selection, expected] of [
  ["base/", [...ONE, ...TWO]],
  ["one", ONE],
  ["two_c", ["base/add/sequential/two_conv"]],
  ["", [...ONE, ...TWO, "hidden", "predictions"]],
  [/_bn$/g, ["base/one_bn", "base/add/sequential/two_bn"]],
  [{ allBut: 2 }, [...ONE, ...TWO]],
  [{ allBut: 0 }, [...ONE, ...TWO, "hidden", "predictions"]],
  [{ allBut: "classifier" }, [...ONE, ...TWO, "hidden"]],
  [{ allBut: 2, within: "base/" }, ONE],
  [{ allBut: 3, within: /conv|hidden/ }, []],
] as const satisfies readonly (readonly [LayerSelection, readonly string[]])[]) {
  tests(`${selection instanceof RegExp ? String(selection) : JSON.stringify(selection)} means its layers`, () => {
    const model = make();
    const report = freeze(model, selection);
    assert.equal(report.layers, expected);
    const frozen = model.parameters.filter((parameter) => parameter.frozen).map(({ name }) => name);
    assert.equal([...new Set(frozen.map((name) => name.replace(/\/\w+$/, "")))], expected);
    unfreeze(model);
    assert.not(model.parameters.some((parameter) => parameter.frozen));
  });
}

tests("what was frozen is counted, and adds up", () => {
  const model = make();
  // 3×3×1×4 + 4, four vectors of 4, 4×4 + 4, four vectors of 4; the head has 4×5 + 5 + 5×10 + 10.
  assert.equal(freeze(model, ONE[0]!).parameters, 40);
  const { parameters, learnable } = freeze(model, "base/");
  assert.equal([parameters, learnable], [40 + 16 + 20 + 16, 85]);
  assert.equal(unfreeze(model, "one").learnable, 85 + 40 + 8);
});

tests("a selection that means nothing is refused, with names that exist", async () => {
  const model = make();
  for (const [selection, message] of [
    ["block1", /layers that begin with "block1", got none among 6: base\/one_conv, .*, predictions/],
    [/^two/, /layers that match \/\^two\//],
    [{ allBut: 1, within: "nothing" }, /begin with "nothing"/],
    [{ allBut: 7 }, /a number from 0 to 6, the layers with parameters, got 7/],
    [{ allBut: 1.5 }, /got 1\.5/],
    [{ allBut: "head" }, /allBut: "classifier".*got "head"/],
  ] as const) {
    const error = await refusal(() => freeze(model, selection as LayerSelection));
    assert.instance(error, OptionError);
    assert.match(error.message, message);
  }
  assert.not(model.parameters.some(({ frozen }) => frozen));
});

const { train } = syntheticGarments({ trainCount: 64, testCount: 10 });
const OPTIONS = { epochs: 1, batchSize: 32 } as const;

const valuesOf = async (model: Model): Promise<ReadonlyMap<string, string>> => {
  const values = await device.readMany(model.parameters.map(({ tensor }) => tensor));
  return new Map(model.parameters.map(({ name }, index) => [name, values[index]!.join()]));
};

/** Layers of which training has changed anything. */
async function changedBy(model: Model): Promise<string[]> {
  const before = await valuesOf(model);
  await fit(model, train, OPTIONS);
  const after = await valuesOf(model);
  const changed = [...before.keys()].filter((name) => before.get(name) !== after.get(name));
  return [...new Set(changed.map((name) => name.replace(/\/\w+$/, "")))];
}

/** A model whose values come out of a file. */
const loaded = async (): Promise<Model> => loadBytes(device, await saveBytes(make()));

tests("training changes what is not frozen, statistics included, and nothing else", async () => {
  const model = await loaded();
  freeze(model, { allBut: 2, within: "base/" });
  assert.equal(await changedBy(model), [...TWO, "hidden", "predictions"]);
  freeze(model, "base/");
  assert.equal(await changedBy(model), ["hidden", "predictions"]);
  unfreeze(model);
  assert.equal(await changedBy(model), [...ONE, ...TWO, "hidden", "predictions"]);
});

tests("a frozen batch norm can go on following the batches, if asked to", async () => {
  const model = await loaded();
  freeze(model, "base/", { adaptStatistics: true });
  assert.equal(await changedBy(model), [ONE[1], TWO[1], "hidden", "predictions"]);
  const frozen = model.parameters.filter((parameter) => !parameter.frozen && parameter.name.startsWith("base/"));
  assert.ok(frozen.every(({ name }) => /moving_(mean|variance)$/.test(name)));
});

tests("frozen layers that were neither loaded nor trained are refused, unless that is meant", async () => {
  const model = make();
  freeze(model, "one");
  const error = await refusal(() => fit(model, train, OPTIONS));
  assert.instance(error, OptionError);
  assert.match(
    error.message,
    /got 6 frozen parameters with initial values: base\/one_conv\/kernel, …; call loadWeights/,
  );
  await fit(model, train, { ...OPTIONS, allowUntrainedFrozen: true });
  assert.match((await refusal(() => fit(model, train, OPTIONS))).message, /initial values/); // they still are
  unfreeze(model);
  await fit(model, train, OPTIONS);
  freeze(model, "one");
  await fit(model, train, OPTIONS);
  model.initialise();
  assert.match((await refusal(() => fit(model, train, OPTIONS))).message, /initial values/);
});

tests("only what a file has counts as loaded", async () => {
  const bytes = await saveBytes(make());
  const model = make();
  loadWeightsBytes(model, bytes, "base.safetensors", { except: /one_bn/ });
  freeze(model, "two");
  await fit(model, train, OPTIONS);
  const again = make();
  loadWeightsBytes(again, bytes, "base.safetensors", { except: /one_bn/ });
  freeze(again, "one");
  assert.match((await refusal(() => fit(again, train, OPTIONS))).message, /got 4 frozen parameters .*one_bn\/gamma/);
});

tests("a tensor larger than a binding is refused before anything is allocated", async () => {
  const { maxStorageBufferBindingSize: most } = device.gpu.limits;
  const units = Math.ceil(most / 4 / 784) + 1;
  const before = device.memory;
  const layers = sequential([flatten(), dense(units, { name: "fc1" })]);
  const error = await refusal(() => build(device, layers, { input: [28, 28, 1] }));
  assert.instance(error, DeviceError);
  assert.match(error.message, /^parameter "fc1\/kernel": expected at most [\d.]+ MB in one tensor.*got \[784, \d+\], /);
  assert.equal(device.memory, before);
});

tests("a model beyond the budget is refused, and nothing of it stays", async () => {
  const own = await openDevice({ memoryBudget: 2 ** 18 + 512 });
  try {
    const layers = (units: number, ...more: Layer[]): Layer => sequential([flatten(), dense(units), ...more]);
    const fits = layers(83, batchNorm({ scale: false, center: false }));
    // Parameters that fit in a buffer of 2^18 bytes, and statistics in one of 1024.
    assert.equal([outlineOf(fits, [28, 28, 1]).bytes, outlineOf(fits, [28, 28, 1]).trainableBytes], [262_144, 261_120]);
    for (const [refused, size] of [[layers(800), "2.5 MB"], [fits, "0.3 MB"]] as const) {
      const error = await refusal(() => build(own, refused, { input: [28, 28, 1] }));
      assert.instance(error, DeviceError);
      assert.match(error.message, /^model: expected a model that this device has room for/);
      assert.ok(error.got.startsWith(`${size} of parameters`), error.got);
      assert.is(own.memory.bytesInUse, 0);
    }
    build(own, layers(83), { input: [28, 28, 1] });
  } finally {
    await own.close();
  }
}); // prettier-ignore

tests.run();
