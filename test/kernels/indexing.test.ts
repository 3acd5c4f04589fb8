import fc from "fast-check";
import * as assert from "uvu/assert";
import { gather, oneHot, sum, topK } from "../../src/kernels/index.ts";
import { valueAndGradients, type Device, type Tensor } from "../../src/tensor/index.ts";
import * as generate from "../reference/generate.ts";
import { absolute } from "../reference/nd.ts";
import * as reference from "../reference/shape.ts";
import { topK as referenceTopK, topKGrad } from "../reference/topK.ts";
import { device, deviceOf, deviceSuite, readFrom, variants } from "../tensor/device.ts";
import { checkOp, type Drawn, type OpCheck } from "./check.ts";

const tests = deviceSuite("operations by index");

interface Gathered extends generate.AxisCase {
  readonly count: number;
}

const gatherCases = generate.axisCase({ maxSize: 800 }).chain(({ shape, axis, seed }) =>
  fc.record<Gathered>({
    shape: fc.constant(shape),
    axis: fc.constant(axis),
    count: fc.constantFrom(1, 2, 5, 17, 40, 150),
    seed: fc.constant(seed),
  }),
);

const rowsOf = ({ shape, axis, count, seed }: Gathered): Int32Array =>
  generate.labels(count, shape.at(axis)!, seed + 3);

const gatherCheck: OpCheck<Gathered> = {
  cases: gatherCases,
  numRuns: 30,
  arguments: ({ shape, seed }) => [generate.values(shape, seed)],
  op: ([x], drawn, on) => gather(x!, on.tensor(Uint32Array.from(rowsOf(drawn))), drawn.axis),
  reference: ([x], drawn) => reference.gather(x!, rowsOf(drawn), drawn.axis),
  gradients: ([x], dy, drawn) => [reference.gatherGrad(x!.shape, dy, rowsOf(drawn), drawn.axis)],
  magnitudes: ([x], dy, drawn) => [
    reference.gather(absolute(x!), rowsOf(drawn), drawn.axis),
    reference.gatherGrad(x!.shape, absolute(dy), rowsOf(drawn), drawn.axis),
  ],
};

checkOp(tests, "gather", gatherCheck);
checkOp(tests, "gather by plain numbers", {
  ...gatherCheck,
  numRuns: 4,
  op: ([x], drawn) => gather(x!, Array.from(rowsOf(drawn)), drawn.axis),
});

tests(
  "the shape of the indices takes the place of the axis, and an index that is too large counts as the last",
  async () => {
    const table = device.tensor([1, 2, 3, 4, 5, 6], [3, 2]);
    const index = device.tensor(Uint32Array.of(2, 0, 7, 2), [2, 2]);
    const { value, gradients } = valueAndGradients(() => sum(gather(table, index)), [table]);
    assert.equal(gather(table, index).shape, [2, 2, 2]);
    assert.is(await value.item(), 11 + 3 + 11 + 11);
    assert.equal(Array.from(await gradients[0]!.read()), [1, 1, 0, 0, 3, 3]);
  },
);

tests("oneHot", async () => {
  const cases = fc.record({ count: fc.constantFrom(1, 5, 33), depth: fc.constantFrom(1, 4, 10), seed: generate.seed });
  await generate.forAll(cases, async ({ count, depth, seed }) => {
    const labels = generate.labels(count, depth + 2, seed); // two of them out of range
    const [y, smooth] = await readFrom(device, () => {
      const index = device.tensor(Uint32Array.from(labels));
      return [oneHot(index, depth), oneHot(index, depth, { on: 0.9, off: -0.5 })];
    });
    assert.equal(Array.from(y!), Array.from(reference.oneHot(labels, depth).data));
    assert.equal(
      Array.from(smooth!),
      Array.from(Float32Array.from(reference.oneHot(labels, depth, 0.9, -0.5).data)),
    );
  }, 10); // prettier-ignore
});

interface Ranked extends Drawn {
  readonly k: number;
}

/** Short lines, and long ones, which have a kernel of their own on GPUs. */
const rankedCases: fc.Arbitrary<Ranked> = fc
  .tuple(
    fc.oneof(generate.shape({ maxSize: 600 }), fc.constantFrom([3, 256], [2, 1000])),
    fc.constantFrom(1, 2, 5, 64),
    generate.seed,
  )
  .map(([shape, k, seed]) => ({ shape, k: Math.min(k, shape.at(-1)!), seed }));

const topKCheck: OpCheck<Ranked> = {
  cases: rankedCases,
  heavy: true,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { distinct: true })],
  op: ([x], { k }) => topK(x!, k).values,
  reference: ([x], { k }) => referenceTopK(x!, k).values,
  gradients: ([x], dy, { k }) => [topKGrad(x!, dy, k)],
  smooth: false,
};

checkOp(tests, "topK", topKCheck);
checkOp(tests, "topK: of equal elements the first comes first", {
  ...topKCheck,
  arguments: ({ shape, seed }) => [generate.tiedValues(shape, seed)],
});

async function indicesOf(on: Device, { shape, k, seed }: Ranked): Promise<void> {
  const x = generate.tiedValues(shape, seed, 5);
  const [indices] = await readFrom(on, () => [topK(on.tensor(Float32Array.from(x.data), shape), k).indices]);
  assert.equal(Array.from(indices!), Array.from(referenceTopK(x, k).indices.data));
}

for (const variant of variants) {
  tests(`topK: indices, ${variant}`, async () => {
    const on = await deviceOf(variant);
    await generate.forAll(rankedCases, (drawn) => indicesOf(on, drawn), 15);
  });
}

tests("a line of NaN has indices inside the line", async () => {
  const x: Tensor = device.tensor(new Float32Array(6).fill(Number.NaN), [2, 3]);
  const indices = await topK(x, 2).indices.read();
  assert.ok(indices.every((index) => index < 3));
});

tests.run();
