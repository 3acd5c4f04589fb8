import fc from "fast-check";
import { averagePool2d, maxPool2d, type AveragePoolOptions } from "../../src/kernels/index.ts";
import { resolvePadding, type Pair } from "../reference/conv.ts";
import * as generate from "../reference/generate.ts";
import { absolute } from "../reference/nd.ts";
import * as reference from "../reference/pool.ts";
import { deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("pooling");

type Sides = readonly [readonly [number, number], readonly [number, number]];

interface Case {
  readonly batch: number;
  readonly image: Pair;
  readonly channels: number;
  readonly size: Pair;
  readonly stride: Pair | null;
  readonly padding: "same" | "valid" | "explicit";
  readonly sides: Sides;
  readonly countPadding: boolean;
  readonly seed: number;
}

const pair = (...values: number[]): fc.Arbitrary<Pair> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values));
const side = fc.tuple(fc.nat(4), fc.nat(4));

/** Windows that tile, overlap (stride < size) and leave gaps (stride > size). */
const cases: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.constantFrom(1, 2),
    image: pair(5, 6, 7, 9, 12),
    channels: fc.constantFrom(1, 3, 4, 5, 8, 12),
    size: pair(1, 2, 2, 3, 4, 5),
    stride: fc.option(pair(1, 2, 3, 4, 6)),
    padding: fc.constantFrom("same", "valid", "explicit"),
    sides: fc.tuple(side, side),
    countPadding: fc.boolean(),
    seed: generate.seed,
  })
  .map((drawn) => {
    const clipped = drawn.sides.map((both, axis) => both.map((width) => Math.min(width, drawn.size[axis]! - 1)));
    return { ...drawn, sides: clipped as unknown as Sides };
  });

function options({ size, stride, padding, sides, countPadding }: Case): AveragePoolOptions {
  return {
    size,
    ...(stride === null ? {} : { stride }),
    padding: padding === "explicit" ? sides : padding,
    countPadding,
  };
}

function expected({ image, size, stride, padding, sides, countPadding }: Case): reference.AveragePoolOptions {
  const [[top, bottom], [left, right]] = sides;
  const step = stride ?? size;
  const resolved = padding === "explicit" ? { top, bottom, left, right } : resolvePadding(padding, image, size, step);
  return { size, stride: step, padding: resolved, countPadding };
}

const maxCheck: OpCheck<Case> = {
  cases,
  numRuns: 60,
  arguments: ({ batch, image, channels, seed }) => [
    generate.values([batch, ...image, channels], seed, { distinct: true }),
  ],
  op: ([x], drawn) => maxPool2d(x!, options(drawn)),
  reference: ([x], drawn) => reference.maxPool(x!, expected(drawn)),
  gradients: ([x], dy, drawn) => [reference.maxPoolGrad(x!, dy, expected(drawn))],
  smooth: false,
};

checkOp(tests, "maxPool2d", maxCheck);
checkOp(tests, "maxPool2d: of equal elements the first in row order gets the gradient", {
  ...maxCheck,
  arguments: ({ batch, image, channels, seed }) => [generate.tiedValues([batch, ...image, channels], seed)],
});
checkOp(tests, "averagePool2d", {
  cases,
  numRuns: 60,
  arguments: ({ batch, image, channels, seed }) => [generate.values([batch, ...image, channels], seed)],
  op: ([x], drawn) => averagePool2d(x!, options(drawn)),
  reference: ([x], drawn) => reference.averagePool(x!, expected(drawn)),
  gradients: ([x], dy, drawn) => [reference.averagePoolGrad(x!.shape, dy, expected(drawn))],
  magnitudes: ([x], dy, drawn) => [
    reference.averagePool(absolute(x!), expected(drawn)),
    reference.averagePoolGrad(x!.shape, absolute(dy), expected(drawn)),
  ],
});

tests.run();
