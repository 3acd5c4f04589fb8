import fc from "fast-check";
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import { valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as reference from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, nd, type Nd } from "../reference/nd.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type Drawn, type OpCheck } from "./check.ts";

const tests = deviceSuite("element-wise operations");
const { unary, binary } = reference;
const shapes = fc.record({ shape: generate.shape({ maxSize: 600 }), seed: generate.seed });

function unaryCheck(op: (x: Tensor) => Tensor, formula: reference.Unary, range: generate.ValueOptions): OpCheck<Drawn> {
  return {
    cases: shapes,
    numRuns: 8,
    deep: 2,
    arguments: ({ shape, seed }) => [generate.values(shape, seed, range)],
    op: ([x]) => op(x!),
    reference: ([x]) => reference.applyUnary(formula, x!),
    gradients: ([x], dy) => [reference.unaryGrad(formula, x!, dy)],
  };
}

const wide = { min: -8, max: 8, avoid: [0, 6] };
const positive = { min: 0.1, max: 8 };

checkOp(tests, "neg", unaryCheck(ops.neg, unary.neg, wide));
checkOp(tests, "exp", unaryCheck(ops.exp, unary.exp, { min: -8, max: 3 }));
checkOp(tests, "log", unaryCheck(ops.log, unary.log, positive));
checkOp(tests, "sqrt", unaryCheck(ops.sqrt, unary.sqrt, positive));
checkOp(tests, "square", unaryCheck(ops.square, unary.square, wide));
checkOp(tests, "abs", unaryCheck(ops.abs, unary.abs, wide));
checkOp(tests, "relu", unaryCheck(ops.relu, unary.relu, wide));
checkOp(tests, "relu6", unaryCheck(ops.relu6, unary.relu6, wide));
checkOp(tests, "sigmoid", unaryCheck(ops.sigmoid, unary.sigmoid, wide));
checkOp(tests, "tanh", unaryCheck(ops.tanh, unary.tanh, wide));
checkOp(tests, "softplus", unaryCheck(ops.softplus, unary.softplus, wide));
checkOp(tests, "silu", unaryCheck(ops.silu, unary.silu, wide));
checkOp(tests, "gelu", { ...unaryCheck(ops.gelu, unary.geluTanh, wide), atol: 5e-6 }); // 1 + tanh cancels far below 0
checkOp(tests, "geluExact", { ...unaryCheck(ops.geluExact, unary.gelu, wide), atol: 2e-6 }); // Φ is within 7.5e-8
checkOp(
  tests,
  "leakyRelu",
  unaryCheck((x) => ops.leakyRelu(x, 0.3), reference.leakyRelu(0.3), wide),
);

interface Pair {
  readonly pair: readonly [number[], number[]];
  readonly seed: number;
}

const pairs: fc.Arbitrary<Pair> = fc.record({ pair: generate.broadcastPair({ maxSize: 1500 }), seed: generate.seed });

function binaryCheck(
  op: (a: Tensor, b: Tensor) => Tensor,
  formula: reference.Binary,
  numRuns: number,
  range: generate.ValueOptions = { min: 0.3, max: 2 },
): OpCheck<Pair> {
  const sized: reference.Binary = {
    f: (a, b) => Math.abs(formula.f(a, b)),
    da: (a, b) => Math.abs(formula.da(a, b)),
    db: (a, b) => Math.abs(formula.db(a, b)),
  };
  const both = (how: reference.Binary, [a, b]: readonly Nd[], dy: Nd): [Nd, Nd] => {
    const { da, db } = reference.binaryGrad(how, a!, b!, dy);
    return [da, db];
  };
  return {
    cases: pairs,
    numRuns,
    deep: 2,
    arguments: ({ pair: [a, b], seed }) => [generate.values(a, seed, range), generate.values(b, seed + 1, range)],
    op: ([a, b]) => op(a!, b!),
    reference: ([a, b]) => reference.applyBinary(formula, a!, b!),
    gradients: (inputs, dy) => both(formula, inputs, dy),
    magnitudes: (inputs, dy) => [
      reference.applyBinary(sized, inputs[0]!, inputs[1]!),
      ...both(sized, inputs, absolute(dy)),
    ],
    terms: () => 1500,
  };
}

checkOp(tests, "mul, all ways to broadcast", binaryCheck(ops.mul, binary.mul, 40));
checkOp(tests, "add", binaryCheck(ops.add, binary.add, 8));
checkOp(tests, "sub", binaryCheck(ops.sub, binary.sub, 8));
checkOp(tests, "div", binaryCheck(ops.div, binary.div, 8));
checkOp(tests, "maximum", { ...binaryCheck(ops.maximum, binary.maximum, 8), smooth: false });
checkOp(tests, "minimum", { ...binaryCheck(ops.minimum, binary.minimum, 8), smooth: false });
checkOp(tests, "pow", binaryCheck(ops.pow, binary.pow, 8));

/** Value and gradients of Σ f(x) at given points. */
async function at(f: (...x: Tensor[]) => Tensor, ...points: number[][]): Promise<number[][]> {
  const variables = points.map((values) => device.tensor(values));
  const made: Tensor[] = [];
  const { gradients } = valueAndGradients(() => {
    made.push(f(...variables));
    return ops.sum(made[0]!);
  }, variables);
  return (await device.readMany([...made, ...gradients])).map((values) => Array.from(values));
}

tests(
  "kinks follow TensorFlow: the derivative of relu, relu6 and abs there is 0, a tie belongs to the first operand",
  async () => {
    assert.equal(await at(ops.relu, [-1, 0, 1]), [[0, 0, 1], [0, 0, 1]]); // prettier-ignore
    assert.equal(await at(ops.relu6, [-1, 0, 3, 6, 7]), [[0, 0, 3, 6, 6], [0, 0, 1, 0, 0]]); // prettier-ignore
    assert.equal(await at(ops.abs, [-2, 0, 2]), [[2, 0, 2], [-1, 0, 1]]); // prettier-ignore
    assert.equal(await at((x) => ops.leakyRelu(x, 0.25), [-4, 0, 4]), [[-1, 0, 4], [0.25, 0.25, 1]]); // prettier-ignore
    assert.equal(await at(ops.maximum, [1, 2], [1, 3]), [[1, 3], [1, 0], [0, 1]]); // prettier-ignore
    assert.equal(await at(ops.minimum, [1, 2], [1, 3]), [[1, 2], [1, 1], [0, 0]]); // prettier-ignore
  },
);

tests("activations neither overflow nor lose small values far from 0", async () => {
  const far = [-100, -30, -12, 12, 30, 100];
  for (const [name, op, formula] of [
    ["sigmoid", ops.sigmoid, unary.sigmoid],
    ["tanh", ops.tanh, unary.tanh],
    ["softplus", ops.softplus, unary.softplus],
    ["silu", ops.silu, unary.silu],
    ["gelu", ops.gelu, unary.geluTanh],
    ["geluExact", ops.geluExact, unary.gelu],
  ] as const) {
    const [y, dx] = (await at(op, far)) as [number[], number[]];
    assertClose(y, nd([6], far.map(formula.f)), { name, case: far });
    assertClose(dx, nd([6], far.map(formula.df)), { name: `${name}, gradient`, case: far });
  }
});

tests("the gradient of x·x counts both factors", async () => {
  assert.equal(await at((x) => ops.mul(x, x), [3, -2]), [[9, 4], [6, -4]]); // prettier-ignore
});

tests("leakyRelu refuses slopes that are not between 0 and 1", () => {
  const x = device.tensor([1]);
  for (const slope of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => ops.leakyRelu(x, slope), /leakyRelu: expected a slope/);
  }
});

tests.run();
