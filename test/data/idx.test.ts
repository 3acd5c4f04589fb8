/** The IDX reader: what was written comes back, and nothing else is believed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGzip, gzipSync } from "node:zlib";
import fc from "fast-check";
import idxData from "idx-data";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeIdx, parseIdx, readIdx, type IdxArray, type IdxType } from "../../src/data/index.ts";
import { FormatError } from "../../src/errors.ts";

const { loadBits, saveBits } = idxData;

const constructors = {
  uint8: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

const arrays: fc.Arbitrary<IdxArray> = fc
  .record({
    type: fc.constantFrom(...(Object.keys(constructors) as IdxType[])),
    shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
    seed: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ type, shape, seed }) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const values = Array.from({ length: size }, (_, index) => ((index * seed) % 101) - (type === "uint8" ? 0 : 50));
    return { type, shape, data: constructors[type].from(values) };
  });

/** What idx-data can do, too: it knows three types, and writes no more than 1,024 values (1.1.0 counts on from there wrongly). */
const shared = arrays.filter(({ type, data }) => ["uint8", "int32", "float32"].includes(type) && data.length <= 1024);

/** A header by the format's definition, written without the code under test. */
function header(code: number, shape: readonly number[]): number[] {
  return [
    0,
    0,
    code,
    shape.length,
    ...shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]),
  ];
}

async function refused(bytes: Uint8Array, options = {}): Promise<FormatError> {
  const error: unknown = await readIdx(bytes, { file: "broken.idx", ...options }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, FormatError);
  assert.match((error as FormatError).message, /^broken\.idx: expected /);
  return error as FormatError;
}

test("what is written is read back, plain and gzipped", async () => {
  await fc.assert(
    fc.asyncProperty(arrays, async (array) => {
      const bytes = encodeIdx(array);
      assert.equal(parseIdx(bytes), array);
      assert.equal(await readIdx(gzipSync(bytes)), array);
    }),
    { numRuns: 60 },
  );
});

test("the layout is that of the format's definition", () => {
  const written = encodeIdx({ type: "int16", shape: [1, 2], data: Int16Array.of(1, -2) });
  assert.equal([...written], [...header(0x0b, [1, 2]), 0, 1, 255, 254]);
  assert.equal([...parseIdx(Uint8Array.from([...header(0x0d, [1]), 0x3f, 0x80, 0, 0])).data], [1]);
});

test("idx-data, an independent implementation, reads what we write and writes what we read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "trama-idx-"));
  const path = join(folder, "array.idx");
  try {
    await fc.assert(
      fc.asyncProperty(shared, async (array) => {
        writeFileSync(path, encodeIdx(array));
        const { data, shape, type } = await loadBits(path);
        assert.equal({ data: Array.from(data), shape, type }, { ...array, data: Array.from(array.data) });
        await saveBits(array.data as Uint8Array, [...array.shape], path);
        assert.equal(parseIdx(new Uint8Array(readFileSync(path))), array);
      }),
      { numRuns: 30 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a file cut anywhere is refused, and so is one that is too long", async () => {
  await fc.assert(
    fc.asyncProperty(arrays, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (array, share) => {
      const bytes = encodeIdx(array);
      await refused(bytes.subarray(0, Math.floor(share * bytes.length)));
      await refused(Uint8Array.from([...bytes, 7]));
      const zipped = gzipSync(bytes);
      await refused(zipped.subarray(0, Math.max(2, Math.floor(share * zipped.length))));
    }),
    { numRuns: 40 },
  );
});

test("wrong magic numbers, types and sizes are refused", async () => {
  await refused(new Uint8Array(0));
  await refused(Uint8Array.from([1, 0, 8, 1, 0, 0, 0, 1, 5]));
  await refused(Uint8Array.from([...header(0x0a, [1]), 5]));
  await refused(Uint8Array.from([0, 0, 8, 0]));
  await refused(Uint8Array.from([...header(8, [0]), 5]));
  await refused(Uint8Array.from(header(8, new Array<number>(9).fill(1))));
  const text = new TextEncoder().encode("<!doctype html><title>404</title>");
  await refused(text);
});

test("sizes that a header only claims take no memory", async () => {
  const before = process.memoryUsage().rss;
  await refused(Uint8Array.from([...header(8, [0xffffffff, 0xffffffff, 0xffffffff]), 1]));
  await refused(Uint8Array.from([...header(8, [900, 1000, 1000]), 1]));
  await refused(gzipSync(Uint8Array.from([...header(8, [900, 1000, 1000]), 1])));
  assert.ok(process.memoryUsage().rss - before < 100 * 2 ** 20);
});

test("a corrupt gz stream is refused", async () => {
  const zipped = gzipSync(encodeIdx({ type: "uint8", shape: [64], data: new Uint8Array(64).fill(3) }));
  zipped[zipped.length - 6]! ^= 0xff; // in the checksum
  await refused(zipped);
});

test("a gz bomb stops at the first byte too many", async () => {
  const bomb = await zeros(512 * 2 ** 20, header(8, [28]));
  assert.ok(bomb.length < 2 ** 20);
  const before = process.memoryUsage().rss;
  await refused(bomb);
  assert.ok(process.memoryUsage().rss - before < 128 * 2 ** 20, "the half gigabyte behind it is never held");
});

/** A gz file of `start` and then many zeros, made piece by piece. */
async function zeros(count: number, start: readonly number[]): Promise<Uint8Array> {
  const gzip = createGzip({ level: 9 });
  const chunks: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve, reject) => gzip.on("end", resolve).on("error", reject));
  gzip.write(Uint8Array.from(start));
  const piece = new Uint8Array(2 ** 20);
  for (let written = 0; written < count; written += piece.length) {
    if (!gzip.write(piece)) await new Promise((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await ended;
  return Buffer.concat(chunks);
}

test.run();
