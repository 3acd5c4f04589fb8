/** Splits, label maps, the synthetic set, and data sets that contradict themselves. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  applyLabelMap,
  fashionGroups,
  imageDataset,
  kFold,
  labelMap,
  labelStatistics,
  randomSplit,
  stratifiedKFold,
  stratifiedSplit,
  syntheticGarments,
  takeImages,
  type ImageDataset,
} from "../../src/data/index.ts";
import { DataError, OptionError, ShapeError } from "../../src/errors.ts";

const sorted = (parts: readonly ArrayLike<number>[]) => parts.flatMap((part) => Array.from(part)).sort((a, b) => a - b);
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

test("splits and folds part the examples, and a seed repeats them", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 40, max: 300 }),
      fc.integer({ min: 0, max: 99 }),
      fc.integer({ min: 2, max: 6 }),
      (count, seed, folds) => {
        const labels = Uint8Array.from(range(count), (index) => (index * 7) % 4);
        for (const { train, validation } of [
          randomSplit(count, { fraction: 0.25, seed }),
          stratifiedSplit(labels, { fraction: 0.25, seed }),
          ...kFold(count, { folds, seed }),
          ...stratifiedKFold(labels, { folds, seed }),
        ]) {
          assert.equal(sorted([train, validation]), range(count));
        }
        assert.equal(sorted(kFold(count, { folds, seed }).map(({ validation }) => validation)), range(count));
        assert.equal(randomSplit(count, { fraction: 0.25, seed }), randomSplit(count, { fraction: 0.25, seed }));
      },
    ),
    { numRuns: 40 },
  );
});

test("the studies' splits: 5 % of 60,000 with seed 42, and 80/20 class by class", () => {
  assert.is(randomSplit(60_000, { fraction: 0.05, seed: 42 }).validation.length, 3000);
  const labels = Uint8Array.from(range(60_000), (index) => index % 10);
  const { train, validation } = stratifiedSplit(labels, { fraction: 0.2 });
  const counts = (part: Uint32Array) =>
    range(10).map((label) => part.filter((index) => labels[index] === label).length);
  assert.equal(counts(train), new Array(10).fill(4800));
  assert.equal(counts(validation), new Array(10).fill(1200));
});

test("the five groups, and maps that make no sense", () => {
  assert.equal([...fashionGroups().targets], [0, 1, 0, 2, 0, 3, 0, 3, 4, 3]);
  assert.throws(
    () => labelMap([{ name: "all", classes: [0, 0] }], 1),
    (error: unknown) => error instanceof OptionError,
  );
  assert.throws(() => labelMap([{ name: "some", classes: [0] }], 2), /class 1 in none/);
  const { test: garments } = syntheticGarments({ trainCount: 10, testCount: 50 });
  const grouped = applyLabelMap(garments, fashionGroups("pt"));
  assert.is(grouped.classNames.length, 5);
  assert.is(labelStatistics(grouped).counts[0], 20);
});

test("synthetic garments are the same everywhere, balanced, and say what they are", () => {
  const { train, test: held } = syntheticGarments({ trainCount: 200, testCount: 100, seed: 7 });
  assert.match(train.origin, /^SYNTHETIC/);
  assert.ok(train.synthetic && held.synthetic);
  assert.equal(labelStatistics(train).counts, new Array(10).fill(20));
  const more = syntheticGarments({ trainCount: 400, testCount: 100, seed: 7 }).train;
  assert.equal(takeImages(more, 200).images, train.images, "a smaller set is the beginning of a larger one");
  assert.not.equal(held.images.subarray(0, 784), train.images.subarray(0, 784));
  assert.is(createHash("md5").update(train.images).digest("hex"), PINNED);
});

/** Of the 200 images above: a change of the drawings is a change of every figure measured on them. */
const PINNED = "514199d0a3c56ba907f25588aa5f49ce";

test("synthetic garments can be told apart, but not by their means alone", () => {
  const { train, test: held } = syntheticGarments({ trainCount: 1000, testCount: 500, seed: 3 });
  const means = range(10).map((label) => meanOf(train, label));
  const hits = range(held.count).filter(
    (index) => nearest(means, held.images.subarray(index * 784, (index + 1) * 784)) === held.labels[index],
  );
  const accuracy = hits.length / held.count;
  assert.ok(accuracy > 0.3 && accuracy < 0.95, `nearest mean: ${accuracy}`);
});

function meanOf({ images, labels, count }: ImageDataset, label: number): Float64Array {
  const mean = new Float64Array(784);
  const members = range(count).filter((index) => labels[index] === label);
  for (const index of members) {
    mean.forEach((_, pixel) => (mean[pixel]! += images[index * 784 + pixel]! / members.length));
  }
  return mean;
}

function nearest(means: readonly Float64Array[], image: Uint8Array): number {
  const distances = means.map((mean) => mean.reduce((sum, value, pixel) => sum + (value - image[pixel]!) ** 2, 0));
  return distances.indexOf(Math.min(...distances));
}

test("data sets that contradict themselves are refused", () => {
  const fields = {
    images: new Uint8Array(8),
    labels: Uint8Array.of(0, 1),
    shape: [2, 2, 1] as const,
    classNames: ["a", "b"],
    origin: "test",
    synthetic: false,
    split: "train" as const,
  };
  assert.is(imageDataset(fields).count, 2);
  const refuses = (change: Partial<typeof fields>, kind: new (...args: never[]) => Error) =>
    assert.throws(
      () => imageDataset({ ...fields, ...change }),
      (error: unknown) => error instanceof kind,
    );
  refuses({ images: new Uint8Array(7) }, ShapeError);
  refuses({ labels: Uint8Array.of(0, 2) }, DataError);
  refuses({ classNames: ["a", "a"] }, DataError);
  refuses({ synthetic: true }, DataError);
  refuses({ images: new Uint8Array(0), labels: new Uint8Array(0) }, DataError);
});

test.run();
