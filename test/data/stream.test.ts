/** Streams: order by seed, full batches, errors in their place, aborts at once, nothing left behind. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  batches,
  collect,
  encodeIdx,
  epochOrder,
  openIdxStream,
  prefetch,
  selectFromStream,
  streamOf,
  syntheticGarments,
  type ImageBatch,
  type ImageStream,
} from "../../src/data/index.ts";
import { mapBounded } from "../../src/data/concurrency.ts";
import { DataError, FormatError, OptionError } from "../../src/errors.ts";

const { train: garments } = syntheticGarments({ trainCount: 100, testCount: 10, seed: 2 });
const stream = streamOf(garments);
const image = (index: number) => garments.images.subarray(index * 784, (index + 1) * 784);

/** What happens behind the tests' back counts as a failure. */
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

function streamSuite(name: string) {
  const tests = suite(name);
  tests.before(() => void process.on("unhandledRejection", note));
  tests.after(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", note);
    assert.equal(unhandled, []);
  });
  return tests;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function failure(action: Promise<unknown>): Promise<Error> {
  const error = await action.then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.ok(error, "it fails");
  return error;
}

const pause = (ms = 1) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function assertAligned({ images, labels, indices }: ImageBatch): void {
  indices.forEach((index, row) => {
    assert.is(labels[row], garments.labels[index]);
    assert.is(Buffer.compare(images.subarray(row * 784, (row + 1) * 784), image(index)), 0);
  });
}

/** The same stream, of which every image whose index `breaks` does not decode. */
const leaky = (breaks: (index: number) => boolean): ImageStream => ({
  ...stream,
  read: async (indices, signal) =>
    stream.read(
      Array.from(indices).filter((index) => !breaks(index)),
      signal,
    ),
});

const passes = streamSuite("streams: passes");

passes("every image once, in an order that seed and epoch decide", async () => {
  const order = async (options: object) =>
    (await all(batches(stream, options))).flatMap(({ indices }) => Array.from(indices));
  assert.equal(await order({ shuffle: false, batchSize: 7 }), [...garments.labels.keys()]);
  const first = await order({ seed: 1, batchSize: 7 });
  assert.equal(
    first.toSorted((a, b) => a - b),
    [...garments.labels.keys()],
  );
  assert.equal(await order({ seed: 1, batchSize: 64 }), first);
  assert.equal(first, [...epochOrder(100, 1, 0)]);
  assert.not.equal(await order({ seed: 1, epoch: 1 }), first);
  assert.not.equal(await order({ seed: 2 }), first);
});

passes("labels stay beside images, and all batches but the last are full, whatever is left out", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 2, max: 9 }),
      fc.boolean(),
      fc.nat(9),
      async (batchSize, every, dropLast, seed) => {
        const found = await all(
          batches(
            leaky((index) => index % every === 0),
            { batchSize, dropLast, seed },
          ),
        );
        found.forEach(assertAligned);
        const decodable = [...garments.labels.keys()].filter((index) => index % every > 0);
        const sizes = found.map(({ labels }) => labels.length);
        const rest = decodable.length % batchSize;
        const want = new Array<number>(Math.floor(decodable.length / batchSize)).fill(batchSize);
        assert.equal(sizes, rest > 0 && !dropLast ? [...want, rest] : want);
        const left = epochOrder(100, seed, 0).filter((index) => index % every > 0);
        assert.equal(
          found.flatMap(({ indices }) => Array.from(indices)),
          [...left].slice(0, dropLast ? decodable.length - rest : decodable.length),
        );
      },
    ),
    { numRuns: 40 },
  );
});

passes("a stream becomes a data set, and a part of one a stream", async () => {
  assert.equal(await collect(stream), garments);
  const part = selectFromStream(stream, [50, 3, 99], "validation");
  assert.equal(
    [part.count, part.split, [...part.labels]],
    [3, "validation", [50, 3, 99].map((at) => garments.labels[at]!)],
  );
  const batch = await part.read([2, 0]);
  assert.equal([...batch.indices], [2, 0]);
  assert.is(Buffer.compare(batch.images, Buffer.concat([image(99), image(50)])), 0);
  const holed = selectFromStream(
    leaky((index) => index === 3),
    [50, 3, 99],
  );
  assert.equal([...(await holed.read([0, 1, 2])).indices], [0, 2]);
  assert.is((await collect(holed)).count, 2);
});

passes("indices and options out of range", async () => {
  assert.instance(await failure(stream.read([100])), DataError);
  assert.instance(await failure(stream.read([0.5])), DataError);
  const refused = (action: () => unknown, kind: new (...args: never[]) => Error): void =>
    assert.throws(action, (error: unknown) => error instanceof kind);
  refused(() => batches(stream, { batchSize: 0 }), OptionError);
  refused(() => selectFromStream(stream, [1, 1]), DataError);
  refused(() => prefetch(batches(stream), { depth: 0 }), OptionError);
});

passes.run();

const ahead = streamSuite("streams: prefetch");

/** Numbers from 0, with what the source sees noted down. */
function source(options: { readonly count?: number; readonly failAt?: number; readonly delay?: number } = {}) {
  const { count = Number.POSITIVE_INFINITY, failAt = -1, delay = 0 } = options;
  const seen = { made: 0, active: 0, most: 0, closed: 0 };
  const items: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        seen.most = Math.max(seen.most, ++seen.active);
        await pause(delay);
        seen.active -= 1;
        if (seen.made === failAt) throw new Error("broken source");
        return seen.made < count ? { done: false, value: seen.made++ } : { done: true, value: undefined };
      },
      return: async () => {
        seen.closed += 1;
        return { done: true, value: undefined };
      },
    }),
  };
  return { items, seen };
}

ahead("the same items in the same order, whoever is faster", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.nat(12),
      fc.nat(2),
      fc.nat(2),
      async (depth, count, made, used) => {
        const { items, seen } = source({ count, delay: made });
        const got: number[] = [];
        for await (const item of prefetch(items, { depth })) {
          got.push(item);
          if (used > 0) await pause(used);
        }
        assert.equal(
          got,
          Array.from({ length: count }, (_, at) => at),
        );
        assert.is(seen.most, 1, "one request at a time");
      },
    ),
    { numRuns: 30 },
  );
});

ahead("nothing is asked before the first item is; then `depth` items wait and no more", async () => {
  const { items, seen } = source();
  const reader = prefetch(items, { depth: 3 });
  await pause(5);
  assert.is(seen.made, 0);
  await reader.next();
  await pause(30);
  assert.is(seen.made, 4, "one was taken, three wait");
  await reader.next();
  await pause(30);
  assert.is(seen.made, 5);
  await reader.return();
  await pause(10);
  assert.equal([seen.made, seen.closed, seen.active], [5, 1, 0], "who leaves early ends the source");
});

ahead("an error comes after the items before it, also when nobody is waiting for it", async () => {
  const { items } = source({ failAt: 3 });
  const reader = prefetch(items, { depth: 5 });
  assert.is((await reader.next()).value, 0);
  await pause(30); // the source has failed by now, unnoticed
  assert.equal([(await reader.next()).value, (await reader.next()).value], [1, 2]);
  assert.is((await failure(reader.next())).message, "broken source");
  assert.ok((await reader.next()).done);
  const abandoned = prefetch(source({ failAt: 1 }).items, { depth: 2 });
  await abandoned.next();
  await pause(10);
  await abandoned.return();
});

ahead("an abort is thrown at once, even when the source is stuck", async () => {
  const stuck: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
  };
  const abort = new AbortController();
  const waiting = failure(prefetch(stuck, { signal: abort.signal }).next());
  await pause();
  abort.abort(new Error("enough"));
  assert.is((await waiting).message, "enough");
  const { items, seen } = source();
  const reader = prefetch(items, { signal: abort.signal });
  assert.is((await failure(reader.next())).message, "enough");
  await pause(10);
  assert.is(seen.closed, 1);
});

ahead("a broken read deep in a stream comes out where it belongs", async () => {
  const broken: ImageStream = {
    ...stream,
    read: async (indices, signal) => {
      if (Array.from(indices).includes(30)) {
        throw new DataError({ where: "30.png", expected: "a picture", got: "none" });
      }
      return stream.read(indices, signal);
    },
  };
  const got: number[] = [];
  const error = await failure(
    (async () => {
      for await (const { indices } of prefetch(batches(broken, { shuffle: false, batchSize: 8 }), { depth: 2 })) {
        got.push(...indices);
      }
    })(),
  );
  assert.match(error.message, /30\.png/);
  assert.equal(got, [...garments.labels.keys()].slice(0, 24));
});

ahead(
  "bounded work keeps order and bounds, ends before it fails, and fails as the first failing item does",
  async () => {
    let [active, most] = [0, 0];
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, ++active);
      await pause(item % 3);
      active -= 1;
      if (item % 10 === 7) throw new Error(`item ${item}`);
      return item * 2;
    };
    assert.equal(await mapBounded([5, 4, 3, 2, 1], 2, work), [10, 8, 6, 4, 2]);
    assert.is(most, 2);
    assert.match((await failure(mapBounded([0, 17, 1, 7, 2, 3, 4, 5], 3, work))).message, /item 17/);
    assert.is(active, 0, "nothing goes on afterwards");
    assert.equal(await mapBounded([], 3, work), []);
    const abort = new AbortController();
    const slow = mapBounded(
      [1, 2, 3, 4],
      1,
      async (item) => item === 2 && abort.abort(new Error("enough")),
      abort.signal,
    );
    assert.is((await failure(slow)).message, "enough");
  },
);

ahead.run();

const files = streamSuite("streams: IDX files");
let folder = "";
files.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "trama-stream-"));
});
files.after.each(() => rmSync(folder, { recursive: true }));

const fields = { classNames: garments.classNames, origin: "test", split: "train" } as const;
const imagesIdx = encodeIdx({ type: "uint8", shape: [100, 28, 28], data: garments.images });
const labelsIdx = encodeIdx({ type: "uint8", shape: [100], data: garments.labels });

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

files("images are read where they lie, in any order, also from a chosen file", async () => {
  const paths = [write("images", imagesIdx), write("labels", labelsIdx)] as const;
  const blobs = [new File([imagesIdx], "images"), new Blob([labelsIdx])] as const;
  for (const [images, labels] of [paths, blobs]) {
    const opened = await openIdxStream(images, labels, fields);
    assert.equal([opened.count, opened.shape], [100, [28, 28, 1]]);
    assertAligned(await opened.read([99, 0, 1, 2, 50, 49, 3, 3]));
    const [batch] = await all(prefetch(batches(opened, { batchSize: 100, seed: 4 })));
    assertAligned(batch!);
    await opened.close();
    await opened.close();
  }
});

files("files that cannot be what they claim are refused before an image is read", async () => {
  const images = write("images", imagesIdx);
  const labels = write("labels", labelsIdx);
  const refusal = async (first: string, second: string, more: object = {}): Promise<string> => {
    const error = await failure(openIdxStream(first, second, { ...fields, ...more }));
    assert.instance(error, FormatError);
    return error.message;
  };
  assert.match(await refusal(write("gz", gzipSync(imagesIdx)), labels), /gzipped one; decompress it first/);
  assert.match(await refusal(write("cut", imagesIdx.subarray(0, 5000)), labels), /expected 78416 bytes .* got 5000/);
  assert.match(
    await refusal(images, write("few", encodeIdx({ type: "uint8", shape: [9], data: new Uint8Array(9) }))),
    /100 labels, got 9/,
  );
  assert.match(await refusal(labels, labels), /3 or 4 dimensions/);
  assert.match(await refusal(images, images), /1 dimension/);
  assert.match(await refusal(images, labels, { classNames: ["a", "b"] }), /labels from 0 to 1/);
  assert.match((await failure(openIdxStream(join(folder, "none"), labels, fields))).message, /no such file/);
});

files.run();
