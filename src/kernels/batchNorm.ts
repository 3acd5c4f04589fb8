/**
 * Batch normalisation of `[…, channels]` over all axes but the last (Ioffe and Szegedy 2015, algorithm 1).
 *
 *   training:  μ = Σ x / n,  σ² = Σ (x − μ)² / n     over the n rows of the batch, for each channel
 *              x̂ = (x − μ) / √(σ² + ε),  y = γ·x̂ + β
 *              dβ = Σ dy,  dγ = Σ dy·x̂,  dx = γ / √(σ² + ε) · (dy − dβ / n − x̂ · dγ / n)
 *   inference: the same y with given μ and σ²: y = a·x + b, where a = γ / √(σ² + ε), b = β − a·μ, and dx = a·dy
 *
 * Rows are cut into blocks: an invocation sums one block of one channel (of four), then a workgroup merges a channel's
 * blocks. A block is summed about its first row. That row is one of the values, so its distance from their mean is bounded
 * by their spread, and cancellation costs σ² at most the length of a block in precision; E[x²] − E[x]² has no such bound.
 * x̂ is computed again in the backward pass. The inference form is a map, which fuses into the convolution before it.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, runMap, sameShape, sizeOf } from "../tensor/index.ts";
import type { Device, MapFunction, Tensor } from "../tensor/index.ts";
import { acrossLanes } from "./wgslText.ts";

/** Rows, channels (in fours), rows of a block and blocks of a channel. */
const uniforms = { rows: "u32", c: "u32", block: "u32" } as const;
const merging = { ...uniforms, blocks: "u32" } as const;

/** Runs `body` at channel c of every row of invocation i's block. Rows side by side and no unrolling: measured. */
function overRows(body: string): string {
  return /* wgsl */ `
      let start = i / u.c * u.block * u.c + c;
      let end = min(start + u.block * u.c, u.rows * u.c);
      for (var at = start; at < end; at += u.c) { ${body} }`;
}

/** `value` becomes the sum over the blocks of channel c of what `term` names for block `at / c`, handed to every lane. */
function overBlocks(lanes: number, term: string): string {
  return /* wgsl */ `
      value = f32v();
      for (var b = lane; b < u.blocks; b += ${lanes}u) {
        let at = b * u.c + c;
        let count = f32(min(u.block, u.rows - b * u.block));
        value += ${term};
      }
      ${acrossLanes(lanes, (a, b) => `${a} + ${b}`)}`;
}

/** Mean, and Σ (x − mean)², of each block. */
const blockMoments = defineKernel({
  name: "batchNorm.moments",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { means: "f32v", squares: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (block of rows, channel (of four))
      let c = i % u.c;
      let count = min(u.block, u.rows - i / u.c * u.block);
      let first = x[i / u.c * u.block * u.c + c];
      var sum = f32v(); var squares = f32v();
      ${overRows("let d = x[at] - first; sum += d; squares += d * d;")}
      let beyond = sum / f32(count);
      store_means(i, first + beyond);
      store_squares(i, squares - sum * beyond);
    }`,
  flops: (threads, u, { width }) => threads * u.block * 4 * (width as number),
});

/**
 * Merges blocks: Σ (x − μ)² is the sum of the blocks' own and of what their means differ by (Chan, Golub and LeVeque 1983).
 * It reads neither γ nor β: running statistics, which it moves, may lie in the same buffer, and a buffer is either read or
 * written.
 */
function statisticsKernel(moving: boolean) {
  return defineKernel({
    name: moving ? "batchNorm.statistics.moving" : "batchNorm.statistics",
    uniforms: { ...merging, epsilon: "f32", rate: "f32", correction: "f32" },
    inputs: { means: "f32v", squares: "f32v" },
    outputs: { mean: "f32v", rstd: "f32v" },
    updates: moving ? { movingMean: "f32v", movingVariance: "f32v" } : {},
    grid: "groups",
    workgroup: ({ lanes }) => lanes as number,
    wgsl: ({ lanes }) => /* wgsl */ `
    var<workgroup> partial: array<f32v, ${lanes}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per channel (of four)
      let c = group.x; let n = f32(u.rows);
      let first = means[c];
      var value: f32v;
      ${overBlocks(lanes as number, "(means[at] - first) * count")}
      let m = first + value / n;
      ${overBlocks(lanes as number, "squares[at] + (means[at] - m) * (means[at] - m) * count")}
      let variance = max(value / n, f32v());
      if (lane == 0u) {
        store_mean(c, m);
        store_rstd(c, inverseSqrt(variance + u.epsilon));
        ${moving ? "movingMean[c] += (m - movingMean[c]) * u.rate;" : ""}
        ${moving ? "movingVariance[c] += (variance * u.correction - movingVariance[c]) * u.rate;" : ""}
      }
    }`,
    flops: (_, u, { width }) => u.blocks * u.c * 8 * (width as number),
  });
}

const statistics = statisticsKernel(false);
const movingStatistics = statisticsKernel(true);

const normalise = defineKernel({
  name: "batchNorm",
  uniforms,
  inputs: { x: "f32v", mean: "f32v", rstd: "f32v", scale: "f32v", shift: "f32v" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (block of rows, channel (of four))
      let c = i % u.c;
      let m = mean[c]; let a = scale[c] * rstd[c]; let b = shift[c];
      ${overRows("store_y(at, (x[at] - m) * a + b);")}
    }`,
  flops: (threads, u, { width }) => threads * u.block * 3 * (width as number),
});

/** Σ dy and Σ dy·(x − μ) of each block. */
const blockGradients = defineKernel({
  name: "batchNorm.grad.sums",
  uniforms,
  inputs: { dy: "f32v", x: "f32v", mean: "f32v" },
  outputs: { sums: "f32v", products: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (block of rows, channel (of four))
      let c = i % u.c;
      let m = mean[c];
      var sum = f32v(); var product = f32v();
      ${overRows("let d = dy[at]; sum += d; product += d * (x[at] - m);")}
      store_sums(i, sum);
      store_products(i, product);
    }`,
  flops: (threads, u, { width }) => threads * u.block * 4 * (width as number),
});

const mergeGradients = defineKernel({
  name: "batchNorm.grad.merge",
  uniforms: merging,
  inputs: { sums: "f32v", products: "f32v", rstd: "f32v" },
  outputs: { dscale: "f32v", dshift: "f32v" },
  grid: "groups",
  workgroup: ({ lanes }) => lanes as number,
  wgsl: ({ lanes }) => /* wgsl */ `
    var<workgroup> partial: array<f32v, ${lanes}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per channel (of four)
      let c = group.x;
      var value: f32v;
      ${overBlocks(lanes as number, "sums[at]")}
      let dshift = value;
      ${overBlocks(lanes as number, "products[at]")}
      if (lane == 0u) { store_dscale(c, value * rstd[c]); store_dshift(c, dshift); }
    }`,
  flops: (_, u, { width }) => u.blocks * u.c * 2 * (width as number),
});

const inputGradient = defineKernel({
  name: "batchNorm.grad",
  uniforms,
  inputs: { dy: "f32v", x: "f32v", mean: "f32v", rstd: "f32v", scale: "f32v", dscale: "f32v", dshift: "f32v" },
  outputs: { dx: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (block of rows, channel (of four))
      let c = i % u.c;
      let r = rstd[c]; let m = mean[c]; let a = scale[c] * r;
      let slope = dscale[c] * r / f32(u.rows); let offset = dshift[c] / f32(u.rows);
      ${overRows("store_dx(at, (dy[at] - offset - (x[at] - m) * slope) * a);")}
    }`,
  flops: (threads, u, { width }) => threads * u.block * 5 * (width as number),
});

const fold = defineKernel({
  name: "batchNorm.fold",
  uniforms: { epsilon: "f32" },
  inputs: { scale: "f32", shift: "f32", mean: "f32", variance: "f32" },
  outputs: { a: "f32", b: "f32" },
  wgsl: /* wgsl */ `
    fn run(c: u32) {                                       // one thread per channel
      let a = scale[c] * inverseSqrt(variance[c] + u.epsilon);
      store_a(c, a);
      store_b(c, shift[c] - mean[c] * a);
    }`,
  flops: (threads) => threads * 5,
});

export interface BatchNormOptions {
  /** Added to the variance. Default: 1e-3 (Keras); PyTorch's is 1e-5. */
  readonly epsilon?: number;
}

/** Mean and variance of each channel, `[channels]` both. */
export interface ChannelStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** Statistics that follow those of the batches, changed in place: r ← momentum·r + (1 − momentum)·batch. */
export interface MovingStatistics extends ChannelStatistics {
  /** Share of the old value that stays. Default: 0.99 (Keras). PyTorch's 0.1 is the share of the new one: 0.9 here. */
  readonly momentum?: number;
  /** Whether the variance is that of a sample, Σ (x − μ)² / (n − 1) (PyTorch; Keras has n). Default: false. */
  readonly unbiased?: boolean;
}

/** Longest block of a sum: its rounding errors add up one by one. */
const LONGEST_SUM = 256;
/** Most blocks of a channel, unless that makes them too long: one workgroup merges them. */
const MOST_BLOCKS = 4096;

/** How many invocations keep an adapter busy, and how many rows each writes in a pass over the whole batch. */
const plenty = (device: Device) => (device.isSoftware ? { threads: 2048, rows: 32 } : { threads: 65_536, rows: 4 });

/** Uniforms and options of the three kinds of kernels: that sum blocks, that merge their sums, that write every row. */
function layoutOf({ shape, device }: Tensor) {
  const channels = shape.at(-1)!;
  const rows = sizeOf(shape) / channels;
  const width = channels % 4 === 0 ? 4 : 1;
  const c = channels / width;
  const busy = plenty(device);
  const block = Math.min(LONGEST_SUM, Math.ceil(Math.max((rows * c) / busy.threads, rows / MOST_BLOCKS)));
  const blocks = Math.ceil(rows / block);
  const lanes = device.variant === "subgroup" ? device.subgroupSize : 256;
  const [inBlocks, inWorkgroups] = [{ width }, { width, lanes }];
  return {
    /** Shape of one value for each block and channel. */
    partial: [blocks, channels],
    sum: [
      { rows, c, block },
      { constants: inBlocks, threads: blocks * c },
    ],
    merge: [
      { rows, c, block, blocks },
      { constants: inWorkgroups, groups: [c, 1, 1] },
    ],
    pass: [
      { rows, c, block: busy.rows },
      { constants: inBlocks, threads: Math.ceil(rows / busy.rows) * c },
    ],
  } as const;
}

type Layout = ReturnType<typeof layoutOf>;

/** Moments of the batch, as `[channels]`; `moving` follows them. */
function statisticsOf(x: Tensor, layout: Layout, epsilon: number, moving: MovingStatistics | undefined) {
  const { partial, merge: [sizes, options] } = layout; // prettier-ignore
  const { momentum = 0.99, unbiased = false } = moving ?? {};
  const { means, squares } = run(blockMoments, { x }, { means: partial, squares: partial }, ...layout.sum);
  const { rows } = sizes;
  return run(
    moving ? movingStatistics : statistics,
    { means, squares },
    { mean: [x.shape.at(-1)!], rstd: [x.shape.at(-1)!] },
    { ...sizes, epsilon, rate: 1 - momentum, correction: unbiased && rows > 1 ? rows / (rows - 1) : 1 },
    { ...options, updates: moving ? [moving.mean, moving.variance] : [] },
  );
}

function parameterGradients(dy: Tensor, x: Tensor, { mean, rstd }: { mean: Tensor; rstd: Tensor }, layout: Layout) {
  const { partial } = layout;
  const { sums, products } = run(blockGradients, { dy, x, mean }, { sums: partial, products: partial }, ...layout.sum);
  return run(mergeGradients, { sums, products, rstd }, { dscale: mean.shape, dshift: mean.shape }, ...layout.merge);
}

/**
 * Batch normalisation in training: `x` `[…, channels]` by its own mean and (biased) variance. `scale` and `shift` are
 * `[channels]`. `moving`: statistics that follow, for inference later. Default: none.
 */
export const batchNorm = defineOp("batchNorm", {
  forward(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    { epsilon = 1e-3, moving }: BatchNormOptions & { readonly moving?: MovingStatistics } = {},
  ) {
    check("batchNorm", x, { scale, shift, ...vectorsOf(moving) }, epsilon, moving?.momentum);
    const layout = layoutOf(x);
    const { mean, rstd } = statisticsOf(x, layout, epsilon, moving);
    const { y } = run(normalise, { x, mean, rstd, scale, shift }, { y: x.shape }, ...layout.pass);
    return { output: y, saved: { x, mean, rstd, scale, layout } };
  },
  backward(dy, { layout, ...saved }, [wantsX, wantsScale, wantsShift]) {
    const { x } = saved;
    const { dscale, dshift } = parameterGradients(dy, x, saved, layout);
    const dx = () => run(inputGradient, { dy, ...saved, dscale, dshift }, { dx: x.shape }, ...layout.pass).dx;
    return [wantsX ? dx() : null, wantsScale ? dscale : null, wantsShift ? dshift : null];
  },
});

const AFFINE: MapFunction = { name: "affine", parameters: ["x", "a", "b"], body: "x * a + b" };
const AFFINE_DERIVATIVE: MapFunction = { name: "affine_derivative", parameters: ["dy", "a"], body: "dy * a" };
const RSTD: MapFunction = { name: "rstd", parameters: ["v", "epsilon"], body: "inverseSqrt(v + epsilon)" };

/**
 * Batch normalisation of `x` `[…, channels]` by given statistics, as in inference and in frozen layers. The statistics are
 * constants: no gradient flows to them.
 */
export const batchNormInference = defineOp("batchNormInference", {
  forward(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    { mean, variance }: ChannelStatistics,
    { epsilon = 1e-3 }: BatchNormOptions = {},
  ) {
    check("batchNormInference", x, { scale, shift, mean, variance }, epsilon);
    const { a, b } = run(fold, { scale, shift, mean, variance }, { a: mean.shape, b: mean.shape }, { epsilon });
    return { output: runMap(AFFINE, [x, a, b], x.shape), saved: { x, a, mean, variance, epsilon } };
  },
  backward(dy, { x, a, mean, variance, epsilon }, [wantsX, wantsScale, wantsShift]) {
    const dx = wantsX ? runMap(AFFINE_DERIVATIVE, [dy, a], dy.shape) : null;
    if (!wantsScale && !wantsShift) return [dx, null, null];
    const rstd = runMap(RSTD, [variance, x.device.constant(epsilon)], variance.shape);
    const { dscale, dshift } = parameterGradients(dy, x, { mean, rstd }, layoutOf(x));
    return [dx, wantsScale ? dscale : null, wantsShift ? dshift : null];
  },
});

function vectorsOf(moving: MovingStatistics | undefined): Readonly<Record<string, Tensor>> {
  return moving ? { "moving mean": moving.mean, "moving variance": moving.variance } : {};
}

function check(
  where: string,
  { shape }: Tensor,
  vectors: Readonly<Record<string, Tensor>>,
  epsilon: number,
  momentum = 0,
): void {
  if (shape.length < 2) {
    throw new ShapeError({ where, expected: "a batch […, channels] of rank 2 or more", got: formatShape(shape) });
  }
  const channels = shape.slice(-1);
  for (const [name, vector] of Object.entries(vectors)) {
    if (sameShape(vector.shape, channels)) continue;
    throw new ShapeError({
      where,
      expected: `${name} of shape ${formatShape(channels)}`,
      got: formatShape(vector.shape),
    });
  }
  if (!(epsilon > 0)) throw new OptionError({ where, expected: "a positive epsilon", got: String(epsilon) });
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new OptionError({ where, expected: "a momentum from 0 to 1", got: String(momentum) });
  }
}
