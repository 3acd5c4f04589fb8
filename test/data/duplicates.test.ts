/** Duplicates and leaks: planted ones are found, brute force finds no others, and training can be refused. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  findDuplicates,
  findLeaks,
  imageDataset,
  indicesWithoutLeaks,
  loadFashionMnist,
  refuseLeaks,
  selectImages,
  syntheticGarments,
  type DuplicateGroup,
  type ImageDataset,
} from "../../src/data/index.ts";
import { differenceHashes, HASH_WORDS, visitSimilarHashes } from "../../src/data/differenceHash.ts";
import { DataError, OptionError, ShapeError } from "../../src/errors.ts";
import { findFashionMnist } from "../train/fashionMnist.ts";

const { train: garments } = syntheticGarments({ trainCount: 300, testCount: 10, seed: 11 });

const pick = (indices: readonly number[], split: "train" | "validation" | "test") =>
  selectImages(garments, indices, split);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const names = (groups: readonly DuplicateGroup[]) =>
  groups.map(({ places }) => places.map(({ part, index }) => `${part} ${index}`).join(", "));

/** The images of `dataset` with one of them changed. */
function altered(dataset: ImageDataset, index: number, change: (value: number, at: number) => number): ImageDataset {
  const images = dataset.images.slice();
  for (let at = 0; at < 784; at++) images[index * 784 + at] = change(images[index * 784 + at]!, at);
  const { labels, shape, classNames, origin, synthetic, split } = dataset;
  return imageDataset({ images, labels, shape, classNames, origin, synthetic, split });
}

test("exact copies are found inside parts and between them", () => {
  const train = pick([...range(0, 100), 3, 50, 3], "train");
  const held = pick([...range(200, 220), 50, 77], "test");
  const { exact, near } = findDuplicates({ train, test: held });
  assert.equal(names(exact), ["train 3, train 100, train 102", "train 50, train 101, test 20", "train 77, test 21"]);
  assert.ok(exact.every(({ correlation, labelsDiffer }) => correlation === 1 && !labelsDiffer));
  assert.equal(near, []);
});

test("copies with another label are pointed out", () => {
  const dataset = pick([5, 5], "train");
  const labels = Uint8Array.of(dataset.labels[0]!, (dataset.labels[0]! + 1) % 10);
  const { images, shape, classNames, origin, synthetic, split } = dataset;
  const [group] = findDuplicates({
    all: imageDataset({ images, labels, shape, classNames, origin, synthetic, split }),
  }).exact;
  assert.ok(group!.labelsDiffer);
});

test("small changes make near duplicates: grain, contrast and brightness, a retouched corner", () => {
  const train = pick(range(0, 60), "train");
  const copies = [
    (value: number, at: number) => Math.min(255, Math.max(0, value + ((at * 7) % 5) - 2)),
    (value: number) => Math.round(value * 0.7) + 20,
    (value: number, at: number) => (at < 3 ? 30 : value),
  ];
  copies.forEach((change, at) => {
    const held = altered(pick(range(10, 14), "test"), 2, change);
    const { exact, near } = findDuplicates({ train, test: held });
    assert.equal(names(exact), ["train 10, test 0", "train 11, test 1", "train 13, test 3"], `change ${at}`);
    assert.equal(names(near), ["train 12, test 2"], `change ${at}`);
    assert.ok(near[0]!.correlation >= 0.998 && near[0]!.correlation < 1 + 1e-12);
  });
  assert.equal(
    findDuplicates({ train, test: altered(pick(range(10, 14), "test"), 2, copies[0]!) }, { near: false }).near,
    [],
  );
});

test("an exact copy of a near duplicate belongs to the group", () => {
  const [first, second] = [pick([7], "train"), altered(pick([7], "validation"), 0, (value) => Math.round(value * 0.9))];
  const report = findDuplicates({ train: first, validation: second, test: selectImages(second, [0, 0], "test") });
  assert.equal(names(report.near), ["train 0, validation 0, test 0, test 1"]);
});

test("pictures of one colour are compared exactly only", () => {
  const plain = (value: number) => altered(pick([0], "train"), 0, () => value);
  assert.equal(findDuplicates({ train: plain(0), test: plain(1) }).near, []);
  assert.is(findDuplicates({ train: plain(9), test: plain(9) }).exact.length, 1);
});

test("banding finds every pair of hashes within the distance, once, as brute force does", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.array(fc.array(fc.nat(127), { maxLength: 9 }), { minLength: 2, maxLength: 40 }),
      (distance, flips) => {
        const hashes = new Uint32Array(flips.length * HASH_WORDS).fill(0x5a5a1234);
        flips.forEach((bits, row) =>
          bits.forEach((bit) => (hashes[row * HASH_WORDS + (bit >> 5)]! ^= 1 << (bit & 31))),
        );
        const found: string[] = [];
        visitSimilarHashes(hashes, distance, (a, b, bits) => found.push(`${a} ${b} ${bits}`));
        const want: string[] = [];
        for (let a = 0; a < flips.length; a++) {
          for (let b = 0; b < a; b++) {
            const bits = range(0, 128).filter((bit) => {
              const differ = hashes[a * HASH_WORDS + (bit >> 5)]! ^ hashes[b * HASH_WORDS + (bit >> 5)]!;
              return (differ >>> (bit & 31)) & 1;
            }).length;
            if (bits <= distance) want.push(`${a} ${b} ${bits}`);
          }
        }
        assert.equal(found.sort(), want.sort());
      },
    ),
  );
});

test("the hash sees directions: ramps to the right and downwards", () => {
  const image = (value: (y: number, x: number) => number) =>
    Uint8Array.from({ length: 28 * 28 }, (_, at) => value(Math.floor(at / 28), at % 28));
  const hashes = differenceHashes(
    [image((_, x) => x * 9), image((y) => y * 9), image(() => 7), image((_, x) => 252 - x * 9)],
    [28, 28, 1],
  );
  const ones = 0xffffffff;
  assert.equal([...hashes], [ones, ones, 0, 0, 0, 0, ones, ones, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test("what the cells rule out, the pixels would have ruled out: near pairs equal brute force", () => {
  const image = (index: number) => garments.images.subarray(index * 784, (index + 1) * 784);
  const correlation = (a: Uint8Array, b: Uint8Array): number => {
    const mean = (values: Uint8Array) => values.reduce((sum, value) => sum + value, 0) / 784;
    const [ma, mb] = [mean(a), mean(b)];
    const sum = (of: (at: number) => number) => range(0, 784).reduce((total, at) => total + of(at), 0);
    const [x, y] = [(at: number) => a[at]! - ma, (at: number) => b[at]! - mb];
    return sum((at) => x(at) * y(at)) / Math.sqrt(sum((at) => x(at) ** 2) * sum((at) => y(at) ** 2));
  };
  const least = 0.9;
  const part = pick(range(0, 120), "train");
  // With all bits allowed to differ by a quarter, the hash rules out little here, and correlation decides.
  const { near } = findDuplicates({ part }, { distance: 32, correlation: least });
  const grouped = new Set(near.flatMap(({ places }) => places.map(({ index }) => index)));
  const hashes = differenceHashes(range(0, 120).map(image), [28, 28, 1]);
  const close = new Set<number>();
  visitSimilarHashes(hashes, 32, (a, b) => {
    if (correlation(image(a), image(b)) >= least) close.add(a).add(b);
  });
  assert.ok(close.size > 4, "there are some");
  assert.equal(grouped, close);
});

test("a leak is reported by pair of parts, refused before training, and closed", () => {
  const parts = {
    train: pick(range(0, 50), "train"),
    validation: pick([60, 61, 4], "validation"),
    test: pick([70, 4, 9], "test"),
  };
  const report = findLeaks(parts);
  assert.equal(
    report.leaks.map(({ from, to, exact, near }) => [from, to, exact, near]),
    [
      ["train", "validation", 1, 0],
      ["train", "test", 2, 0],
      ["validation", "test", 1, 0],
    ],
  );
  assert.throws(
    () => refuseLeaks(report),
    (error: unknown) =>
      error instanceof DataError &&
      /leak from train to validation.*got 1 exact.*validation 2 and train 4/.test(error.message),
  );
  refuseLeaks(report, { exact: 2 });
  const kept = indicesWithoutLeaks(report, "train");
  assert.equal(
    [...kept],
    range(0, 50).filter((index) => index !== 4 && index !== 9),
  );
  const clean = { ...parts, train: selectImages(parts.train, kept) };
  assert.equal(
    findLeaks(clean).leaks.map(({ from }) => from),
    ["validation"],
  );
  refuseLeaks(findLeaks({ train: clean.train, test: parts.test }));
});

test("parts of different shapes, and options out of range", () => {
  const other = imageDataset({ ...withoutCount(pick([0], "test")), images: new Uint8Array(4), shape: [2, 2, 1] });
  assert.throws(
    () => findDuplicates({ train: garments, test: other }),
    (error: unknown) => error instanceof ShapeError,
  );
  for (const options of [{ distance: 33 }, { distance: 1.5 }, { correlation: 0 }, { correlation: 1.1 }]) {
    assert.throws(
      () => findDuplicates({ garments }, options),
      (error: unknown) => error instanceof OptionError,
    );
  }
});

function withoutCount({ count: _count, ...fields }: ImageDataset) {
  return fields;
}

test("Fashion-MNIST: no image twice, and some near duplicates between the files", async () => {
  const directory = findFashionMnist();
  if (directory === null) {
    console.log("    (skipped: no Fashion-MNIST in TRAMA_DATA or ../shared/data)");
    return;
  }
  const data = await loadFashionMnist({ directory, synthetic: "never" });
  const { leaks, duplicates } = findLeaks({ train: data.train, test: data.test }, { distance: 2 });
  assert.is(duplicates.exact.length, 0);
  assert.ok(duplicates.near.length >= 20 && duplicates.near.length <= 29, String(duplicates.near.length));
  assert.equal([leaks.length, leaks[0]?.exact], [1, 0]);
  assert.ok(names(duplicates.near).includes("train 13360, test 4998"));
});

test.run();
