/** Element types of tensors and of kernel bindings. */

/** Element type of a tensor. Bytes (`u8`) travel packed, four to a `u32`, because WGSL cannot address them singly. */
export type Dtype = "f32" | "u32" | "i32";

/**
 * Element type of a kernel's binding: a dtype, or a *lane vector* (`f32v`, `u32v`) that is the scalar type or a `vec4`
 * of it, as the kernel's constant `width` (1 or 4) says. WGSL sources use the same words.
 */
export type BindingType = Dtype | "f32v" | "u32v";

export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** Bytes of one element; the same for every dtype that WGSL can store today. */
export const BYTES_PER_ELEMENT = 4;

export function dtypeOf(binding: BindingType): Dtype {
  return binding === "f32v" ? "f32" : binding === "u32v" ? "u32" : binding;
}

/** WGSL type of one element of a binding, given the lanes of a vector. */
export function wgslType(binding: BindingType, width: 1 | 4): string {
  if (binding === "f32v") return width === 4 ? "vec4f" : "f32";
  if (binding === "u32v") return width === 4 ? "vec4u" : "u32";
  return binding;
}

export function viewAs(dtype: Dtype, bytes: ArrayBuffer): TypedArray {
  return dtype === "f32" ? new Float32Array(bytes) : dtype === "u32" ? new Uint32Array(bytes) : new Int32Array(bytes);
}
