/** Element types of tensors and of kernel bindings. */

/** Element type of a tensor. Bytes (`u8`) travel packed, four to a `u32`, because WGSL cannot address them singly. */
export type Dtype = "f32" | "u32" | "i32";

/**
 * Element type of a kernel's binding: a dtype, or a *lane vector* (`f32v`, `u32v`) that is the scalar type or a `vec4`
 * of it, as the kernel's constant `width` (1 or 4) says. WGSL sources use the same words. An output that carries
 * activations on is `real` or `realv`: stored in the precision of the first input, computed in f32 all the same.
 */
export type BindingType = Dtype | "f32v" | "u32v" | "real" | "realv";

export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** Bytes of one element; the same for every dtype that WGSL can store today. */
export const BYTES_PER_ELEMENT = 4;

export function dtypeOf(binding: BindingType): Dtype {
  if (binding === "u32v") return "u32";
  return binding === "u32" || binding === "i32" ? binding : "f32";
}

/** WGSL type of one element of a binding, given the lanes of a vector. */
export function wgslType(binding: BindingType, width: 1 | 4): string {
  if (binding === "f32v" || binding === "realv") return width === 4 ? "vec4f" : "f32";
  if (binding === "u32v") return width === 4 ? "vec4u" : "u32";
  return binding === "real" ? "f32" : binding;
}

export function viewAs(dtype: Dtype, bytes: ArrayBuffer): TypedArray {
  return dtype === "f32" ? new Float32Array(bytes) : dtype === "u32" ? new Uint32Array(bytes) : new Int32Array(bytes);
}
