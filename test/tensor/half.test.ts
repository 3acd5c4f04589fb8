/** Half precision: conversions against those of the adapter, and kernels that read and write it. */
import * as assert from "uvu/assert";
import { cast, conv2d, matmul, maxPool2d, mean, mul, reshape } from "../../src/kernels/index.ts";
import { compile, sizeOf, valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { fromHalf, toHalf } from "../../src/tensor/half.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { assertSameBits } from "./bits.ts";
import { device, deviceOf, deviceSuite, readFrom, variants } from "./device.ts";

const tests = deviceSuite("half precision");

tests("every half survives the way to f32 and back", () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const wide = fromHalf(halves);
  const narrow = toHalf(wide);
  halves.forEach((bits, index) => {
    if (Number.isNaN(wide[index]!)) assert.ok((bits & 0x7c00) === 0x7c00 && (bits & 1023) > 0);
    else assert.is(narrow[index], bits);
  });
});

tests("between two halves the nearer one is taken, and the even one of two equally near", () => {
  const halves = Uint16Array.from({ length: 0x7bff }, (_, bits) => bits);
  const wide = fromHalf(halves);
  for (let bits = 0; bits + 1 < wide.length; bits += 7) {
    const [low, high] = [wide[bits]!, wide[bits + 1]!];
    const middle = (low + high) / 2;
    const step = high - low;
    assert.equal(Array.from(toHalf([middle, middle - step / 8, middle + step / 8])).slice(0, 3), [
      bits % 2 === 0 ? bits : bits + 1,
      bits,
      bits + 1,
    ]);
  }
});

if (!device.gpu.features.has("shader-f16")) {
  tests("an adapter without half precision says so", () => {
    assert.throws(() => device.zeros([2], "f16"), /half precision/);
  });
} else {
  tests("the CPU narrows as the adapter does", async () => {
    const x = values([4096], 3, { min: -9, max: 9 });
    const wide = Float32Array.from(x.data, (value) => value * 10 ** (value % 6));
    const [narrow] = await readFrom(device, () => [cast(cast(device.tensor(wide), "f16"), "f32")]);
    assert.equal(Array.from(narrow!), Array.from(fromHalf(toHalf(wide))));
  });

  tests("odd lengths are written and read", async () => {
    const x = device.tensor([1, -2, 65_504], [3], "f16");
    assert.equal(Array.from(await x.read()), [1, -2, 65_504]);
  });

  /** A small network's loss and gradients; the last value is the dtype in which the activations went on. */
  const step = (x: Tensor, w: Tensor, dense: Tensor) => {
    const made: Tensor[] = [];
    const { value, gradients } = valueAndGradients(() => {
      const pooled = maxPool2d(conv2d(x, w, { activation: "relu", padding: "same" }), { size: 2 });
      made.push(pooled);
      const y = matmul(reshape(pooled, [3, 4 * 4 * 8]), dense);
      return mean(mul(y, y));
    }, [x, w, dense]);
    return { outputs: [value, ...gradients], pooled: made[0]! };
  };
  const shapes = [
    [3, 8, 8, 4],
    [3, 3, 4, 8],
    [128, 5],
  ];
  // Exact in half precision, so that only what the network stores is rounded.
  const inputs = shapes.map((shape, k) => fromHalf(toHalf(values(shape, 11 + k).data)).slice(0, sizeOf(shape)));

  for (const variant of variants) {
    tests(`a network in half precision gives its f32 twin's gradients, ${variant}`, async () => {
      const on = await deviceOf(variant);
      const run = (stored?: "f16") =>
        readFrom(on, () => {
          const tensors = inputs.map((data, k) => on.tensor(data, shapes[k], stored)) as [Tensor, Tensor, Tensor];
          const { outputs, pooled } = step(...tensors);
          assert.is(pooled.dtype, stored ?? "f32");
          return outputs;
        });
      const [full, half] = [await run(), await run("f16")];
      half.forEach((got, k) => {
        const greatest = Math.max(...full[k]!.map(Math.abs));
        assertClose(got, nd([got.length], full[k]!), { name: `output ${k}`, rtol: 0, atol: 4e-3 * greatest });
      });
    });
  }

  tests("compiled, unfused, it gives the bits of the eager run", async () => {
    const eager = await readFrom(device, () => {
      const tensors = inputs.map((data, k) => device.tensor(data, shapes[k], "f16")) as [Tensor, Tensor, Tensor];
      return step(...tensors).outputs;
    });
    const specs = shapes.map((shape) => ({ shape, dtype: "f16" as const }));
    const program = await compile(device, specs, (x, w, dense) => step(x, w, dense).outputs, { fuse: false });
    program.run(inputs);
    const compiled = await device.readMany(program.outputs);
    program.dispose();
    compiled.forEach((got, k) => assertSameBits(got, eager[k]!, `output ${k}`));
  });
}

tests.run();
