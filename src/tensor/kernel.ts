/**
 * What a kernel is: a name, its bindings and uniforms, each declared once, and the WGSL of the algorithm. Bindings,
 * uniform struct, packing, entry point and stores are generated from the declaration (see wgsl.ts).
 */
import type { BindingType } from "./dtype.ts";
import type { MapProgram } from "./map.ts";
import type { Tensor } from "./tensor.ts";

export type UniformType = "u32" | "i32" | "f32";

/** Values compiled into the source. They make the pipeline's key, so a source depends on nothing else. */
export type Constants = Readonly<Record<string, string | number | boolean>>;

/** A vector kernel has the constant `width`: lanes of `f32v` and `u32v`. */
export type Width = 1 | 4;

export interface Kernel<I extends string = string, O extends string = string, U extends string = string> {
  readonly name: string;
  /** Read-only bindings. */
  readonly inputs: Readonly<Record<I, BindingType>>;
  /** Bindings written by the kernel; `store_NAME(index, value)` is generated for each. */
  readonly outputs: Readonly<Record<O, BindingType>>;
  /** Bindings read and changed in place: optimiser moments, running statistics, counters. */
  readonly updates: Readonly<Record<string, BindingType>>;
  readonly uniforms: Readonly<Record<U, UniformType>>;
  /**
   * `threads`: the source defines `fn run(i: u32)`, called once for each i below the number of threads.
   * `groups`: it defines `fn run(group: vec3u, lane: u32)`, called by every invocation of every workgroup.
   */
  readonly grid: "threads" | "groups";
  /** Invocations of a workgroup. */
  readonly workgroup: (constants: Constants) => number;
  readonly wgsl: (constants: Constants) => string;
  /** WGSL extensions that the source enables. */
  readonly enable: readonly string[];
  /**
   * Vectors in a row of the first output, where the source knows its column: then it says `hold(column)` once for all the
   * rows that it stores there, and `store_NAME(index, value, held)`. What the epilogue reads for every row alike, such as
   * a bias, is read by `hold`. Null: stores read for themselves.
   */
  readonly row: ((uniforms: Readonly<Record<U, number>>, width: Width) => number) | null;
  /** Arithmetic of one dispatch, for reports; bytes need no formula, the bindings tell them. */
  readonly flops: (threads: number, uniforms: Readonly<Record<U, number>>, constants: Constants) => number;
}

export interface KernelDeclaration<I extends string, O extends string, U extends string> {
  readonly name: string;
  readonly inputs?: Readonly<Record<I, BindingType>>;
  readonly outputs?: Readonly<Record<O, BindingType>>;
  readonly updates?: Readonly<Record<string, BindingType>>;
  readonly uniforms?: Readonly<Record<U, UniformType>>;
  readonly grid?: "threads" | "groups";
  /** Default 64. */
  readonly workgroup?: number | ((constants: Constants) => number);
  readonly wgsl: string | ((constants: Constants) => string);
  readonly enable?: readonly string[];
  readonly row?: (uniforms: Readonly<Record<U, number>>, width: Width) => number;
  readonly flops?: (threads: number, uniforms: Readonly<Record<U, number>>, constants: Constants) => number;
}

/** Declares a kernel. Nothing is compiled until it runs. */
export function defineKernel<I extends string = never, O extends string = never, U extends string = never>(
  declaration: KernelDeclaration<I, O, U>,
): Kernel<I, O, U> {
  const { name, wgsl, workgroup = 64 } = declaration;
  return {
    name,
    inputs: declaration.inputs ?? ({} as Record<I, BindingType>),
    outputs: declaration.outputs ?? ({} as Record<O, BindingType>),
    updates: declaration.updates ?? {},
    uniforms: declaration.uniforms ?? ({} as Record<U, UniformType>),
    grid: declaration.grid ?? "threads",
    workgroup: typeof workgroup === "number" ? () => workgroup : workgroup,
    wgsl: typeof wgsl === "string" ? () => wgsl : wgsl,
    enable: declaration.enable ?? [],
    row: declaration.row ?? null,
    flops: declaration.flops ?? (() => 0),
  };
}

/** One run of a kernel over given tensors, recorded or executed. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: Constants;
  readonly inputs: readonly Tensor[];
  readonly updates: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly uniforms: Readonly<Record<string, number>>;
  /** Invocations (`grid: "threads"`) or workgroups (`grid: "groups"`). */
  readonly extent: number | readonly [number, number, number];
  /** Element-wise work done while the first output is stored. */
  readonly epilogue: MapProgram;
}

/** Lanes of the vectors that a dispatch's `f32v` bindings hold. */
export function widthOf(constants: Constants): Width {
  return constants["width"] === 4 ? 4 : 1;
}

/** The tensors of a dispatch in binding order. */
export function tensorsOf(dispatch: Dispatch): Tensor[] {
  return [
    ...dispatch.inputs,
    ...dispatch.epilogue.operands.map(({ tensor }) => tensor),
    ...dispatch.updates,
    ...dispatch.outputs,
  ];
}
