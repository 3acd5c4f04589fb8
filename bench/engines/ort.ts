/**
 * onnxruntime-web: each case is an ONNX model of its own (onnxModel.ts). On its WebAssembly backend inputs and results are in
 * JavaScript's memory, as it is used; on its WebGPU backend, over the same Dawn adapter, they stay on the device.
 */
import type * as OrtLibrary from "onnxruntime-web";
import { waitFor } from "#gpu";
import type { AdapterOptions, Device } from "../../src/tensor/index.ts";
import { fromHalf } from "../../src/tensor/half.ts";
import type { Contender, Engine, Loaded, PeerName } from "../engine.ts";
import type { InputSpec, InputValues } from "../inputs.ts";
import { channelsFirst, channelsLast, type Layout } from "../layout.ts";
import { provideBrowserGlobals } from "./browserGlobals.ts";
import { onnxGraph, type ElementType, type OnnxGraph, type Value } from "./onnxModel.ts";
import { flattened, type Results } from "./results.ts";

type OrtApi = typeof OrtLibrary;
type OrtTensor = OrtLibrary.Tensor;

export interface Ort extends Engine {
  readonly library: "ort";
  readonly ort: OrtApi;
  /** The device of its WebGPU backend; null on WebAssembly. */
  readonly gpu: GPUDevice | null;
}

export async function ortEngine(name: PeerName, device: Device, options: AdapterOptions): Promise<Ort> {
  return name === "onnxruntime-web" ? onWasm() : onWebGpu(device, options);
}

const idle = async (): Promise<void> => undefined;

async function onWasm(): Promise<Ort> {
  const ort = await import("onnxruntime-web");
  ort.env.logLevel = "error";
  return { library: "ort", name: "onnxruntime-web", version: versionOf(ort), ort, gpu: null, enter: idle, sync: idle };
}

const versionOf = (ort: OrtApi) => ort.env.versions.web ?? ort.env.versions.common;

/**
 * It was written for pages: it fetches its WebAssembly, and writes from shared memory, which Dawn's binding refuses. Its
 * first run keeps V8's optimising compiler busy for a minute, so that happens here.
 */
async function onWebGpu(device: Device, options: AdapterOptions): Promise<Ort> {
  const [{ readFile }, { createRequire }] = await Promise.all([import("node:fs/promises"), import("node:module")]);
  const binary = "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm";
  const bytes = await readFile(createRequire(import.meta.url).resolve(binary));
  await provideBrowserGlobals(options);
  const ort: OrtApi = await import("onnxruntime-web/webgpu");
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = bytes;
  copyOnWrite();
  await warmUp(ort);
  const gpu = await ort.env.webgpu.device;
  return {
    library: "ort",
    name: "onnxruntime-webgpu",
    version: versionOf(ort),
    ort,
    gpu,
    enter: idle,
    sync: () => waitFor(gpu.queue.onSubmittedWorkDone(), device.adapter.kind),
  };
}

/** Its session is never released: the last one that is takes the device with it. */
async function warmUp(ort: OrtApi): Promise<void> {
  const graph = onnxGraph();
  const name = graph.input([1], "float32");
  const session = await ort.InferenceSession.create(graph.encode([graph.node("Relu", [name])]), {
    executionProviders: ["webgpu"],
  });
  await session.run({ [name]: new ort.Tensor("float32", Float32Array.of(1), [1]) });
}

/** Dawn's binding does not take views of shared memory: those are copied first. */
function copyOnWrite(): void {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, start = 0, size) {
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    const each = "BYTES_PER_ELEMENT" in view ? (view.BYTES_PER_ELEMENT as number) : 1;
    const length = size === undefined ? view.byteLength - start * each : size * each;
    const bytes = new Uint8Array(view.buffer, view.byteOffset + start * each, length);
    const owned = bytes.buffer instanceof SharedArrayBuffer ? Uint8Array.from(bytes) : bytes;
    return writeBuffer.call(this, buffer, offset, owned as Uint8Array<ArrayBuffer>);
  };
}

const elementType = (values: InputValues["values"]): ElementType =>
  values instanceof Float32Array ? "float32" : values instanceof Uint8Array ? "uint8" : "int32";

/** It counts classes by signed numbers. */
const signed = (values: InputValues["values"]) => (values instanceof Uint32Array ? Int32Array.from(values) : values);

export interface OrtOp {
  readonly specs: readonly InputSpec[];
  readonly layouts: readonly (Layout | undefined)[];
  readonly op: (graph: OnnxGraph, ...inputs: Value[]) => Results<Value>;
}

/** An operation as a model of its own. Weights are constants of the model, which it lays out beforehand. */
export function loadOrtOp(engine: Ort, inputs: readonly InputValues[], { specs, layouts, op }: OrtOp): Loaded {
  const graph = onnxGraph();
  const feeds: Record<Value, OrtTensor> = {};
  const names = inputs.map((input, index) => {
    const { layout, constant = false } = specs[index]!;
    const { shape, values } = channelsFirst(input, layout);
    if (constant) return graph.constant(signed(values), shape, elementType(values));
    const name = graph.input(shape, elementType(values));
    feeds[name] = loadTensor(engine, { shape, values });
    return name;
  });
  const outputs = flattened(op(graph, ...names));
  return loadOrtModel(engine, graph.encode(outputs), feeds, outputs, layouts);
}

/** A model, and what it is fed. */
export function loadOrtModel(
  { ort, gpu }: Ort,
  model: Uint8Array<ArrayBuffer>,
  feeds: Readonly<Record<Value, OrtTensor>>,
  outputs: readonly Value[],
  layouts: readonly (Layout | undefined)[] = [],
): Loaded {
  return {
    async start(): Promise<Contender> {
      const session = await ort.InferenceSession.create(
        model,
        gpu
          ? { executionProviders: ["webgpu"], preferredOutputLocation: "gpu-buffer" }
          : { executionProviders: ["wasm"] },
      );
      let results: Readonly<Record<Value, OrtTensor>> = {};
      const drop = () => Object.values(results).forEach((result) => result.dispose());
      return {
        async run(times) {
          for (let turn = 0; turn < times; turn++) {
            drop();
            results = await session.run(feeds);
          }
        },
        values: () => Promise.all(outputs.map((name, index) => readTensor(results[name]!, layouts[index]))),
        dispose() {
          drop();
          Object.values(feeds).forEach((feed) => feed.dispose());
          void session.release();
        },
      };
    },
  };
}

/** A tensor that is where it is needed before anything is timed. */
export function loadTensor({ ort, gpu }: Ort, { shape, values }: InputValues): OrtTensor {
  const type = elementType(values);
  const data = signed(values);
  if (!gpu) return new ort.Tensor(type as "float32", data as Float32Array<ArrayBuffer>, [...shape]);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const gpuBuffer = gpu.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
  gpu.queue.writeBuffer(gpuBuffer, 0, data);
  return ort.Tensor.fromGpuBuffer(gpuBuffer, {
    dataType: type as "float32",
    dims: [...shape],
    dispose: () => gpuBuffer.destroy(),
  });
}

async function readTensor(tensor: OrtTensor, layout: Layout | undefined): Promise<Float32Array<ArrayBuffer>> {
  const data = await tensor.getData();
  const values = data instanceof Uint16Array ? fromHalf(data) : Float32Array.from(data as ArrayLike<number>, Number);
  return channelsLast({ shape: tensor.dims, values }, layout).values;
}
