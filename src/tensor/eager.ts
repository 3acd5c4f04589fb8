/**
 * Running kernels as they are called. Dispatches collect in one open compute pass and go out in one submit, at a
 * readback or when the pass is full.
 */
import type { Device, Executor } from "./device.ts";
import { BINDING_ALIGNMENT, bindGroup, checkLimits, packUniforms, uniformBytes, type UniformSlice } from "./encode.ts";
import type { Dispatch } from "./kernel.ts";
import type { Storage } from "./tensor.ts";
import { workgroupsOf } from "./wgsl.ts";

const DISPATCHES_PER_SUBMIT = 256;
const UNIFORM = 0x40;
const COPY_DST = 0x8;

export class Eager implements Executor {
  readonly #device: Device;
  readonly #uniforms = new DataView(new ArrayBuffer(DISPATCHES_PER_SUBMIT * BINDING_ALIGNMENT));
  #uniformBuffer: GPUBuffer | null = null;
  #uniformsUsed = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;

  constructor(device: Device) {
    this.#device = device;
  }

  allocate(bytes: number, what: string): Storage {
    return this.#device.scopes.allocate(bytes, what);
  }

  dispatch(dispatch: Dispatch): void {
    const device = this.#device;
    device.check();
    checkLimits(dispatch, device.gpu.limits);
    if (this.#uniformsUsed === DISPATCHES_PER_SUBMIT) this.flush();
    const { pipeline, layout } = device.pipelines.get(dispatch);
    const group = bindGroup(device.gpu, dispatch, layout, this.#place(dispatch));
    const pass = this.pass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroupsOf(dispatch));
  }

  pass(): GPUComputePassEncoder {
    this.#encoder ??= this.#device.gpu.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    return this.#pass;
  }

  /** Zeroes a buffer, in order with the kernels around it. */
  clear(buffer: GPUBuffer): void {
    this.#betweenPasses().clearBuffer(buffer);
  }

  copyOut(from: GPUBuffer, fromOffset: number, to: GPUBuffer, toOffset: number, bytes: number): void {
    this.#betweenPasses().copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
  }

  flush(): void {
    if (!this.#encoder) return;
    this.#pass?.end();
    if (this.#uniformsUsed > 0) {
      this.#device.gpu.queue.writeBuffer(
        this.#uniformBuffer!,
        0,
        this.#uniforms.buffer,
        0,
        this.#uniformsUsed * BINDING_ALIGNMENT,
      );
    }
    this.#device.gpu.queue.submit([this.#encoder.finish()]);
    this.abandon();
  }

  /** Forgets what was recorded and not yet submitted. */
  abandon(): void {
    this.#encoder = null;
    this.#pass = null;
    this.#uniformsUsed = 0;
  }

  #betweenPasses(): GPUCommandEncoder {
    this.#pass?.end();
    this.#pass = null;
    this.#encoder ??= this.#device.gpu.createCommandEncoder();
    return this.#encoder;
  }

  #place(dispatch: Dispatch): UniformSlice | null {
    const size = uniformBytes(dispatch);
    if (size === 0) return null;
    this.#uniformBuffer ??= this.#device.gpu.createBuffer({
      size: this.#uniforms.byteLength,
      usage: UNIFORM | COPY_DST,
      label: "uniforms",
    });
    const offset = this.#uniformsUsed++ * BINDING_ALIGNMENT;
    packUniforms(dispatch, this.#uniforms, offset);
    return { buffer: this.#uniformBuffer, offset, size };
  }
}
