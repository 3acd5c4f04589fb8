/**
 * The norm of all gradients together, and the factor that keeps it in bounds (Pascanu et al. 2013, algorithm 1).
 *
 *   norm = √ Σ g²        factor = min(1, limit / norm), and 0 where the norm is not finite
 *
 * Slices of each buffer are summed up, then one workgroup sums up theirs, all in a fixed order. A slice is a workgroup's,
 * or, where barriers cost more than loads (on a software adapter), an invocation's own block. An infinity or NaN
 * anywhere shows in the norm; a factor of 0 then makes the optimiser leave its update out. It is found by its bits: a
 * shader's compiler may assume that comparisons never meet one.
 */
import { ShapeError } from "../errors.ts";
import { defineKernel, run, type Constants, type Tensor, type Width } from "../tensor/index.ts";
import { checkNumber, range } from "./ranges.ts";
import { acrossLanes } from "./wgslText.ts";

const LANES = 64;
/** Vectors that a lane adds up at least, and slices of one buffer at most. */
const LEAST = 8;
const MOST = 1024;

const sliceUniforms = { count: "u32", stride: "u32", offset: "u32" } as const;

const lanesOf = (sum: string, { width }: Constants) =>
  width === 4 ? `(${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w)` : sum;

const sliceKernel = defineKernel({
  name: "gradientNorm.slices",
  uniforms: sliceUniforms,
  inputs: { g: "f32v" },
  outputs: { partialSum: "f32" },
  grid: "groups",
  workgroup: LANES,
  wgsl: (constants) => /* wgsl */ `
    var<workgroup> partial: array<f32, ${LANES}>;
    fn run(group: vec3u, lane: u32) {                      // neighbouring lanes read neighbours
      var sum = f32v();
      for (var at = group.x * ${LANES}u + lane; at < u.count; at += u.stride) { let v = g[at]; sum += v * v; }
      var value = ${lanesOf("sum", constants)};
      ${acrossLanes(LANES, (a, b) => `${a} + ${b}`)}
      if (lane == 0u) { store_partialSum(u.offset + group.x, value); }
    }`,
  flops: (_, { count }, { width }) => 2 * count * (width as number),
});

const blockKernel = defineKernel({
  name: "gradientNorm.blocks",
  uniforms: sliceUniforms,
  inputs: { g: "f32v" },
  outputs: { partialSum: "f32" },
  wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per block of \`stride\` vectors
      let end = min((i + 1u) * u.stride, u.count);
      var at = i * u.stride;
      var sum = f32v();
      for (; at + 3u < end; at += 4u) {
        let a = g[at]; let b = g[at + 1u]; let c = g[at + 2u]; let d = g[at + 3u];
        sum += (a * a + b * b) + (c * c + d * d);
      }
      for (; at < end; at++) { let v = g[at]; sum += v * v; }
      store_partialSum(u.offset + i, ${lanesOf("sum", constants)});
    }`,
  flops: (_, { count }, { width }) => 2 * count * (width as number),
});

const normKernel = defineKernel({
  name: "gradientNorm",
  uniforms: { count: "u32" },
  inputs: { partialSum: "f32" },
  outputs: { norm: "f32" },
  grid: "groups",
  workgroup: LANES,
  wgsl: /* wgsl */ `
    var<workgroup> partial: array<f32, ${LANES}>;
    fn run(group: vec3u, lane: u32) {
      var value = 0.0;
      for (var at = lane; at < u.count; at += ${LANES}u) { value += partialSum[at]; }
      ${acrossLanes(LANES, (a, b) => `${a} + ${b}`)}
      if (lane == 0u) { store_norm(0u, sqrt(value)); }
    }`,
});

/** How a buffer is cut. */
function slicesOf(g: Tensor) {
  const width: Width = g.size % 4 === 0 ? 4 : 1;
  const count = g.size / width;
  if (g.device.variant !== "subgroup") {
    const slices = Math.min(MOST, Math.ceil(count / (LANES * LEAST)));
    return {
      g,
      kernel: sliceKernel,
      width,
      count,
      slices,
      stride: slices * LANES,
      grid: { groups: [slices, 1, 1] } as const,
    };
  }
  const stride = Math.max(4 * LEAST, Math.ceil(count / MOST));
  const slices = Math.ceil(count / stride);
  return { g, kernel: blockKernel, width, count, slices, stride, grid: { threads: slices } };
}

/** √ Σ g² over all elements of all buffers, `[1]`. */
export function gradientNorm(buffers: readonly Tensor[]): Tensor {
  const cut = buffers.map(slicesOf);
  const total = cut.reduce((sum, { slices }) => sum + slices, 0);
  let partialSum: Tensor | null = null;
  let offset = 0;
  for (const { g, kernel, width, count, slices, stride, grid } of cut) {
    const options = { constants: { width }, ...grid };
    ({ partialSum } = run(kernel, { g }, { partialSum: partialSum ?? [total] }, { count, stride, offset }, options));
    offset += slices;
  }
  if (!partialSum) throw new ShapeError({ where: "gradientNorm", expected: "at least one buffer", got: "none" });
  return run(normKernel, { partialSum }, { norm: [1] }, { count: total }, { groups: [1, 1, 1] }).norm;
}

/** Neither infinite nor NaN. */
export const FINITE = /* wgsl */ `
    fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }`;

const factorKernel = defineKernel({
  name: "clipFactor",
  uniforms: { limit: "f32" },
  inputs: { norm: "f32" },
  outputs: { factor: "f32" },
  workgroup: 1,
  wgsl: ({ clipped }) => /* wgsl */ `${FINITE}
    fn run(i: u32) {
      let factor = ${clipped === true ? "min(1.0, u.limit / norm[0])" : "1.0"};
      store_factor(0u, select(0.0, factor, isFinite(norm[0])));
    }`,
});

/**
 * The factor, `[1]`, for an optimiser's `gradientScale`: it shortens gradients longer than `limit` (default: none), and is 0
 * where the norm is infinite or NaN.
 */
export function clipFactor(norm: Tensor, limit?: number): Tensor {
  if (limit !== undefined) checkNumber("clipFactor", "limit", range.positive, limit);
  const options = { constants: { clipped: limit !== undefined }, threads: 1 };
  return run(factorKernel, { norm }, { factor: [1] }, { limit: limit ?? 0 }, options).factor;
}
