import fc from "fast-check";
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import { valueAndGradients } from "../../src/tensor/index.ts";
import { applyBinary, broadcastShape, broadcastTo, sumTo, type Binary } from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, map, type Nd } from "../reference/nd.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";
import { checkOp, type Drawn } from "./check.ts";

const tests = deviceSuite("comparisons and choices");

const comparisons = {
  equal: (a: number, b: number) => a === b,
  notEqual: (a: number, b: number) => a !== b,
  greater: (a: number, b: number) => a > b,
  greaterEqual: (a: number, b: number) => a >= b,
  less: (a: number, b: number) => a < b,
  lessEqual: (a: number, b: number) => a <= b,
} as const;

interface Pair {
  readonly shapes: readonly [number[], number[]];
  readonly seed: number;
}

const pairs: fc.Arbitrary<Pair> = fc.record({ shapes: generate.broadcastPair({ maxSize: 500 }), seed: generate.seed });

tests("comparisons are 1 or 0, and broadcast", async () => {
  const names = Object.keys(comparisons) as (keyof typeof comparisons)[];
  await generate.forAll(
    pairs,
    async ({ shapes, seed }) => {
      const [a, b] = shapes.map((shape, k) => generate.tiedValues(shape, seed + k)) as [Nd, Nd];
      const got = await readFrom(device, () => {
        const [x, y] = [a, b].map(({ data, shape }) => device.tensor(Float32Array.from(data), shape));
        return names.map((name) => ops[name](x!, y!));
      });
      names.forEach((name, k) => {
        const formula: Binary = { f: (p, q) => Number(comparisons[name](p, q)), da: () => 0, db: () => 0 };
        assert.equal(Array.from(got[k]!), Array.from(applyBinary(formula, a, b).data), name);
      });
    },
    15,
  );
});

tests("a gradient does not flow through a comparison, and select passes none to its condition", async () => {
  const x = device.tensor([1, -2, 3]);
  assert.throws(() => valueAndGradients(() => ops.sum(ops.greater(x, device.constant(0))), [x]), /not differentiable/);
  const { gradients } = valueAndGradients(
    () => ops.sum(ops.select(ops.greater(x, device.constant(0)), ops.square(x), x)),
    [x],
  );
  assert.equal(Array.from(await gradients[0]!.read()), [2, 1, 6]);
});

const conditionOf = ({ shapes, seed }: Pair): Nd =>
  generate.tiedValues(broadcastShape(...shapes).slice(seed % 2), seed + 7);

const chosen = (drawn: Pair, shape: readonly number[]): Nd => broadcastTo(conditionOf(drawn), shape);

checkOp<Pair>(tests, "select", {
  cases: pairs,
  arguments: ({ shapes, seed }) => shapes.map((shape, k) => generate.values(shape, seed + k)),
  op: ([a, b], drawn, on) => {
    const condition = conditionOf(drawn);
    return ops.select(on.tensor(Float32Array.from(condition.data), condition.shape), a!, b!);
  },
  reference: ([a, b], drawn) => {
    const shape = broadcastShape(a!.shape, b!.shape);
    const [first, second] = [broadcastTo(a!, shape), broadcastTo(b!, shape)];
    return map(chosen(drawn, shape), (condition, i) => (condition === 0 ? second : first).data[i]!);
  },
  gradients: (inputs, dy, drawn) => parts(inputs, dy, drawn),
  magnitudes: (inputs, dy, drawn) => [map(dy, () => 1), ...parts(inputs, absolute(dy), drawn)],
  terms: () => 500,
});

function parts([a, b]: readonly Nd[], dy: Nd, drawn: Pair): [Nd, Nd] {
  const condition = chosen(drawn, dy.shape);
  const where = (taken: boolean): Nd => map(dy, (g, i) => ((condition.data[i] !== 0) === taken ? g : 0));
  return [sumTo(where(true), a!.shape), sumTo(where(false), b!.shape)];
}

checkOp<Drawn>(tests, "clamp", {
  cases: fc.record({ shape: generate.shape({ maxSize: 600 }), seed: generate.seed }),
  numRuns: 8,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { avoid: [-0.5, 0.25] })],
  op: ([x]) => ops.clamp(x!, -0.5, 0.25),
  reference: ([x]) => map(x!, (value) => Math.min(Math.max(value, -0.5), 0.25)),
  gradients: ([x], dy) => [map(dy, (g, i) => (x!.data[i]! >= -0.5 && x!.data[i]! <= 0.25 ? g : 0))],
});

tests.run();
