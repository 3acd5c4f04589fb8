import fc from "fast-check";
import { matmul } from "../../src/kernels/index.ts";
import * as elementwise from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import * as reference from "../reference/matmul.ts";
import { absolute, size, type Nd } from "../reference/nd.ts";
import { assertClose } from "../reference/compare.ts";
import { deviceOf, deviceSuite, readFrom } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("matmul");

interface Case {
  /** Axes before the last two, of a and of b. */
  readonly batches: readonly [a: readonly number[], b: readonly number[]];
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly bias: boolean;
  readonly activation: "relu" | "relu6" | "sigmoid" | "tanh" | null;
  readonly seed: number;
}

function options({ transposeA, transposeB, bias, activation }: Case, inputs: readonly Nd[]): reference.MatmulOptions {
  const fused = activation === null ? {} : { activation: elementwise.unary[activation] };
  return { transposeA, transposeB, ...(bias ? { bias: inputs[2]! } : {}), ...fused };
}

function gradients([a, b]: readonly Nd[], dy: Nd, chosen: reference.MatmulOptions): Nd[] {
  const { da, db, dbias } = reference.matmulGrad(a!, b!, dy, chosen);
  return chosen.bias === undefined ? [da, db] : [da, db, dbias];
}

/**
 * Sizes around the tails of subgroups, lane vectors and tiles. All three come from one short list, because the gradients
 * exchange their roles, and each new combination is a kernel to compile.
 */
const single = fc.constant<Case["batches"]>([[], []]);
const cases: fc.Arbitrary<Case> = fc.record({
  batches: single,
  m: fc.constantFrom(1, 5, 8, 33, 130),
  k: fc.constantFrom(1, 5, 8, 33),
  n: fc.constantFrom(1, 5, 8, 33),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  bias: fc.boolean(),
  activation: fc.constantFrom(null, null, null, "relu", "relu6", "sigmoid", "tanh"),
  seed: generate.seed,
});

const check: OpCheck<Case> = {
  cases,
  heavy: true,
  numRuns: 20,
  deep: 2,
  arguments: ({ batches: [a, b], m, k, n, transposeA, transposeB, bias, seed }) => [
    generate.values([...a, ...(transposeA ? [k, m] : [m, k])], seed),
    generate.values([...b, ...(transposeB ? [n, k] : [k, n])], seed + 1),
    ...(bias ? [generate.values([n], seed + 2)] : []),
  ],
  op: ([a, b, c], { transposeA, transposeB, activation }) =>
    matmul(a!, b!, {
      transposeA,
      transposeB,
      ...(c ? { bias: c } : {}),
      ...(activation === null ? {} : { activation }),
    }),
  reference: (inputs, drawn) => reference.matmul(inputs[0]!, inputs[1]!, options(drawn, inputs)),
  gradients: (inputs, dy, drawn) => gradients(inputs, dy, options(drawn, inputs)),
  // No activation here is steeper than 1, so the sums before it bound the rounding after it.
  magnitudes: (inputs, dy, drawn) => {
    const sizes = inputs.map(absolute);
    const plain = options({ ...drawn, activation: null }, sizes);
    return [reference.matmul(sizes[0]!, sizes[1]!, plain), ...gradients(sizes, absolute(dy), plain)];
  },
  terms: ({ batches, m, k, n }) => size(batches.flat()) * Math.max(m, k, n),
};

checkOp(tests, "matmul", check);
checkOp(tests, "matmul, long inside: the gradient of b is split and added", {
  ...check,
  cases: fc.record({
    batches: single,
    m: fc.constantFrom(300, 2051),
    k: fc.constantFrom(5, 33),
    n: fc.constantFrom(3, 8),
    transposeA: fc.constant(false),
    transposeB: fc.constant(false),
    bias: fc.constant(true),
    activation: fc.constant(null),
    seed: generate.seed,
  }),
  numRuns: 4,
  deep: 1,
});
/** Work beyond a few million operations goes to kernels with larger blocks. */
checkOp(tests, "matmul, large", {
  ...check,
  cases: fc.record({
    batches: single,
    m: fc.constantFrom(130, 515),
    k: fc.constantFrom(162, 260),
    n: fc.constantFrom(68, 100),
    transposeA: fc.constant(false),
    transposeB: fc.boolean(),
    bias: fc.constant(true),
    activation: fc.constantFrom(null, "relu" as const),
    seed: generate.seed,
  }),
  numRuns: 4,
  deep: 1,
});

/** As many of both, one matrix for all, and axes that broadcast one by one. */
const batches = [
  [[3], [3]],
  [[2, 3], []],
  [[], [3]],
  [[4, 1], [3]],
  [[1], [2, 2]],
  [
    [2, 1, 2],
    [3, 1],
  ],
] as const;

checkOp(tests, "matmul, batched", {
  ...check,
  cases: fc.record({
    batches: fc.constantFrom<Case["batches"][]>(...batches),
    m: fc.constantFrom(1, 5, 8),
    k: fc.constantFrom(5, 8),
    n: fc.constantFrom(5, 8),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    bias: fc.boolean(),
    activation: fc.constantFrom(null, "relu" as const),
    seed: generate.seed,
  }),
  numRuns: 40,
  deep: 2,
});
/** Rows of many matrices that meet one b, and whose gradient is split and added. */
checkOp(tests, "matmul, a batch of rows", {
  ...check,
  cases: fc.record({
    batches: fc.constant<Case["batches"]>([[6, 40], []]),
    m: fc.constant(5),
    k: fc.constant(33),
    n: fc.constant(8),
    transposeA: fc.constant(false),
    transposeB: fc.boolean(),
    bias: fc.constant(true),
    activation: fc.constant("relu" as const),
    seed: generate.seed,
  }),
  numRuns: 2,
  deep: 1,
});

if (process.env["TRAMA_LONG"]) {
  tests("large tiles, which only large results have", async () => {
    const on = await deviceOf("tiled");
    const [a, b] = [generate.values([2047, 21], 1), generate.values([21, 2100], 2)];
    const [got] = await readFrom(on, () => [
      matmul(on.tensor(Float32Array.from(a.data), a.shape), on.tensor(Float32Array.from(b.data), b.shape)),
    ]);
    const terms = reference.matmul(absolute(a), absolute(b), {});
    assertClose(got!, reference.matmul(a, b, {}), { name: "matmul", magnitude: terms, terms: 21 });
  });
}

tests.run();
