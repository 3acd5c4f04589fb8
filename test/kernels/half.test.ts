/** Operations on tensors in half precision: activations and their gradients stay so, sums become f32, numbers agree. */
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import { valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { fromHalf, toHalf } from "../../src/tensor/half.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("operations in half precision");

type Op = (x: Tensor) => Tensor;

/** On an image batch `[2, 6, 5, 8]`. */
const moved: Readonly<Record<string, Op>> = {
  max: (x) => ops.max(x, { axes: [1, 3] }),
  min: (x) => ops.min(x, { axes: [2] }),
  maxPool2d: (x) => ops.maxPool2d(x, { size: 3, stride: 2, padding: 1, ceilMode: true }),
  averagePool2d: (x) => ops.averagePool2d(x, { size: 2, padding: "same" }),
  softmax: (x) => ops.softmax(x),
  "softmax of a long line": (x) => ops.softmax(ops.reshape(x, [2, 240])),
  resizeNearest: (x) => ops.resizeNearest(x, [9, 4]),
  resizeBilinear: (x) => ops.resizeBilinear(x, [9, 3]),
  "resizeBilinear with antialiasing": (x) => ops.resizeBilinear(x, [3, 2], { antialias: true }),
  resizeArea: (x) => ops.resizeArea(x, [4, 7]),
  gather: (x) => ops.gather(x, [3, 0, 3], 1),
  topK: (x) => ops.topK(x, 3).values,
  split: (x) => ops.split(x, 2, 3)[1]!,
  stack: (x) => ops.stack([x, x], 1),
  concat: (x) => ops.concat([x, x], -1),
  pad: (x) => ops.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]), // prettier-ignore
  flip: (x) => ops.flip(x, [1, 2]),
  tile: (x) => ops.tile(x, [1, 2, 1, 1]),
  transpose: (x) => ops.transpose(x, [0, 3, 1, 2]),
  clamp: (x) => ops.clamp(x, -0.5, 0.5),
  select: (x) => ops.select(ops.greater(x, x.device.constant(0)), x, ops.square(x)),
};

/** What adds up many elements is f32. */
const summed: Readonly<Record<string, Op>> = {
  sum: (x) => ops.sum(x, { axes: [0, 2] }),
  mean: (x) => ops.mean(x, { axes: [1, 2] }),
  variance: (x) => ops.variance(x, { axes: [3] }),
  logSumExp: (x) => ops.logSumExp(x, { axes: [1, 2] }),
  globalAveragePool2d: (x) => ops.globalAveragePool2d(x),
};

const shape = [2, 6, 5, 8];
// Exact in half precision: what differs is what the operation rounds.
const data = fromHalf(toHalf(values(shape, 5, { min: -2, max: 2, distinct: true }).data)).slice(0, 480);

/** y and the gradient of Σ y², and in which precision they are stored. */
async function resultOf(op: Op, stored?: "f16"): Promise<{ arrays: ArrayLike<number>[]; dtypes: string[] }> {
  const dtypes: string[] = [];
  const arrays = await readFrom(device, () => {
    const x = device.tensor(data, shape, stored);
    const made: Tensor[] = [];
    const { gradients } = valueAndGradients(() => {
      made.push(op(x));
      return ops.sum(ops.square(made[0]!));
    }, [x]);
    const outputs = [made[0]!, gradients[0]!];
    dtypes.push(...outputs.map(({ dtype }) => dtype));
    return outputs;
  });
  return { arrays, dtypes };
}

async function check(name: string, op: Op, dtype: "f16" | "f32"): Promise<void> {
  const [full, half] = [await resultOf(op), await resultOf(op, "f16")];
  assert.equal(half.dtypes, [dtype, "f16"], `${name}: value and gradient`);
  half.arrays.forEach((got, k) => {
    const want = nd([got.length], full.arrays[k]!);
    const greatest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assertClose(got, want, { name: `${name}, ${k === 0 ? "value" : "gradient"}`, rtol: 0, atol: 2e-3 * greatest });
  });
}

if (device.gpu.features.has("shader-f16")) {
  tests("what moves values on keeps their precision", async () => {
    for (const [name, op] of Object.entries(moved)) await check(name, op, "f16");
  });

  tests("what adds many values up is f32, and its gradient is not", async () => {
    for (const [name, op] of Object.entries(summed)) await check(name, op, "f32");
  });

  tests("places are those of f32", async () => {
    const [wide, narrow] = await Promise.all(
      [undefined, "f16" as const].map((stored) =>
        readFrom(device, () => {
          const x = device.tensor(data, shape, stored);
          return [ops.argMax(x), ops.argMin(x, 1), ops.topK(x, 2).indices];
        }),
      ),
    );
    assert.equal(narrow!.map((found) => Array.from(found)), wide!.map((found) => Array.from(found))); // prettier-ignore
  });
}

tests.run();
