/**
 * Layer normalisation over trailing axes (Ba, Kiros and Hinton 2016): each line of k elements by itself.
 *
 *   μ = Σ x / k,  σ² = Σ (x − μ)² / k,  x̂ = (x − μ) / √(σ² + ε),  y = γ·x̂ + β
 *   dx = (g − Σ g / k − x̂ · Σ g·x̂ / k) / √(σ² + ε),  g = γ·dy
 *   dγ = Σ dy·x̂,  dβ = Σ dy                             over lines
 *
 * As in softmax an invocation walks a short line and a workgroup a long one, four neighbours a lane; one text makes both
 * forms. A line is in the cache once it was read, so σ² is summed about the mean itself, in a second walk.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, sameShape, type Tensor } from "../tensor/index.ts";
import { sumTo } from "./reduce.ts";
import { acrossLanes } from "./wgslText.ts";

/** The beginning of a kernel: `line`, and for a workgroup (of `lanes`; 0: an invocation by itself) what lanes share. */
function begin(lanes: number): string {
  if (lanes === 0) return "fn run(line: u32) { let n = f32(u.k);";
  return /* wgsl */ `
    var<workgroup> partial: array<f32, ${lanes}>;
    fn run(group: vec3u, lane: u32) { let line = group.x; let n = f32(u.k * 4u); var value: f32;`;
}

/** Runs `body` at each place `at` of the line, the j-th. */
function walk(lanes: number, body: string): string {
  const [first, step] = lanes === 0 ? ["0u", 1] : ["lane", lanes];
  return `for (var j = ${first}; j < u.k; j += ${step}u) { let at = line * u.k + j; ${body} }`;
}

/** Names the sum of what every lane summed. */
function total(lanes: number, name: string, sum: string): string {
  if (lanes === 0) return `let ${name} = ${sum};`;
  return `value = dot(${sum}, vec4f(1.0)); ${acrossLanes(lanes, (a, b) => `${a} + ${b}`)} let ${name} = value;`;
}

function forwardKernel(wide: boolean) {
  return defineKernel({
    name: wide ? "layerNorm.wide" : "layerNorm",
    uniforms: { k: "u32", epsilon: "f32" },
    inputs: { x: "f32v", scale: "f32v", shift: "f32v" },
    outputs: { y: "realv", mean: "f32", rstd: "f32" },
    grid: wide ? "groups" : "threads",
    workgroup: ({ lanes }) => (lanes as number) || 64,
    wgsl({ lanes: given }) {
      const lanes = given as number;
      return /* wgsl */ `
    ${begin(lanes)}                                        // one line
      var sum = f32v();
      ${walk(lanes, "sum += x[at];")}
      ${total(lanes, "ofValues", "sum")}
      let m = ofValues / n;
      var squares = f32v();
      ${walk(lanes, "let d = x[at] - m; squares += d * d;")}
      ${total(lanes, "ofSquares", "squares")}
      let r = inverseSqrt(ofSquares / n + u.epsilon);
      ${walk(lanes, "store_y(at, (x[at] - m) * r * scale[j] + shift[j]);")}
      ${lanes > 0 ? "if (lane == 0u)" : ""} { store_mean(line, m); store_rstd(line, r); }
    }`;
    },
    flops: (threads, u, { lanes, width }) => (threads / ((lanes as number) || 1)) * u.k * (width as number) * 8,
  });
}

function backwardKernel(wide: boolean) {
  return defineKernel({
    name: wide ? "layerNorm.wide.grad" : "layerNorm.grad",
    uniforms: { k: "u32" },
    inputs: { dy: "f32v", x: "f32v", scale: "f32v", mean: "f32", rstd: "f32" },
    outputs: { dx: "realv" },
    grid: wide ? "groups" : "threads",
    workgroup: ({ lanes }) => (lanes as number) || 64,
    wgsl({ lanes: given }) {
      const lanes = given as number;
      return /* wgsl */ `
    ${begin(lanes)}                                        // one line
      let m = mean[line]; let r = rstd[line];
      var sum = f32v(); var product = f32v();
      ${walk(lanes, "let g = dy[at] * scale[j]; sum += g; product += g * (x[at] - m);")}
      ${total(lanes, "ofGradients", "sum")}
      ${total(lanes, "ofProducts", "product")}
      let offset = ofGradients / n; let slope = ofProducts * r * r / n;
      ${walk(lanes, "store_dx(at, (dy[at] * scale[j] - offset - (x[at] - m) * slope) * r);")}
    }`;
    },
    flops: (threads, u, { lanes, width }) => (threads / ((lanes as number) || 1)) * u.k * (width as number) * 11,
  });
}

const forward = { narrow: forwardKernel(false), wide: forwardKernel(true) };
const backward = { narrow: backwardKernel(false), wide: backwardKernel(true) };

const parameterSums = defineKernel({
  name: "layerNorm.grad.sums",
  uniforms: { k: "u32", lines: "u32", block: "u32" },
  inputs: { dy: "f32v", x: "f32v", mean: "f32", rstd: "f32" },
  outputs: { products: "f32v", sums: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (block of lines, place in a line)
      let first = i / u.k * u.block;
      let last = min(first + u.block, u.lines);
      var product = f32v(); var sum = f32v();
      for (var line = first; line < last; line++) {
        let at = line * u.k + i % u.k;
        let d = dy[at];
        product += d * (x[at] - mean[line]) * rstd[line];
        sum += d;
      }
      store_products(i, product);
      store_sums(i, sum);
    }`,
  flops: (threads, u, { width }) => threads * u.block * (width as number) * 5,
});

/** Lines that one invocation adds up. */
const BLOCK = 64;

/** dγ and dβ: block by block, then over blocks. */
function parameterGradients(dy: Tensor, x: Tensor, { mean, rstd, scale }: Record<"mean" | "rstd" | "scale", Tensor>) {
  const [size, lines] = [scale.size, mean.size];
  const width = size % 4 === 0 ? 4 : 1;
  const shape = [Math.ceil(lines / BLOCK), ...scale.shape];
  const sizes = { k: size / width, lines, block: BLOCK };
  const outputs = { products: shape, sums: shape };
  const { products, sums } = run(parameterSums, { dy, x, mean, rstd }, outputs, sizes, { constants: { width } });
  return [sumTo(products, scale.shape), sumTo(sums, scale.shape)] as const;
}

/** From here on a line is worth a workgroup of its own. */
const WIDE = 64;

/** The form for `lines` lines of `size` elements, and the options that its kernels run with. */
function formOf({ device }: Tensor, size: number, lines: number) {
  const wide = size >= WIDE && size % 4 === 0 && lines <= device.gpu.limits.maxComputeWorkgroupsPerDimension;
  if (!wide) {
    return { form: "narrow", k: size, options: { constants: { width: 1, lanes: 0 }, threads: lines } } as const;
  }
  const lanes = device.variant === "subgroup" ? device.subgroupSize : 64;
  return { form: "wide", k: size / 4, options: { constants: { width: 4, lanes }, groups: [lines, 1, 1] } } as const;
}

export interface LayerNormOptions {
  /** Added to the variance. Default: 1e-3 (Keras); PyTorch's is 1e-5. */
  readonly epsilon?: number;
}

/** Normalises `x` over its last axes, as many as `scale` and `shift` have: they are of one shape, the end of that of `x`. */
export const layerNorm = defineOp("layerNorm", {
  forward(x: Tensor, scale: Tensor, shift: Tensor, { epsilon = 1e-3 }: LayerNormOptions = {}) {
    check(x, scale, shift, epsilon);
    const lines = x.size / scale.size;
    const { form, k, options } = formOf(x, scale.size, lines);
    const outputs = { y: x.shape, mean: [lines], rstd: [lines] };
    const { y, mean, rstd } = run(forward[form], { x, scale, shift }, outputs, { k, epsilon }, options);
    return { output: y, saved: { x, scale, mean, rstd, form, k, options } };
  },
  backward(dy, { x, form, k, options, ...saved }, [wantsX, wantsScale, wantsShift]) {
    const dx = wantsX ? run(backward[form], { dy, x, ...saved }, { dx: x.shape }, { k }, options).dx : null;
    if (!wantsScale && !wantsShift) return [dx, null, null];
    const [dscale, dshift] = parameterGradients(dy, x, saved);
    return [dx, wantsScale ? dscale : null, wantsShift ? dshift : null];
  },
});

function check(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): void {
  const where = "layerNorm";
  const end = scale.shape.length > 0 ? x.shape.slice(-scale.shape.length) : [];
  if (end.length === 0 || !sameShape(end, scale.shape) || !sameShape(scale.shape, shift.shape)) {
    throw new ShapeError({
      where,
      expected: `scale and shift of one shape, the last axes of ${formatShape(x.shape)}`,
      got: `${formatShape(scale.shape)} and ${formatShape(shift.shape)}`,
    });
  }
  if (!(epsilon > 0)) throw new OptionError({ where, expected: "a positive epsilon", got: String(epsilon) });
}
