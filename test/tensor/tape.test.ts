import * as assert from "uvu/assert";
import { add, maximum, mean, mul, neg, pad, relu, reshape, square, sum, tanh } from "../../src/kernels/index.ts";
import { compile, defineOp, scope, valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { device, deviceSuite } from "./device.ts";

const tests = deviceSuite("tape");

async function gradientsOf(body: (...x: Tensor[]) => Tensor, ...values: number[][]): Promise<number[][]> {
  const variables = values.map((each) => device.tensor(each));
  const { gradients } = valueAndGradients(() => body(...variables), variables);
  return (await device.readMany(gradients)).map((each) => Array.from(each));
}

tests("a value that goes several ways gathers the gradient of each", async () => {
  // L = Σ x² + 3x − x·x·x at 2: 2x + 3 − 3x² = −5
  const three = device.tensor([3]);
  const body = (x: Tensor): Tensor => sum(add(add(square(x), mul(three, x)), neg(mul(x, mul(x, x)))));
  assert.equal(await gradientsOf(body, [2]), [[-5]]);
});

tests("an intermediate that goes several ways is counted once for each", async () => {
  // h = 2x; L = Σ h·h + h: dL/dx = 2 (2h + 1)
  const body = (x: Tensor): Tensor => {
    const h = add(x, x);
    return sum(add(mul(h, h), h));
  };
  assert.equal(await gradientsOf(body, [1, -1]), [[10, -6]]);
});

tests("operations that return their argument or a view of it count once", async () => {
  assert.equal(await gradientsOf((x) => sum(pad(x, [[0, 0]])), [1, 2]), [[1, 1]]);
  assert.equal(await gradientsOf((x) => sum(square(reshape(reshape(x, [2, 1]), [2]))), [1, 2]), [[2, 4]]);
});

tests("the gradient of a variable with respect to itself is 1", async () => {
  assert.equal(await gradientsOf((x) => x, [5]), [[1]]);
  assert.equal(await gradientsOf((x) => reshape(x, [1, 1]), [5]), [[1]]);
});

tests("what does not depend on a variable is a constant", async () => {
  assert.equal(await gradientsOf((x) => sum(mul(x, tanh(device.tensor([0, 0])))), [1, 2]), [[0, 0]]);
});

tests("tapes nest: an inner gradient is a value for the outer one's body, recorded once", async () => {
  const [x, y] = [device.tensor([3]), device.tensor([4])];
  const { value, gradients } = valueAndGradients(() => {
    const inner = valueAndGradients(() => sum(square(y)), [y]);
    return sum(mul(x, inner.gradients[0]!));
  }, [x]);
  assert.is(await value.item(), 24);
  assert.is(await gradients[0]!.item(), 8);
  assert.is(device.tape, null);
});

tests("a body that throws leaves no tape running", () => {
  const x = device.tensor([1]);
  assert.throws(() => valueAndGradients(() => { throw new RangeError("mine"); }, [x]), /mine/); // prettier-ignore
  assert.is(device.tape, null);
});

tests("a variable without influence is an error, and so is a value that is no scalar, and no variable at all", () => {
  const [x, y] = [device.tensor([1, 2]), device.tensor([3])];
  assert.throws(
    () => valueAndGradients(() => sum(x), [x, y]),
    "valueAndGradients: expected a value that depends on every variable, got no path from variable 1 [1]; leave that variable out, or use it in the loss",
  );
  assert.throws(
    () => valueAndGradients(() => relu(x), [x]),
    "valueAndGradients: expected a scalar to differentiate, got [2]; reduce it with sum or mean",
  );
  assert.throws(
    () => valueAndGradients(() => mean(x), []),
    "valueAndGradients: expected at least one variable, got none",
  );
});

const rounded = defineOp("rounded", {
  forward: (x: Tensor) => ({ output: maximum(x, x), saved: null }),
  backward: "not differentiable",
});

tests("a loss through an operation without gradient is an error; beside the loss it may stand", async () => {
  const x = device.tensor([2]);
  assert.throws(
    () => valueAndGradients(() => sum(rounded(x)), [x]),
    "rounded: expected no gradient to flow through it, got a loss that depends on a variable through it; it is not differentiable: take it out of the loss's path",
  );
  const { gradients } = valueAndGradients(() => {
    rounded(x);
    return sum(square(x));
  }, [x]);
  assert.is(await gradients[0]!.item(), 4);
});

const broken = defineOp("broken", {
  forward: (x: Tensor) => ({ output: neg(x), saved: null }),
  backward: (dy: Tensor) => [reshape(dy, [2, 1])],
});

tests("a backward that gives the wrong shape is an error that names the operation", () => {
  const x = device.tensor([1, 2]);
  assert.throws(
    () => valueAndGradients(() => sum(broken(x)), [x]),
    "gradient of broken: expected [2], got [2, 1]; mend the operation's backward",
  );
});

tests("only the gradients that are asked for are computed", async () => {
  const wanted: boolean[][] = [];
  const watched = defineOp("watched", {
    forward: (a: Tensor, b: Tensor) => ({ output: add(a, b), saved: null }),
    backward: (dy, _, wants) => {
      wanted.push([...wants]);
      return [dy, dy];
    },
  });
  const [a, b] = [device.tensor([1]), device.tensor([2])];
  const { gradients } = valueAndGradients(() => sum(watched(a, b)), [b]);
  assert.is(gradients.length, 1);
  assert.equal(wanted, [[false, true]]);
});

tests("gradients work inside a scope and inside a program", async () => {
  const x = device.tensor([3]);
  const step = (): Tensor[] => valueAndGradients(() => sum(square(x)), [x]).gradients;
  const [eager] = scope(device, step);
  const program = await compile(device, [], step);
  program.run();
  assert.equal(
    (await device.readMany([eager!, ...program.outputs])).map((each) => each[0]),
    [6, 6],
  );
});

tests.run();
