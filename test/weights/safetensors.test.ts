/** The safetensors reader and writer: round trips, files of other programs, and every way in which a header can lie. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { encodeSafetensors, floatsOf, parseSafetensors, valuesOf, type StoredTensor } from "../../src/weights/index.ts";

const safetensors = suite("safetensors");

/** A file with the given header, or header text, and bytes of data. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(), claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function refusal(bytes: Uint8Array): FormatError {
  try {
    parseSafetensors(bytes, "some.safetensors");
  } catch (error) {
    assert.instance(error, FormatError);
    assert.match((error as FormatError).where, /^some\.safetensors/);
    return error as FormatError;
  }
  return assert.unreachable("it was read") as never;
}

const elementBytes = { U8: 1, F16: 2, F32: 4, I64: 8 } as const;

const someTensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ maxLength: 12 }).filter((name) => name !== "__metadata__"),
    dtype: fc.constantFrom(...(Object.keys(elementBytes) as (keyof typeof elementBytes)[])),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
    byte: fc.nat(255),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
);

safetensors("what is written is read again, bit for bit", () => {
  fc.assert(
    fc.property(someTensors, fc.dictionary(fc.string(), fc.string()), (list, metadata) => {
      const tensors = list.map(({ name, dtype, shape, byte }): StoredTensor => {
        const size = shape.reduce((product, extent) => product * extent, elementBytes[dtype]);
        return {
          name,
          dtype,
          shape,
          bytes: Uint8Array.from({ length: size }, (_, index) => (index * 37 + byte) % 256),
        };
      });
      const file = joined(encodeSafetensors(tensors, metadata));
      assert.is(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8, 0, "data are aligned");
      const read = parseSafetensors(file, "file");
      assert.equal(Object.entries(read.metadata), Object.entries(metadata));
      for (const tensor of tensors) {
        const { bytes, ...rest } = read.tensors.get(tensor.name)!;
        assert.equal({ ...rest, bytes: [...bytes] }, { ...tensor, bytes: [...tensor.bytes] });
        assert.is(
          bytes.byteOffset % elementBytes[tensor.dtype as keyof typeof elementBytes],
          0,
          "elements are aligned",
        );
      }
      assert.is(read.tensors.size, tensors.length);
    }),
  );
});

safetensors("elements of every type are read as numbers", () => {
  const read = (dtype: StoredTensor["dtype"], bytes: readonly number[]) =>
    [...valuesOf({ name: "x", dtype, shape: [1], bytes: Uint8Array.from([9, ...bytes]).subarray(1) })][0];
  assert.is(read("BOOL", [1]), 1);
  assert.is(read("U8", [200]), 200);
  assert.is(read("I8", [200]), -56);
  assert.is(read("U16", [1, 1]), 257);
  assert.is(read("I16", [255, 255]), -1);
  assert.is(read("U32", [0, 0, 0, 128]), 2 ** 31);
  assert.is(read("I32", [0, 0, 0, 128]), -(2 ** 31));
  assert.is(read("F32", [0, 0, 192, 63]), 1.5);
  assert.is(read("F64", [0, 0, 0, 0, 0, 0, 248, 63]), 1.5);
  assert.is(read("I64", [255, 255, 255, 255, 255, 255, 255, 255]), -1n);
  assert.is(read("U64", [1, 0, 0, 0, 0, 0, 0, 0]), 1n);
  assert.is(read("BF16", [192, 63]), 1.5);
});

safetensors("all 65,536 half-precision numbers are widened exactly", () => {
  const bytes = new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer);
  const values = floatsOf({ name: "x", dtype: "F16", shape: [65_536], bytes }, "file");
  values.forEach((value, bits) => {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    const expected = exponent < 31 ? finite : fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    if (!Object.is(value, sign * expected)) assert.unreachable(`${bits}: ${value}, expected ${sign * expected}`);
  });
});

const tensor = (begin: number, end: number, more: object = {}) => ({
  dtype: "F32",
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...more,
});

const eightBytes = new Uint8Array(8);

/** Broken files, and what the error must say. */
const broken: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["no bytes at all", new Uint8Array(), /0 bytes/],
  ["less than a header length", new Uint8Array(7), /7 bytes/],
  ["a header longer than the limit", fileOf({}, eightBytes, 100_000_001n), /100000000/],
  ["a header length of 2⁶⁴ − 1", fileOf({}, eightBytes, 2n ** 64n - 1n), /18446744073709551615/],
  ["a header longer than the file", fileOf({}, eightBytes, 11n), /ends after 10/],
  ["a header that is no JSON", fileOf("{nonsense"), /JSON object/],
  ["a header that is no UTF-8", fileOf({}, eightBytes).fill(0xff, 8, 10), /JSON object/],
  ["a header that is a list", fileOf([]), /JSON object/],
  ["a header that does not begin with a brace", fileOf(" {}"), /JSON object/],
  [
    "a name twice",
    fileOf(`{"a":${JSON.stringify(tensor(0, 4))},"\\u0061":${JSON.stringify(tensor(4, 8))}}`, eightBytes),
    /"a" twice/,
  ],
  [
    "a field twice",
    fileOf(`{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}`, eightBytes),
    /"dtype" twice/,
  ],
  ["metadata that is no text", fileOf({ __metadata__: { a: 1 } }), /text for every key/],
  ["metadata that is a list", fileOf({ __metadata__: [] }), /text for every key/],
  ["a tensor that is null", fileOf({ a: null }), /tensor "a"/],
  ["an unknown dtype", fileOf({ a: tensor(0, 8, { dtype: "F4" }) }, eightBytes), /dtype among .* got "F4"/],
  ["a dtype of the prototype's", fileOf({ a: tensor(0, 8, { dtype: "toString" }) }, eightBytes), /dtype among/],
  ["a negative extent", fileOf({ a: tensor(0, 8, { shape: [-2] }) }, eightBytes), /shape of whole numbers/],
  ["half an extent", fileOf({ a: tensor(0, 8, { shape: [1.5] }) }, eightBytes), /shape of whole numbers/],
  [
    "no shape",
    fileOf({ a: { dtype: "F32", data_offsets: [0, 8] } }, eightBytes),
    /shape of whole numbers, got nothing/,
  ],
  ["one offset", fileOf({ a: tensor(0, 8, { data_offsets: [0] }) }, eightBytes), /data_offsets/],
  ["offsets the wrong way round", fileOf({ a: tensor(0, 8, { data_offsets: [8, 0] }) }, eightBytes), /data_offsets/],
  [
    "a range that does not fit the shape",
    fileOf({ a: tensor(0, 8, { shape: [3] }) }, eightBytes),
    /12 bytes for F32 \[3\]/,
  ],
  ["a shape that overflows", fileOf({ a: tensor(0, 8, { shape: [2 ** 52, 2 ** 52] }) }, eightBytes), /tensor "a"/],
  ["ranges that overlap", fileOf({ a: tensor(0, 8), b: tensor(4, 8) }, eightBytes), /tensor "b".*shared/],
  ["a gap", fileOf({ a: tensor(4, 8) }, eightBytes), /tensor "a".*gap of 4/],
  ["data past the end", fileOf({ a: tensor(0, 16) }, eightBytes), /tensor "a".*ends at 8/],
  ["data that belong to nobody", fileOf({ a: tensor(0, 4) }, eightBytes), /4 bytes of data, got 8/],
];

for (const [what, bytes, message] of broken) {
  safetensors(`refused: ${what}`, () => assert.match(refusal(bytes).message, message));
}

safetensors("data that begin at an odd place are read", () => {
  const header = `{"a":${JSON.stringify({ dtype: "F32", shape: [2], data_offsets: [0, 8] })}}`;
  for (const padding of ["", " ", "   "]) {
    const { tensors } = parseSafetensors(fileOf(header + padding, new Uint8Array(Float32Array.of(1, 2).buffer)), "odd");
    assert.equal([...floatsOf(tensors.get("a")!, "odd")], [1, 2]);
  }
});

safetensors("any damage is either harmless or a FormatError", () => {
  const pieces = encodeSafetensors(
    [
      { name: "a/kernel", dtype: "F32", shape: [2, 3], bytes: new Uint8Array(24) },
      { name: "a/bias", dtype: "F32", shape: [3], bytes: new Uint8Array(12) },
    ],
    { note: "text" },
  );
  const sound = joined(pieces);
  const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(damage, fc.nat(sound.length), (changes, length) => {
      const bytes = sound.slice(0, length < 8 ? length : sound.length);
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      readOrRefuse(bytes);
    }),
    { numRuns: 2000 },
  );
});

safetensors("headers of arbitrary JSON never cause anything but a FormatError", () => {
  fc.assert(
    fc.property(fc.json(), fc.uint8Array({ maxLength: 16 }), (json, data) => readOrRefuse(fileOf(json, data))),
    { numRuns: 1000 },
  );
});

function readOrRefuse(bytes: Uint8Array): void {
  try {
    parseSafetensors(bytes, "fuzzed");
  } catch (error) {
    assert.instance(error, FormatError, String(error));
  }
}

safetensors("a name that is taken is not written twice", () => {
  const twice: StoredTensor = { name: "a", dtype: "U8", shape: [1], bytes: new Uint8Array(1) };
  assert.throws(
    () => encodeSafetensors([twice, twice]),
    (error: unknown) => error instanceof FormatError,
  );
});

/** Weights that other programs wrote, where the checkout has them beside it. */
const samples = join(import.meta.dirname, "../../../shared/data/weights");

for (const [name, count, parameters] of [
  ["mobilenet_v2", 262, 3_540_265],
  ["squeezenet1_1", 52, 1_235_496],
] as const) {
  const path = join(samples, `${name}.safetensors`);
  if (!existsSync(path)) continue;
  safetensors(`${name} is read`, () => {
    const { tensors } = parseSafetensors(new Uint8Array(readFileSync(path)), name);
    assert.is(tensors.size, count);
    const total = [...tensors.values()].reduce((sum, one) => sum + valuesOf(one).length, 0);
    assert.is(total, parameters);
    for (const one of tensors.values()) {
      if (one.dtype === "F32") assert.ok(floatsOf(one, name).every(Number.isFinite), one.name);
    }
  });
}

safetensors.run();
