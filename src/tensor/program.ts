/** A compiled step: a flat list of dispatches with everything bound. */
import { DeviceError, DtypeError, ShapeError } from "../errors.ts";
import type { ProgramMemory } from "./compile.ts";
import type { Device } from "./device.ts";
import { arrayTypeOf, type TypedArray } from "./dtype.ts";
import { readsOf } from "./graph.ts";
import type { Dispatch } from "./kernel.ts";
import { explainKernels } from "./explain.ts";
import { timeSteps } from "./timestamps.ts";
import { formatShape } from "./shape.ts";
import type { Storage, Tensor } from "./tensor.ts";
import { workgroupsOf } from "./wgsl.ts";

export interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** One kernel of a program, as `explain` reports it. */
export interface KernelReport {
  readonly name: string;
  /** Element-wise functions that ride on the kernel's store. */
  readonly fused: readonly string[];
  readonly workgroups: readonly [number, number, number];
  readonly flops: number;
  /** Tensors that it reads and writes, and their bytes, each counted once. */
  readonly buffers: number;
  readonly bytes: number;
}

/** A kernel's report, and how long it took. */
export interface KernelTime extends KernelReport {
  readonly milliseconds: number;
  /** The least time that this adapter could take for these operations and bytes, as a share of the time it took. */
  readonly roofline: number;
}

export class Program<T> {
  readonly device: Device;
  /** What the step returned; every run overwrites it. */
  readonly outputs: T;
  readonly memory: ProgramMemory;
  readonly #inputs: readonly Tensor[];
  readonly #steps: readonly Step[];
  readonly #dispatches: readonly Dispatch[];
  readonly #owned: readonly Storage[];
  #disposed = false;

  constructor(
    device: Device,
    inputs: readonly Tensor[],
    outputs: T,
    steps: readonly Step[],
    dispatches: readonly Dispatch[],
    owned: readonly Storage[],
    memory: ProgramMemory,
  ) {
    this.device = device;
    this.outputs = outputs;
    this.memory = memory;
    this.#inputs = inputs;
    this.#steps = steps;
    this.#dispatches = dispatches;
    this.#owned = owned;
  }

  /** Dispatches of one run. */
  get length(): number {
    return this.#steps.length;
  }

  /**
   * Records `times` runs and submits them together. `inputs` replace the placeholders' values first; leave them out to
   * run on the values of before. Nothing is awaited: read an output, or `device.idle()`.
   */
  run(inputs: readonly TypedArray[] = [], times = 1): void {
    this.#check();
    if (inputs.length > 0) this.#write(inputs);
    const pass = this.device.pass();
    for (let turn = 0; turn < times; turn++) {
      for (const { pipeline, group, workgroups } of this.#steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
      }
    }
    this.device.flush();
  }

  /** Each kernel of a run, in order: what it does, what was fused into it, what it computes and moves. */
  kernels(): KernelReport[] {
    return this.#dispatches.map((dispatch) => {
      const { kernel, epilogue, uniforms } = dispatch;
      const workgroups = workgroupsOf(dispatch);
      const invocations = workgroups[0] * workgroups[1] * workgroups[2] * kernel.workgroup(dispatch.constants);
      const threads = typeof dispatch.extent === "number" ? dispatch.extent : invocations;
      return {
        name: kernel.name,
        fused: epilogue.steps.map(({ call }) => call.name),
        workgroups,
        flops: kernel.flops(threads, uniforms, dispatch.constants),
        ...trafficOf(dispatch),
      };
    });
  }

  /**
   * Milliseconds of each kernel in one run, each by itself. State that the program advances is advanced as by `run`; by
   * more where the device has no timestamps, because the clock needs repeated runs.
   */
  async times(): Promise<number[]> {
    this.#check();
    this.device.flush();
    const times = await timeSteps(this.device, this.#steps);
    this.device.check();
    return times;
  }

  /** The list of kernels as a table for people; with `await profile(program)`, their times as well. */
  explain(times: readonly KernelTime[] | null = null): string {
    return explainKernels(times ?? this.kernels(), this.memory);
  }

  /** Frees the program's memory, its outputs included. */
  dispose(): void {
    this.#disposed = true;
    for (const storage of this.#owned) this.device.scopes.free(storage);
  }

  /** The buffers of a disposed program belong to others by now. */
  #check(): void {
    this.device.check();
    if (!this.#disposed) return;
    throw new DeviceError({
      where: "program",
      expected: "a program in use",
      got: "one that was disposed of",
      advice: "compile it again",
    });
  }

  #write(values: readonly TypedArray[]): void {
    if (values.length !== this.#inputs.length) {
      throw new ShapeError({ where: "program", expected: `${this.#inputs.length} inputs`, got: `${values.length}` });
    }
    this.#inputs.forEach((input, index) => {
      const given = values[index]!;
      if (given.length !== input.size) {
        const expected = `${input.size} values for input ${index} ${formatShape(input.shape)}`;
        throw new ShapeError({ where: "program", expected, got: `${given.length}` });
      }
      if (arrayTypeOf(input.dtype) !== given.constructor) {
        throw new DtypeError({
          where: "program",
          expected: `${input.dtype} for input ${index}`,
          got: given.constructor.name,
        });
      }
      this.device.write(input, given);
    });
  }
}

function trafficOf(dispatch: Dispatch): { buffers: number; bytes: number } {
  const places = new Map([...readsOf(dispatch), ...dispatch.outputs].map((tensor) => [tensor.storage, tensor.bytes]));
  return { buffers: places.size, bytes: [...places.values()].reduce((sum, bytes) => sum + bytes, 0) };
}
