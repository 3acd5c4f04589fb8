/** Models in two: where they are cut, that the parts are the whole, and that they share its parameters. */
import * as assert from "uvu/assert";
import {
  activation,
  add,
  batchNorm,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  freeze,
  identity,
  maxPool2d,
  sequential,
  splitFrozen,
  unsplittable,
  type Layer,
  type LayerSelection,
  type Model,
} from "../../src/nn/index.ts";
import { free, scope } from "../../src/tensor/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("splitting");

/** Two units in a sequence of their own, a pooling, a dropout and two dense layers. */
function network(): Layer {
  const unit = (name: string): Layer[] => [conv2d(4, 3, { name: `${name}_conv` }), batchNorm({ name: `${name}_bn` })];
  const base = sequential([...unit("one"), activation("relu"), sequential(unit("two"))], { name: "base" });
  return sequential([base, maxPool2d(2), flatten(), dropout(0.5), dense(6, { name: "hidden" }), dense(3)]);
}

const make = (...frozen: LayerSelection[]): Model => {
  const model = build(device, network(), { input: [10, 10, 1], seed: 5 });
  for (const selection of frozen) freeze(model, selection);
  return model;
};

for (const [frozen, layers, features] of [
  [["base/"], 7, [36]],
  [["one", "two"], 7, [36]],
  [["one"], 3, [8, 8, 4]],
  [["one", "two_conv"], 4, [6, 6, 4]],
  [["one", "hidden"], 3, [8, 8, 4]],
  [[{ allBut: "classifier" }], 7, [36]],
] as const satisfies readonly (readonly [LayerSelection[], number, readonly number[]])[]) {
  tests(`${JSON.stringify(frozen)} frozen: features ${JSON.stringify(features)}`, async () => {
    const model = make(...frozen);
    const { base, head } = splitFrozen(model);
    assert.equal([base.steps.length, base.output, head.input], [layers, features, features]);
    assert.equal([head.output, base.input], [[3], [10, 10, 1]]);
    assert.equal([...base.parameters, ...head.parameters], [...model.parameters]);
    assert.ok(base.parameters.every(({ frozen: isFrozen }) => isFrozen));
    const x = device.tensor(
      Float32Array.from({ length: 200 }, (_, at) => Math.sin(at)),
      [2, 10, 10, 1],
    );
    const context = { training: false, random: () => assert.unreachable("nothing is random") as never };
    const outputs = scope(device, () => [model.call(x, context), head.call(base.call(x, context), context)]);
    const [whole, parts] = await device.readMany(outputs);
    outputs.forEach(free);
    assert.equal(parts, whole);
  });
}

tests("parts hold the parameters of the whole, in flat buffers of their own extent", async () => {
  const model = make("base/");
  const { base, head } = splitFrozen(model);
  assert.ok(head.parameters.every((parameter) => model.parameters.includes(parameter)));
  const [flat] = head.chunks;
  assert.is(head.chunks.length, 1);
  assert.is(base.chunks.length, 2, "what is learnt, and statistics");
  assert.is(base.size + head.size, model.size);
  device.write(flat!.values, new Float32Array(flat!.values.shape[0]!).fill(7));
  const values = await device.readMany(model.parameters.map(({ tensor }) => tensor));
  model.parameters.forEach(({ name }, index) => {
    const isOfHead = head.parameters.some((parameter) => parameter.name === name);
    assert.is(values[index]!.every((value) => value === 7), isOfHead, name); // prettier-ignore
  });
});

tests("a part begins again with the values of the whole", async () => {
  const model = make("base/");
  const values = () => device.readMany(model.parameters.map(({ tensor }) => tensor));
  const before = await values();
  const { head } = splitFrozen(model);
  for (const { tensor, shape } of head.parameters) {
    device.write(tensor, new Float32Array(shape.reduce((product, extent) => product * extent, 1)));
  }
  assert.not.equal(await values(), before);
  head.initialise();
  assert.equal(await values(), before);
});

tests("what cannot be split says why", () => {
  const reason = (...frozen: LayerSelection[]) => unsplittable(make(...frozen));
  assert.is(reason(), "base/one_conv is the first layer with parameters or random numbers, and learns");
  assert.match(reason("two", "hidden")!, /^base\/one_conv .* learns$/);
  assert.is(reason({ allBut: 0 }), null, "a dropout is left");
  const adapting = make();
  freeze(adapting, "base/", { adaptStatistics: true });
  assert.is(splitFrozen(adapting).base.steps.length, 1, "a batch norm that follows the batches changes");
  const plain = (layer: Layer): Model => build(device, layer, { input: [4] });
  const noisy = plain(sequential([dropout(0.1), dense(2)]));
  freeze(noisy, "dense");
  assert.match(unsplittable(noisy)!, /^dropout .* draws$/);
  const whole = plain(sequential([dense(2)]));
  freeze(whole, "dense");
  assert.is(unsplittable(whole), "no layer learns");
  const branches = plain(add([identity(), dense(4)]));
  freeze(branches, "");
  assert.is(unsplittable(branches), "the model is not a sequence of layers");
  assert.throws(() => splitFrozen(make()), /splitFrozen: .* first are frozen, got base\/one_conv .* freeze/);
});

tests.run();
