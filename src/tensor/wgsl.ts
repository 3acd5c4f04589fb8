/**
 * From a dispatch to WGSL text: bindings, the uniform struct and its packing, stores with their fused epilogue, the
 * entry point, and only those helpers that the source calls.
 */
import type { Device } from "./device.ts";
import { isLaneVector, wgslType, type BindingType, type Dtype } from "./dtype.ts";
import { tensorsOf, widthOf, type Dispatch, type Width } from "./kernel.ts";
import { lanesOf, sizesInVectors, type MapArgument, type MapProgram, type Operand } from "./map.ts";
import { PHILOX_WGSL } from "./random.ts";
import type { Tensor } from "./tensor.ts";

export interface Binding {
  readonly name: string;
  readonly dtype: Dtype;
  /** Elements of an access: 4 in lane vectors. */
  readonly lanes: Width;
  readonly writable: boolean;
}

/** Helpers by the names whose appearance in a source brings them in. */
const HELPERS: readonly (readonly [RegExp, string])[] = [
  [
    /\bunravel\(/,
    `fn unravel(i: u32, h: u32, w: u32, c: u32) -> vec4u {          // linear index → (n, row, column, channel)
  let p = i / c; let q = p / w; let n = q / h;                  // a division costs ten multiplications: no remainders
  return vec4u(n, q - n * h, p - q * w, i - p * c);
}`,
  ],
  [
    /\bravel\(/,
    `fn ravel(n: u32, row: u32, column: u32, channel: u32, h: u32, w: u32, c: u32) -> u32 {
  return ((n * h + row) * w + column) * c + channel;
}`,
  ],
  [/\b(philox|toUnit)\(/, PHILOX_WGSL],
];

/** The tensors of a dispatch in binding order, and how the shader sees each. Binding 0 is the uniform struct. */
export function bindingsOf(dispatch: Dispatch): Binding[] {
  const { kernel, epilogue, inputs, updates, outputs } = dispatch;
  const width = widthOf(dispatch.constants);
  const declare = (
    bindings: Readonly<Record<string, BindingType>>,
    tensors: readonly Tensor[],
    writable: boolean,
  ): Binding[] =>
    Object.entries(bindings).map(([name, type], k) => {
      const { dtype } = tensors[k]!;
      return { name, dtype, lanes: isLaneVector(type) ? width : 1, writable };
    });
  return [
    ...declare(kernel.inputs, inputs, false),
    ...epilogue.operands.map((operand, k): Binding => {
      const { dtype } = operand.tensor;
      return { name: `e${k}`, dtype, lanes: lanesOf(operand, width), writable: false };
    }),
    ...declare(kernel.updates, updates, true),
    ...declare(kernel.outputs, outputs, true),
  ];
}

/** The names and values of a dispatch's uniforms: those of the grid, of the kernel, and of its epilogue. */
export function uniformsOf(dispatch: Dispatch): [name: string, type: string, value: number][] {
  const { kernel, uniforms, epilogue } = dispatch;
  const entries = kernel.grid === "threads" ? gridUniforms(dispatch) : [];
  for (const [name, type] of Object.entries(kernel.uniforms)) entries.push([name, type, uniforms[name] ?? Number.NaN]);
  const width = widthOf(dispatch.constants);
  epilogue.operands.forEach((operand, k) => {
    sizesInVectors(operand, width).forEach((size, j) => entries.push([`e${k}_${j}`, "u32", size]));
  });
  return entries;
}

function gridUniforms(dispatch: Dispatch): [name: string, type: string, value: number][] {
  const { threads, groups, turns } = linearGrid(dispatch);
  return [
    ["gridThreads", "u32", threads],
    ["gridRow", "u32", groups[0]],
    ["gridTurns", "u32", turns],
  ];
}

/** A source is a pure function of this key; nobody assembles keys by hand. */
export function sourceKey(dispatch: Dispatch): string {
  const { kernel, constants, epilogue } = dispatch;
  const steps = epilogue.steps.map((step) => [step.call.name, step.arguments]);
  const width = widthOf(constants);
  const reads = epilogue.operands.map((operand) => [operand.access, operand.sizes.length, lanesOf(operand, width)]);
  const halves = tensorsOf(dispatch).map(({ dtype }) => (dtype === "f16" ? 1 : 0));
  return JSON.stringify([kernel.name, constants, steps, reads, heldOperands(dispatch), halves.join("")]);
}

/** The whole WGSL module of a dispatch. Its entry point is `main`. */
export function sourceOf(dispatch: Dispatch): string {
  const { kernel, constants, epilogue } = dispatch;
  const width = widthOf(constants);
  const bindings = bindingsOf(dispatch);
  const halves = bindings.filter(({ dtype }) => dtype === "f16");
  const read = halves.filter(({ writable }) => !writable);
  const body = widenReads(kernel.wgsl(constants), read);
  const extensions = halves.length > 0 ? [...kernel.enable, "f16"] : kernel.enable;
  const helpers = HELPERS.filter(([pattern]) => pattern.test(body)).map(([, text]) => text);
  return [
    ...extensions.map((extension) => `enable ${extension};`),
    `alias f32v = ${wgslType("f32", width)};`,
    `alias u32v = ${wgslType("u32", width)};`,
    uniformStruct(dispatch),
    ...bindings.map(declareBinding),
    ...helpers,
    ...epilogue.operands.flatMap(stridedIndex),
    ...mapFunctions(epilogue),
    ...holding(dispatch),
    ...stores(dispatch, bindings.slice(bindings.length - dispatch.outputs.length)),
    body.trim(),
    entryPoint(dispatch),
  ].join("\n");
}

/** How a linear dispatch is laid out. */
interface LinearGrid {
  readonly threads: number;
  /** Threads that an invocation takes one after the other. */
  readonly turns: number;
  /** Workgroups across and down: beyond 65,535 they fold into rows. */
  readonly groups: readonly [number, number, number];
}

/**
 * Entering an invocation costs a software adapter as much as copying four floats: there, each takes up to this many threads.
 * Those of a subgroup lie side by side, turn after turn, which a core fetches ahead.
 */
const MOST_TURNS = 32;
/** Workgroups that are kept, so that every core has some. */
const LEAST_GROUPS = 8;

function linearGrid(dispatch: Dispatch): LinearGrid {
  const threads = dispatch.extent as number;
  const workgroup = dispatch.kernel.workgroup(dispatch.constants);
  const most = deviceOf(dispatch).isSoftware ? MOST_TURNS : 1;
  const turns = Math.max(1, Math.min(most, Math.floor(threads / (workgroup * LEAST_GROUPS))));
  const groups = Math.ceil(threads / (workgroup * turns));
  return { threads, turns, groups: groups <= 65_535 ? [groups, 1, 1] : [65_535, Math.ceil(groups / 65_535), 1] };
}

/** Threads that run side by side: a subgroup, where its size is known. */
function stretchOf(dispatch: Dispatch): number {
  const workgroup = dispatch.kernel.workgroup(dispatch.constants);
  const { subgroupSize } = deviceOf(dispatch);
  return subgroupSize > 0 && workgroup % subgroupSize === 0 ? subgroupSize : workgroup;
}

function deviceOf({ outputs, updates }: Dispatch): Device {
  return [...outputs, ...updates][0]!.device;
}

/** Workgroups in each dimension. */
export function workgroupsOf(dispatch: Dispatch): readonly [number, number, number] {
  return typeof dispatch.extent === "number" ? linearGrid(dispatch).groups : dispatch.extent;
}

/** Every `name[index]` of a half-precision binding becomes f32 as it is read, so that no kernel knows of it. */
function widenReads(source: string, halves: readonly Binding[]): string {
  let widened = source;
  for (const { name, lanes } of halves) {
    const read = new RegExp(`\\b${name}\\[`, "g");
    for (let match = read.exec(widened); match; match = read.exec(widened)) {
      const end = closingBracket(widened, read.lastIndex);
      const type = wgslType("f32", lanes);
      widened = `${widened.slice(0, match.index)}${type}(${widened.slice(match.index, end)})${widened.slice(end)}`;
      read.lastIndex += type.length + 1; // on into the index, which may hold another read
    }
  }
  return widened;
}

/** Just behind the bracket that closes the one before `start`. */
function closingBracket(source: string, start: number): number {
  let open = 1;
  let at = start;
  for (; open > 0; at++) open += source[at] === "[" ? 1 : source[at] === "]" ? -1 : 0;
  return at;
}

function uniformStruct(dispatch: Dispatch): string {
  const entries = uniformsOf(dispatch);
  if (entries.length === 0) return "";
  const fields = entries.map(([name, type]) => `${name}: ${type}`).join(", ");
  return `struct Uniforms { ${fields} }\n@group(0) @binding(0) var<uniform> u: Uniforms;`;
}

function declareBinding({ name, dtype, lanes, writable }: Binding, position: number): string {
  const access = writable ? "read_write" : "read";
  return `@group(0) @binding(${position + 1}) var<storage, ${access}> ${name}: array<${wgslType(dtype, lanes)}>;`;
}

function mapFunctions({ steps }: MapProgram): string[] {
  const functions = new Map(steps.map(({ call }) => [call.name, call]));
  return [...functions.values()].map(({ name, parameters, body }) => {
    const list = parameters.map((parameter) => `${parameter}: f32v`).join(", ");
    return `fn map_${name}(${list}) -> f32v { return ${body}; }`;
  });
}

/** Operands of the epilogue that are the same in every row, for a kernel that knows its column. */
function heldOperands({ kernel, constants, uniforms, epilogue }: Dispatch): number[] {
  if (!kernel.row) return [];
  const width = widthOf(constants);
  const row = kernel.row(uniforms, width);
  const isHeld = (operand: Operand) =>
    operand.access === "scalar" || (operand.access === "cycle" && sizesInVectors(operand, width)[0] === row);
  return epilogue.operands.flatMap((operand, k) => (isHeld(operand) ? [k] : []));
}

/** The struct and the function that read them. */
function holding(dispatch: Dispatch): string[] {
  if (!dispatch.kernel.row) return [];
  const { operands } = dispatch.epilogue;
  const held = heldOperands(dispatch);
  const fields = held.map((k) => `h${k}: f32v`);
  const values = held.map((k) => `f32v(e${k}[${operands[k]!.access === "cycle" ? "column" : "0"}])`);
  return [
    `struct Held { ${held.length > 0 ? fields.join(", ") : "nothing: u32"} }`,
    `fn hold(column: u32) -> Held { return Held(${held.length > 0 ? values.join(", ") : "0u"}); }`,
  ];
}

/** One store function for each output; the fused work is part of the first. */
function stores(dispatch: Dispatch, outputs: readonly Binding[]): string[] {
  const { kernel, epilogue } = dispatch;
  const held = heldOperands(dispatch);
  return outputs.map(({ name, dtype, lanes }, position) => {
    const first = position === 0;
    const steps = first ? epilogue.steps : [];
    const lines = steps.map(({ call, arguments: args }, index) => {
      const values = args.map((argument) => readArgument(argument, epilogue.operands, held));
      return `  let v${index + 1} = map_${call.name}(${values.join(", ")});`;
    });
    const half = dtype === "f16";
    const parameters = [`i: u32`, `v0: ${wgslType(half ? "f32" : dtype, lanes)}`];
    if (first && kernel.row) parameters.push("held: Held");
    const value = half ? `${wgslType("f16", lanes)}(v${steps.length})` : `v${steps.length}`;
    return [`fn store_${name}(${parameters.join(", ")}) {`, ...lines, `  ${name}[i] = ${value};`, "}"].join("\n");
  });
}

function readArgument(argument: MapArgument, operands: readonly Operand[], held: readonly number[]): string {
  if ("step" in argument) return `v${argument.step}`;
  const k = argument.operand;
  if (held.includes(k)) return `held.h${k}`;
  const { access, tensor } = operands[k]!;
  const widen = (read: string) => (tensor.dtype === "f16" ? `f32v(${read})` : read);
  switch (access) {
    case "same":
      return widen(`e${k}[i]`);
    case "cycle":
      return widen(`e${k}[i % u.e${k}_0]`);
    case "scalar":
      return `f32v(e${k}[0])`;
    case "repeat":
      return `f32v(e${k}[i / u.e${k}_0])`;
    case "strided":
      return `f32v(e${k}[e${k}_at(i)])`; // one value for all lanes, or a vector as it is
  }
}

/**
 * Offset + Σ over axes, innermost first, of (index along the axis) × stride, as a function e<k>_at(i). The index along an
 * axis is what the quotient leaves over: rᵃ − rᵃ⁺¹ · extent.
 */
function stridedIndex({ access, sizes }: Operand, k: number): string[] {
  if (access !== "strided") return [];
  const rank = (sizes.length - 1) / 2;
  const extent = (axis: number) => `u.e${k}_${2 * axis + 1}`;
  const quotients = Array.from({ length: rank }, (_, axis) =>
    axis === 0 ? "let r0 = i;" : `let r${axis} = r${axis - 1} / ${extent(axis - 1)};`,
  );
  const terms = Array.from({ length: rank }, (_, axis) => {
    const index = axis === rank - 1 ? `r${axis}` : `(r${axis} - r${axis + 1} * ${extent(axis)})`;
    return `${index} * u.e${k}_${2 * axis + 2}`;
  });
  return [`fn e${k}_at(i: u32) -> u32 { ${quotients.join(" ")} return ${[`u.e${k}_0`, ...terms].join(" + ")}; }`];
}

function entryPoint(dispatch: Dispatch): string {
  const { kernel, constants } = dispatch;
  const workgroup = kernel.workgroup(constants);
  const main = `@compute @workgroup_size(${workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32)`;
  if (kernel.grid === "groups") return `${main} { run(group, lane); }`;
  const stretch = stretchOf(dispatch);
  return `${main} {
  let first = (group.y * u.gridRow + group.x) * ${workgroup}u * u.gridTurns + lane / ${stretch}u * (${stretch}u * u.gridTurns) + lane % ${stretch}u;
  let end = min(first + ${stretch}u * u.gridTurns, u.gridThreads);
  for (var i = first; i < end; i += ${stretch}u) { run(i); }
}`;
}
