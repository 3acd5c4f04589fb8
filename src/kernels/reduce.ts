/**
 * Sum, mean and maximum over any axes.
 *
 *   y[o, i] = Σₖ x[o, k, i]        (o: axes before, i: axes after the reduced ones)
 *
 * Axes that are not neighbours are reduced one group after the other. A long axis is cut into blocks, whose results are
 * reduced in turn: there is work for every core, and the rounding error grows with the block, not with the axis.
 */
import {
  defineKernel,
  defineOp,
  formatShape,
  normaliseAxes,
  run,
  runMap,
  sameShape,
  sizeOf,
  Tensor,
} from "../tensor/index.ts";
import type { MapFunction, Shape } from "../tensor/index.ts";
import { ShapeError } from "../errors.ts";
import { reshape } from "./reshape.ts";

const BLOCK = 128;

export interface ReduceOptions {
  /** Default: all axes. Negative ones count from the end. */
  readonly axes?: readonly number[];
  /** Keeps reduced axes with extent 1. Default: false. */
  readonly keepDims?: boolean;
}

const uniforms = { k: "u32", block: "u32", blocks: "u32", inner: "u32" } as const;
const SCALE: MapFunction = { name: "scale", parameters: ["x", "factor"], body: "x * factor" };

const sumKernel = defineKernel({
  name: "sum",
  inputs: { x: "f32v" },
  outputs: { y: "f32v" },
  uniforms,
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      let first = ((i / u.inner) % u.blocks) * u.block;
      let count = min(u.block, u.k - first);
      let start = (i / (u.inner * u.blocks) * u.k + first) * u.inner + i % u.inner;
      var sum = x[start];
      for (var k = 1u; k < count; k++) { sum += x[start + k * u.inner]; }
      store_y(i, sum);
    }`,
  flops: (threads, u) => threads * u.block,
});

/** `winner` is the linear index in the reduced tensor; `earlier` carries the winners of the round before. */
const maxKernel = defineKernel({
  name: "max",
  inputs: { x: "f32", earlier: "u32" },
  outputs: { y: "real", winner: "u32" },
  uniforms,
  wgsl: ({ first }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      let first = ((i / u.inner) % u.blocks) * u.block;
      let count = min(u.block, u.k - first);
      let start = (i / (u.inner * u.blocks) * u.k + first) * u.inner + i % u.inner;
      var best = start;
      for (var k = 1u; k < count; k++) {                   // ties: the first wins
        let at = start + k * u.inner;
        if (x[at] > x[best]) { best = at; }
      }
      store_y(i, x[best]);
      store_winner(i, ${first === true ? "best" : "earlier[best]"});
    }`,
});

const maxGradient = defineKernel({
  name: "max.grad",
  inputs: { dy: "f32", winner: "u32" },
  outputs: { dx: "real" },
  uniforms: { k: "u32", inner: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element
      let at = i / (u.k * u.inner) * u.inner + i % u.inner;
      store_dx(i, select(0.0, dy[at], winner[at] == i));
    }`,
});

/** Neighbouring axes [from, to) as the three extents that the kernels know. */
interface Group {
  readonly outer: number;
  readonly k: number;
  readonly inner: number;
}

/** The shape after reduction, and the groups of neighbouring axes, last first so that earlier positions stay true. */
function plan(where: string, shape: Shape, { axes, keepDims = false }: ReduceOptions) {
  const reduced = normaliseAxes(where, axes ?? shape.map((_, axis) => axis), shape.length);
  const kept = shape.map((extent, axis) => (reduced.includes(axis) ? 1 : extent));
  const outShape = keepDims ? kept : shape.filter((_, axis) => !reduced.includes(axis));
  const groups: Group[] = [];
  let current = [...shape];
  for (let to = shape.length; to > 0; to--) {
    if (!reduced.includes(to - 1)) continue;
    let from = to - 1;
    while (from > 0 && reduced.includes(from - 1)) from--;
    groups.push({
      outer: sizeOf(current.slice(0, from)),
      k: sizeOf(current.slice(from, to)),
      inner: sizeOf(current.slice(to)),
    });
    current = current.map((extent, axis) => (axis >= from && axis < to ? 1 : extent));
    to = from + 1;
  }
  return { outShape, kept, groups, count: sizeOf(shape) / sizeOf(kept) };
}

/** Sums one group in rounds of blocks. The last round writes shape `[outer, inner]`. */
function sumGroup(x: Tensor, { outer, k, inner }: Group): Tensor {
  const block = k <= 2 * BLOCK ? k : Math.max(BLOCK, Math.ceil(Math.sqrt(k)));
  const blocks = Math.ceil(k / block);
  const width = inner % 4 === 0 ? 4 : 1;
  const sizes = { k, block, blocks, inner: inner / width };
  const { y } = run(sumKernel, { x }, { y: [outer, blocks, inner] }, sizes, { constants: { width } });
  return blocks === 1 ? y : sumGroup(y, { outer, k: blocks, inner });
}

function sumGroups(x: Tensor, groups: readonly Group[]): Tensor {
  return groups.reduce((partial, group) => sumGroup(partial, group), x);
}

function maxGroup(x: Tensor, { outer, k, inner }: Group, winners: Tensor | null): { y: Tensor; winner: Tensor } {
  const block = k <= 2 * BLOCK ? k : BLOCK;
  const blocks = Math.ceil(k / block);
  const shape = [outer, blocks, inner];
  // In the first round there are no winners yet; the binding needs some buffer, and that of x is at hand.
  const earlier = winners ?? new Tensor(x.device, x.shape, "u32", x.storage, x.byteOffset);
  const constants = { first: winners === null };
  const made = run(maxKernel, { x, earlier }, { y: shape, winner: shape }, { k, block, blocks, inner }, { constants });
  return blocks === 1 ? made : maxGroup(made.y, { outer, k: blocks, inner }, made.winner);
}

const BROADCAST: MapFunction = { name: "broadcast", parameters: ["dy"], body: "dy" };

/** Sum over axes. */
export const sum = defineOp("sum", {
  forward(x: Tensor, options: ReduceOptions = {}) {
    const { outShape, kept, groups } = plan("sum", x.shape, options);
    const total = sumGroups(x, groups);
    return { output: reshape.raw(total, outShape), saved: { shape: x.shape, kept, dtype: x.dtype } };
  },
  backward: (dy, { shape, kept, dtype }) => [runMap(BROADCAST, [reshape.raw(dy, kept)], shape, { dtype })],
});

/** Mean over axes. */
export const mean = defineOp("mean", {
  forward(x: Tensor, options: ReduceOptions = {}) {
    const { outShape, kept, groups, count } = plan("mean", x.shape, options);
    const total = reshape.raw(sumGroups(x, groups), outShape);
    return {
      output: runMap(SCALE, [total, x.device.constant(1 / count)], outShape),
      saved: { shape: x.shape, kept, count, dtype: x.dtype },
    };
  },
  backward: (dy, { shape, kept, count, dtype }) => [
    runMap(SCALE, [reshape.raw(dy, kept), dy.device.constant(1 / count)], shape, { dtype }),
  ],
});

/** Maximum over neighbouring axes. Where several elements are greatest, the first in row order gets the gradient. */
export const max = defineOp("max", {
  forward(x: Tensor, options: ReduceOptions = {}) {
    const { outShape, groups } = plan("max", x.shape, options);
    const [group, second] = groups;
    if (second) {
      throw new ShapeError({
        where: "max",
        expected: "neighbouring axes",
        got: formatShape(options.axes ?? []),
        advice: "reduce them one by one",
      });
    }
    if (!group) return { output: reshape.raw(x, outShape), saved: null };
    const { y, winner } = maxGroup(x, group, null);
    return { output: reshape.raw(y, outShape), saved: { winner, shape: x.shape, k: group.k, inner: group.inner } };
  },
  backward(dy, saved) {
    if (!saved) return [dy];
    const { winner, shape, k, inner } = saved;
    return [run(maxGradient, { dy, winner }, { dx: shape }, { k, inner }).dx];
  },
});

/** Sums a broadcast gradient back to the shape of the operand. Not differentiable by itself. */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.shape.length - shape.length;
  const padded = [...new Array<number>(missing).fill(1), ...shape];
  const axes = gradient.shape.flatMap((extent, axis) => (extent !== padded[axis] ? [axis] : []));
  const { groups } = plan("sumTo", gradient.shape, { axes });
  return reshape.raw(sumGroups(gradient, groups), shape);
}
