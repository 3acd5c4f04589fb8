/**
 * How a reduction over axes is laid out: the arithmetic and the WGSL that sums and extrema share.
 *
 * Neighbouring axes are one *group* `[outer, k, inner]`; groups are reduced one after the other, the last first. A long k
 * is cut into blocks, whose results are reduced in turn: there is work for every core, and the rounding error grows with
 * the block, not with the axis. An invocation walks a block, for as many neighbouring columns as a vector has lanes, or, of
 * a *line* (where k is the innermost axis), four elements at a time. Where a workgroup per block pays (on a GPU), its lanes
 * are `across` neighbouring columns times `slices` of k.
 */
import { normaliseAxes, sizeOf, type Constants, type Device, type Shape, type Width } from "../tensor/index.ts";

export interface ReduceOptions {
  /** Default: all axes. Negative ones count from the end. */
  readonly axes?: readonly number[];
  /** Keeps reduced axes with extent 1. Default: false. */
  readonly keepDims?: boolean;
}

/** Neighbouring axes as the three extents that the kernels know. */
export interface Group {
  readonly outer: number;
  readonly k: number;
  readonly inner: number;
}

export interface Reduction {
  /** The operation, as errors name it. */
  readonly where: string;
  /** The shape of the result. */
  readonly outShape: Shape;
  /** The same with reduced axes kept as 1. */
  readonly kept: Shape;
  /** Last first, so that the positions of the others stay true while one is reduced. */
  readonly groups: readonly Group[];
  /** Elements that one result is made of. */
  readonly count: number;
}

export function planReduction(where: string, shape: Shape, { axes, keepDims = false }: ReduceOptions): Reduction {
  const reduced = normaliseAxes(where, axes ?? shape.map((_, axis) => axis), shape.length);
  const kept = shape.map((extent, axis) => (reduced.includes(axis) ? 1 : extent));
  const outShape = keepDims ? kept : shape.filter((_, axis) => !reduced.includes(axis));
  const groups: Group[] = [];
  for (let to = shape.length; to > 0; to--) {
    if (!reduced.includes(to - 1)) continue;
    let from = to - 1;
    while (from > 0 && reduced.includes(from - 1)) from--;
    // Axes behind this group have been reduced already.
    groups.push({
      outer: sizeOf(shape.slice(0, from)),
      k: sizeOf(shape.slice(from, to)),
      inner: sizeOf(kept.slice(to)),
    });
    to = from + 1;
  }
  return { where, outShape, kept, groups, count: sizeOf(shape) / sizeOf(kept) };
}

export const reductionUniforms = { k: "u32", block: "u32", blocks: "u32", inner: "u32" } as const;

/** Who walks a block: an invocation, in the `line` form by vectors along k, or a workgroup. */
export type Form = "narrow" | "line" | "wide";

/** One dispatch that reduces blocks of k. In the line form `k` and `block` count vectors. */
export interface Round {
  readonly form: Form;
  readonly constants: Constants;
  readonly uniforms: Readonly<Record<keyof typeof reductionUniforms, number>>;
  readonly grid: { readonly threads: number } | { readonly groups: readonly [number, number, number] };
}

const INVOCATIONS = 256;
/** From here on a line is worth a workgroup. */
const WIDE = 64;
/** Elements that each lane of a workgroup takes at least, before k is cut. */
const PER_LANE = 16;
/** Invocations that keep a GPU busy. */
const PLENTY = 65_536;
/** Shortest block of an invocation of its own. */
const BLOCK = 128;

export function roundOf({ variant }: Device, group: Group): Round {
  const { outer, k, inner } = group;
  const width = inner % 4 === 0 ? 4 : 1;
  if (variant !== "subgroup" && k >= WIDE && (outer * inner) / width < PLENTY) return wideRound(group, width);
  if (inner === 1 && k % 4 === 0) return lineRound(group);
  const block = k <= 2 * BLOCK ? k : Math.max(BLOCK, Math.ceil(Math.sqrt(k)));
  const uniforms = cut(k, block, inner / width);
  const threads = outer * uniforms.blocks * uniforms.inner;
  return { form: "narrow", constants: { width }, uniforms, grid: { threads } };
}

const cut = (k: number, block: number, inner: number) => ({ k, block, blocks: Math.ceil(k / block), inner });

function wideRound({ outer, k, inner }: Group, width: Width): Round {
  const columns = inner / width;
  const across = 2 ** Math.min(6, Math.ceil(Math.log2(columns)));
  const tiles = Math.ceil(columns / across);
  const span = (INVOCATIONS / across) * PER_LANE;
  const whole = k <= 2 * span || outer * tiles * INVOCATIONS >= PLENTY;
  const uniforms = cut(k, whole ? k : Math.max(span, Math.ceil(k / span)), columns);
  return { form: "wide", constants: { width, across }, uniforms, grid: { groups: [tiles, uniforms.blocks, outer] } };
}

/** Invocations that keep a software adapter busy. */
const ENOUGH = 1024;
/** Vectors of a block: those that need not be cut, the least that is worth an invocation, and the most for the rounding error. */
const SHORT = 256;
const LEAST = 32;
const MOST = 1024;

function lineRound({ outer, k }: Group): Round {
  const vectors = k / 4;
  const wanted = Math.max(Math.min(ENOUGH / outer, vectors / LEAST), vectors / MOST);
  // Results in fours are a line again; a block beyond the end is empty.
  const blocks = vectors <= SHORT || wanted <= 1 ? 1 : 4 * Math.ceil(wanted / 4);
  const uniforms = { k: vectors, block: Math.ceil(vectors / blocks), blocks, inner: 1 };
  return { form: "line", constants: { width: 4 }, uniforms, grid: { threads: outer * blocks } };
}

/** Invocations of a workgroup of the wide form. */
export const wideWorkgroup = (): number => INVOCATIONS;

/** Slices of k that the lanes of a workgroup walk side by side. */
export function slicesOf(constants: Constants): number {
  return INVOCATIONS / (constants["across"] as number);
}

/**
 * What one invocation walks: the elements (vectors) `x[base + k * u.inner]` for k in first, first + step, … below end; and
 * `result`, where its block's result belongs. A block of the line form may be empty and so may a slice of the wide form,
 * where a column beyond the last is the last again.
 */
export function walk(wide: boolean, constants: Constants): string {
  if (!wide) {
    return /* wgsl */ `
      let column = i % u.inner; let row = i / u.inner; let outer = row / u.blocks;
      let first = (row - outer * u.blocks) * u.block; let end = min(first + u.block, u.k);
      let base = outer * u.k * u.inner + column; let result = i;`;
  }
  const across = constants["across"] as number;
  return /* wgsl */ `
      let outer = group.z; let slice = lane / ${across}u; let wanted = group.x * ${across}u + lane % ${across}u;
      let column = min(wanted, u.inner - 1u);
      let first = group.y * u.block + slice; let end = min((group.y + 1u) * u.block, u.k);
      let base = outer * u.k * u.inner + column; let result = (outer * u.blocks + group.y) * u.inner + column;`;
}
