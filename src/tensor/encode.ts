/** From a dispatch to what the GPU is told: packed uniforms, a bind group, workgroup counts. */
import { DeviceError } from "../errors.ts";
import { tensorsOf, type Dispatch } from "./kernel.ts";
import type { Tensor } from "./tensor.ts";
import { uniformsOf } from "./wgsl.ts";

/** WebGPU's greatest alignment of a binding's offset; every adapter accepts multiples of it. */
export const BINDING_ALIGNMENT = 256;

/** Writes a dispatch's uniforms at `byteOffset`, each in its own type. */
export function packUniforms(dispatch: Dispatch, view: DataView, byteOffset: number): void {
  let offset = byteOffset;
  for (const [name, type, value] of uniformsOf(dispatch)) {
    if (Number.isNaN(value) && type !== "f32") {
      throw new Error(`kernel ${dispatch.kernel.name}: uniform ${name} was not given`);
    }
    if (type === "u32") view.setUint32(offset, value, true);
    else if (type === "i32") view.setInt32(offset, value, true);
    else view.setFloat32(offset, value, true);
    offset += 4;
  }
}

export interface UniformSlice {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Bytes of the uniform struct; 0 where a kernel has none. Rounded to what uniform bindings ask for. */
export function uniformBytes(dispatch: Dispatch): number {
  return Math.ceil((uniformsOf(dispatch).length * 4) / 16) * 16;
}

export function bindGroup(
  device: GPUDevice,
  dispatch: Dispatch,
  layout: GPUBindGroupLayout,
  uniforms: UniformSlice | null,
): GPUBindGroup {
  const entries: GPUBindGroupEntry[] = tensorsOf(dispatch).map((tensor, index) => ({
    binding: index + 1,
    resource: {
      buffer: bufferOf(tensor, dispatch.kernel.name),
      offset: tensor.byteOffset,
      size: Math.ceil(tensor.bytes / 16) * 16,
    },
  }));
  if (uniforms) entries.unshift({ binding: 0, resource: uniforms });
  return device.createBindGroup({ label: dispatch.kernel.name, layout, entries });
}

/** The buffer behind a tensor, or an error for one whose scope has ended. */
export function bufferOf(tensor: Tensor, where: string): GPUBuffer {
  const { storage } = tensor;
  if (storage.buffer && !storage.freed) return storage.buffer;
  throw new DeviceError({
    where,
    expected: "a tensor that is alive",
    got: storage.freed
      ? "one that was freed at the end of its scope"
      : "one that exists only inside a compiled program",
    advice: "return it from the scope or program, or keep() it",
  });
}

/**
 * Refuses before anything runs what the adapter would refuse, or worse, ignore: too many bindings, bindings too large,
 * grids too wide. Nothing may end in silent zeros.
 */
export function checkLimits(dispatch: Dispatch, limits: GPUSupportedLimits): void {
  const where = `kernel "${dispatch.kernel.name}"`;
  const tensors = tensorsOf(dispatch);
  if (tensors.length > limits.maxStorageBuffersPerShaderStage) {
    throw new DeviceError({
      where,
      expected: `at most ${limits.maxStorageBuffersPerShaderStage} storage buffers on this adapter`,
      got: `${tensors.length}`,
    });
  }
  for (const tensor of tensors) {
    if (tensor.bytes <= limits.maxStorageBufferBindingSize) continue;
    throw new DeviceError({
      where,
      expected: `tensors of at most ${limits.maxStorageBufferBindingSize} bytes on this adapter`,
      got: `${tensor.bytes} bytes (shape [${tensor.shape.join(", ")}])`,
      advice: "use a smaller batch or image",
    });
  }
  const [x, y, z] = typeof dispatch.extent === "number" ? [1, 1, 1] : dispatch.extent;
  if (Math.max(x, y, z) > limits.maxComputeWorkgroupsPerDimension) {
    throw new DeviceError({
      where,
      expected: `at most ${limits.maxComputeWorkgroupsPerDimension} workgroups in a dimension`,
      got: `${x} × ${y} × ${z}`,
      advice: "use a smaller batch or image",
    });
  }
}
