/** onnxruntime as the oracle: what it makes of an exported model, beside what the model itself makes of the same inputs. */
import * as assert from "uvu/assert";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Model, Parameter } from "../../src/nn/index.ts";
import { exportOnnx, exportOnnxBytes, type OnnxOptions } from "../../src/onnx/index.ts";
import { scope, sizeOf, type Shape } from "../../src/tensor/index.ts";
import { values } from "../reference/generate.ts";

/** Gives every parameter random values, small enough that deep networks stay in range; variances are positive. */
export function fillParameters(
  { device, parameters }: Model,
  seed: number,
  which: (parameter: Parameter) => boolean = () => true,
): void {
  parameters.forEach((parameter, k) => {
    if (!which(parameter)) return;
    const { name, shape, tensor } = parameter;
    const fanIn = shape.length > 1 ? sizeOf(shape) / Math.max(1, shape.at(-1)!) : 1;
    const spread = name.endsWith("kernel") ? Math.sqrt(3 / fanIn) : 0.5;
    const positive = name.endsWith("variance") || name.endsWith("gamma");
    const range = positive ? { min: 0.5, max: 1.5 } : { min: -spread, max: spread };
    device.write(tensor, Float32Array.from(values(shape, seed + k, range).data));
  });
}

/** `[batch, height, width, channels]` as `[batch, channels, height, width]`; other ranks stay. */
export function toChannelsFirst(x: Float32Array, shape: Shape): { data: Float32Array; shape: Shape } {
  if (shape.length !== 4) return { data: x, shape };
  const [n = 1, h = 1, w = 1, c = 1] = shape;
  const data = Float32Array.from(x, (_, at) => {
    const [image, channel, pixel] = [Math.floor(at / (c * h * w)), Math.floor(at / (h * w)) % c, at % (h * w)];
    return x[(image * h * w + pixel) * c + channel]!;
  });
  return { data, shape: [n, c, h, w] };
}

/** What the model computes in inference, through its own kernels. */
export async function ours(
  model: Model,
  x: Float32Array<ArrayBuffer>,
  shape: Shape,
): Promise<{ data: Float32Array; shape: Shape }> {
  const random = () => assert.unreachable("no layer draws");
  const y = scope(model.device, () =>
    model.call(model.device.tensor(x, shape), { training: false, random: random as never }),
  );
  return { data: (await y.read()) as Float32Array, shape: y.shape };
}

/** What onnxruntime computes from a file, or from its bytes. */
export async function theirs(file: string | Uint8Array, x: Tensor): Promise<{ data: Float32Array; shape: Shape }> {
  // One thread: those of a second one would wait by spinning.
  const options = { logSeverityLevel: 3, intraOpNumThreads: 1 } as const;
  const session = await (typeof file === "string"
    ? InferenceSession.create(file, options)
    : InferenceSession.create(file, options));
  try {
    const { output } = await session.run({ input: x });
    return { data: output!.data as Float32Array, shape: output!.dims };
  } finally {
    await session.release();
  }
}

export interface Comparison extends OnnxOptions {
  readonly batch?: number;
  readonly seed?: number;
  readonly what?: string;
  /** Where to write the file, which memory need not hold then. */
  readonly path?: string;
}

/** Exports a model, and throws unless onnxruntime gives the same outputs, to 1e-4 of the greatest. */
export async function assertSameInOnnx(
  model: Model,
  { batch = 2, seed = 1, what = "model", path, ...options }: Comparison = {},
): Promise<void> {
  if (path !== undefined) await exportOnnx(model, path, options);
  const file = path ?? (await exportOnnxBytes(model, options));
  const { layout = "nchw" } = options;
  const shape = [batch, ...model.input];
  const x = Float32Array.from(values(shape, seed).data);
  const arrange = (data: Float32Array, of: Shape) =>
    layout === "nchw" ? toChannelsFirst(data, of) : { data, shape: of };
  const fed = arrange(x, shape);
  const own = await ours(model, x, shape);
  const want = arrange(own.data, own.shape);
  const got = await theirs(file, new Tensor("float32", fed.data, fed.shape));
  assert.equal(got.shape, want.shape, `${what}: shape`);
  const greatest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const off = want.data.reduce((most, value, at) => Math.max(most, Math.abs(value - got.data[at]!)), 0);
  assert.ok(
    Number.isFinite(off) && off <= 1e-4 * greatest,
    `${what}: off by ${off}, where the greatest is ${greatest}`,
  );
}
