import fc from "fast-check";
import * as assert from "uvu/assert";
import { transposedConv2d, type TransposedConvOptions } from "../../src/kernels/index.ts";
import * as reference from "../reference/conv.ts";
import * as elementwise from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("transposedConv2d");

type Padding = "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

interface Case {
  readonly batch: number;
  readonly image: reference.Pair;
  readonly kernel: reference.Pair;
  readonly stride: reference.Pair;
  readonly dilation: reference.Pair;
  readonly padding: Padding;
  /** Where padding is explicit; modulo what is allowed. */
  readonly extra: reference.Pair;
  readonly width: readonly [groups: number, channels: number, filters: number];
  readonly bias: boolean;
  readonly activation: "relu" | null;
  readonly seed: number;
}

const pair = (...values: number[]): fc.Arbitrary<reference.Pair> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values));
const sides = fc.tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 2, 3));

/** Groups, channels and filters, in vectors of four and not. */
const widths = [
  [1, 8, 8],
  [1, 5, 3],
  [1, 3, 8],
  [2, 8, 16],
] as const;

const cases: fc.Arbitrary<Case> = fc
  .record({
    batch: fc.constantFrom(1, 2),
    image: pair(3, 4, 5, 7),
    kernel: pair(1, 2, 3, 4, 5),
    stride: pair(1, 2, 2, 3),
    dilation: fc.oneof(
      { weight: 2, arbitrary: fc.constant<reference.Pair>([1, 1]) },
      { weight: 1, arbitrary: pair(1, 2, 3) },
    ),
    padding: fc.oneof(fc.constantFrom<Padding[]>("same", "valid"), fc.tuple(sides, sides)),
    extra: pair(0, 1, 2),
    width: fc.constantFrom(...widths),
    bias: fc.boolean(),
    activation: fc.constantFrom(null, "relu" as const),
    seed: generate.seed,
  })
  .filter((drawn) => reference.transposedConvShape(...shapes(drawn), explicit(drawn)).every((extent) => extent > 0));

function shapes({ batch, image, kernel, width: [groups, channels, filters] }: Case): [x: number[], filter: number[]] {
  return [
    [batch, ...image, channels],
    [...kernel, filters / groups, channels],
  ];
}

function outputPadding({ extra, stride, dilation }: Case): reference.Pair {
  return [extra[0] % Math.max(stride[0], dilation[0]), extra[1] % Math.max(stride[1], dilation[1])];
}

function explicit(drawn: Case): reference.TransposedConvOptions {
  const { padding, kernel, stride, dilation, width } = drawn;
  const common = { stride, dilation, groups: width[0] };
  if (typeof padding === "string") {
    return { ...common, ...reference.resolveTransposedPadding(padding, kernel, stride, dilation) };
  }
  const [[top, bottom], [left, right]] = padding;
  return { ...common, padding: { top, bottom, left, right }, outputPadding: outputPadding(drawn) };
}

function options(drawn: Case, inputs: readonly Nd[]): reference.TransposedConvOptions {
  const fused = drawn.activation === null ? {} : { activation: elementwise.unary[drawn.activation] };
  return { ...explicit(drawn), ...(drawn.bias ? { bias: inputs[2]! } : {}), ...fused };
}

function gradients([x, w]: readonly Nd[], dy: Nd, chosen: reference.TransposedConvOptions): Nd[] {
  const { dx, dfilter, dbias } = reference.transposedConv2dGrad(x!, w!, dy, chosen);
  return chosen.bias === undefined ? [dx, dfilter] : [dx, dfilter, dbias];
}

const check: OpCheck<Case> = {
  cases,
  heavy: true,
  numRuns: 24,
  deep: 2,
  arguments: (drawn) => {
    const [x, w] = shapes(drawn);
    const { width, bias, seed } = drawn;
    const made = [generate.values(x, seed), generate.values(w, seed + 1)];
    return bias ? [...made, generate.values([width[2]], seed + 2)] : made;
  },
  op: ([x, w, b], drawn) => {
    const { stride, dilation, padding, width, activation } = drawn;
    const finish: TransposedConvOptions = {
      ...(typeof padding !== "string" && { outputPadding: outputPadding(drawn) }),
      ...(b && { bias: b }),
      ...(activation && { activation }),
    };
    return transposedConv2d(x!, w!, { stride, dilation, padding, groups: width[0], ...finish });
  },
  reference: (inputs, drawn) => reference.transposedConv2d(inputs[0]!, inputs[1]!, options(drawn, inputs)),
  gradients: (inputs, dy, drawn) => gradients(inputs, dy, options(drawn, inputs)),
  // No activation here is steeper than 1, so the sums before it bound the rounding after it.
  magnitudes: (inputs, dy, drawn) => {
    const sizes = inputs.map(absolute);
    const plain = options({ ...drawn, activation: null }, sizes);
    return [reference.transposedConv2d(sizes[0]!, sizes[1]!, plain), ...gradients(sizes, absolute(dy), plain)];
  },
  terms: ({ batch, image, kernel, width }) => Math.max(size([...kernel, Math.max(...width)]), size([batch, ...image])),
};

checkOp(tests, "transposedConv2d", check);

tests("outputs are as large as Keras and PyTorch make them", () => {
  const [x, w] = [device.zeros([1, 5, 7, 2]), device.zeros([3, 4, 6, 2])];
  const shapeOf = (chosen: TransposedConvOptions): readonly number[] => transposedConv2d(x, w, chosen).shape;
  assert.equal(shapeOf({}), [1, 7, 10, 6]);
  assert.equal(shapeOf({ stride: 2, padding: "same" }), [1, 10, 14, 6]);
  assert.equal(shapeOf({ stride: 5 }), [1, 25, 35, 6]);
  assert.equal(shapeOf({ stride: 5, padding: 0 }), [1, 23, 34, 6]);
  assert.equal(shapeOf({ stride: 2, padding: 1, outputPadding: 1 }), [1, 10, 15, 6]);
});

tests.run();
