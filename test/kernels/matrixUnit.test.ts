/**
 * The family on matrix units. No adapter here has any, so what is checked is that Dawn's compiler, which knows the
 * extension, accepts its shaders in both spellings: its null backend does all but run them.
 */
import * as assert from "uvu/assert";
import { create } from "webgpu";
import { cast, conv2d, matmul } from "../../src/kernels/index.ts";
import { matrixContraction, matrixFilterGradient } from "../../src/kernels/contraction/matrixUnit.ts";
import { openDevice, valueAndGradients, type Device, type MatrixUnit, type Tensor } from "../../src/tensor/index.ts";
import type { Kernel } from "../../src/tensor/kernel.ts";
import { Recorder } from "../../src/tensor/graph.ts";
import { sourceOf } from "../../src/tensor/wgsl.ts";
import { sum } from "../../src/kernels/reduce.ts";
import { mul } from "../../src/kernels/elementwise.ts";
import { values } from "../reference/generate.ts";
import { nd, type Nd } from "../reference/nd.ts";
import { fromHalf, toHalf } from "../../src/tensor/half.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("matrix units");

const UNIT = { m: 16, n: 16, k: 16, lanes: 32 } as const;

/** A device of this adapter that believes in matrix units. */
async function believing(spelling: MatrixUnit["spelling"]): Promise<Device> {
  const opened = await openDevice({ variant: "tiled" });
  const unit: MatrixUnit = { ...UNIT, spelling };
  return Object.assign(opened, { variant: "matrix", matrixUnit: unit });
}

/** Values that half precision holds exactly. */
const exact = (shape: readonly number[], seed: number): Nd =>
  nd(
    [...shape],
    fromHalf(toHalf(values([...shape], seed).data)).slice(
      0,
      shape.reduce((a, b) => a * b),
    ),
  );

const shapes = { x: [2, 9, 7, 12], w: [3, 3, 12, 20] } as const;

/** Forward and both gradients of a convolution, and a matmul, all in half precision. */
function work(on: Device): Tensor[] {
  const half = (x: Nd) => on.tensor(Float32Array.from(x.data), x.shape, "f16");
  const [x, w] = [half(exact(shapes.x, 1)), half(exact(shapes.w, 2))];
  const bias = on.tensor(Float32Array.from(exact([20], 3).data), [20]);
  const made: Tensor[] = [];
  const { gradients } = valueAndGradients(() => {
    const y = conv2d(x, w, { padding: "same", bias, activation: "relu" });
    made.push(y);
    return sum(mul(y, half(exact(y.shape, 4))));
  }, [x, w, bias]);
  const product = matmul(half(exact([130, 70], 5)), half(exact([70, 135], 6)));
  return [...made, ...gradients, product].map((tensor) => cast(tensor, "f32"));
}

const kernels = [matrixContraction, matrixFilterGradient] as readonly Kernel[];

if (device.gpu.features.has("shader-f16")) {
  for (const spelling of ["template", "argument"] as const) {
    tests(
      `Dawn compiles it, loads spelled with ${spelling === "template" ? "a template argument" : "a Boolean"}`,
      async () => {
        const on = await believing(spelling);
        const recorder = new Recorder();
        const outer = on.executor;
        on.executor = recorder;
        work(on);
        on.executor = outer;
        const found = recorder.dispatches.filter(({ kernel }) => kernels.includes(kernel));
        assert.is(found.length, 4); // forward, input gradient, filter gradient, matmul
        const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
        const adapter = (await gpu.requestAdapter())!;
        const requiredFeatures = [
          "chromium-experimental-subgroup-matrix",
          "subgroups",
          "shader-f16",
        ] as GPUFeatureName[];
        const compiler = await adapter.requestDevice({ requiredFeatures });
        for (const dispatch of found) {
          const { messages } = await compiler.createShaderModule({ code: sourceOf(dispatch) }).getCompilationInfo();
          assert.equal(
            messages.filter(({ type }) => type === "error").map(({ message, lineNum }) => `${lineNum}: ${message}`),
            [],
          );
        }
        compiler.destroy();
        await on.close();
      },
    );
  }
}

tests.run();
