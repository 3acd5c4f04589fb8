import fc from "fast-check";
import * as assert from "uvu/assert";
import { argMax, argMin, logSumExp, max, mean, min, sum, variance } from "../../src/kernels/index.ts";
import { valueAndGradients } from "../../src/tensor/index.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/reduce.ts";
import { device, deviceOf, deviceSuite, readFrom, variants } from "../tensor/device.ts";
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
    heavy: true,
  };
}

checkOp(tests, "sum", linearCheck("sum", "sumGrad"));
checkOp(tests, "mean", { ...linearCheck("mean", "meanGrad"), heavy: false });

function extremumCheck(name: "max" | "min", gradient: "maxGrad" | "minGrad"): OpCheck<generate.ReduceCase> {
  const op = { max, min }[name];
  return {
    cases,
    numRuns: 30,
    heavy: true,
    deep: 2,
    arguments: ({ shape, seed }) => [generate.values(shape, seed, { distinct: true })],
    op: ([x], drawn) => op(x!, drawn),
    reference: ([x], drawn) => reference[name](x!, drawn),
    gradients: ([x], dy, drawn) => [reference[gradient](x!, dy, drawn)],
    smooth: false,
  };
}

const tied = ({ shape, seed }: generate.ReduceCase): Nd[] => [generate.tiedValues(shape, seed)];

checkOp(tests, "max", extremumCheck("max", "maxGrad"));
checkOp(tests, "min", { ...extremumCheck("min", "minGrad"), heavy: false });
checkOp(tests, "max: of equal elements the first in row order gets the gradient", {
  ...extremumCheck("max", "maxGrad"),
  arguments: tied,
});
checkOp(tests, "min: of equal elements the first in row order gets the gradient", {
  ...extremumCheck("min", "minGrad"),
  heavy: false,
  arguments: tied,
});

const argCases: fc.Arbitrary<generate.AxisCase> = fc.oneof(
  { weight: 3, arbitrary: generate.axisCase({ maxSize: 2000 }) },
  {
    weight: 1,
    arbitrary: fc.record({
      shape: fc.tuple(fc.constant(2), fc.constantFrom(256, 257, 1000, 20_000), fc.constantFrom(1, 3, 4)),
      axis: fc.constant(1),
      seed: generate.seed,
    }),
  },
);

for (const variant of variants) {
  tests(`argMax and argMin, ${variant}: of equal elements the first wins`, async () => {
    const on = await deviceOf(variant);
    await generate.forAll(argCases, async ({ shape, axis, seed }) => {
      for (const x of [generate.values(shape, seed), generate.tiedValues(shape, seed)]) {
        const wanted = [reference.argMax(x, axis), reference.argMin(x, axis)];
        const got = await readFrom(on, () => {
          const tensor = on.tensor(Float32Array.from(x.data), shape);
          const places = [argMax(tensor, axis), argMin(tensor, axis)];
          places.forEach((place, k) => assert.equal(place.shape, wanted[k]!.shape));
          return places;
        });
        got.forEach((places, k) => assert.equal(Array.from(places), Array.from(wanted[k]!.data)));
      }
    });
  });
}

/** At least two elements in each group, so that a correction of 1 leaves something to divide by. */
const groupsOfTwo = generate
  .reduceCase({ maxSize: 2000 })
  .filter(({ shape, axes }) => axes.some((axis) => shape.at(axis)! > 1));

checkOp(tests, "variance", {
  cases: groupsOfTwo,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { min: 4, max: 6 })],
  op: ([x], drawn) => variance(x!, { ...drawn, correction: drawn.seed % 2 }),
  reference: ([x], drawn) => reference.variance(x!, drawn, drawn.seed % 2),
  gradients: ([x], dy, drawn) => [reference.varianceGrad(x!, dy, drawn, drawn.seed % 2)],
  rtol: 1e-4, // x − μ is known to the precision of x
  atol: 2e-5,
});

checkOp(tests, "logSumExp", {
  cases,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { min: -6, max: 6 })],
  op: ([x], drawn) => logSumExp(x!, drawn),
  reference: ([x], drawn) => reference.logSumExp(x!, drawn),
  gradients: ([x], dy, drawn) => [reference.logSumExpGrad(x!, dy, drawn)],
});

tests("logSumExp of large numbers does not overflow", async () => {
  assert.is(await logSumExp(device.tensor([1000, 1000, -1000])).item(), Math.fround(1000 + Math.LN2));
});

tests("a reduction over no axes is the identity, and so is its gradient", async () => {
  const x = device.tensor([3, -4]);
  for (const op of [sum, mean, max, min]) {
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
