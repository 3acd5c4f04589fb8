/** CSV: what is written comes back, however it is cut into chunks; whatever is wrong is named with line and column. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeCsv, imageDataset, loadCsv, readCsv, type CsvOptions, type ImageDataset } from "../../src/data/index.ts";
import { FormatError } from "../../src/errors.ts";

const text = (lines: string): Uint8Array[] => [new TextEncoder().encode(lines)];

function drawing(count: number, shape: readonly [number, number, number], seed: number): ImageDataset {
  const noise = (at: number): number => (Math.imul(at + seed, 2654435761) >>> 20) & 255;
  return imageDataset({
    images: Uint8Array.from({ length: count * shape[0] * shape[1] * shape[2] }, (_, at) => noise(at)),
    labels: Uint8Array.from({ length: count }, (_, at) => noise(at + 99) % 3),
    shape,
    classNames: ["a", "b", "c"],
    origin: "test",
    synthetic: false,
    split: "train",
  });
}

/** All bytes of `chunks`, in pieces of the given lengths, over and over. */
function* recut(chunks: Iterable<Uint8Array>, lengths: readonly number[]): Generator<Uint8Array> {
  const all = Buffer.concat([...chunks]);
  for (let at = 0, turn = 0; at < all.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    yield all.subarray(at, at + length);
    at += length;
  }
}

async function refused(lines: string, options: CsvOptions = {}): Promise<string> {
  const error: unknown = await readCsv(text(lines), { file: "f.csv", ...options }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, FormatError);
  return (error as FormatError).message;
}

test("what is written is read back, wherever the chunks end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        count: fc.integer({ min: 1, max: 200 }),
        side: fc.integer({ min: 1, max: 4 }),
        channels: fc.constantFrom(1, 3),
        header: fc.boolean(),
        windows: fc.boolean(),
        cuts: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }),
        seed: fc.nat(1000),
      }),
      async ({ count, side, channels, header, windows, cuts, seed }) => {
        const dataset = drawing(count, [side, side, channels], seed);
        const written = Buffer.concat([...encodeCsv(dataset, { header })]).toString();
        const chunks = recut(text(windows ? written.replaceAll("\n", "\r\n") : written), cuts);
        const { images, labels, shape } = await readCsv(chunks, { classNames: dataset.classNames });
        assert.equal([...images], [...dataset.images]);
        assert.equal([...labels], [...dataset.labels]);
        assert.equal(shape, [side, side, channels]);
      },
    ),
    { numRuns: 60 },
  );
});

test("the layout is Kaggle's", () => {
  const dataset = imageDataset({
    ...drawing(2, [1, 2, 1], 5),
    images: Uint8Array.of(0, 255, 7, 80),
    labels: Uint8Array.of(2, 0),
  });
  assert.is(Buffer.concat([...encodeCsv(dataset)]).toString(), "label,pixel1,pixel2\n2,0,255\n0,7,80\n");
});

test("a file is streamed from disk; its classes are numbers unless they have names", async () => {
  const folder = mkdtempSync(join(tmpdir(), "trama-csv-"));
  try {
    const path = join(folder, "images.csv");
    writeFileSync(path, "9,1,2,3,4\n3,5,6,7,8");
    const { shape, classNames, labels, origin } = await loadCsv(path);
    assert.equal([shape, classNames.length, classNames[9], [...labels], origin], [[2, 2, 1], 10, "9", [9, 3], path]);
    assert.is((await loadCsv(path, { shape: [1, 4, 1] })).shape[1], 4);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("headers: quoted, with a byte order mark, the label last", async () => {
  const { labels, images } = await readCsv(
    text('\uFEFF"pixel1","pixel2","pixel3","pixel4","class"\n1,2,3,4,0\n5,6,7,8,1\n'),
  );
  assert.equal([...labels], [0, 1]);
  assert.equal([...images], [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.match(await refused("pixel1,pixel2\n1,2\n"), /line 1.*`label` or `class`/);
  assert.match(await refused("label,pixel2,pixel1\n1,2,3\n"), /line 1.*ascending order, got pixel 1 after pixel 2/);
});

test("line and column of what is wrong", async () => {
  const good = "1,2,3,4,5\n";
  assert.match(await refused(`${good}1,2,x,4,5\n`), /^f\.csv, line 2, column 3: expected a whole number .*got "x"/);
  assert.match(await refused(`${good}1,2,12.5,4,5\n`), /line 2, column 3: .*got "12\.5"/);
  assert.match(await refused(`${good}1,2,256,4,5\n`), /line 2, column 3: .*got 256/);
  assert.match(await refused(`${good}1,2,2560,4,5\n`), /line 2, column 3: .*got "2560"/);
  assert.match(await refused(`${good}1,-2,3,4,5\n`), /line 2, column 2: .*got "-2"/);
  assert.match(await refused(`${good}1,,3,4,5\n`), /line 2, column 2: .*got nothing/);
  assert.match(await refused(`${good}1,2,3,4\n`), /line 2, column 5: expected 5 columns, got a line that ends after 4/);
  assert.match(await refused(`${good}1,2,3,4,5,6\n`), /line 2, column 6: expected 5 columns, got more/);
  assert.match(await refused(`${good}\n${good}`), /line 2.*got an empty line/);
  assert.match(await refused(`${good}1\r2,2,3,4,5\n`), /line 2, column 1: expected a line feed/);
  assert.match(await refused(good, { classNames: ["only"] }), /line 1, column 1: expected a label from 0 to 0, got 1/);
  assert.match(await refused(`label,a1,a2,a3,a4\n1,2,3,4,5\n1,2,3,4,5,\n`), /line 3, column 6: /, "the header counts");
  assert.match(await refused("1,2,3\n"), /square picture, got 3 columns/);
  assert.match(await refused("1,2,3\n", { shape: [2, 2, 1] }), /expected 5 columns/);
  assert.match(await refused("label,pixel1\n"), /at least one line/);
  assert.match(await refused(""), /label/);
});

test("empty lines at the end are no lines", async () => {
  assert.is((await readCsv(text("1,2\n0,3\n\r\n\n"))).count, 2);
});

test.run();
