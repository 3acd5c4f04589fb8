/**
 * TensorFlow.js, as shipped, on its WebGPU backend over the same Dawn adapter, or on its WebAssembly backend. It is
 * loaded only when it is asked for.
 */
import type * as TensorFlow from "@tensorflow/tfjs";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { waitFor } from "#gpu";
import type { AdapterOptions, Device } from "../../src/tensor/index.ts";
import type { Contender, Engine, Loaded, PeerName } from "../engine.ts";
import type { InputValues } from "../inputs.ts";
import { provideBrowserGlobals } from "./browserGlobals.ts";
import { flattened, type Results } from "./results.ts";

export type Tf = typeof TensorFlow;
export type TfTensor = TensorFlow.Tensor;
export type TfImage = TensorFlow.Tensor4D;

export interface Tfjs extends Engine {
  readonly library: "tfjs";
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
  await provideBrowserGlobals(options);
  await import("@tensorflow/tfjs-backend-webgpu");
  tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", DISPATCHES_PER_SUBMIT);
  await activate(tf, "webgpu");
  const webgpu = tf.backend() as WebGPUBackend;
  return {
    library: "tfjs",
    name: "tfjs-webgpu",
    version: tf.version.tfjs,
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
    library: "tfjs",
    name: "tfjs-wasm",
    version: tf.version.tfjs,
    tf,
    enter: () => activate(tf, "wasm"),
    sync: async () => undefined,
  };
}

async function activate(tf: Tf, backend: string): Promise<void> {
  if (tf.getBackend() === backend) return;
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs cannot start its ${backend} backend here`);
}

/** A tensor that is on the device before anything is timed. */
export function loadTensor({ tf, webgpu }: Tfjs, { values, shape }: InputValues): TfTensor {
  const data = values instanceof Float32Array ? values : Int32Array.from(values);
  const tensor = tf.tensor(data, [...shape]);
  webgpu?.uploadToGPU(tensor.dataId);
  return tensor;
}

/** An operation over inputs that are on the device. */
export function loadTfjsOp(
  engine: Tfjs,
  inputs: readonly InputValues[],
  op: (tf: Tf, ...inputs: TfTensor[]) => Results<TfTensor>,
): Loaded {
  const { tf } = engine;
  const tensors = inputs.map((input) => loadTensor(engine, input));
  return {
    async start(): Promise<Contender> {
      let results: TfTensor[] = [];
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) {
            tf.dispose(results);
            results = tf.tidy(() => flattened(op(tf, ...tensors)));
          }
        },
        values: () => Promise.all(results.map((result) => result.data())),
        dispose: () => tf.dispose([...results, ...tensors]),
      };
    },
  };
}

/** The result of `body`, and its gradients with respect to its arguments for `dy` coming in. */
export function tfjsGradients(
  tf: Tf,
  body: (...x: TfTensor[]) => TfTensor,
  variables: readonly TfTensor[],
  dy: TfTensor,
): TfTensor[] {
  const { value, grads } = tf.valueAndGrads(body)([...variables], dy);
  return [value, ...grads];
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
