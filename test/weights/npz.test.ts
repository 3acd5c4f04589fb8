/** NumPy's files and the zips around them: those of NumPy itself are read, broken ones are refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { openWeights, valuesOf } from "../../src/weights/index.ts";
import { refusal, succeedOrRefuse } from "./refusals.ts";
import { bytesOf, littleEndian, zip, type ZipOptions } from "./writers.ts";

const npz = suite("NPZ files");

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(import.meta.dirname, "fixtures", name)));
}

async function contentOf(bytes: Uint8Array): Promise<Record<string, unknown[]>> {
  const content: Record<string, unknown[]> = {};
  for await (const tensor of (await openWeights(bytes)).read()) {
    content[tensor.name] = [tensor.dtype, [...tensor.shape], [...valuesOf(tensor)]];
  }
  return content;
}

/** What `fixtures/make.py` puts into its archives. */
const arrays = {
  "conv/kernel": ["F32", [2, 3, 4], Array.from({ length: 24 }, (_, index) => index / 4)],
  fortran: ["F64", [2, 3], [0, 1, 2, 3, 4, 5]],
  big: ["I32", [3], [-1, 0, 1]],
  half: ["F16", [2], [1.5, -2]],
  bytes: ["U8", [2, 1], [250, 5]],
  flags: ["BOOL", [2], [1, 0]],
  long: ["I64", [], [-(2n ** 40n)]],
  none: ["F32", [0, 3], []],
};

for (const name of ["arrays.npz", "deflated.npz"]) {
  npz(`${name} of NumPy's: types, byte orders, Fortran order`, async () => {
    assert.equal(await contentOf(fixture(name)), arrays);
  });
}

npz("pickled objects are refused", async () => {
  const error = await refusal(() => openWeights(fixture("objects.npz"), { file: "objects.npz" }));
  assert.instance(error, FormatError);
  assert.match(error.message, /^objects\.npz, array "objects": expected an array of one of the types .*'\|O'/);
});

/** One array of a version of the format. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const length = littleEndian(Buffer.byteLength(header), version === 1 ? 2 : 4);
  return bytesOf(0x93, "NUMPY", version, 0, length, header, data);
}

function headerOf(descr: string, shape: string, fortran = "False"): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
}

npz("versions 1, 2 and 3 of the header", async () => {
  for (const version of [1, 2, 3]) {
    const file = zip({ "a.npy": npy(headerOf("<f4", "(1,)"), new Uint8Array(Float32Array.of(3).buffer), version) });
    assert.equal(await contentOf(file), { a: ["F32", [1], [3]] });
  }
});

npz("arrays of any shape, in either order of elements and of bytes", async () => {
  const shapes = fc.array(fc.nat(4), { maxLength: 4 });
  const cases = fc.asyncProperty(shapes, fc.boolean(), fc.boolean(), async (shape, isFortran, isBig) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const data = new DataView(new ArrayBuffer(2 * size));
    for (let index = 0; index < size; index++) {
      // Where element `index` of the row-major order lies when the first axis runs fastest.
      let [rest, place, stride] = [index, 0, size];
      for (const extent of shape.toReversed()) {
        stride /= extent;
        place += (rest % extent) * stride;
        rest = Math.floor(rest / extent);
      }
      data.setInt16(2 * (isFortran ? place : index), 7 * index - 300, !isBig);
    }
    const header = headerOf(
      isBig ? ">i2" : "<i2",
      `(${shape.map((extent) => `${extent},`).join(" ")})`,
      isFortran ? "True" : "False",
    );
    const file = zip({ "a.npy": npy(header, new Uint8Array(data.buffer)) });
    assert.equal(await contentOf(file), {
      a: ["I16", shape, Array.from({ length: size }, (_, index) => 7 * index - 300)],
    });
  });
  await fc.assert(cases, { numRuns: 100 });
});

const four = new Uint8Array(4);

for (const [what, array, message] of [
  ["no magic number", new Uint8Array(20), /an array of NumPy's/],
  ["less than a header", bytesOf(0x93, "NUMPY", 1, 0), /an array of NumPy's/],
  ["a version of the future", npy(headerOf("<f4", "(1,)"), four, 4), /version 4/],
  [
    "a header longer than the file",
    bytesOf(0x93, "NUMPY", 2, 0, littleEndian(2 ** 31, 4), "{}"),
    /the end of the file/,
  ],
  ["fewer bytes than elements", npy(headerOf("<f4", "(2,)"), four), /8 bytes for .*got 4/],
  ["more bytes than elements", npy(headerOf("<f2", "(1,)"), four), /2 bytes for .*got 4/],
  ["a shape that overflows", npy(headerOf("<f4", `(${2 ** 40}, ${2 ** 40})`), four), /bytes for .*got 4/],
  ["an extent beyond whole numbers", npy(headerOf("<f4", "(99999999999999999999,)"), four), /one of the types/],
  ["complex numbers", npy(headerOf("<c8", "(1,)"), four), /one of the types/],
  ["a type of the prototype's", npy(headerOf("<toString", "(1,)"), four), /one of the types/],
  ["structures", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", four), /one of the types/],
  ["a program for a header", npy("__import__('os').system('echo')", four), /one of the types/],
] as const) {
  npz(`refused: ${what}`, async () => {
    const error = await refusal(() => openWeights(zip({ "a.npy": array }), { file: "some.npz" }));
    assert.instance(error, FormatError);
    assert.match(error.where, /^some\.npz, array "a"/);
    assert.match(error.message, message);
  });
}

const contents = {
  "a.npy": npy(headerOf("<f4", "(1,)"), four),
  "b.npy": npy(headerOf("|u1", "(500,)"), new Uint8Array(500)),
};
const read = { a: ["F32", [1], [0]], b: ["U8", [500], [...new Uint8Array(500)]] };

for (const [what, options] of [
  ["stored", {}],
  ["deflated", { deflate: true }],
  ["with 64-bit sizes", { wide: true }],
  ["with a comment that looks like an end", { comment: "PK\u0005\u0006".padEnd(40) }],
] as const satisfies readonly (readonly [string, ZipOptions])[]) {
  npz(`zips ${what}`, async () => assert.equal(await contentOf(zip(contents, options)), read));
}

/** Fields of the directory that lie; see APPNOTE 4.3.12 for their places. */
const forged: readonly (readonly [string, ZipOptions, RegExp])[] = [
  ["an encrypted entry", { forge: { 8: [1, 2] } }, /an encrypted one/],
  ["an unknown compression", { forge: { 10: [12, 2] } }, /compression method 12/],
  ["a stored entry of two sizes", { forge: { 24: [5, 4] } }, /though it is not compressed/],
  ["an entry longer than the file", { forge: { 20: [2 ** 30, 4], 24: [2 ** 30, 4] } }, /1073741824 bytes of "a.npy"/],
  ["a header elsewhere", { forge: { 42: [7, 4] } }, /the header of "a.npy" at byte 7/],
  ["a header beyond the end", { forge: { 42: [2 ** 31, 4] } }, /the header of "a.npy"/],
  ["a wrong checksum", { deflate: true, forge: { 16: [1, 4] } }, /the checksum of the directory/],
  ["content longer than it says", { deflate: true, forge: { 24: [10, 4] } }, /10 bytes of|checksum of the directory/],
  ["four gigabytes from a few bytes", { deflate: true, forge: { 24: [0xfffffffe, 4] } }, /which none can give/],
  ["a name longer than the directory", { forge: { 28: [60_000, 2] } }, /cut off/],
];

for (const [what, options, message] of forged) {
  npz(`refused in a zip: ${what}`, async () => {
    const error = await refusal(() => openWeights(zip(contents, options), { file: "some.npz" }));
    assert.instance(error, FormatError);
    assert.match(error.where, /^some\.npz \(zip\)/);
    assert.match(error.message, message);
  });
}

npz("entries that share bytes are refused", async () => {
  const sound = zip(contents);
  // The second entry of the directory points to the first one's content.
  const second = Buffer.from(sound).lastIndexOf("PK\u0001\u0002");
  const bytes = sound.slice();
  bytes.set(littleEndian(0, 4), second + 42);
  assert.match((await refusal(() => openWeights(bytes))).message, /overlap|500 bytes/);
});

npz("an archive of other things is refused", async () => {
  assert.match((await refusal(() => openWeights(zip({ "note.txt": four })))).message, /without data\.pkl/);
  assert.match((await refusal(() => openWeights(zip({})))).message, /without data\.pkl/);
});

for (const options of [{}, { deflate: true }, { wide: true }] satisfies ZipOptions[]) {
  npz(`any damage to a zip ${JSON.stringify(options)} is either harmless or refused`, async () => {
    const sound = zip(contents, options);
    const damage = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 3 });
    const attempt = fc.asyncProperty(damage, fc.nat(sound.length), fc.boolean(), async (changes, length, cut) => {
      const bytes = sound.slice(0, cut ? length : sound.length);
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      await succeedOrRefuse(() => contentOf(bytes));
    });
    await fc.assert(attempt, { numRuns: 400 });
  });
}

npz.run();
