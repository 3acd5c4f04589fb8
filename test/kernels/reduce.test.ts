import fc from "fast-check";
import * as assert from "uvu/assert";
import { max, mean, sum } from "../../src/kernels/index.ts";
import { valueAndGradients } from "../../src/tensor/index.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/reduce.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("reductions");

/** Short axes and long ones: beyond 256 elements a sum goes in rounds. */
const cases = fc.oneof(
  { weight: 4, arbitrary: generate.reduceCase({ maxSize: 2000 }) },
  {
    weight: 1,
    arbitrary: fc.record<generate.ReduceCase>({
      shape: fc.tuple(fc.constant(2), fc.constantFrom(256, 257, 1000, 20_000), fc.constantFrom(1, 3, 4)),
      axes: fc.constant([1]),
      keepDims: fc.boolean(),
      seed: generate.seed,
    }),
  },
);

function linearCheck(name: "sum" | "mean", gradient: "sumGrad" | "meanGrad"): OpCheck<generate.ReduceCase> {
  const op = { sum, mean }[name];
  const gradients = ([x]: readonly Nd[], dy: Nd, drawn: generate.ReduceCase): Nd[] => [
    reference[gradient](x!.shape, dy, drawn),
  ];
  return {
    cases,
    arguments: ({ shape, seed }) => [generate.values(shape, seed)],
    op: ([x], drawn) => op(x!, drawn),
    reference: ([x], drawn) => reference[name](x!, drawn),
    gradients,
    magnitudes: ([x], dy, drawn) => [reference[name](absolute(x!), drawn), ...gradients([x!], absolute(dy), drawn)],
    terms: ({ shape }) => size(shape),
  };
}

checkOp(tests, "sum", linearCheck("sum", "sumGrad"));
checkOp(tests, "mean", linearCheck("mean", "meanGrad"));

function neighbours({ shape, axes }: generate.ReduceCase): boolean {
  const sorted = axes.map((axis) => (axis + shape.length) % shape.length).sort((a, b) => a - b);
  return sorted.every((axis, k) => axis === sorted[0]! + k);
}

const maxCheck: OpCheck<generate.ReduceCase> = {
  cases: cases.filter(neighbours),
  numRuns: 30,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { distinct: true })],
  op: ([x], drawn) => max(x!, drawn),
  reference: ([x], drawn) => reference.max(x!, drawn),
  gradients: ([x], dy, drawn) => [reference.maxGrad(x!, dy, drawn)],
  smooth: false,
};

checkOp(tests, "max", maxCheck);
checkOp(tests, "max: of equal elements the first in row order gets the gradient", {
  ...maxCheck,
  arguments: ({ shape, seed }) => [generate.tiedValues(shape, seed)],
});

tests("a reduction over no axes is the identity, and so is its gradient", async () => {
  const x = device.tensor([3, -4]);
  for (const op of [sum, mean, max]) {
    const { value, gradients } = valueAndGradients(() => sum(op(x, { axes: [] })), [x]);
    assert.is(await value.item(), -1, op.name);
    assert.equal(Array.from(await gradients[0]!.read()), [1, 1], op.name);
  }
});

tests("a long sum keeps its precision", async () => {
  const count = 1_000_000;
  const x = device.tensor(new Float32Array(count).fill(0.1));
  assert.ok(Math.abs((await sum(x).item()) / (Math.fround(0.1) * count) - 1) < 5e-5);
});

tests.run();
