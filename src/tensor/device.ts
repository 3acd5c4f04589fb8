/**
 * A device: one adapter opened with its highest limits, the memory and the pipelines made on it, and the queue of work.
 * It knows kernels and tensors, but no operation.
 */
import { waitFor } from "#gpu";
import { DeviceError, DtypeError, ShapeError } from "../errors.ts";
import { BufferPool, type MemoryCounters } from "./buffers.ts";
import { arrayTypeOf, bytesPerElement, decode, encode, type Dtype, type TypedArray } from "./dtype.ts";
import { bufferOf } from "./encode.ts";
import { Eager } from "./eager.ts";
import type { Dispatch } from "./kernel.ts";
import type { MatrixUnit } from "./matrixUnit.ts";
import { PipelineCache } from "./pipelines.ts";
import type { ChosenAdapter } from "./platform.ts";
import { keep, Scopes } from "./scope.ts";
import { checkShape, formatShape, sizeOf, type Shape } from "./shape.ts";
import type { Tape } from "./tape.ts";
import { Tensor, type Storage } from "./tensor.ts";

/** Runs kernels now, or writes them down for later. */
export interface Executor {
  /** Room for an output of a kernel. */
  allocate(bytes: number, what: string): Storage;
  dispatch(dispatch: Dispatch): void;
}

/**
 * Families of the heavy kernels: registers and subgroup shuffles; tiles in workgroup memory; and tiles on matrix units for
 * what is stored in half precision.
 */
export type KernelVariant = "subgroup" | "tiled" | "matrix";

const MAP_READ = 0x1;
const COPY_DST = 0x8;

export class Device {
  /** What was chosen: name, kind, driver, features, and why. */
  readonly adapter: ChosenAdapter;
  readonly gpu: GPUDevice;
  readonly pipelines: PipelineCache;
  readonly pool: BufferPool;
  readonly scopes: Scopes;
  /** The family of kernels that operations choose. */
  readonly variant: KernelVariant;
  /** What the family `matrix` computes with; null where the adapter has none. */
  readonly matrixUnit: MatrixUnit | null;
  /** Where kernels go: run at once, or recorded while `compile` traces a step. */
  executor: Executor;
  /** The tape that records operations for differentiation, if one is running. */
  tape: Tape | null = null;
  readonly #eager: Eager;
  readonly #staging = new Map<number, GPUBuffer[]>();
  readonly #constants = new Map<number, Tensor>();
  #fault: DeviceError | null = null;
  #closed = false;

  constructor(
    adapter: ChosenAdapter,
    gpu: GPUDevice,
    options: { memoryBudget: number; variant: KernelVariant; matrixUnit: MatrixUnit | null },
  ) {
    const { memoryBudget, variant, matrixUnit } = options;
    this.matrixUnit = matrixUnit;
    this.adapter = adapter;
    this.gpu = gpu;
    this.variant = variant;
    this.pool = new BufferPool(gpu, memoryBudget, () => this.flush());
    this.pipelines = new PipelineCache(gpu);
    this.scopes = new Scopes(this.pool);
    this.#eager = new Eager(this);
    this.executor = this.#eager;
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fault ??= asDeviceError(event.error);
    });
    void gpu.lost.then((info) => this.#lose(info));
  }

  /** `NVIDIA H200`, or `llvmpipe (…)`, a software adapter. */
  get name(): string {
    return this.adapter.name;
  }

  /** Software adapters run on the CPU: other kernel variants win there, and defaults are smaller. */
  get isSoftware(): boolean {
    return this.adapter.kind === "software";
  }

  /** Lanes that subgroup kernels are written for; 0 where the device offers no subgroups of one fixed size. */
  get subgroupSize(): number {
    return this.gpu.features.has("subgroups") ? this.adapter.subgroupSize : 0;
  }

  get memory(): MemoryCounters {
    return this.pool.counters;
  }

  /** A tensor with the given elements. Plain numbers become `f32`; `dtype` "f16" stores floats in half precision. */
  tensor(values: TypedArray | readonly number[], shape: Shape = [values.length], stored?: "f16"): Tensor {
    checkShape("tensor", shape);
    const data = Array.isArray(values) ? new Float32Array(values as readonly number[]) : (values as TypedArray);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError({
        where: "tensor",
        expected: `${sizeOf(shape)} values for ${formatShape(shape)}`,
        got: `${data.length}`,
      });
    }
    const dtype = data instanceof Float32Array ? (stored ?? "f32") : data instanceof Uint32Array ? "u32" : "i32";
    const tensor = this.#uninitialised(shape, dtype, "tensor");
    this.write(tensor, data);
    return tensor;
  }

  /** A tensor of zeros. */
  zeros(shape: Shape, dtype: Dtype = "f32"): Tensor {
    checkShape("zeros", shape);
    const tensor = this.#uninitialised(shape, dtype, "zeros");
    this.#eager.clear(tensor.storage.buffer!);
    return tensor;
  }

  /** A scalar that is made once and shared: 1, where gradients begin, 1/n of a mean, a slope. */
  constant(value: number): Tensor {
    const known = this.#constants.get(value);
    if (known) return known;
    const tensor = keep(this.tensor([value], []));
    this.#constants.set(value, tensor);
    return tensor;
  }

  /** Throws where the adapter cannot store elements of this type. */
  checkDtype(where: string, dtype: Dtype): void {
    if (dtype !== "f16" || this.gpu.features.has("shader-f16")) return;
    throw new DeviceError({
      where,
      expected: "an adapter with half precision (shader-f16)",
      got: this.name,
      advice: "stay with f32",
    });
  }

  /** Replaces a tensor's elements. */
  write(tensor: Tensor, values: TypedArray): void {
    this.check();
    if (values.length !== tensor.size) {
      throw new ShapeError({
        where: "write",
        expected: `${tensor.size} values for ${formatShape(tensor.shape)}`,
        got: `${values.length}`,
      });
    }
    if (arrayTypeOf(tensor.dtype) !== values.constructor) {
      throw new DtypeError({
        where: "write",
        expected: `values of dtype ${tensor.dtype}`,
        got: values.constructor.name,
      });
    }
    this.flush(); // recorded kernels must see the old values
    this.gpu.queue.writeBuffer(bufferOf(tensor, "write"), tensor.byteOffset, encode(tensor.dtype, values));
  }

  /** The elements of a tensor. Submits what was recorded, and throws what went wrong in it. */
  async read(tensor: Tensor): Promise<TypedArray> {
    return this.readMany([tensor]).then(([values]) => values!);
  }

  /** Several tensors in one round trip. */
  async readMany(tensors: readonly Tensor[]): Promise<TypedArray[]> {
    this.check();
    const sizes = tensors.map(({ bytes }) => Math.ceil(bytes / 16) * 16);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const staging = this.#acquireStaging(total);
    let offset = 0;
    tensors.forEach((tensor, index) => {
      this.#eager.copyOut(bufferOf(tensor, "read"), tensor.byteOffset, staging, offset, sizes[index]!);
      offset += sizes[index]!;
    });
    this.flush();
    await this.wait(staging.mapAsync(MAP_READ, 0, total));
    const bytes = staging.getMappedRange(0, total).slice(0);
    staging.unmap();
    this.#releaseStaging(staging);
    this.check();
    offset = 0;
    return tensors.map((tensor, index) => {
      const values = decode(tensor.dtype, bytes.slice(offset, offset + tensor.bytes));
      offset += sizes[index]!;
      return values;
    });
  }

  /** The open compute pass; work recorded on it runs at the next flush. */
  pass(): GPUComputePassEncoder {
    return this.#eager.pass();
  }

  /** Submits recorded work without waiting for it. */
  flush(): void {
    this.#eager.flush();
  }

  /** Waits until the GPU has done all that was asked, and throws what went wrong. */
  async idle(): Promise<void> {
    this.flush();
    await this.wait(this.gpu.queue.onSubmittedWorkDone());
    this.check();
  }

  /** Awaits a promise of the GPU's, in the way that suits the adapter. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    try {
      return await waitFor(promise, this.adapter.kind);
    } catch (cause) {
      this.check();
      throw cause;
    }
  }

  /** Throws the first fault since the last check, and every time once the device is lost or closed. */
  check(): void {
    const fault = this.#fault;
    if (!fault) return;
    this.#eager.abandon(); // recorded work may hold what has just been refused
    if (!this.#closed) this.#fault = null;
    throw fault;
  }

  /** Finishes outstanding work, frees everything, and lets the process end. The device is of no use afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.flush();
    await this.wait(this.gpu.queue.onSubmittedWorkDone()).catch(() => undefined);
    this.#fault = new DeviceError({ where: "device", expected: "an open device", got: "one that was closed" });
    this.#closed = true;
    for (const list of this.#staging.values()) for (const buffer of list) buffer.destroy();
    this.pool.trim();
    this.gpu.destroy();
    await this.gpu.lost;
  }

  #uninitialised(shape: Shape, dtype: Dtype, what: string): Tensor {
    this.check();
    this.checkDtype(what, dtype);
    const storage = this.scopes.allocate(sizeOf(shape) * bytesPerElement(dtype), what);
    return new Tensor(this, shape, dtype, storage);
  }

  #lose(info: GPUDeviceLostInfo): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#fault = new DeviceError({
      where: "device",
      expected: "a device that keeps working",
      got: `a lost one (${info.message || info.reason})`,
      advice: "open a new device and load the last checkpoint",
    });
  }

  #acquireStaging(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    return (
      this.#staging.get(size)?.pop() ?? this.gpu.createBuffer({ size, usage: MAP_READ | COPY_DST, label: "readback" })
    );
  }

  #releaseStaging(buffer: GPUBuffer): void {
    const list = this.#staging.get(buffer.size) ?? [];
    this.#staging.set(buffer.size, list);
    if (list.length < 4) list.push(buffer);
    else buffer.destroy();
  }
}

/** The driver's words, with the label that names the kernel. */
function asDeviceError(error: GPUError): DeviceError {
  return new DeviceError({ where: "device", expected: "work that the driver accepts", got: error.message });
}
