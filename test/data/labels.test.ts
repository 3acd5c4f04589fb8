/** Labels mapped, as vectors and weighed; statistics of classes; the studies' splits. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  applyLabelMap,
  averageImages,
  classStatistics,
  classWeights,
  fashionGroups,
  imageDataset,
  labelStatistics,
  mapLabels,
  multiHot,
  oneHot,
  pixelStatistics,
  studySplit,
  syntheticGarments,
  type ImageDataset,
  type Study,
} from "../../src/data/index.ts";
import { DataError, OptionError } from "../../src/errors.ts";

const garments = syntheticGarments({ trainCount: 200, testCount: 100, seed: 5 });

test("any mapping: merged, renamed, left out", () => {
  const data = garments.train;
  const five = fashionGroups().classNames;
  const grouped = mapLabels(data, [0, 1, 0, 2, 0, 3, 0, 3, 4, 3], five);
  assert.equal(grouped, applyLabelMap(data, fashionGroups()));
  const shoes = mapLabels(data, [null, null, null, null, null, 1, null, 0, null, 1], ["sneaker", "other"]);
  assert.equal(labelStatistics(shoes).counts, [20, 40]);
  assert.equal(shoes.classNames, ["sneaker", "other"]);
  const kept = [...data.labels.keys()].filter((index) => [5, 7, 9].includes(data.labels[index]!));
  kept.forEach((index, row) => {
    assert.is(shoes.labels[row], data.labels[index] === 7 ? 0 : 1);
    assert.equal(
      shoes.images.subarray(row * 784, (row + 1) * 784),
      data.images.subarray(index * 784, (index + 1) * 784),
    );
  });
});

test("mappings that make no sense", () => {
  const refuses = (mapping: (number | null)[], names: string[], kind: new (...args: never[]) => Error): void =>
    assert.throws(
      () => mapLabels(garments.test, mapping, names),
      (error: unknown) => error instanceof kind,
    );
  refuses([0, 1], ["a", "b"], DataError);
  refuses([0, 0, 0, 0, 0, 0, 0, 0, 0, 2], ["a", "b"], OptionError);
  refuses([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], ["a", "nobody"], OptionError);
  refuses(new Array<null>(10).fill(null), [], DataError);
});

test("one-hot and multi-label vectors", () => {
  assert.equal([...oneHot([2, 0], 3)], [0, 0, 1, 1, 0, 0]);
  assert.equal([...multiHot([[0, 2], [], [1, 1]], 3)], [1, 0, 1, 0, 0, 0, 0, 1, 0]);
  assert.throws(() => oneHot([3], 3), /labels from 0 to 2, got 3 in row 0/);
  const attributes = [["top"], ["bottom"]].map((names) => names.map((name) => ["top", "bottom"].indexOf(name)));
  const rows = multiHot(
    Array.from([0, 1, 1], (label) => attributes[label]!),
    2,
  );
  assert.equal([...rows], [1, 0, 0, 1, 0, 1]);
});

test("balanced weights: every class weighs the same in all, an example 1 on average", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 12 }), (counts) => {
      const weights = classWeights(counts);
      const total = counts.reduce((sum, count) => sum + count, 0);
      for (const [label, weight] of weights.entries()) {
        assert.ok(Math.abs(weight * counts[label]! - total / counts.length) < 1e-9 * total);
      }
    }),
  );
  assert.equal(classWeights([1, 3]), [2, 2 / 3], "scikit-learn's formula");
  assert.equal(classWeights(garments.train), new Array(10).fill(1));
  assert.throws(() => classWeights([1, 0]), /none of class 1/);
});

/** From the definitions, by sorting. */
function described(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.ceil(values.length / 2) - 1]!;
  return { mean, std: Math.sqrt(variance), min: sorted[0]!, max: sorted.at(-1)!, median };
}

const close = (got: Readonly<Record<string, unknown>>, want: Readonly<Record<string, number>>): void => {
  for (const [name, value] of Object.entries(want)) {
    assert.ok(
      Math.abs((got[name] as number) - value) < 1e-9 * Math.max(1, value),
      `${name}: ${String(got[name])}, ${value}`,
    );
  }
};

test("pixels in all, class by class, and on average", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(2), fc.tuple(fc.nat(255), fc.nat(255))), { minLength: 1, maxLength: 20 }),
      (rows) => {
        const dataset: ImageDataset = imageDataset({
          images: Uint8Array.from(rows.flatMap(([, pixels]) => pixels)),
          labels: Uint8Array.from(rows, ([label]) => label),
          shape: [1, 2, 1],
          classNames: ["a", "b", "c"],
          origin: "test",
          synthetic: false,
          split: "all",
        });
        close({ ...pixelStatistics(dataset) }, described(rows.flatMap(([, pixels]) => pixels)));
        const averages = averageImages(dataset);
        classStatistics(dataset).forEach(({ name, count, ...pixels }, label) => {
          const own = rows.filter(([of]) => of === label).map(([, values]) => values);
          assert.equal([name, count], [dataset.classNames[label], own.length]);
          if (own.length === 0) return assert.ok(Number.isNaN(pixels.mean));
          close(pixels, described(own.flat()));
          const average = [0, 1].map((at) => own.reduce((sum, pair) => sum + pair[at]!, 0) / own.length);
          average.forEach((value, at) => assert.ok(Math.abs(averages[label * 2 + at]! - value) < 1e-4));
        });
      },
    ),
  );
});

/** As many labels as Fashion-MNIST, and one pixel each. */
function fashionSized() {
  const part = (count: number, split: "train" | "test"): ImageDataset =>
    imageDataset({
      images: new Uint8Array(count),
      labels: Uint8Array.from({ length: count }, (_, at) => at % 10),
      shape: [1, 1, 1],
      classNames: Array.from({ length: 10 }, (_, label) => String(label)),
      origin: "test",
      synthetic: false,
      split,
    });
  return { train: part(60_000, "train"), test: part(10_000, "test") };
}

test("the studies' splits have the studies' counts; the one that uses test data says so", () => {
  const data = fashionSized();
  const counts = (study: Study) => {
    const { train, validation, test: held } = studySplit(data, study);
    return [train.count, validation.count, held.count];
  };
  assert.equal(counts("S0"), [57_000, 3_000, 10_000]);
  assert.equal(counts("S1"), [48_000, 12_000, 10_000]);
  assert.equal(counts("S2"), [48_000, 12_000, 10_000]);
  assert.equal(counts("S4"), [60_000, 6_000, 4_000]);
  const s1 = studySplit(data, "S1");
  assert.equal(labelStatistics(s1.train).counts, new Array(10).fill(4_800));
  assert.equal(labelStatistics(s1.validation).counts, new Array(10).fill(1_200));
  assert.is(s1.warning, null);
  assert.match(studySplit(data, "S4").warning!, /6000 images of the published test file/);
  assert.equal([s1.train.split, s1.validation.split, s1.test.split], ["train", "validation", "test"]);
  assert.equal(studySplit(data, "S0", 7).validation.labels, studySplit(data, "S0", 7).validation.labels);
  assert.not.equal(studySplit(data, "S0", 7).validation.labels, studySplit(data, "S0").validation.labels);
  assert.throws(
    () => studySplit(data, "S3" as Study),
    (error: unknown) => error instanceof OptionError,
  );
});

test.run();
