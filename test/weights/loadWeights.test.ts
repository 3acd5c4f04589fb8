/** Weights of any file into a model: complete or with what may differ, in the right order of elements, or not at all. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DtypeError, FormatError, OptionError, ShapeError, type Complaint, type TramaError } from "../../src/errors.ts";
import {
  add,
  averagePool2d,
  batchNorm,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  identity,
  sequential,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import { openDevice, type Device } from "../../src/tensor/index.ts";
import { flattenedInputs } from "../../src/weights/flattened.ts";
import {
  encodeSafetensors,
  loadWeights,
  loadWeightsBytes,
  matchInOrder,
  openWeights,
  saveBytes,
  torch,
  type LoadWeightsOptions,
  type StoredTensor,
} from "../../src/weights/index.ts";
import { refusal } from "./refusals.ts";
import { dictionaryPickle, pickle, tensorPickle, torchZip } from "./writers.ts";

interface Place {
  readonly device: Device;
}

const loading = suite<Place>("loading weights");

loading.before(async (place) => {
  (place as { device: Device }).device = await openDevice();
});

loading.after(({ device }) => device.close());

interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** Numbers of no pattern, with few bits, so that sums come out the same in any order. */
function numbers(name: string, shape: readonly number[]): Named {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return {
    name,
    shape,
    values: Float32Array.from({ length: size }, (_, index) => ((index * 37 + name.length) % 17) / 8 - 1),
  };
}

function torchFile(tensors: readonly Named[]): Uint8Array {
  const entries = tensors.map(({ name, shape, values }, key): [string, ReturnType<typeof tensorPickle>] => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, extent) => product * extent, 1));
    return [name, tensorPickle({ key: String(key), count: values.length, shape, strides })];
  });
  const storages = tensors.map(({ values }, key): [string, Uint8Array] => [String(key), new Uint8Array(values.buffer)]);
  return torchZip(pickle(dictionaryPickle(Object.fromEntries(entries))), Object.fromEntries(storages));
}

function safetensors(tensors: readonly Named[]): Uint8Array {
  const stored = tensors.map(({ name, shape, values }): StoredTensor => {
    return { name, dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
  });
  return new Uint8Array(Buffer.concat(encodeSafetensors(stored)));
}

async function valuesIn(model: Model): Promise<Record<string, number[]>> {
  const values = await model.device.readMany(model.parameters.map(({ tensor }) => tensor));
  return Object.fromEntries(model.parameters.map(({ name }, index) => [name, [...values[index]!]]));
}

const input = [5, 4, 2];

function network(classes = 3): Layer {
  return sequential([
    conv2d(4, [2, 3], { name: "features" }),
    flatten(),
    dropout(0.5),
    dense(5, { name: "hidden" }),
    dense(classes, { name: "head" }),
  ]);
}

const torchWeights = [
  numbers("features.weight", [4, 2, 2, 3]),
  numbers("features.bias", [4]),
  numbers("hidden.weight", [5, 4 * 4 * 2]),
  numbers("hidden.bias", [5]),
  numbers("head.weight", [3, 5]),
  numbers("head.bias", [3]),
] as const;

/** What PyTorch computes for a picture `[channel][row][column]`: convolution, flatten, two linear layers. */
function byPyTorch(pixel: (channel: number, row: number, column: number) => number): number[] {
  const [kernel, bias, ...linear] = torchWeights.map(({ values }) => values);
  const features: number[] = [];
  for (let out = 0; out < 4; out++) {
    for (let row = 0; row < 4; row++) {
      for (let column = 0; column < 2; column++) {
        let sum = bias![out]!;
        for (let channel = 0; channel < 2; channel++) {
          for (let y = 0; y < 2; y++) {
            for (let x = 0; x < 3; x++) {
              sum += kernel![((out * 2 + channel) * 2 + y) * 3 + x]! * pixel(channel, row + y, column + x);
            }
          }
        }
        features.push(sum);
      }
    }
  }
  const apply = (weight: Float32Array, shift: Float32Array, x: readonly number[]): number[] =>
    [...shift].map((start, out) =>
      x.reduce((sum, value, place) => sum + value * weight[out * x.length + place]!, start),
    );
  return apply(linear[2]!, linear[3]!, apply(linear[0]!, linear[1]!, features));
}

loading("a PyTorch file computes here what it computes there", async ({ device }) => {
  const model = build(device, network(), { input });
  const report = await loadWeights(model, torchFile(torchWeights), { file: "net.pth" });
  const pixel = (channel: number, row: number, column: number): number =>
    ((7 * row + 3 * column + 5 * channel) % 11) / 4;
  const picture = Float32Array.from({ length: 40 }, (_, place) =>
    pixel(place % 2, Math.floor(place / 8), Math.floor(place / 2) % 4),
  );
  const context = { training: false, random: () => assert.unreachable("nothing is random") };
  const result = model.call(device.tensor(picture, [1, ...input]), context as never);
  const expected = byPyTorch(pixel);
  (await result.read()).forEach((value, index) =>
    assert.ok(Math.abs(value - expected[index]!) < 1e-3 * Math.abs(expected[index]!)),
  );
  assert.equal(
    report.loaded,
    model.parameters.map(({ name }) => name),
  );
  assert.equal([report.missing, report.unexpected, report.skipped, report.notes], [[], [], [], []]);
  assert.equal(report.reshaped, [
    { name: "features/kernel", source: "features.weight", from: [4, 2, 2, 3], to: [2, 3, 2, 4] },
    { name: "hidden/kernel", source: "hidden.weight", from: [5, 32], to: [32, 5] },
    { name: "head/kernel", source: "head.weight", from: [3, 5], to: [5, 3] },
  ]);
  assert.is(
    report.text,
    "net.pth (pytorch): 6 of 6 tensors, 235 numbers\n" +
      "  3 in another layout: features.weight [4, 2, 2, 3] → features/kernel [2, 3, 2, 4], " +
      "hidden.weight [5, 32] → hidden/kernel [32, 5], head.weight [3, 5] → head/kernel [5, 3]",
  );
});

loading("the same names in safetensors need to be told apart, and are", async ({ device }) => {
  const [one, other] = [build(device, network(), { input }), build(device, network(), { input, seed: 7 })];
  await loadWeights(one, torchFile(torchWeights));
  const error = await refusal(() => loadWeights(other, safetensors(torchWeights)));
  assert.match(error.message, /missing: features\/kernel .*unexpected: features\.weight .*give a map for its names/);
  const report = await loadWeights(other, new Blob([safetensors(torchWeights) as BlobPart]), { map: torch });
  assert.is(report.format, "safetensors");
  assert.equal(await valuesIn(other), await valuesIn(one));
});

const ours = [
  numbers("features/kernel", [2, 3, 2, 4]),
  numbers("features/bias", [4]),
  numbers("hidden/kernel", [32, 5]),
  numbers("hidden/bias", [5]),
  numbers("head/kernel", [5, 3]),
  numbers("head/bias", [3]),
] as const;

/** A file, changed. */
function without(name: string): Named[] {
  return ours.filter((tensor) => tensor.name !== name);
}

const refusals: readonly (readonly [
  string,
  readonly Named[],
  LoadWeightsOptions,
  new (complaint: Complaint) => TramaError,
  RegExp,
])[] = [
  ["a tensor too few", without("head/bias"), {}, FormatError, /missing: head\/bias \[3\];/],
  ["a tensor too many", [...ours, numbers("more/bias", [1])], {}, FormatError, /unexpected: more\/bias \[1\];/],
  [
    "a name spelt otherwise, with the nearest",
    [...without("head/bias"), numbers("haed/bias", [3])],
    {},
    FormatError,
    /missing: head\/bias \[3\] \(the file has haed\/bias\)/,
  ],
  [
    "another number of classes",
    [...without("head/bias"), numbers("head/bias", [4])],
    {},
    ShapeError,
    /head\/bias \[4\] for \[3\]/,
  ],
  ["more missing than allowed", without("head/bias"), { allowMissing: /kernel$/ }, FormatError, /missing: head\/bias/],
  [
    "an allowance that is no allowance for shapes",
    [...without("head/bias"), numbers("head/bias", [4])],
    { allowMissing: true, allowUnexpected: true },
    ShapeError,
    /\[4\] for \[3\]/,
  ],
  ["a map to one name twice", ours, { map: { "head/bias": "hidden/bias" } }, OptionError, /hidden\/bias for both/],
];

for (const [what, tensors, options, Kind, message] of refusals) {
  loading(`refused, and nothing is written: ${what}`, async ({ device }) => {
    const model = build(device, network(), { input });
    const before = await saveBytes(model);
    for (const attempt of [
      () => loadWeights(model, safetensors(tensors), options),
      () => loadWeightsBytes(model, safetensors(tensors), "weights file", options),
    ]) {
      const error = await refusal(attempt);
      assert.instance(error, Kind);
      assert.match(error.message, message);
      assert.equal(await saveBytes(model), before);
    }
  });
}

loading("what may differ is reported", async ({ device }) => {
  const model = build(device, network(), { input });
  const fresh = await valuesIn(model);
  const tensors = [...without("head/bias"), numbers("more/bias", [1]), numbers("more/kernel", [1, 1])];
  const report = await loadWeights(model, safetensors(tensors), { allowMissing: /^head/, allowUnexpected: true });
  assert.equal([report.missing, report.unexpected], [["head/bias"], ["more/bias", "more/kernel"]]);
  assert.match(
    report.text,
    /1 not loaded, they keep their values: head\/bias\n {2}2 in the file only: more\/bias, more\/kernel/,
  );
  const values = await valuesIn(model);
  assert.equal(values["head/bias"], fresh["head/bias"]);
  assert.equal(values["hidden/kernel"], [...ours[2].values]);
});

loading("a new classifier keeps its values, whatever shape the old one had", async ({ device }) => {
  const model = build(device, network(7), { input });
  const fresh = await valuesIn(model);
  const report = await loadWeights(model, safetensors(ours), { except: /^head\//g });
  assert.equal(report.missing, ["head/kernel", "head/bias"]);
  assert.equal(report.skipped, ["head/kernel", "head/bias"]);
  const values = await valuesIn(model);
  assert.equal(values["head/kernel"], fresh["head/kernel"]);
  assert.equal(values["features/kernel"], [...ours[0].values]);
});

loading("a table or function names what a convention cannot", async ({ device }) => {
  const renamed = [...without("head/bias"), numbers("x", [3]), numbers("optimizer/step", [1])];
  const maps = [
    { x: "head/bias", "optimizer/step": null },
    (name: string) => (name === "x" ? "head/bias" : name.startsWith("optimizer/") ? null : undefined),
  ];
  for (const map of maps) {
    const model = build(device, network(), { input });
    const report = await loadWeights(model, safetensors(renamed), { map });
    assert.equal([report.loaded.length, report.skipped], [6, ["optimizer/step"]]);
    assert.equal((await valuesIn(model))["head/bias"], [...numbers("x", [3]).values]);
  }
});

loading("layers are paired in order where names say nothing", async ({ device }) => {
  const file = torchFile(
    torchWeights.map((tensor, index) => ({ ...tensor, name: `net.${index >> 1}.${tensor.name.split(".")[1]!}` })),
  );
  const [one, other] = [build(device, network(), { input }), build(device, network(), { input, seed: 7 })];
  await loadWeights(one, torchFile(torchWeights));
  const opened = await openWeights(file);
  await loadWeights(other, opened, { map: matchInOrder(other.parameters, opened) });
  assert.equal(await valuesIn(other), await valuesIn(one));
  const wider = build(device, network(4), { input });
  const error = await refusal(() => matchInOrder(wider.parameters, opened));
  assert.match(
    error.message,
    /layer 3 to be head\/kernel \[5, 4\], bias \[4\], got net\/2\/kernel \[3, 5\], bias \[3\]/,
  );
  assert.match((await refusal(() => matchInOrder(wider.parameters.slice(0, 4), opened))).message, /layer 3 to be none/);
});

loading("containers that only the model has do not matter, if no layer can be mistaken", async ({ device }) => {
  const block = (name: string): Layer => {
    const branch = sequential([conv2d(2, 1, { name: "conv" })]);
    return sequential([add([identity(), branch]), flatten(), dense(1, { name: "fc" })], { name });
  };
  const tensors = [
    numbers("conv/kernel", [1, 1, 2, 2]),
    numbers("conv/bias", [2]),
    numbers("fc/kernel", [40, 1]),
    numbers("fc/bias", [1]),
  ] as const;
  const one = build(device, sequential([block("base")]), { input });
  const report = await loadWeights(one, safetensors(tensors));
  assert.equal(report.loaded[0], "base/add/sequential/conv/kernel");
  assert.equal((await valuesIn(one))["base/fc/kernel"], [...tensors[2].values]);
  const two = build(device, sequential([add([block("a"), block("b")])]), { input });
  const error = await refusal(() => loadWeights(two, safetensors(tensors)));
  assert.match(error.message, /missing: .*unexpected: conv\/kernel/);
  const named = tensors.map(({ name, shape, values }) => ({ name: `b/${name}`, shape, values }));
  const half = await loadWeights(two, safetensors(named), { allowMissing: /\/a\// });
  assert.equal(half.loaded.length, 4);
});

loading(
  "whole numbers are no weights, and a transfer that breaks off leaves the model as it was",
  async ({ device }) => {
    const model = build(device, network(), { input });
    const before = await saveBytes(model);
    const stored = ours.map(({ name, shape, values }): StoredTensor => {
      return { name, dtype: name === "head/bias" ? "I32" : "F32", shape, bytes: new Uint8Array(values.buffer) };
    });
    const whole = new Uint8Array(Buffer.concat(encodeSafetensors(stored)));
    assert.instance(await refusal(() => loadWeights(model, whole)), DtypeError);
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(safetensors(ours).subarray(0, -4)),
      pull: (controller) => controller.error(new Error("connection lost")),
    });
    assert.match(
      (await refusal(() => loadWeights(model, new Response(broken)))).message,
      /broke off \(Error: connection lost\)/,
    );
    assert.equal(await saveBytes(model), before);
  },
);

loading("what is flattened is found in sequences", ({ device }) => {
  const find = (layers: readonly Layer[]): object =>
    Object.fromEntries(flattenedInputs(build(device, sequential(layers), { input: [4, 4, 3] })));
  const found = { "dense/kernel": [4, 4, 3] };
  assert.equal(find([flatten(), dense(2)]), found);
  assert.equal(find([flatten(), dropout(0.1), dense(48), dense(48)]), found);
  assert.equal(find([sequential([conv2d(3, 1)], { name: "base" }), flatten(), dense(2)]), found);
  assert.equal(find([sequential([flatten()]), sequential([dense(2)], { name: "top" })]), {
    "top/dense/kernel": [4, 4, 3],
  });
  assert.equal(find([flatten(), batchNorm(), dense(2)]), {
    "batchNorm/gamma": [4, 4, 3],
    "batchNorm/beta": [4, 4, 3],
    "batchNorm/moving_mean": [4, 4, 3],
    "batchNorm/moving_variance": [4, 4, 3],
    "dense/kernel": [4, 4, 3],
  });
  assert.equal(find([globalAveragePool2d(), dense(2)]), {});
  assert.equal(find([averagePool2d(4), flatten(), dense(2)]), { "dense/kernel": [1, 1, 3] });
  assert.equal(find([conv2d(2, 1)]), {});
});

/** A published file of Keras's, where the checkout has it beside it. */
const published = join(import.meta.dirname, "../../../shared/data/weights/squeezenet1_1_notop.keras.h5");

if (existsSync(published)) {
  loading("a published Keras file is loaded, and the rest of it named", async ({ device }) => {
    const first = conv2d(64, 3, { stride: 2, name: "conv1" });
    const squeeze = sequential([conv2d(16, 1, { name: "squeeze1x1" })], { name: "fire2" });
    const model = build(device, sequential([first, squeeze]), { input: [19, 19, 3] });
    const report = await loadWeights(model, published, { allowUnexpected: /^fire/ });
    assert.equal(report.loaded, ["conv1/kernel", "conv1/bias", "fire2/squeeze1x1/kernel", "fire2/squeeze1x1/bias"]);
    assert.equal([report.format, report.reshaped, report.unexpected.length], ["keras", [], 46]);
    assert.match(
      (await refusal(() => loadWeights(model, published))).message,
      /unexpected: fire2\/expand1x1\/kernel.* and 40 more/,
    );
  });
}

loading.run();
