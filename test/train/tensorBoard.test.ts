/** TensorBoard: event files as an independent reader sees them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError } from "../../src/errors.ts";
import { syntheticGarments } from "../../src/data/index.ts";
import { build, dense, flatten, sequential } from "../../src/nn/index.ts";
import { fit, tensorBoard } from "../../src/train/index.ts";
import { crc32c, encodeEvents, histogramOf } from "../../src/train/callbacks/eventFile.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { readEvents, slowCrc32c } from "./eventReader.ts";

const tests = deviceSuite("TensorBoard");
const folder = mkdtempSync(join(tmpdir(), "trama-board-"));
tests.after(() => rmSync(folder, { recursive: true }));

tests("CRC-32C of the examples of RFC 3720, B.4", () => {
  const range = Uint8Array.from({ length: 32 }, (_, i) => i);
  const command = Uint8Array.from(
    [0x01c00000, 0, 0, 0, 0x14000000, 0x00000400, 0x00000014, 0x00000018, 0x28000000, 0, 0x02000000, 0].flatMap(
      (word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255],
    ),
  );
  const cases: readonly (readonly [Uint8Array, number])[] = [
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [range, 0x46dd794e],
    [range.toReversed(), 0x113fdb5c],
    [command, 0xd9963a56],
    [new TextEncoder().encode("123456789"), 0xe3069283],
    [new Uint8Array(), 0],
  ];
  for (const [bytes, crc] of cases) assert.equal([crc32c(bytes), slowCrc32c(bytes)], [crc, crc]);
});

tests("what is written is what an independent reader reads", () => {
  const number = fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) }); // as weights are
  const tags = fc.string({ unit: "grapheme", maxLength: 20 });
  fc.assert(
    fc.property(
      fc.nat({ max: 2 ** 31 }),
      fc.dictionary(tags, fc.float({ noNaN: true })),
      fc.dictionary(tags, fc.array(number, { minLength: 1, maxLength: 80 }), { maxKeys: 4 }),
      (step, scalars, lists) => {
        const histograms = Object.fromEntries(Object.entries(lists).map(([tag, list]) => [tag, histogramOf(list)!]));
        const file = encodeEvents(1.5, [{ version: "brain.Event:2" }, { step, scalars }, { step, histograms }]);
        const [head, first, second, ...rest] = readEvents(file);
        assert.equal([head!.version, head!.wallTime, rest.length], ["brain.Event:2", 1.5, 0]);
        assert.equal([first!.step, second!.step], [step, step]);
        assert.equal(new Map(Object.entries(first!.scalars)), new Map(Object.entries(scalars)));
        for (const [tag, list] of Object.entries(lists)) {
          const { min, max, num, limits, buckets } = second!.histograms[tag]!;
          assert.equal([min, max, num], [Math.min(...list), Math.max(...list), list.length]);
          assert.is(limits.at(-1), max);
          assert.is(
            buckets.reduce((sum, count) => sum + count),
            list.length,
          );
          assert.ok(limits.every((limit, i) => i === 0 || limit > limits[i - 1]! || max - min < 1e-9 * Math.abs(max)));
        }
      },
    ),
    { numRuns: 100, seed: 20_260_101 },
  );
});

tests("buckets count what lies in them, and leave out what is not finite", () => {
  const { limits, buckets, sum, sumOfSquares } = histogramOf([0, 1, 2, 3, 10, Number.NaN, Infinity], 5)!;
  assert.equal(limits, [2, 4, 6, 8, 10]);
  assert.equal(buckets, [2, 2, 0, 0, 1]);
  assert.equal([sum, sumOfSquares], [16, 114]);
  assert.equal(histogramOf([3, 3])!.buckets, [2]);
  assert.is(histogramOf([Number.NaN]), null);
});

tests("a training leaves scalars of every epoch and histograms when they are due", async () => {
  const { train, test } = syntheticGarments({ trainCount: 200, testCount: 50, seed: 2 });
  const model = build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1] });
  const board = join(folder, "deep", "board");
  const callbacks = [tensorBoard(board, { histogramEvery: 2 })];
  const began = Date.now() / 1000;
  const { history } = await fit(model, train, { epochs: 3, validation: test, callbacks });
  await fit(model, train, { epochs: 1, callbacks });
  const files = readdirSync(board).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  assert.is(files.length, 2, "each training has a file of its own");
  for (const name of files) assert.match(name, /^events\.out\.tfevents\.\d{10}\.trama/);
  const events = readEvents(readFileSync(join(board, files[0]!)));
  assert.equal(
    events.map(({ step, version }) => [step, version]),
    [
      [0, "brain.Event:2"],
      [1, undefined],
      [2, undefined],
      [2, undefined],
      [3, undefined],
    ],
  );
  assert.ok(events.every(({ wallTime }) => wallTime >= began - 1 && wallTime <= Date.now() / 1000 + 1));
  const scalars = events.filter((event) => Object.keys(event.scalars).length > 0);
  scalars.forEach((event, epoch) => {
    const { loss, accuracy, validation, learningRate } = history[epoch]!;
    const numbers = { loss, accuracy, val_loss: validation!.loss, val_accuracy: validation!.accuracy };
    for (const [tag, value] of Object.entries({ ...numbers, learning_rate: learningRate })) {
      assert.is(event.scalars[tag], Math.fround(value), tag);
    }
  });
  const weights = events.find((event) => Object.keys(event.histograms).length > 0);
  assert.equal(Object.keys(weights!.histograms).sort(), ["dense/bias", "dense/kernel"]);
  assert.is(weights!.histograms["dense/kernel"]!.num, 7840);
});

tests("options are refused by name", () => {
  assert.throws(
    () => tensorBoard(folder, { histogramEvery: 0.5 }),
    (error: unknown) => error instanceof OptionError,
  );
});

tests.run();
