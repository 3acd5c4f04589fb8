/** PyTorch's files: those of Python's own pickle are read, and no hostile one causes anything but a refusal. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { floatsOf, openWeights, valuesOf, type WeightsFile } from "../../src/weights/index.ts";
import { refusal, succeedOrRefuse } from "./refusals.ts";
import {
  bytesOf,
  dictionaryPickle,
  littleEndian,
  op,
  pickle,
  tensorPickle,
  torchLegacy,
  torchZip,
  zip,
} from "./writers.ts";

const pytorch = suite("PyTorch files");

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(import.meta.dirname, "fixtures", name)));
}

async function contentOf(file: WeightsFile): Promise<Record<string, unknown[]>> {
  const content: Record<string, unknown[]> = {};
  for await (const tensor of file.read()) {
    content[tensor.name] = [tensor.dtype, [...tensor.shape], [...valuesOf(tensor)]];
  }
  return content;
}

function range(count: number, value: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => value(index));
}

/** What `fixtures/make.py` puts into a state dictionary. */
const state = {
  "conv.weight": ["F32", [2, 3, 2, 2], range(24, (index) => index - 12)],
  "conv.bias": ["F32", [2], [0.25, -0.25]],
  "bn.weight": ["F32", [2], [0, 0.5]],
  "bn.bias": ["F32", [2], [2, 3.5]],
  "bn.running_mean": ["F16", [2], [1.5, -65504]],
  "bn.running_var": ["BF16", [2], [1.5, Number.POSITIVE_INFINITY]],
  "bn.num_batches_tracked": ["I64", [], [-(2n ** 40n)]],
  "fc.weight": ["F64", [3, 2], [0, 1, 1 / 3, 4 / 3, 2 / 3, 5 / 3]],
};

pytorch("a state dictionary, with strides, shared storages and every kind of number", async () => {
  const file = await openWeights(fixture("state.pth"));
  assert.is(file.format, "pytorch");
  assert.equal([file.notes, file.skipped], [[], []]);
  assert.equal(await contentOf(file), state);
});

for (const name of ["checkpoint5.pth", "legacy.pth"]) {
  pytorch(`${name}: the weights are found in a checkpoint, and what is left out is named`, async () => {
    const file = await openWeights(fixture(name));
    assert.equal(file.notes, ['weights found under "model"', '"module." taken off every name']);
    assert.equal(file.skipped, ["epoch", "arch", "optimizer", "seen", "key"]);
    assert.equal(await contentOf(file), state);
  });
}

pytorch("tensors in order share the bytes of the file", async () => {
  const bytes = fixture("state.pth");
  for await (const tensor of (await openWeights(bytes)).read()) {
    const isView = tensor.bytes.buffer === bytes.buffer;
    assert.is(isView, !["bn.bias", "fc.weight"].includes(tensor.name), tensor.name);
  }
});

/** A file with one tensor `w` of a storage of `bytes`. */
function single(parts: Parameters<typeof tensorPickle>[0], bytes: Uint8Array): Uint8Array {
  return torchZip(pickle(dictionaryPickle({ w: tensorPickle(parts) })), { 0: bytes });
}

pytorch("views of storages equal their definition", async () => {
  const axes = fc.array(fc.record({ extent: fc.integer({ min: 0, max: 4 }), stride: fc.nat(6) }), { maxLength: 4 });
  const cases = fc.asyncProperty(axes, fc.nat(5), fc.nat(3), async (list, offset, spare) => {
    const [shape, strides] = [list.map(({ extent }) => extent), list.map(({ stride }) => stride)];
    const places = shape.reduce(
      (sum, extent, axis) => sum.flatMap((place) => range(extent, (index) => place + index * strides[axis]!)),
      [offset],
    );
    const count = Math.max(offset, ...places, places.length - 1) + 1 + spare;
    const values = Float32Array.from({ length: count }, (_, index) => index);
    const file = await openWeights(single({ count, offset, shape, strides }, new Uint8Array(values.buffer)));
    assert.equal(await contentOf(file), { w: ["F32", shape, places] });
  });
  await fc.assert(cases, { numRuns: 150 });
});

pytorch("views of a part of a legacy storage", async () => {
  const view = [op.mark, op.text("view"), op.long(3), op.long(4), op.tuple];
  const tensor = tensorPickle({ count: 8, offset: 1, shape: [2], strides: [1], view });
  const values = new Uint8Array(Float32Array.from({ length: 8 }, (_, index) => index).buffer);
  const file = await openWeights(torchLegacy(pickle(dictionaryPickle({ w: tensor })), { 0: [8, values] }));
  assert.equal(await contentOf(file), { w: ["F32", [2], [4, 5]] });
});

const one = { count: 1, shape: [1], strides: [1] };
const w = tensorPickle(one);
const float = new Uint8Array(4);

for (const [what, wrapped, names, notes, skipped] of [
  [
    "state_dict",
    { state_dict: dictionaryPickle({ w }), epoch: op.int(1) },
    ["w"],
    ['weights found under "state_dict"'],
    ["epoch"],
  ],
  ["net", { net: dictionaryPickle({ w }), acc: op.none }, ["w"], ['weights found under "net"'], ["acc"]],
  [
    "wrappers in wrappers",
    { model: dictionaryPickle({ state_dict: dictionaryPickle({ "module._orig_mod.w": w }) }) },
    ["w"],
    ['weights found under "model.state_dict"', '"module." taken off every name', '"_orig_mod." taken off every name'],
    [],
  ],
  [
    "the likelier of two",
    { ema: dictionaryPickle({ w }), model: dictionaryPickle({ w }) },
    ["w"],
    ['weights found under "model"'],
    ["ema"],
  ],
  [
    "an unusual key, if it is the only one",
    { generator: dictionaryPickle({ w }) },
    ["w"],
    ['weights found under "generator"'],
    [],
  ],
  ["values that are no tensors", { w, step: op.int(3), names: op.emptyList }, ["w"], [], ["step", "names"]],
  ["a prefix that not all have", { "module.a": w, b: w }, ["module.a", "b"], [], []],
] as const) {
  pytorch(`found: ${what}`, async () => {
    const file = await openWeights(torchZip(pickle(dictionaryPickle(wrapped)), { 0: float }));
    assert.equal([...file.tensors.keys()], names);
    assert.equal([file.notes, file.skipped], [notes, skipped]);
  });
}

pytorch("nothing that a pickle asks for is run", async () => {
  const error = await refusal(() => openWeights(fixture("evil.pth"), { file: "evil.pth" }));
  assert.instance(error, FormatError);
  assert.match(error.message, /^evil\.pth: .*asks for posix\.system; it was refused and nothing was run/);
});

const call = (module: string, name: string) => [op.global(module, name), op.text("echo"), op.tuple1, op.reduce];

/** Hostile or broken pickles, and what the error must say. */
const hostile: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["os.system", pickle(call("os", "system")), /asks for os\.system/],
  ["eval under its name of Python 2", pickle(call("__builtin__", "eval")), /asks for builtins\.eval/],
  [
    "a loader of PyTorch's own that runs pickles",
    pickle(call("torch.storage", "_load_from_bytes")),
    /_load_from_bytes/,
  ],
  ["a class of a model", pickle(call("torchvision.models.resnet", "ResNet")), /torchvision\.models\.resnet\.ResNet/],
  ["a name of the prototype's", pickle(call("", "constructor")), /asks for \.constructor/],
  ["a name by way of the stack", pickle(op.text("os"), op.text("system"), 0x93), /asks for os\.system/],
  ["an object by opcode INST", pickle(op.mark, "ios\nsystem\n"), /opcode 0x69/],
  ["an extension code", pickle(0x82, 1), /opcode 0x82/],
  ["text of protocol 0", bytesOf(op.proto(2), "S'x'\n."), /opcode 0x53/],
  ["a call of what is no function", pickle(op.int(1), op.emptyTuple, op.reduce), /a function to call/],
  ["a call of a dtype", pickle(op.global("torch", "float32"), op.emptyTuple, op.reduce), /a function to call/],
  ["arguments that are no tuple", pickle(op.global("torch", "Size"), op.int(1), op.reduce), /arguments in a tuple/],
  ["an empty stack", pickle(op.reduce), /a value on the stack/],
  ["nothing at all", pickle(), /a value on the stack/],
  ["values from below a mark", pickle(op.int(1), op.mark, op.tuple2), /a value on the stack/],
  ["a tuple without a mark", pickle(op.int(1), op.tuple), /a mark on the stack/],
  ["a value that was not kept", pickle(op.get(7)), /value 7 to have been kept/],
  ["an append to a dictionary", pickle(op.emptyDictionary, op.int(1), op.append), /a list on the stack/],
  ["an item set in a list", pickle(op.emptyList, op.int(1), op.int(1), op.setItem), /a dictionary on the stack/],
  ["a key without a value", pickle(op.emptyDictionary, op.mark, op.int(1), op.setItems), /a value for each key/],
  ["text longer than the file", pickle("X", littleEndian(0xffffffff, 4)), /the end of the file/],
  ["bytes longer than any file", pickle(0x8e, littleEndian(2n ** 63n, 8)), /the end of the file/],
  ["a number of a million digits", pickle(0x8b, littleEndian(400_000, 4), new Uint8Array(400_000)), /at most 64 bytes/],
  ["a name without an end", bytesOf(op.proto(2), "cos\nsystem"), /the end of the file/],
  ["no end", bytesOf(op.proto(2), op.int(1)), /the end of the file/],
  ["a pickle of protocol 6", bytesOf(op.proto(6), op.stop), /protocol 6/],
  [
    "a tensor of nothing",
    pickle(op.global("torch._utils", "_rebuild_tensor_v2"), op.emptyTuple, op.reduce),
    /a storage/,
  ],
  ["an object that PyTorch did not put there", pickle(op.int(1), op.persistent), /storages with a type/],
  ["no dictionary", pickle(op.emptyList), /no dictionary with tensors/],
  ["an empty dictionary", pickle(op.emptyDictionary), /no dictionary with tensors/],
  [
    "two dictionaries that could be meant",
    pickle(dictionaryPickle({ encoder: dictionaryPickle({ w }), decoder: dictionaryPickle({ w }) })),
    /tensors under "encoder", "decoder"/,
  ],
];

for (const [what, data, message] of hostile) {
  pytorch(`refused: ${what}`, async () => {
    const error = await refusal(() => openWeights(torchZip(data, { 0: float }), { file: "some.pth" }));
    assert.instance(error, FormatError);
    assert.match(error.where, /^some\.pth/);
    assert.match(error.message, message);
  });
}

/** Tensors that lie about their storage. */
const lies: readonly (readonly [string, Partial<Parameters<typeof tensorPickle>[0]>, RegExp])[] = [
  ["a tensor past the end of its storage", { shape: [2] }, /within the 1 elements of its storage, got element 1/],
  ["an offset past the end", { offset: 1 }, /got element 1/],
  ["a stride past the end", { count: 2, shape: [2], strides: [2] }, /got element 2/],
  ["a storage shorter than it says", { count: 2, shape: [2] }, /8 bytes in storage 0 \(2 of F32\), got 4/],
  ["a storage longer than it says", { storage: "HalfStorage" }, /2 bytes in storage 0 .*got 4/],
  ["a negative stride", { strides: [-1] }, /an offset, extents and strides/],
  ["a negative extent", { shape: [-1] }, /an offset, extents and strides/],
  ["an extent of 2⁶²", { shape: [2 ** 62] }, /an offset, extents and strides/],
  ["fewer strides than extents", { shape: [1, 1] }, /an offset, extents and strides/],
  ["a terabyte of one number", { shape: [2 ** 40], strides: [0] }, /repetitions; save what expand\(\) made/],
  ["a storage that is not there", { key: "1" }, /an entry data\/1/],
  ["a storage of complex numbers", { storage: "ComplexFloatStorage" }, /asks for torch\.ComplexFloatStorage/],
  ["more axes than PyTorch has", { shape: range(65, () => 1), strides: range(65, () => 1) }, /extents and strides/],
];

for (const [what, change, message] of lies) {
  pytorch(`refused: ${what}`, async () => {
    const error = await refusal(() => openWeights(single({ ...one, ...change }, float)));
    assert.instance(error, FormatError);
    assert.match(error.message, message);
  });
}

pytorch("a number for a slot beyond all memory is only a number", async () => {
  const data = pickle(dictionaryPickle({ w: [w, op.longPut(0xffffffff)] }));
  assert.equal(await contentOf(await openWeights(torchZip(data, { 0: float }))), { w: ["F32", [1], [0]] });
});

pytorch("nesting without end needs no stack of calls", async () => {
  const depth = 200_000;
  const lists = new Uint8Array(2 * depth - 1).fill("]".charCodeAt(0), 0, depth).fill("a".charCodeAt(0), depth);
  const file = await openWeights(torchZip(pickle(dictionaryPickle({ w, deep: lists })), { 0: float }));
  assert.equal(file.skipped, ["deep"]);
});

pytorch("a list that holds itself, and one of 2⁶⁰ elements in sixty lists, are only skipped", async () => {
  const loop = [op.emptyList, op.put(0), op.get(0), op.append];
  const doubled = range(60, () => 0).map(() => [op.put(1), op.get(1), op.tuple2]);
  const keys = [op.emptyDictionary, op.mark, op.text("w"), w, op.text("loop"), loop];
  const laughs = [[op.none, doubled], op.dup, op.setItems];
  const file = await openWeights(torchZip(pickle(keys, laughs), { 0: float }));
  assert.equal(file.skipped, ["loop", "a list"]);
});

pytorch("dictionaries that hold one another end", async () => {
  const entries = [op.text("model"), op.get(0), op.text("net"), op.get(0)];
  const data = pickle(op.emptyDictionary, op.put(0), op.mark, entries, op.setItems);
  assert.match((await refusal(() => openWeights(torchZip(data)))).message, /no dictionary with tensors/);
});

pytorch("a long list that is copied at every few bytes is refused in time", async () => {
  const many = [op.emptyList, op.mark, range(20_000, () => "N".charCodeAt(0)), op.appends, op.put(0)];
  const copy = [op.global("builtins", "set"), op.get(0), op.tuple1, op.reduce];
  const data = pickle(
    many,
    op.emptyList,
    op.mark,
    range(1000, () => 0).map(() => copy),
    op.appends,
  );
  assert.match((await refusal(() => openWeights(torchZip(data)))).message, /copied again and again/);
});

pytorch("a machine of the other byte order is refused", async () => {
  const data = pickle(dictionaryPickle({ w }));
  const file = zip({ "x/data.pkl": data, "x/byteorder": bytesOf("big"), "x/data/0": float });
  assert.match((await refusal(() => openWeights(file))).message, /little-endian numbers/);
});

for (const [what, file, message] of [
  ["a storage that no tensor uses", torchLegacy(pickle(dictionaryPickle({ w })), { 9: [1, float] }), /one of key 9/],
  ["a storage cut short", torchLegacy(pickle(dictionaryPickle({ w })), { 0: [2, float] }), /storage 0, got the end/],
  ["a negative size", torchLegacy(pickle(dictionaryPickle({ w })), { 0: [-1, float] }), /storage 0, got the end/],
  ["a size that is missing", torchLegacy(pickle(dictionaryPickle({ w })), {}), /4 bytes in storage 0 .*got 0/],
  ["another pickle", bytesOf(pickle(op.long(0x1950a86a20f9469cfc6dn, 10))), /a file of PyTorch/],
] as const) {
  pytorch(`refused in a legacy file: ${what}`, async () => {
    const error = await refusal(() => openWeights(file));
    assert.instance(error, FormatError);
    assert.match(error.message, message);
  });
}

for (const name of ["state.pth", "checkpoint5.pth", "legacy.pth"]) {
  pytorch(`${name}: any damage is either harmless or refused`, async () => {
    const sound = fixture(name);
    const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 3 });
    const attempt = fc.asyncProperty(damage, fc.nat(sound.length), fc.boolean(), async (changes, length, cut) => {
      const bytes = sound.slice(0, cut ? length : sound.length);
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      await succeedOrRefuse(async () => {
        for await (const tensor of (await openWeights(bytes)).read()) {
          if (tensor.dtype.includes("F")) floatsOf(tensor, name);
        }
      });
    });
    await fc.assert(attempt, { numRuns: 600 });
  });
}

pytorch.run();
