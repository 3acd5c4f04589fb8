/** How an operation runs kernels: at once, or into the program that is being recorded. */
import { DtypeError, ShapeError } from "../errors.ts";
import type { Device } from "./device.ts";
import { bytesPerElement, computeType, isFloat, type BindingType, type Dtype } from "./dtype.ts";
import { defineKernel, widthOf, type Constants, type Dispatch, type Kernel, type Width } from "./kernel.ts";
import { IDENTITY, operandFor, readsInFours, type MapFunction, type MapProgram, type Operand } from "./map.ts";
import { checkShape, formatShape, sizeOf, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

export interface RunOptions {
  /** What errors name: the operation that the user called. Default: the kernel. */
  readonly where?: string;
  readonly constants?: Constants;
  /** Tensors changed in place, in the order of the kernel's `updates`. */
  readonly updates?: readonly Tensor[];
  /** Invocations; default: one for each element (or vector of `width` elements) of the first output. */
  readonly threads?: number;
  /** Workgroups, for kernels with `grid: "groups"`. */
  readonly groups?: readonly [number, number, number];
  /** Of `real` outputs. Default: that of the first input, or of a map's first operand that is not broadcast. */
  readonly dtype?: Dtype;
  /** Element-wise work on the first output, done while it is stored. */
  readonly epilogue?: MapProgram;
}

/**
 * Runs a kernel. An output is named by its shape, and made, or is a tensor to write into. The inputs and the outputs
 * must not share a buffer.
 */
export function run<I extends string, O extends string, U extends string>(
  kernel: Kernel<I, O, U>,
  inputs: Readonly<Record<I, Tensor>>,
  outputs: Readonly<Record<O, Shape | Tensor>>,
  uniforms: Readonly<Record<U, number>>,
  options: RunOptions = {},
): Record<O, Tensor> {
  const constants = options.constants ?? {};
  const updates = options.updates ?? [];
  const sources = (Object.keys(kernel.inputs) as I[]).map((name) => inputs[name]);
  const epilogue = options.epilogue ?? IDENTITY;
  const operands = epilogue.operands.map(({ tensor }) => tensor);
  const device = deviceOf([...sources, ...updates, ...operands]);
  const where = options.where ?? (kernel.name === mapKernel.name ? epilogue.steps[0]!.call.name : kernel.name);
  checkDtypes(where, sources, Object.values(kernel.inputs));
  checkDtypes(where, updates, Object.values(kernel.updates));
  checkDtypes(
    where,
    operands,
    operands.map(() => "f32"),
  );
  const names = Object.keys(kernel.outputs) as O[];
  const made = names.map((name) => {
    const wanted = outputs[name];
    const binding: BindingType = kernel.outputs[name];
    if (wanted instanceof Tensor) {
      checkDtypes(where, [wanted], [binding]);
      return wanted;
    }
    checkShape(where, wanted);
    const dtype = binding.startsWith("real") ? (options.dtype ?? realType(sources, epilogue)) : computeType(binding);
    const storage = device.executor.allocate(sizeOf(wanted) * bytesPerElement(dtype), where);
    return new Tensor(device, wanted, dtype, storage);
  });
  const dispatch: Dispatch = {
    kernel: kernel,
    constants,
    inputs: sources,
    updates,
    outputs: made,
    uniforms,
    extent: options.groups ?? options.threads ?? threadsFor(made[0], widthOf(constants), where),
    epilogue,
  };
  device.executor.dispatch(dispatch);
  return Object.fromEntries(names.map((name, index) => [name, made[index]!])) as Record<O, Tensor>;
}

/** The precision in which activations go on. */
function realType(inputs: readonly Tensor[], { operands }: MapProgram): Dtype {
  const whole = operands.find(({ access }) => access === "same" || access === "strided") ?? operands[0];
  const { dtype } = inputs[0] ?? whole!.tensor;
  return isFloat(dtype) ? dtype : "f32";
}

/** A shader would take the bits of one type for another's, and compute nonsense in silence. */
function checkDtypes(where: string, tensors: readonly Tensor[], types: readonly BindingType[]): void {
  tensors.forEach(({ dtype, shape }, index) => {
    const expected = computeType(types[index]!);
    if (dtype !== expected && !(expected === "f32" && dtype === "f16")) {
      throw new DtypeError({ where, expected: `a tensor of ${expected}`, got: `${dtype} ${formatShape(shape)}` });
    }
  });
}

function deviceOf([first]: readonly Tensor[]): Device {
  if (!first) throw new Error("a kernel needs a tensor to know its device");
  return first.device;
}

function threadsFor(output: Tensor | undefined, width: Width, where: string): number {
  if (!output) throw new Error(`${where} has no output: say how many threads it runs`);
  if (output.size % width === 0) return output.size / width;
  throw new ShapeError({ where, expected: `a multiple of ${width} elements`, got: formatShape(output.shape) });
}

/**
 * The kernel of all element-wise work: the value comes from its epilogue. An invocation takes one vector, or, `inRows`, one
 * column of a block of rows.
 */
export const mapKernel = defineKernel({
  name: "map",
  outputs: { y: "realv" },
  uniforms: { row: "u32", block: "u32", vectors: "u32" },
  row: (u) => u.row,
  wgsl: ({ inRows }) =>
    inRows
      ? /* wgsl */ `
    fn run(i: u32) {
      let column = i % u.row; let held = hold(column);
      let start = i / u.row * u.block * u.row + column;
      let end = min(start + u.block * u.row, u.vectors);
      for (var at = start; at < end; at += u.row) { store_y(at, f32v(), held); }
    }`
      : `fn run(i: u32) { store_y(i, f32v(), hold(0u)); }`,
  flops: (_, u) => u.vectors,
});

/** How a map is laid out over its result. */
export interface MapLayout {
  readonly constants: Constants;
  readonly uniforms: { readonly row: number; readonly block: number; readonly vectors: number };
  readonly threads: number;
}

/** Rows that an invocation of a software adapter takes at most, and how many invocations keep its cores busy. */
const MOST_ROWS = 32;
const PLENTY = 2048;

/**
 * Four lanes where every operand can be read in fours. On software adapters, where a load costs as much as 25 multiply-adds,
 * what cycles along rows is read once for a block of them.
 */
export function layoutOfMap(program: MapProgram, size: number, { isSoftware }: Device): MapLayout {
  const width = mapWidth(program, size);
  const vectors = size / width;
  const cycle = isSoftware ? program.operands.find(({ access }) => access === "cycle") : undefined;
  const row = cycle ? cycle.sizes[0]! / width : vectors;
  const block = Math.min(MOST_ROWS, Math.floor(vectors / Math.max(PLENTY, row)));
  if (!cycle || block < 2) {
    return { constants: { width }, uniforms: { row: vectors, block: 1, vectors }, threads: vectors };
  }
  const threads = Math.ceil(vectors / row / block) * row;
  return { constants: { width, inRows: true }, uniforms: { row, block, vectors }, threads };
}

export interface MapOptions {
  /** Where the result goes; default: into memory of its own. */
  readonly into?: Tensor;
  /** Of the result; default: that of the first operand that is not broadcast. */
  readonly dtype?: Dtype;
  /** What errors name. Default: the function. */
  readonly where?: string;
}

/** Applies a function to tensors that broadcast to `shape`. */
export function runMap(call: MapFunction, tensors: readonly Tensor[], shape: Shape, options: MapOptions = {}): Tensor {
  const operands = tensors.map((tensor) => operandFor(tensor, shape));
  return runMapOn(call, operands, shape, options);
}

/** Applies a function to operands read through given views. */
export function runMapOn(
  call: MapFunction,
  operands: readonly Operand[],
  shape: Shape,
  { into, ...options }: MapOptions = {},
): Tensor {
  const epilogue = { steps: [{ call, arguments: operands.map((_, operand) => ({ operand })) }], operands };
  const { uniforms, ...layout } = layoutOfMap(epilogue, sizeOf(shape), operands[0]!.tensor.device);
  return run(mapKernel, {}, { y: into ?? shape }, uniforms, { ...layout, epilogue, ...options }).y;
}

function mapWidth({ operands }: MapProgram, size: number): Width {
  return size % 4 === 0 && operands.every(readsInFours) ? 4 : 1;
}

/** The function that changes nothing, for copies and views. */
export const COPY: MapFunction = { name: "copy", parameters: ["x"], body: "x" };

/** Copies a tensor into another of the same size. In a program the copy usually vanishes into the kernel before it. */
export function copyInto(source: Tensor, target: Tensor): void {
  runMap(COPY, [source], target.shape, { into: target });
}
