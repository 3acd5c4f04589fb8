/**
 * Sum and mean over any axes.
 *
 *   y[o, i] = Σₖ x[o, k, i] · scale        dx[o, k, i] = dy[o, i] · scale        (scale: 1, or 1 / count)
 *
 * o counts axes before, i axes after the reduced ones; see reduction.ts for how k is cut and who walks it.
 */
import { defineKernel, defineOp, run, runMap, sameShape, type Tensor } from "../tensor/index.ts";
import type { BindingType, Constants, MapFunction, Shape } from "../tensor/index.ts";
import { planReduction, reductionUniforms, roundOf, slicesOf, walk, wideWorkgroup } from "./reduction.ts";
import type { Group, ReduceOptions, Reduction } from "./reduction.ts";
import { reshape } from "./reshape.ts";

const uniforms = { ...reductionUniforms, scale: "f32" } as const;

/** What may be summed instead of x: terms of x and of one m for each result. */
const TERMS = { squaredDeviation: "(x - m) * (x - m)", shiftedExp: "exp(x - m)" } as const;
export type Term = keyof typeof TERMS;

/** Sums `value(at)` over `at = base + k * u.inner`; four at a time, because a turn of a loop costs more than an addition. */
function sumBlock(step: number, value: (at: string) => string): string {
  const at = (place: number) => value(`at + ${place}u * stride`);
  return /* wgsl */ `
      let stride = ${step}u * u.inner;
      let stop = base + end * u.inner;
      var at = base + first * u.inner;
      var sum = f32v();
      for (; at + 3u * stride < stop; at += 4u * stride) { sum += (${at(0)} + ${at(1)}) + (${at(2)} + ${at(3)}); }
      for (; at < stop; at += stride) { sum += ${at(0)}; }`;
}

/** The forms of a sum. `inputs`: x, and m where terms are summed; in the line form m is one number for all lanes. */
function sumKernels<I extends string>(
  name: string,
  inputs: Readonly<Record<I, BindingType>>,
  lineInputs: Readonly<Record<I, BindingType>>,
) {
  const centred = "m" in inputs;
  const head = ({ term }: Constants) =>
    centred ? `fn term(x: f32v, m: f32v) -> f32v { return ${TERMS[term as Term]}; }` : "";
  const body = (step: number) => /* wgsl */ `
      ${centred ? "let m = f32v(m[outer * u.inner + column]);" : ""}
      ${sumBlock(step, (at) => (centred ? `term(x[${at}], m)` : `x[${at}]`))}`;
  const flops = (threads: number, u: Readonly<Record<keyof typeof uniforms, number>>, { width }: Constants) =>
    threads * u.block * (width as number);
  return {
    narrow: defineKernel({
      name,
      inputs,
      outputs: { y: "f32v" },
      uniforms,
      wgsl: (constants) => /* wgsl */ `${head(constants)}
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      ${walk(false, constants)}
      ${body(1)}
      store_y(result, sum * u.scale);
    }`,
      flops,
    }),
    line: defineKernel({
      name: `${name}.line`,
      inputs: lineInputs,
      outputs: { y: "f32" },
      uniforms,
      wgsl: (constants) => /* wgsl */ `${head(constants)}
    fn run(i: u32) {                                       // one thread per (outer, block)
      ${walk(false, constants)}
      ${body(1)}
      store_y(result, ((sum.x + sum.y) + (sum.z + sum.w)) * u.scale);
    }`,
      flops,
    }),
    wide: defineKernel({
      name: `${name}.wide`,
      inputs,
      outputs: { y: "f32v" },
      uniforms,
      grid: "groups",
      workgroup: wideWorkgroup,
      wgsl: (constants) => /* wgsl */ `${head(constants)}
    var<workgroup> partial: array<f32v, ${wideWorkgroup()}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per (outer, block, columns side by side)
      ${walk(true, constants)}
      ${body(slicesOf(constants))}
      partial[lane] = sum;
      for (var half = ${slicesOf(constants) / 2}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (slice < half) { partial[lane] += partial[lane + half * ${constants["across"] as number}u]; }
      }
      if (slice == 0u && wanted == column) { store_y(result, partial[lane] * u.scale); }
    }`,
      flops: (_, u, { width }) => u.k * u.inner * (width as number),
    }),
  };
}

const plainSum = sumKernels("sum", { x: "f32v" }, { x: "f32v" });
const termSum = sumKernels("sum.terms", { x: "f32v", m: "f32v" }, { x: "f32v", m: "f32" });

/** Terms to sum up in the first round, and m, a number for each result. */
interface Terms {
  readonly term: Term;
  readonly m: Tensor;
}

/** Sums one group in rounds of blocks. The last round scales and writes `[outer, inner]`. */
function sumGroup(where: string, x: Tensor, { outer, k, inner }: Group, scale: number, terms?: Terms): Tensor {
  const { form, constants, uniforms: sizes, grid } = roundOf(x.device, { outer, k, inner });
  const { blocks } = sizes;
  const values = { ...sizes, scale: blocks === 1 ? scale : 1 };
  const outputs = { y: [outer, blocks, inner] };
  const options = { where, constants: terms ? { ...constants, term: terms.term } : constants, ...grid };
  const { y } = terms
    ? run(termSum[form], { x, m: terms.m }, outputs, values, options)
    : run(plainSum[form], { x }, outputs, values, options);
  return blocks === 1 ? y : sumGroup(where, y, { outer, k: blocks, inner }, scale);
}

const SCALE: MapFunction = { name: "scale", parameters: ["x", "factor"], body: "x * factor" };

/** Σ x · scale over the axes of a reduction, with its shape; f32. For use inside of operations. */
export function sumOver(x: Tensor, { where, groups, outShape }: Reduction, scale = 1): Tensor {
  if (groups.length === 0 && scale !== 1) return runMap(SCALE, [x, x.device.constant(scale)], outShape, { where });
  const last = groups.at(-1);
  const total = groups.reduce((partial, group) => sumGroup(where, partial, group, group === last ? scale : 1), x);
  return reshape.raw(total, outShape);
}

/** Σ term(x, m) · scale, where m has the shape `kept` of the reduction. */
export function sumTermsOver(term: Term, x: Tensor, m: Tensor, reduction: Reduction, scale = 1): Tensor {
  const { where, kept, groups, outShape } = reduction;
  if (groups.length === 1) return reshape.raw(sumGroup(where, x, groups[0]!, scale, { term, m }), outShape);
  const call = { name: term, parameters: ["x", "m"], body: TERMS[term] };
  return sumOver(runMap(call, [x, reshape.raw(m, kept)], x.shape, { where, dtype: "f32" }), reduction, scale);
}

/** Elements that one invocation writes. */
const SPREAD = 16;

/** Where a group has axes on both sides, a broadcast is no plain pattern of the map kernel: this one divides once a block. */
const spreadKernel = defineKernel({
  name: "sum.grad",
  inputs: { dy: "f32v" },
  outputs: { dx: "realv" },
  uniforms,
  wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      ${walk(false, constants)}
      let value = dy[outer * u.inner + column] * u.scale;
      for (var k = first; k < end; k++) { store_dx(base + k * u.inner, value); }
    }`,
  flops: (threads, _, { width }) => threads * (width as number),
});

type Like = Pick<Tensor, "shape" | "dtype">;

const BROADCAST: MapFunction = { name: "broadcast", parameters: ["dy"], body: "dy" };

/** The gradient of every element of `x` is that of its sum, times `scale`. */
function spread(dy: Tensor, { shape, dtype }: Like, { kept, groups }: Reduction, scale: number): Tensor {
  const [group] = groups;
  if (groups.length === 1 && group!.outer > 1 && group!.inner > 1) {
    const { outer, k, inner } = group!;
    const width = inner % 4 === 0 ? 4 : 1;
    const blocks = Math.ceil(k / SPREAD);
    const sizes = { k, block: SPREAD, blocks, inner: inner / width, scale };
    const options = { constants: { width }, threads: (outer * blocks * inner) / width, dtype };
    return run(spreadKernel, { dy }, { dx: shape }, sizes, options).dx;
  }
  const source = reshape.raw(dy, kept);
  if (scale === 1) return runMap(BROADCAST, [source], shape, { dtype });
  return runMap(SCALE, [source, dy.device.constant(scale)], shape, { dtype });
}

function define(name: string, scaleOf: (count: number) => number): (x: Tensor, options?: ReduceOptions) => Tensor {
  return defineOp(name, {
    forward(x: Tensor, options: ReduceOptions = {}) {
      const reduction = planReduction(name, x.shape, options);
      const scale = scaleOf(reduction.count);
      return {
        output: sumOver(x, reduction, scale),
        saved: { like: { shape: x.shape, dtype: x.dtype }, reduction, scale },
      };
    },
    backward: (dy, { like, reduction, scale }) => [spread(dy, like, reduction, scale)],
  });
}

/** Sum over axes, in f32. */
export const sum = define("sum", () => 1);

/** Mean over axes, in f32. */
export const mean = define("mean", (count) => 1 / count);

/** Sums a broadcast gradient back to the shape of the operand. Not differentiable by itself. */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.shape.length - shape.length;
  const padded = [...new Array<number>(missing).fill(1), ...shape];
  const axes = gradient.shape.flatMap((extent, axis) => (extent !== padded[axis] ? [axis] : []));
  return reshape.raw(sumOver(gradient, planReduction("sumTo", gradient.shape, { axes })), shape);
}
