/**
 * What an epilogue reads for every row alike: kernels that know their column read it once for many rows. Each must compute
 * what the formula says of its own plain result, whatever repeats along the rows and whatever does not.
 */
import { add, conv2d, depthwiseConv2d, matmul, mul, neg } from "../../src/kernels/index.ts";
import { compile, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { nd, type Nd } from "../reference/nd.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("operands of rows");

const random = (shape: readonly number[], seed: number): Nd => values([...shape], seed, { min: -2, max: 2 });
const upload = ({ data, shape }: Nd): Tensor => device.tensor(Float32Array.from(data), shape);

/** Results whose last axis has a tail in every layout: of blocks of rows, of lanes, of columns. */
const producers: Readonly<Record<string, () => Tensor>> = {
  "a map of many rows": () => neg(upload(random([9001, 16], 1))),
  "a map of many short rows": () => neg(upload(random([7001, 3], 2))),
  "a map of few rows": () => neg(upload(random([5, 12], 3))),
  "a matmul, lanes along columns": () => matmul(upload(random([37, 24], 4)), upload(random([24, 100], 5))),
  "a matmul, lanes along rows": () => matmul(upload(random([301, 24], 6)), upload(random([24, 8], 7))),
  "a matmul of single columns": () => matmul(upload(random([301, 24], 8)), upload(random([24, 7], 9))),
  "a convolution": () => conv2d(upload(random([2, 9, 7, 5], 10)), upload(random([3, 3, 5, 36], 11)), { padding: "same" }),
  "a convolution in groups": () => conv2d(upload(random([2, 9, 7, 8], 12)), upload(random([3, 3, 4, 8], 13)), { groups: 2 }),
  "a depthwise convolution": () => depthwiseConv2d(upload(random([2, 9, 7, 12], 14)), upload(random([3, 3, 12, 1], 15))),
}; // prettier-ignore

for (const [name, produce] of Object.entries(producers)) {
  tests(`${name}, times a value a column, plus one a column, a scalar, a longer cycle and a residual`, async () => {
    const plain = nd(produce().shape, await produce().read());
    const [rest, columns] = [plain.data.length, plain.shape.at(-1)!];
    const period = plain.shape.slice(-2).reduce((size, extent) => size * extent, 1);
    const scale = random([columns], 21);
    const shift = random([columns], 22);
    const scalar = random([1], 23);
    const long = random(plain.shape.slice(-2), 24);
    const residual = random(plain.shape, 25);
    const want = plain.data.map((value, at) => {
      const column = at % columns;
      const affine = value * scale.data[column]! + shift.data[column]! + scalar.data[0]!;
      return affine + long.data[at % period]! + residual.data[at]!;
    });
    const program = await compile(device, [], () => {
      const affine = add(add(mul(produce(), upload(scale)), upload(shift)), upload(scalar));
      return add(add(affine, upload(long)), upload(residual));
    });
    program.run();
    const got = await program.outputs.read();
    program.dispose();
    assertClose(got, nd([rest], Array.from(want)), { name, case: plain.shape, rtol: 1e-5, atol: 1e-5 });
  });
}

tests.run();
