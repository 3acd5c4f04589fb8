/** Element types of tensors and of kernel bindings, and how their values cross to the CPU and back. */
import { fromHalf, toHalf } from "./half.ts";

/**
 * Element type of a tensor. `f16` is a way of storing: kernels widen it as they load, compute in f32 and narrow it as they
 * store. Bytes (`u8`) travel packed, four to a `u32`, because WGSL cannot address them singly.
 */
export type Dtype = "f32" | "f16" | "u32" | "i32";

/**
 * Element type of a kernel's binding: a scalar, or a *lane vector* (`f32v`, `u32v`) that is the scalar type or a `vec4`
 * of it, as the kernel's constant `width` (1 or 4) says. WGSL sources use the same words. An input of f32 may be stored as
 * f16. An output that carries activations on is `real` or `realv`: stored in the precision of the first input.
 */
export type BindingType = "f32" | "u32" | "i32" | "f32v" | "u32v" | "real" | "realv";

/** Values on the CPU: f16 is read and written as f32. */
export type TypedArray = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export function bytesPerElement(dtype: Dtype): number {
  return dtype === "f16" ? 2 : 4;
}

export function isFloat(dtype: Dtype): boolean {
  return dtype === "f32" || dtype === "f16";
}

/** The type that a kernel's source sees. */
export function computeType(binding: BindingType): "f32" | "u32" | "i32" {
  if (binding === "u32v") return "u32";
  return binding === "u32" || binding === "i32" ? binding : "f32";
}

/** Whether a binding's elements are vectors of four where the kernel's width is four. */
export function isLaneVector(binding: BindingType): boolean {
  return binding.endsWith("v");
}

/** WGSL type of `lanes` neighbouring elements of a dtype. */
export function wgslType(dtype: Dtype, lanes: 1 | 4): string {
  if (lanes === 1) return dtype;
  return { f32: "vec4f", f16: "vec4h", u32: "vec4u", i32: "vec4i" }[dtype];
}

/** The array type that holds a tensor's values on the CPU. */
export function arrayTypeOf(dtype: Dtype): typeof Float32Array | typeof Uint32Array | typeof Int32Array {
  return dtype === "u32" ? Uint32Array : dtype === "i32" ? Int32Array : Float32Array;
}

/** Bytes as the GPU holds them → values. */
export function decode(dtype: Dtype, bytes: ArrayBuffer): TypedArray {
  return dtype === "f16" ? fromHalf(new Uint16Array(bytes)) : new (arrayTypeOf(dtype))(bytes);
}

/** Values → what the GPU holds, padded to the four bytes that a write needs. */
export function encode(dtype: Dtype, values: TypedArray): TypedArray | Uint16Array<ArrayBuffer> {
  return dtype === "f16" ? toHalf(values) : values;
}
