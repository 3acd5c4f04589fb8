/**
 * The family on matrix units. No adapter here has any, so its shaders are checked in two ways: Dawn's null backend, which
 * knows the extension, compiles them in both spellings; and with the extension's few words replaced by functions that do
 * the same slowly, they must compute what the float64 reference does.
 */
import * as assert from "uvu/assert";
import { create } from "webgpu";
import { cast, conv2d, matmul } from "../../src/kernels/index.ts";
import { matrixContraction, matrixFilterGradient } from "../../src/kernels/contraction/matrixUnit.ts";
import { openDevice, valueAndGradients, type Device, type MatrixUnit, type Tensor } from "../../src/tensor/index.ts";
import type { Constants, Kernel } from "../../src/tensor/kernel.ts";
import { Recorder } from "../../src/tensor/graph.ts";
import { sourceOf } from "../../src/tensor/wgsl.ts";
import { sum } from "../../src/kernels/reduce.ts";
import { mul } from "../../src/kernels/elementwise.ts";
import { assertClose } from "../reference/compare.ts";
import { conv2d as convReference, conv2dGrad } from "../reference/conv.ts";
import { values } from "../reference/generate.ts";
import { unary } from "../reference/elementwise.ts";
import { matmul as matmulReference } from "../reference/matmul.ts";
import { absolute, nd, type Nd } from "../reference/nd.ts";
import { fromHalf, toHalf } from "../../src/tensor/half.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

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

/**
 * The extension's words as functions: an operand is the place of its matrix in workgroup memory, and each lane of a
 * subgroup holds every 32nd element of a result.
 */
function emulated(source: string): string {
  const { m, n, k, lanes } = UNIT;
  const share = (m * n) / lanes;
  const functions = `
alias Share = array<f32, ${share}>;
var<private> ownLane: u32;
fn operand(place: u32, stride: u32) -> vec2u { return vec2u(place, stride); }
fn multiply(a: vec2u, b: vec2u, c: Share) -> Share {
  var sums = c;
  for (var e = 0u; e < ${share}u; e++) {
    let i = (e * ${lanes}u + ownLane) / ${n}u; let j = (e * ${lanes}u + ownLane) % ${n}u;
    for (var z = 0u; z < ${k}u; z++) { sums[e] += f32(tileLeft[a.x + i * a.y + z]) * f32(tileRight[b.x + z * b.y + j]); }
  }
  return sums;
}
fn put(place: u32, sums: Share, stride: u32) {
  for (var e = 0u; e < ${share}u; e++) {
    let i = (e * ${lanes}u + ownLane) / ${n}u; let j = (e * ${lanes}u + ownLane) % ${n}u;
    staged[place + i * stride + j] = sums[e];
  }
}`;
  const text = source
    .replace(/subgroup_matrix_result<[^>]*>/g, "Share")
    .replace(/subgroupMatrixLoad<subgroup_matrix_(left|right)<[^>]*>, row_major>\(&tile(Left|Right), /g, "operand(")
    .replace(/@diagnostic.*/g, "")
    .replace(/let part = partOf/, `ownLane = lane % ${lanes}u; let part = partOf`)
    .replace(/subgroupMatrixMultiplyAccumulate/g, "multiply")
    .replace(/subgroupMatrixStore<row_major>\(&staged, /g, "put(");
  assert.not.match(text, /subgroupMatrix|subgroup_matrix/);
  return `${text}\n${functions}`;
}

const kernels = [matrixContraction, matrixFilterGradient] as readonly Kernel[];

/** Runs `body` with kernels whose shaders stay clear of the extension. */
async function withEmulation<T>(body: () => Promise<T>): Promise<T> {
  const kept = kernels.map(({ wgsl, enable }) => ({ wgsl, enable }));
  kernels.forEach((kernel, index) =>
    Object.assign(kernel, { enable: [], wgsl: (constants: Constants) => emulated(kept[index]!.wgsl(constants)) }),
  );
  try {
    return await body();
  } finally {
    kernels.forEach((kernel, index) => Object.assign(kernel, kept[index]));
  }
}

/** Drivers on the CPU take half a minute to compile shaders with as many barriers. */
const LONG = Boolean(process.env["TRAMA_LONG"]);

if (device.gpu.features.has("shader-f16") && LONG) {
  tests("computes what float64 does, with the extension's words spelled out", async () => {
    const on = await believing("template");
    const [y, dx, dw, dbias, product] = await withEmulation(() => readFrom(on, () => work(on)));
    await on.close();
    const [x, w] = [exact(shapes.x, 1), exact(shapes.w, 2)];
    const bias = exact([20], 3);
    const options = { padding: { top: 1, bottom: 1, left: 1, right: 1 }, bias, activation: unary.relu };
    const close = (name: string, got: ArrayLike<number>, expected: Nd) => {
      const greatest = Math.max(...absolute(expected).data);
      assertClose(got, expected, { name, rtol: 2e-3, atol: 2e-3 * greatest });
    };
    const want = convReference(x, w, options);
    const gradients = conv2dGrad(x, w, exact(want.shape, 4), options);
    close("value", y!, want);
    close("dx", dx!, gradients.dx);
    close("dw", dw!, gradients.dfilter);
    close("dbias", dbias!, gradients.dbias);
    close("matmul", product!, matmulReference(exact([130, 70], 5), exact([70, 135], 6), {}));
  });
}

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
