/** HOG against scikit-image's numbers, and against a reference written from the definition over generated options. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DataError, OptionError, ShapeError } from "../../src/errors.ts";
import {
  hog,
  hogBlocks,
  hogGeometry,
  hogLength,
  type HogOptions,
  hogPicture,
  hogSettings,
} from "../../src/svm/index.ts";
import { fashionMnist, golden, hasFashionMnist, referenceHog, selection, worstDifference } from "./oracle.ts";

interface GoldenCase extends HogOptions {
  readonly testImage: number;
  readonly shape: readonly number[];
  readonly features: readonly number[];
}

const tolerance = 1e-6;

test("equals scikit-image (selection beside the tests)", async () => {
  const { images, cases } = selection("hog-selection.json") as {
    images: Record<string, number[]>;
    cases: GoldenCase[];
  };
  assert.is(new Set(cases.map(({ norm }) => norm)).size, 4);
  for (const one of cases) {
    const data = Uint8Array.from(images[one.testImage] as number[]);
    const { shape, data: features } = hogBlocks({ data, height: 28, width: 28 }, one);
    assert.equal(shape, one.shape);
    assert.ok(worstDifference(features, one.features) < tolerance, `${one.norm} ${String(one.orientations)}`);
  }
});

test("equals scikit-image (all golden cases), for u8 and floating-point pixels alike", async () => {
  const file = golden("hog.json") as { cases: GoldenCase[] } | undefined;
  if (file === undefined || !hasFashionMnist) return;
  const { pixels } = fashionMnist(0, 200);
  for (const one of file.cases) {
    const bytes = pixels.subarray(one.testImage * 784, (one.testImage + 1) * 784);
    for (const data of [bytes, Float64Array.from(bytes), Float32Array.from(bytes)]) {
      const { data: features } = await hog({ data, count: 1, height: 28, width: 28 }, one);
      assert.ok(worstDifference(features, one.features) < tolerance, `picture ${one.testImage}, ${one.norm}`);
    }
  }
});

const pair = (most: number) => fc.tuple(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: most }));
const referenceOptions = fc.record({
  orientations: fc.integer({ min: 1, max: 13 }),
  pixelsPerCell: pair(6),
  cellsPerBlock: pair(3),
  blockStride: pair(2),
  norm: fc.constantFrom("L1", "L1-sqrt", "L2", "L2-Hys"),
  signed: fc.boolean(),
  transformSqrt: fc.boolean(),
  border: fc.constantFrom("zero", "replicate"),
  interpolation: fc.constantFrom("none", "trilinear"),
} as const);

test("equals the definition for any options, sizes and channels", async () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 19 }),
    fc.integer({ min: 1, max: 19 }),
    fc.integer({ min: 1, max: 3 }),
  );
  await fc.assert(
    fc.asyncProperty(
      referenceOptions,
      sizes,
      fc.integer(),
      fc.boolean(),
      async (options, [height, width, channels], seed, bytes) => {
        const fits =
          Math.floor(height / options.pixelsPerCell[0]) >= options.cellsPerBlock[0] &&
          Math.floor(width / options.pixelsPerCell[1]) >= options.cellsPerBlock[1];
        fc.pre(fits);
        // Steps of 1: gradients are whole numbers, so that a direction on the edge of a bin is exactly there in both.
        const values = Array.from(
          { length: height * width * channels },
          (_, i) => Math.abs(Math.imul(i + 1, seed | 1) >> 8) % 256,
        );
        const data = bytes ? Uint8Array.from(values) : Float64Array.from(values);
        const expected = referenceHog(
          height,
          width,
          channels,
          (r, c, k) => values[(r * width + c) * channels + k] as number,
          options,
        );
        const { data: features } = await hog({ data, count: 1, height, width, channels }, options);
        assert.is(features.length, hogLength(height, width, options));
        assert.ok(worstDifference(features, expected) < tolerance);
      },
    ),
    { numRuns: 150, seed: 6 },
  );
});

test("several scales are the single ones, one after another", async () => {
  const data = Uint8Array.from({ length: 2 * 256 }, (_, i) => (i * 37) % 251);
  const images = { data, count: 2, height: 16, width: 16 };
  const scales = [
    { pixelsPerCell: 4, cellsPerBlock: 2 },
    { pixelsPerCell: 8, cellsPerBlock: 1, orientations: 5 },
  ] as const;
  const [both, first, second] = [await hog(images, scales), await hog(images, scales[0]), await hog(images, scales[1])];
  assert.is(both.columns, first.columns + second.columns);
  for (let i = 0; i < 2; i++) {
    const row = both.data.slice(i * both.columns, (i + 1) * both.columns);
    assert.equal(row.slice(0, first.columns), first.data.slice(i * first.columns, (i + 1) * first.columns));
    assert.equal(row.slice(first.columns), second.data.slice(i * second.columns, (i + 1) * second.columns));
  }
});

test("two workers give the same features as none", async () => {
  const data = Uint8Array.from({ length: 5000 * 64 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  const images = { data, count: 5000, height: 8, width: 8 };
  const options = { pixelsPerCell: 4, cellsPerBlock: 2 };
  assert.equal((await hog(images, options, { workers: 2 })).data, (await hog(images, options, { workers: 1 })).data);
});

test("the picture of cells: an edge gives a line along it, as bright as its bin", () => {
  // Dark left, bright right: the gradient points right (0°, the first bin), the edge runs down.
  const size = 16;
  const data = Uint8Array.from({ length: size * size }, (_, i) => (i % size >= 8 ? 200 : 0));
  const { data: picture } = hogPicture(
    { data, height: size, width: size },
    { orientations: 4, pixelsPerCell: 8, cellsPerBlock: 1 },
  );
  // Column 8 of each row has right − left = 200: one pixel in 8 of each row of both cells' eight: 200 · 8 / 64 = 25.
  // Bin 0 of 4 has its middle at 22.5°, the radius is 8/2 − 1 = 3: from (4 − 3 cos, 4 + 3 sin) = (1, 5) to (6, 2), cut to
  // whole numbers; in between, each row takes the column nearest to 5 − 3/5 (row − 1).
  for (let row = 1; row <= 6; row++) {
    const column = Math.round(5 - 0.6 * (row - 1));
    assert.is(picture[row * size + column], 25, `row ${row}, column ${column}`);
  }
  const total = picture.reduce((sum, value) => sum + value, 0);
  assert.is(total, 25 * 6 * 4, "six pixels in each of the four cells, nothing else");
});

test("sizes follow from the options", () => {
  const geometry = hogGeometry(28, 28, hogSettings({ orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 }));
  assert.equal(geometry.shape, [6, 6, 2, 2, 9]);
  assert.is(geometry.features, 1296);
  const strided = hogGeometry(28, 20, hogSettings({ pixelsPerCell: 4, cellsPerBlock: [3, 2], blockStride: [2, 3] }));
  assert.equal(strided.blocks, [3, 2]);
});

test("refuses what cannot be, and says the least legal size", async () => {
  const image = { data: new Uint8Array(100), count: 1, height: 10, width: 10 };
  const refusal = async (run: () => Promise<unknown>): Promise<Error> =>
    run().then(
      () => assert.unreachable(),
      (error: Error) => error,
    ) as Promise<Error>;
  const small = await refusal(() => hog(image, { pixelsPerCell: 4, cellsPerBlock: 3 }));
  assert.instance(small, ShapeError);
  assert.match(small.message, "at least 12×12");
  assert.instance(await refusal(() => hog(image, { pixelsPerCell: 0 })), OptionError);
  assert.instance(await refusal(() => hog(image, { orientations: 2.5 })), OptionError);
  assert.instance(await refusal(() => hog(image, { norm: "L3" as "L2" })), OptionError);
  assert.instance(await refusal(() => hog({ ...image, data: new Uint8Array(99) }, {})), ShapeError);
  assert.instance(await refusal(() => hog({ ...image, count: 0, data: new Uint8Array(0) }, {})), ShapeError);
  const holed = new Float32Array(100).fill(1);
  holed[7] = NaN;
  assert.instance(
    await refusal(() => hog({ ...image, data: holed }, { pixelsPerCell: 5, cellsPerBlock: 1 })),
    DataError,
  );
  holed[7] = -1;
  const negative = await refusal(() =>
    hog({ ...image, data: holed }, { pixelsPerCell: 5, cellsPerBlock: 1, transformSqrt: true }),
  );
  assert.instance(negative, DataError);
});

test("a flat picture has no gradient: all features are 0", async () => {
  const { data } = await hog(
    { data: new Uint8Array(256).fill(80), count: 1, height: 16, width: 16 },
    { cellsPerBlock: 2 },
  );
  assert.ok(data.every((value) => value === 0));
});

test.run();
