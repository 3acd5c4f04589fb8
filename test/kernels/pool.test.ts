import fc from "fast-check";
import { averagePool2d, maxPool2d, type AveragePoolOptions } from "../../src/kernels/index.ts";
import { resolvePadding, type Padding, type Pair } from "../reference/conv.ts";
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
  readonly padding: "same" | "valid" | Sides;
  readonly countPadding: boolean;
  readonly seed: number;
}

const pair = (...values: number[]): fc.Arbitrary<Pair> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values));
const side = fc.tuple(fc.nat(4), fc.nat(4));

/** Windows that tile, overlap (stride < size) and leave gaps (stride > size). */
const cases: fc.Arbitrary<Case> = fc.record({
  batch: fc.constantFrom(1, 2),
  image: pair(5, 6, 7, 9, 12),
  channels: fc.constantFrom(1, 3, 4, 5, 8, 12),
  size: pair(1, 2, 2, 3, 4, 5),
  stride: fc.option(pair(1, 2, 3, 4, 6)),
  padding: fc.oneof(fc.constantFrom("same" as const, "valid" as const), fc.tuple(side, side)),
  countPadding: fc.boolean(),
  seed: generate.seed,
});

/** Padding that is drawn explicitly stays smaller than the window. */
function paddingOf({ padding, size }: Case): "same" | "valid" | Sides {
  if (typeof padding === "string") return padding;
  const clip = ([before, after]: readonly [number, number], most: number) =>
    [Math.min(before, most), Math.min(after, most)] as const;
  return [clip(padding[0], size[0] - 1), clip(padding[1], size[1] - 1)];
}

function options(drawn: Case): AveragePoolOptions {
  const { size, stride, countPadding } = drawn;
  return { size, ...(stride === null ? {} : { stride }), padding: paddingOf(drawn), countPadding };
}

function explicit(drawn: Case, stride: Pair): Padding {
  const padding = paddingOf(drawn);
  if (typeof padding === "string") return resolvePadding(padding, drawn.image, drawn.size, stride);
  const [[top, bottom], [left, right]] = padding;
  return { top, bottom, left, right };
}

function expected(drawn: Case): reference.AveragePoolOptions {
  const { size, stride, countPadding } = drawn;
  return { size, stride: stride ?? size, padding: explicit(drawn, stride ?? size), countPadding };
}

const maxCheck: OpCheck<Case> = {
  cases,
  numRuns: 30,
  deep: 2,
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
  numRuns: 30,
  deep: 2,
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
