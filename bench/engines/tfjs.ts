/**
 * TensorFlow.js, as shipped, on its WebGPU backend over the same Dawn adapter, or on its WebAssembly backend. It is
 * loaded only when it is asked for.
 */
import type * as TensorFlow from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { chooseAdapter, waitFor } from "#gpu";
import type { AdapterOptions, Device } from "../../src/tensor/index.ts";
import type { Contender, Engine, Loaded, PeerName } from "../engine.ts";
import type { InputValues } from "../inputs.ts";
import { VERSIONS } from "../versions.ts";

export type Tf = typeof TensorFlow;
export type TfTensor = TensorFlow.Tensor;

export interface Tfjs extends Engine {
  readonly name: PeerName;
  readonly tf: Tf;
  /** Absent on WebAssembly. */
  readonly webgpu?: WebGPUBackend;
}

/** Dispatches before tfjs submits by itself; its default of 15 costs it a submit more often than it need. */
const DISPATCHES_PER_SUBMIT = 64;

export async function tfjsEngine(name: PeerName, device: Device, options: AdapterOptions): Promise<Tfjs> {
  const tf = await import("@tensorflow/tfjs");
  tf.env().set("PROD", true);
  return name === "tfjs-webgpu" ? onWebGpu(tf, device, options) : onWasm(tf);
}

async function onWebGpu(tf: Tf, device: Device, options: AdapterOptions): Promise<Tfjs> {
  await withBrowserGlobals(options, async () => {
    await import("@tensorflow/tfjs-backend-webgpu");
    tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", DISPATCHES_PER_SUBMIT);
    await activate(tf, "webgpu");
  });
  const webgpu = tf.backend() as WebGPUBackend;
  return {
    name: "tfjs-webgpu",
    version: VERSIONS.tfjs,
    tf,
    webgpu,
    enter: () => activate(tf, "webgpu"),
    async sync() {
      webgpu.ensureCommandEncoderReady(); // it cannot submit without one
      webgpu.endComputePassEncoder();
      webgpu.submitQueue();
      await waitFor(webgpu.queue.onSubmittedWorkDone(), device.adapter.kind);
    },
  };
}

/** Its WebAssembly runs in one thread under Node: it declines threads there. */
async function onWasm(tf: Tf): Promise<Tfjs> {
  await import("@tensorflow/tfjs-backend-wasm");
  await activate(tf, "wasm");
  return {
    name: "tfjs-wasm",
    version: VERSIONS.tfjs,
    tf,
    enter: () => activate(tf, "wasm"),
    sync: async () => undefined,
  };
}

async function activate(tf: Tf, backend: string): Promise<void> {
  if (tf.getBackend() === backend) return;
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs cannot start its ${backend} backend here`);
}

/** The WebGPU constants stay: tfjs reads them in every call. */
async function withBrowserGlobals(options: AdapterOptions, body: () => Promise<void>): Promise<void> {
  const { globals } = await import("webgpu");
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  // An adapter gives one device only, and ours has given it: tfjs gets the same adapter anew.
  const gpu = { requestAdapter: async () => (await chooseAdapter(options)).adapter };
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true });
  try {
    await body();
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
}

/** A tensor that is on the device before anything is timed. */
export function loadTensor({ tf, webgpu }: Tfjs, { values, shape }: InputValues): TfTensor {
  const data = values instanceof Uint32Array ? Int32Array.from(values) : values;
  const tensor = tf.tensor(data, [...shape]);
  webgpu?.uploadToGPU(tensor.dataId);
  return tensor;
}

/** An operation over inputs that are on the device. */
export function loadTfjsOp(
  engine: Tfjs,
  inputs: readonly InputValues[],
  op: (tf: Tf, ...inputs: TfTensor[]) => TfTensor,
): Loaded {
  const { tf } = engine;
  const tensors = inputs.map((input) => loadTensor(engine, input));
  return {
    async start(): Promise<Contender> {
      let result: TfTensor | null = null;
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) {
            result?.dispose();
            result = tf.tidy(() => op(tf, ...tensors));
          }
        },
        values: () => result!.data(),
        dispose: () => tf.dispose([result!, ...tensors]),
      };
    },
  };
}

/** The most bytes in buffers at once while `body` runs, and it is waited for, above `before`. */
export async function peakOf(webgpu: WebGPUBackend, before: number, body: () => Promise<void>): Promise<number> {
  const { bufferManager } = webgpu;
  const acquire = bufferManager.acquireBuffer;
  let peak = bufferManager.numBytesUsed;
  bufferManager.acquireBuffer = (...given) => {
    const buffer = acquire.apply(bufferManager, given);
    peak = Math.max(peak, bufferManager.numBytesUsed);
    return buffer;
  };
  try {
    await body();
  } finally {
    bufferManager.acquireBuffer = acquire;
  }
  return peak - before;
}
