/**
 * `compile` runs a step once on placeholders, writes down the kernels that it calls, drops and fuses what it can, plans
 * the memory, and builds every pipeline and bind group. What is left is a flat list that costs next to nothing to run.
 */
import { OptionError } from "../errors.ts";
import type { Device } from "./device.ts";
import type { Dtype } from "./dtype.ts";
import { BINDING_ALIGNMENT, bindGroup, checkLimits, packUniforms, uniformBytes } from "./encode.ts";
import { fuse } from "./fuse.ts";
import { dropUnread, isInternal, Recorder } from "./graph.ts";
import type { Dispatch } from "./kernel.ts";
import type { Pipeline } from "./pipelines.ts";
import { planSlots } from "./plan.ts";
import { Program, type Step } from "./program.ts";
import type { Shape } from "./shape.ts";
import { tensorsIn, type Storage, type Tensor } from "./tensor.ts";
import { workgroupsOf } from "./wgsl.ts";

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype?: Dtype;
}

export interface CompileOptions {
  /** Whether element-wise work is fused into the kernels before it. Default: true. */
  readonly fuse?: boolean;
}

/**
 * Compiles `step`, a function of tensors, into a program. `step` runs once, now, and must not depend on the values of
 * its tensors. What it returns (a tensor, or arrays and plain objects of them) is overwritten by every run.
 */
export async function compile<T>(
  device: Device,
  inputs: readonly TensorSpec[],
  step: (...inputs: Tensor[]) => T,
  options: CompileOptions = {},
): Promise<Program<T>> {
  device.check();
  const held: Storage[] = [];
  try {
    const { placeholders, outputs, dispatches, memory, intermediates, uniforms } = owning(device, held, () =>
      plan(device, inputs, step, options),
    );
    const steps = await build(device, dispatches, uniforms);
    for (const storage of intermediates) storage.buffer = null; // bound for good, and nobody else's to read
    return new Program(device, placeholders, outputs, steps, dispatches, held, memory);
  } catch (error) {
    for (const storage of held) device.scopes.free(storage);
    throw error;
  }
}

/** Runs `body`, and takes what it allocates out of every scope and into `held`. */
function owning<T>(device: Device, held: Storage[], body: () => T): T {
  const owned = device.scopes.enter();
  try {
    return body();
  } finally {
    held.push(...owned);
    for (const storage of held) device.scopes.keep(storage);
    device.scopes.leave(owned, null);
  }
}

/** All that can be done before pipelines exist: tracing, fusion, memory. */
function plan<T>(
  device: Device,
  inputs: readonly TensorSpec[],
  step: (...inputs: Tensor[]) => T,
  options: CompileOptions,
) {
  const placeholders = inputs.map(({ shape, dtype }) => device.zeros(shape, dtype));
  const { outputs, dispatches: traced } = trace(device, () => step(...placeholders));
  const returned = new Set(tensorsIn(outputs).map(({ storage }) => storage));
  const needed = dropUnread(traced, returned);
  const mostBuffers = device.gpu.limits.maxStorageBuffersPerShaderStage;
  const dispatches = options.fuse === false ? needed : fuse(needed, returned, mostBuffers);
  for (const dispatch of dispatches) checkLimits(dispatch, device.gpu.limits);
  return { placeholders, outputs, dispatches, ...allocate(device, dispatches, returned) };
}

function trace<T>(device: Device, step: () => T): { outputs: T; dispatches: Dispatch[] } {
  const recorder = new Recorder();
  const outer = device.executor;
  device.executor = recorder;
  try {
    const outputs = step();
    if (!(outputs instanceof Promise)) return { outputs, dispatches: recorder.dispatches };
    outputs.catch(() => undefined);
    throw new OptionError({
      where: "compile",
      expected: "a step that returns at once",
      got: "an asynchronous one",
      advice: "await before the step or after it: it is recorded, not run",
    });
  } finally {
    device.executor = outer;
  }
}

export interface ProgramMemory {
  /** Bytes of intermediates as planned, and what they would take without sharing. */
  readonly planned: number;
  readonly unshared: number;
}

/** Gives every internal storage its buffer: outputs one each, intermediates shared ones. */
function allocate(device: Device, dispatches: readonly Dispatch[], returned: ReadonlySet<Storage>) {
  for (const storage of returned) if (isInternal(storage)) device.scopes.back(storage, "program output");
  const slots = planSlots(dispatches);
  for (const { bytes, storages } of slots) {
    const { buffer } = device.scopes.allocate(bytes, "program intermediate");
    for (const storage of storages) storage.buffer = buffer;
  }
  const intermediates = slots.flatMap(({ storages }) => storages);
  const memory: ProgramMemory = {
    planned: slots.reduce((sum, { bytes }) => sum + bytes, 0),
    unshared: intermediates.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  const uniforms = device.scopes.allocate(
    Math.max(1, dispatches.length) * BINDING_ALIGNMENT,
    "program uniforms",
  ).buffer!;
  return { memory, intermediates, uniforms };
}

/** Pipelines all at once, uniforms in one buffer, a bind group for each dispatch. */
async function build(device: Device, dispatches: readonly Dispatch[], uniforms: GPUBuffer): Promise<Step[]> {
  const pipelines = await device.wait(compiled(dispatches.map((dispatch) => device.pipelines.getAsync(dispatch))));
  const data = new DataView(new ArrayBuffer(dispatches.length * BINDING_ALIGNMENT));
  const steps = dispatches.map((dispatch, index): Step => {
    const { pipeline, layout } = pipelines[index]!;
    const offset = index * BINDING_ALIGNMENT;
    packUniforms(dispatch, data, offset);
    const bytes = uniformBytes(dispatch);
    const group = bindGroup(device.gpu, dispatch, layout, bytes > 0 ? { buffer: uniforms, offset, size: bytes } : null);
    return { pipeline, group, workgroups: workgroupsOf(dispatch) };
  });
  device.gpu.queue.writeBuffer(uniforms, 0, data.buffer);
  return steps;
}

/** All of them, or the first failure once all have ended: a driver must not be left compiling behind our back. */
async function compiled(pipelines: readonly Promise<Pipeline>[]): Promise<Pipeline[]> {
  await Promise.allSettled(pipelines);
  return Promise.all(pipelines);
}
