/** Arrays of numbers and generators as data: the same bits as the same samples in another form, and clear refusals. */
import fc from "fast-check";
import ndarray from "ndarray";
import * as assert from "uvu/assert";
import {
  arrayDataset,
  generatorDataset,
  selectRows,
  streamOf,
  syntheticGarments,
  type ArrayDataset,
  type GeneratorFields,
  type SampleBatch,
} from "../../src/data/index.ts";
import { DataError, DtypeError, OptionError, ShapeError, type TramaError } from "../../src/errors.ts";
import { adam, build, dense, flatten, sequential, type Model } from "../../src/nn/index.ts";
import { decodeCheckpoint, encodeCheckpoint, evaluate, fit, predict, type Checkpoint } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("arrays and generators");
const { train: garments } = syntheticGarments({ trainCount: 90, testCount: 10, seed: 4 });

/** Three classes of 13 features, told apart by the sign of the first two; the generator is a formula of its own. */
function table(count: number): ArrayDataset {
  const labels = Array.from({ length: count }, (_, row) => (row * 7) % 3);
  const values = labels.flatMap((label, row) =>
    Array.from({ length: 13 }, (_, column) => Math.sin(row * 13 + column) + (column === label ? 3 : 0)),
  );
  return arrayDataset({ values, labels });
}

const rows = table(100);
const small = (seed = 6): Model =>
  build(device, sequential([dense(8, { activation: "relu" }), dense(3)]), { input: [13], seed });
const weightsOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));

async function refusal(work: () => unknown): Promise<TramaError> {
  try {
    await work();
  } catch (error) {
    return error as TramaError;
  }
  throw new Error("it was not refused");
}

/** The rows of a data set from a generator, in batches of several sizes. */
async function* batchesOf(dataset: ArrayDataset, sizes: readonly number[] = [7, 1, 20]): AsyncGenerator<SampleBatch> {
  for (let at = 0, turn = 0; at < dataset.count; turn++) {
    const end = Math.min(dataset.count, at + sizes[turn % sizes.length]!);
    yield { values: dataset.values.subarray(at * 13, end * 13), labels: [...dataset.labels.subarray(at, end)] };
    at = end;
  }
}

const generated = (fields: Partial<GeneratorFields> = {}) =>
  generatorDataset({ count: 100, shape: [13], classNames: ["a", "b", "c"], batches: () => batchesOf(rows), ...fields });

tests("features are learnt, with a share set aside to validate on", async () => {
  const model = small();
  const { history } = await fit(model, rows, {
    epochs: 20,
    batchSize: 16,
    validation: 0.2,
    optimizer: adam({ learningRate: 0.01 }),
  });
  assert.ok(history.at(-1)!.validation!.accuracy > 0.9, JSON.stringify(history.at(-1)));
  assert.is(history.at(-1)!.validation!.count, 20);
});

tests("numbers train like the pixels they were made of", async () => {
  const network = () => build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], seed: 6 });
  const values = Float32Array.from(garments.images, (pixel) => pixel / 255);
  const { labels, shape, classNames } = garments;
  const [bytes, floats] = [network(), network()];
  const options = { epochs: 2, batchSize: 16 } as const;
  await fit(bytes, garments, options);
  await fit(floats, arrayDataset({ values, labels, shape, classNames }), options);
  const [want, got] = [await weightsOf(bytes), await weightsOf(floats)];
  want.forEach((list, k) => list.forEach((value, at) => assert.ok(Math.abs(value - got[k]![at]!) < 1e-5)));
});

tests("evaluation and prediction take what training takes, in every form and batch size", async () => {
  const model = small();
  const want = await predict(model, rows.values);
  const scores = await evaluate(model, rows, { batchSize: 32 });
  const hits = want.classes.filter((answer, row) => answer === rows.labels[row]).length;
  assert.is(scores.accuracy, hits / 100);
  const loss = rows.labels.reduce((sum, label, row) => sum - Math.log(want.probabilities[row * 3 + label]!), 0) / 100;
  assert.ok(Math.abs(scores.loss - loss) < 1e-5);
  for (const batchSize of [3, 32, 256]) {
    for (const form of [rows, generated()]) {
      const got = await predict(model, form, { batchSize });
      assert.equal(got.classes, want.classes);
      got.probabilities.forEach((value, at) => assert.ok(Math.abs(value - want.probabilities[at]!) < 1e-6));
    }
  }
  assert.equal(await evaluate(model, generated(), { batchSize: 32 }), scores);
});

tests("images are predicted in any form", async () => {
  const model = build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], seed: 6 });
  const want = await predict(model, garments.images);
  assert.equal(await predict(model, garments), want);
  assert.equal(await predict(model, streamOf(garments)), want);
  const stream = streamOf(garments);
  const leaky = {
    ...stream,
    read: (wanted: ArrayLike<number>) => stream.read(Array.from(wanted).filter((index) => index !== 5)),
  };
  assert.match(
    (await refusal(() => predict(model, leaky))).message,
    /pictures that decode, got one that does not, number 5/,
  );
});

tests("a generator trains like its samples in memory, whatever its batches", async () => {
  const [inMemory, made] = [small(), small()];
  const epochs: number[] = [];
  const batches = (epoch: number) => {
    epochs.push(epoch);
    return batchesOf(rows, [100]);
  };
  const options = { epochs: 3, batchSize: 16, shuffle: false } as const;
  const want = await fit(inMemory, rows, { ...options, validation: rows });
  const got = await fit(made, generated({ batches }), { ...options, validation: generated() });
  assert.equal(await weightsOf(made), await weightsOf(inMemory));
  assert.equal(
    got.history.map(({ validation }) => validation),
    want.history.map(({ validation }) => validation),
  );
  assert.equal(epochs, [0, 1, 2], "the factory is called anew for each epoch");
});

tests("a generator of pixels trains like images in memory", async () => {
  const network = () => build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], seed: 6 });
  const { images: values, labels, shape, classNames, count } = garments;
  const made = generatorDataset({ count, shape, classNames, dtype: "u8", batches: () => [{ values, labels }] });
  const options = { epochs: 2, batchSize: 16, shuffle: false, augmentation: { flip: 0.5 } } as const;
  const [inMemory, generator] = [network(), network()];
  await fit(inMemory, garments, options);
  await fit(generator, made, options);
  assert.equal(await weightsOf(generator), await weightsOf(inMemory));
});

tests("a generator through many windows", async () => {
  const wide = 600_000; // a row has 2.4 MB, so that a window holds three
  const values = Float32Array.from({ length: 10 * wide }, (_, at) => ((at * 31) % 97) / 97);
  const all = arrayDataset({ values, labels: [0, 1, 0, 1, 1, 0, 0, 1, 0, 1] });
  const batches = async function* () {
    for (let row = 0; row < 10; row++) {
      yield { values: values.subarray(row * wide, (row + 1) * wide), labels: [all.labels[row]!] };
    }
  };
  const made = generatorDataset({ count: 10, shape: [wide], classNames: ["a", "b"], batches });
  const model = build(device, sequential([dense(2)]), { input: [wide], seed: 6 });
  const [want, got] = [await predict(model, all, { batchSize: 1 }), await predict(model, made, { batchSize: 1 })];
  assert.equal(got, want);
});

tests("an endless generator is cut at its count and closed", async () => {
  const log: string[] = [];
  const batches = async function* (): AsyncGenerator<SampleBatch> {
    log.push("open");
    try {
      for (;;) yield* batchesOf(rows);
    } finally {
      log.push("closed");
    }
  };
  const { steps } = await fit(small(), generated({ count: 64, batches }), { epochs: 2, batchSize: 16 });
  assert.is(steps, 8);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(log, ["open", "closed", "open", "closed"]);
});

tests("a training on a generator is resumed with the same bits", async () => {
  const batches = (epoch: number) =>
    batchesOf(
      selectRows(
        rows,
        Array.from({ length: 100 }, (_, i) => (i * 3 + epoch) % 100),
      ),
    );
  const options = { epochs: 3, batchSize: 8, seed: 7, validation: rows };
  const [whole, cut] = [small(), small()];
  await fit(whole, generated({ batches }), options);
  let kept: Checkpoint | null = null;
  const keep = {
    async onStep(_: unknown, training: { checkpoint(): Promise<Checkpoint> }) {
      const now = await training.checkpoint();
      if (now.record.epoch === 1 && now.record.step >= 4 && kept === null) kept = now;
    },
  };
  await fit(cut, generated({ batches }), { ...options, callbacks: [keep] });
  const file = Buffer.concat(await encodeCheckpoint(kept!));
  const again = small(99);
  const resume = await decodeCheckpoint(file);
  assert.ok(resume.record.step > 0);
  await fit(again, generated({ batches }), { ...options, resume });
  assert.equal(await weightsOf(again), await weightsOf(whole));
});

for (const [what, fields, type, message] of [
  ["that runs dry", { count: 120 }, DataError, /epoch 1: expected 120 samples, got 100 in 12 batches/],
  [
    "that runs dry in a later epoch",
    { batches: (epoch: number) => (epoch === 0 ? batchesOf(rows) : batchesOf(selectRows(rows, [0, 1]))) },
    DataError,
    /epoch 2: expected 100 samples, got 2 in 1 batch,/,
  ],
  [
    "of another shape",
    { batches: () => [{ values: new Float32Array(24), labels: [0, 1] }] },
    ShapeError,
    /batch 1: expected 26 values for 2 samples of \[13\], got 24/,
  ],
  [
    "of pixels",
    { batches: () => [{ values: new Uint8Array(13), labels: [0] }] },
    DtypeError,
    /batch 1: expected values as a Float32Array/,
  ],
  [
    "of empty batches",
    { batches: () => [{ values: new Float32Array(), labels: [] }] },
    DataError,
    /batch 1: expected at least one sample/,
  ],
  [
    "of labels without a class",
    { batches: () => [{ values: new Float32Array(26), labels: [0, 3] }] },
    DataError,
    /batch 1: expected labels from 0 to 2, got 3 in row 1/,
  ],
  [
    "of NaN",
    { batches: () => [{ values: new Float32Array(26).fill(Number.NaN, 15, 16), labels: [0, 1] }] },
    DataError,
    /batch 1: expected finite numbers, got NaN in row 1, column 2/,
  ],
] as const) {
  tests(`a generator ${what} is refused, and the batch is named`, async () => {
    const error = await refusal(() => fit(small(), generated(fields), { epochs: 2, batchSize: 16 }));
    assert.instance(error, type);
    assert.match(error.message, message);
  });
}

tests("the generator's own error comes through, and training can begin anew", async () => {
  const broken = generated({
    batches: async function* () {
      yield* batchesOf(selectRows(rows, [1, 2, 3]));
      throw new Error("the database is gone");
    },
  });
  assert.match((await refusal(() => fit(small(), broken))).message, /the database is gone/);
  assert.is((await fit(small(), generated(), { epochs: 1 })).steps, 1);
});

tests("an interruption reaches a generator that hangs, and what was learnt is kept", async () => {
  const stop = new AbortController();
  const batches = async function* (epoch: number): AsyncGenerator<SampleBatch> {
    yield* batchesOf(rows);
    if (epoch > 0) throw new Error("nobody asks");
  };
  const hanging = (epoch: number) => (epoch === 0 ? batches(epoch) : stuck(stop));
  const { stopped, history } = await fit(small(), generated({ batches: hanging }), { epochs: 5, signal: stop.signal });
  assert.is(stopped, "interrupted");
  assert.is(history.length, 1);
});

/** Never yields; somebody interrupts the training meanwhile. */
async function* stuck(stop: AbortController): AsyncGenerator<SampleBatch> {
  setTimeout(() => stop.abort(), 20);
  await new Promise(() => undefined);
  yield { values: new Float32Array(), labels: [] };
}

tests("arrays that do not fit are refused by name", async () => {
  const values = new Float32Array(26);
  const cases: [() => unknown, typeof DataError | typeof ShapeError, RegExp][] = [
    [() => arrayDataset({ values, labels: [0, 1, 0] }), ShapeError, /a shape of whole numbers/],
    [
      () => arrayDataset({ values, labels: [0, 1], shape: [12] }),
      ShapeError,
      /24 values for 2 samples of \[12\], got 26/,
    ],
    [() => arrayDataset({ values, labels: [] }), DataError, /at least one sample/],
    [() => arrayDataset({ values, labels: [0, -1] }), DataError, /labels from 0 to 0, got -1 in row 1/],
    [() => arrayDataset({ values, labels: [0, 0.5] }), DataError, /got 0.5 in row 1/],
    [() => arrayDataset({ values, labels: [0, 2], classNames: ["a", "b"] }), DataError, /got 2 in row 1/],
    [
      () => arrayDataset({ values: [1, 2, 3, 1e39], labels: [0, 1], origin: "iris" }),
      DataError,
      /"iris".*Infinity in row 1, column 1/,
    ],
    [() => selectRows(rows, [100]), DataError, /indices from 0 to 99, got 100/],
    [() => selectRows(rows, []), DataError, /at least one sample/],
  ];
  for (const [work, type, message] of cases) {
    const error = await refusal(work);
    assert.instance(error, type);
    assert.match(error.message, message);
  }
});

tests("a model refuses what is not its input, and what cannot be done to numbers", async () => {
  const image = build(device, sequential([flatten(), dense(3)]), { input: [28, 28, 1] });
  assert.match((await refusal(() => fit(image, rows))).message, /samples of \[28, 28, 1\].*got \[13\]/);
  assert.match((await refusal(() => predict(image, rows))).message, /samples of \[28, 28, 1\]/);
  assert.instance(await refusal(() => predict(small(), new Float32Array(14))), ShapeError);
  assert.match(
    (await refusal(() => predict(small(), new Float32Array(26).fill(Infinity)))).message,
    /Infinity in row 0/,
  );
  assert.match((await refusal(() => fit(small(), generated(), { validation: 0.1 }))).message, /cannot be divided/);
  assert.instance(await refusal(() => fit(small(), rows, { augmentation: { flip: 0.5 } })), OptionError);
  assert.instance(await refusal(() => fit(image, table(4), {})), ShapeError);
});

tests("NaN is named by its place in a sample of several axes", async () => {
  fc.assert(
    fc.property(fc.nat(23), (at) => {
      const values = new Float32Array(24).fill(Number.NaN, at, at + 1);
      let message = "";
      try {
        arrayDataset({ values, labels: [0, 1], shape: [3, 4] });
      } catch (error) {
        message = (error as Error).message;
      }
      const [row, i, j] = [Math.floor(at / 12), Math.floor((at % 12) / 4), at % 4];
      return message.includes(`NaN in row ${row}, at [${i}, ${j}]`);
    }),
  );
});

tests("an ndarray comes with its shape, whatever its strides", () => {
  const plain = ndarray(
    Float64Array.from({ length: 24 }, (_, at) => at),
    [4, 3, 2],
  );
  const labels = [0, 1, 0, 1];
  const straight = arrayDataset({ values: plain, labels });
  assert.equal(straight.shape, [3, 2]);
  assert.equal(
    [...straight.values],
    Array.from({ length: 24 }, (_, at) => at),
  );
  const turned = arrayDataset({ values: plain.transpose(2, 0, 1), labels: [0, 1] }); // [2, 4, 3]
  const want = [0, 1].flatMap((c) => [0, 1, 2, 3].flatMap((a) => [0, 1, 2].map((b) => a * 6 + b * 2 + c)));
  assert.equal([...turned.values], want);
});

tests("rows that are in both parts are a leak, and the baseline needs labels", async () => {
  const twice = await fit(small(), rows, { epochs: 1, validation: selectRows(rows, [3, 50], "validation") });
  assert.ok(
    twice.warnings.some((one) => /2 of 2 validation samples lie in the training part too/.test(one)),
    twice.warnings.join(),
  );
  const made = await fit(small(), generated(), { epochs: 1 });
  assert.not.ok(made.warnings.some((one) => one.includes("baseline")));
});

tests.run();
