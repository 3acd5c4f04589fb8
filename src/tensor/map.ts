/**
 * Element-wise work as data. A *map* is a short program of pure WGSL functions over lane vectors; it runs as a kernel of
 * its own, or inside the store of the kernel that made its input. `compile` moves maps from the first form to the second:
 * that is all there is to fusion.
 */
import type { Width } from "./kernel.ts";
import type { Tensor } from "./tensor.ts";
import { sameShape, sizeOf, stridesOf, type Shape } from "./shape.ts";

/** A pure function of lane vectors, such as `{ name: "mul", parameters: ["a", "b"], body: "a * b" }`. */
export interface MapFunction {
  /** Unique among all functions: two functions of one name are the same function. */
  readonly name: string;
  readonly parameters: readonly string[];
  /** WGSL expression over the parameters, valid for `f32` and for `vec4f`. */
  readonly body: string;
}

/** Where a step finds an argument: the result of an earlier step (0: the value being stored) or a tensor. */
export type MapArgument = { readonly step: number } | { readonly operand: number };

/** One call. Step k of a map (counted from 1) may use the results of the steps before it. */
export interface MapStep {
  readonly call: MapFunction;
  readonly arguments: readonly MapArgument[];
}

/**
 * How an operand is read for output element i: `same` at i; `scalar` at 0; `cycle` at i mod n (a bias over the last
 * axes); `repeat` at ⌊i / n⌋ (one value a row); `strided` by unravelling i, for every other view.
 */
export type Access = "same" | "scalar" | "cycle" | "repeat" | "strided";

export interface Operand {
  readonly tensor: Tensor;
  readonly access: Access;
  /**
   * `n` of `cycle` and `repeat`; for `strided` the offset, then pairs of (extent of the output, stride in the operand),
   * innermost first; all in elements.
   */
  readonly sizes: readonly number[];
}

/** A map's steps and operands. An empty one stores the value as it is. */
export interface MapProgram {
  readonly steps: readonly MapStep[];
  readonly operands: readonly Operand[];
}

export const IDENTITY: MapProgram = { steps: [], operands: [] };

/** How `tensor` broadcasts to `output`; the shapes are known to be compatible. */
export function operandFor(tensor: Tensor, output: Shape): Operand {
  const { shape } = tensor;
  const size = sizeOf(shape);
  if (size === sizeOf(output)) return { tensor, access: "same", sizes: [] };
  if (size === 1) return { tensor, access: "scalar", sizes: [] };
  const padded = [...new Array<number>(output.length - shape.length).fill(1), ...shape];
  const first = padded.findIndex((extent) => extent !== 1);
  if (sameShape(padded.slice(first), output.slice(first))) return { tensor, access: "cycle", sizes: [size] };
  const last = padded.findLastIndex((extent) => extent !== 1) + 1;
  if (sameShape(padded.slice(0, last), output.slice(0, last))) {
    return { tensor, access: "repeat", sizes: [sizeOf(output) / size] };
  }
  const strides = stridesOf(padded).map((stride, axis) => (padded[axis] === 1 ? 0 : stride));
  return viewOperand(tensor, output, strides);
}

/**
 * Reads `tensor` through a view of shape `output` with one stride an axis, in elements: transposes, slices, broadcasts.
 * A negative stride goes backwards. Axes that follow each other in memory count as one: an axis costs a division.
 */
export function viewOperand(tensor: Tensor, output: Shape, strides: readonly number[], offset = 0): Operand {
  const merged: [extent: number, stride: number][] = [];
  for (const [axis, extent] of [...output.entries()].reverse()) {
    const stride = strides[axis]!;
    const inner = merged.at(-1);
    if (extent === 1) continue;
    if (inner && stride === inner[0] * inner[1]) inner[0] *= extent;
    else merged.push([extent, stride]);
  }
  if (merged.length === 0) merged.push([1, 1]);
  return { tensor, access: "strided", sizes: [offset, ...merged.flat()] };
}

/** Whether lanes of four neighbouring elements can read this operand with one load. */
export function readsInFours({ access, sizes }: Operand): boolean {
  if (access === "same" || access === "scalar") return true;
  if (access !== "strided") return sizes[0]! % 4 === 0;
  const [offset, extent, stride, ...outer] = sizes as [number, number, number, ...number[]];
  const aligned = offset % 4 === 0 && outer.every((size, k) => k % 2 === 0 || size % 4 === 0);
  return extent % 4 === 0 && (stride === 0 || (stride === 1 && aligned));
}

/** Neighbouring elements that one access of this operand reads, in a kernel whose vectors have `width` lanes. */
export function lanesOf({ access, sizes }: Operand, width: Width): Width {
  return access === "same" || access === "cycle" || (access === "strided" && sizes[2] === 1) ? width : 1;
}

/** The operand's sizes, counted in vectors of `width` elements of the output and in what one access of it reads. */
export function sizesInVectors(operand: Operand, width: Width): readonly number[] {
  const { access, sizes } = operand;
  if (access !== "strided") return sizes.map((size) => size / width);
  const lanes = lanesOf(operand, width);
  const [offset, extent, stride, ...outer] = sizes as [number, number, number, ...number[]];
  return [offset / lanes, extent / width, stride, ...outer.map((size, k) => (k % 2 === 0 ? size : size / lanes))];
}

/**
 * Appends `next` to `first`, where `next` reads the result of `first` as operand `through`. Returns the map that does
 * both in one go.
 */
export function chain(first: MapProgram, next: MapProgram, through: readonly number[]): MapProgram {
  const last = first.steps.length;
  const kept = next.operands.flatMap((_, index) => (through.includes(index) ? [] : [index]));
  const renamed = new Map(kept.map((index, position) => [index, first.operands.length + position]));
  const rename = (argument: MapArgument): MapArgument => {
    if ("step" in argument) return { step: argument.step === 0 ? 0 : argument.step + last };
    const operand = renamed.get(argument.operand);
    return operand === undefined ? { step: last } : { operand };
  };
  return {
    steps: [...first.steps, ...next.steps.map((step) => ({ ...step, arguments: step.arguments.map(rename) }))],
    operands: [...first.operands, ...kept.map((index) => next.operands[index]!)],
  };
}
