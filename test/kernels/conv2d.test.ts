import fc from "fast-check";
import { conv2d, type ConvOptions } from "../../src/kernels/index.ts";
import * as reference from "../reference/conv.ts";
import * as elementwise from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import { deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("conv2d");

type Padding = "same" | "valid" | readonly [readonly [number, number], readonly [number, number]];

interface Case {
  readonly batch: number;
  readonly image: reference.Pair;
  readonly kernel: reference.Pair;
  readonly stride: reference.Pair;
  readonly dilation: reference.Pair;
  readonly padding: Padding;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly bias: boolean;
  readonly activation: "relu" | "tanh" | null;
  readonly seed: number;
}

const pair = (...values: number[]): fc.Arbitrary<reference.Pair> =>
  fc.tuple(fc.constantFrom(...values), fc.constantFrom(...values));
const sides = fc.tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 2, 3));

const general = {
  batch: fc.constantFrom(1, 2, 3),
  image: pair(5, 6, 9, 10),
  kernel: pair(1, 2, 3, 4, 5),
  stride: pair(1, 1, 2, 3),
  dilation: fc.oneof(
    { weight: 3, arbitrary: fc.constant<reference.Pair>([1, 1]) },
    { weight: 1, arbitrary: pair(1, 2) },
  ),
  padding: fc.oneof(fc.constantFrom<Padding[]>("same", "valid"), fc.tuple(sides, sides)),
  groups: fc.constant(1),
  channels: fc.constantFrom(1, 3, 4, 8, 33),
  filters: fc.constantFrom(1, 3, 4, 8, 33),
  bias: fc.boolean(),
  activation: fc.constantFrom(null, null, "relu", "tanh"),
  seed: generate.seed,
};

/** The image grows where the filter would not fit into it. */
function fitted(drawn: Case): Case {
  const least = ([0, 1] as const).map((axis) => reference.span(drawn.kernel[axis], drawn.dilation[axis]));
  return { ...drawn, image: [Math.max(drawn.image[0], least[0]!), Math.max(drawn.image[1], least[1]!)] };
}

function explicit({ padding, image, kernel, stride, dilation }: Case): reference.Padding {
  if (typeof padding === "string") return reference.resolvePadding(padding, image, kernel, stride, dilation);
  const [[top, bottom], [left, right]] = padding;
  return { top, bottom, left, right };
}

function options(drawn: Case, inputs: readonly Nd[]): reference.ConvOptions {
  const { stride, dilation, groups, bias, activation } = drawn;
  const fused = activation === null ? {} : { activation: elementwise.unary[activation] };
  return { stride, dilation, groups, padding: explicit(drawn), ...(bias ? { bias: inputs[2]! } : {}), ...fused };
}

function gradients([x, w]: readonly Nd[], dy: Nd, chosen: reference.ConvOptions): Nd[] {
  const { dx, dfilter, dbias } = reference.conv2dGrad(x!, w!, dy, chosen);
  return chosen.bias === undefined ? [dx, dfilter] : [dx, dfilter, dbias];
}

const check: OpCheck<Case> = {
  cases: fc.record(general).map(fitted),
  heavy: true,
  numRuns: 28,
  deep: 2,
  arguments: ({ batch, image, kernel, groups, channels, filters, bias, seed }) => [
    generate.values([batch, ...image, channels], seed),
    generate.values([...kernel, channels / groups, filters], seed + 1),
    ...(bias ? [generate.values([filters], seed + 2)] : []),
  ],
  op: ([x, w, b], { stride, dilation, padding, groups, activation }) => {
    const fused: Pick<ConvOptions, "activation"> = activation === null ? {} : { activation };
    return conv2d(x!, w!, { stride, dilation, padding, groups, ...(b ? { bias: b } : {}), ...fused });
  },
  reference: (inputs, drawn) => reference.conv2d(inputs[0]!, inputs[1]!, options(drawn, inputs)),
  gradients: (inputs, dy, drawn) => gradients(inputs, dy, options(drawn, inputs)),
  // No activation here is steeper than 1, so the sums before it bound the rounding after it.
  magnitudes: (inputs, dy, drawn) => {
    const sizes = inputs.map(absolute);
    const plain = options({ ...drawn, activation: null }, sizes);
    return [reference.conv2d(sizes[0]!, sizes[1]!, plain), ...gradients(sizes, absolute(dy), plain)];
  },
  terms: ({ batch, image, kernel, channels, filters }) =>
    Math.max(size([...kernel, Math.max(channels, filters)]), size([batch, ...image])),
};

checkOp(tests, "conv2d", check);

/** Groups, channels and filters: in vectors of four and not, and groups of one channel. */
const inGroups = [
  [2, 8, 16],
  [2, 6, 10],
  [4, 16, 8],
  [5, 5, 10],
] as const;

checkOp(tests, "conv2d in groups", {
  ...check,
  cases: fc
    .tuple(
      fc.record({ ...general, kernel: pair(1, 3), activation: fc.constantFrom(null, "relu" as const) }),
      fc.constantFrom(...inGroups),
    )
    .map(([drawn, [groups, channels, filters]]) => fitted({ ...drawn, groups, channels, filters })),
  numRuns: 16,
  deep: 1,
});

/** A filter of one pixel is a matmul of rows, and its gradients too. */
checkOp(tests, "conv2d, pointwise", {
  ...check,
  cases: fc.record({
    ...general,
    kernel: pair(1),
    stride: pair(1, 1, 2),
    dilation: pair(1),
    padding: fc.constantFrom<Padding>("same", "valid"),
    channels: fc.constantFrom(8, 33),
    filters: fc.constantFrom(8, 33),
  }),
  numRuns: 8,
  deep: 1,
});

/** Channels as networks have them, and their neighbours that fill no lane vector. */
const layers = [
  [1, 32],
  [32, 28],
  [28, 5],
] as const;

/** Work beyond a few million operations goes to kernels with larger blocks: `[image, channels, filters]`. */
const large = [
  [40, 1, 32],
  [24, 8, 64],
  [20, 32, 12],
] as const;

for (const [channels, filters, side, batch] of [
  ...layers.map(([channels, filters]) => [channels, filters, 14, 0] as const),
  ...large.map(([side, channels, filters]) => [channels, filters, side, 6] as const),
]) {
  checkOp(tests, `conv2d, a layer from ${channels} to ${filters} channels of ${side} pixels`, {
    ...check,
    cases: fc.record({
      ...general,
      ...(batch > 0 ? { batch: fc.constant(batch) } : {}),
      image: fc.constant<reference.Pair>([side, side]),
      kernel: fc.constant<reference.Pair>([3, 3]),
      stride: fc.constant<reference.Pair>([1, 1]),
      dilation: fc.constant<reference.Pair>([1, 1]),
      padding: fc.constant<Padding>("same"),
      channels: fc.constant(channels),
      filters: fc.constant(filters),
      bias: fc.constant(true),
      activation: fc.constant("relu" as const),
    }),
    numRuns: 1,
    deep: 1,
  });
}

tests.run();
