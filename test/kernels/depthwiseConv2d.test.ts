import fc from "fast-check";
import { depthwiseConv2d, type DepthwiseConvOptions } from "../../src/kernels/index.ts";
import * as reference from "../reference/conv.ts";
import * as elementwise from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import { deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("depthwiseConv2d");

type Padding = "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

/** Compiled into the kernels, and therefore few. */
interface Filter {
  readonly kernel: reference.Pair;
  readonly stride: reference.Pair;
  readonly dilation: reference.Pair;
}

interface Case extends Filter {
  readonly batch: number;
  readonly image: reference.Pair;
  readonly padding: Padding;
  readonly channels: number;
  readonly multiplier: number;
  /** Together with an activation. */
  readonly bias: boolean;
  readonly seed: number;
}

const filters: readonly Filter[] = [
  { kernel: [3, 3], stride: [1, 1], dilation: [1, 1] },
  { kernel: [3, 3], stride: [2, 2], dilation: [1, 1] },
  { kernel: [2, 3], stride: [3, 1], dilation: [1, 2] },
  { kernel: [1, 4], stride: [2, 3], dilation: [1, 2] },
  { kernel: [5, 4], stride: [1, 2], dilation: [1, 1] },
];

const sides = fc.tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 3));

/** Channels and multipliers, in vectors of four and not. */
const widths = [
  [8, 1],
  [4, 1],
  [3, 1],
  [4, 2],
] as const;

const cases: fc.Arbitrary<Case> = fc
  .record({
    filter: fc.constantFrom(...filters),
    batch: fc.constantFrom(1, 2, 3),
    image: fc.tuple(fc.constantFrom(7, 8, 13), fc.constantFrom(7, 10, 37)),
    padding: fc.oneof(fc.constantFrom<Padding[]>("same", "valid"), fc.tuple(sides, sides)),
    width: fc.constantFrom(...widths),
    bias: fc.boolean(),
    seed: generate.seed,
  })
  .map(({ filter: { kernel, stride, dilation }, batch, image, padding, width, bias, seed }) => {
    const [channels, multiplier] = width;
    return { kernel, stride, dilation, batch, image, padding, channels, multiplier, bias, seed };
  });

function explicit({ padding, image, kernel, stride, dilation }: Case): reference.Padding {
  if (typeof padding === "string") return reference.resolvePadding(padding, image, kernel, stride, dilation);
  const [[top, bottom], [left, right]] = padding;
  return { top, bottom, left, right };
}

function options(drawn: Case, inputs: readonly Nd[]): reference.ConvOptions {
  const { stride, dilation, bias } = drawn;
  const finish = bias ? { bias: inputs[2]!, activation: elementwise.unary.relu6 } : {};
  return { stride, dilation, padding: explicit(drawn), ...finish };
}

function gradients([x, w]: readonly Nd[], dy: Nd, chosen: reference.ConvOptions): Nd[] {
  const { dx, dfilter, dbias } = reference.depthwiseConv2dGrad(x!, w!, dy, chosen);
  return chosen.bias === undefined ? [dx, dfilter] : [dx, dfilter, dbias];
}

const check: OpCheck<Case> = {
  cases,
  numRuns: 40,
  deep: 3,
  arguments: ({ batch, image, kernel, channels, multiplier, bias, seed }) => [
    generate.values([batch, ...image, channels], seed),
    generate.values([...kernel, channels, multiplier], seed + 1),
    ...(bias ? [generate.values([channels * multiplier], seed + 2)] : []),
  ],
  op: ([x, w, bias], { stride, dilation, padding }) => {
    const finish: DepthwiseConvOptions = bias ? { bias, activation: "relu6" } : {};
    return depthwiseConv2d(x!, w!, { stride, dilation, padding, ...finish });
  },
  reference: (inputs, drawn) => reference.depthwiseConv2d(inputs[0]!, inputs[1]!, options(drawn, inputs)),
  gradients: (inputs, dy, drawn) => gradients(inputs, dy, options(drawn, inputs)),
  // No activation here is steeper than 1, so the sums before it bound the rounding after it.
  magnitudes: (inputs, dy, drawn) => {
    const sizes = inputs.map(absolute);
    const { activation: _, ...plain } = options(drawn, sizes);
    return [reference.depthwiseConv2d(sizes[0]!, sizes[1]!, plain), ...gradients(sizes, absolute(dy), plain)];
  },
  terms: ({ batch, image, kernel, multiplier }) => Math.max(size(kernel) * multiplier, size([batch, ...image])),
};

checkOp(tests, "depthwiseConv2d", check);
/** So many rows that parts of the batch are summed apart and each has several lines. */
checkOp(tests, "depthwiseConv2d, many lines", {
  ...check,
  cases: fc.record({
    kernel: fc.constant<reference.Pair>([3, 3]),
    stride: fc.constant<reference.Pair>([1, 1]),
    dilation: fc.constant<reference.Pair>([1, 1]),
    batch: fc.constant(9),
    image: fc.constant<reference.Pair>([23, 9]),
    padding: fc.constant<Padding>("same"),
    channels: fc.constantFrom(60, 64),
    multiplier: fc.constant(1),
    bias: fc.constant(true),
    seed: generate.seed,
  }),
  numRuns: 2,
  deep: 1,
});

checkOp(tests, "depthwiseConv2d, a filter too large for registers", {
  ...check,
  cases: fc.record({
    kernel: fc.constant<reference.Pair>([8, 9]),
    stride: fc.constantFrom<reference.Pair[]>([1, 1], [2, 1]),
    dilation: fc.constant<reference.Pair>([1, 1]),
    batch: fc.constant(2),
    image: fc.constant<reference.Pair>([11, 9]),
    padding: fc.constantFrom<Padding[]>("same", "valid"),
    channels: fc.constant(3),
    multiplier: fc.constantFrom(1, 2),
    bias: fc.constant(true),
    seed: generate.seed,
  }),
  numRuns: 3,
  deep: 1,
});

tests.run();
