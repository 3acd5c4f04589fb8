/**
 * Max and average pooling over windows of an NHWC batch.
 *
 *   max:      y[n,i,j,c] = max x[n,r,q,c]            over r in s·i−p … s·i−p+k−1, q likewise
 *   average:  y[n,i,j,c] = Σ x[n,r,q,c] / count      over the same window
 *
 * Windows are clipped to the image and the maximum starts from a real element, so no −∞ sentinel exists (WGSL cannot
 * spell one). Windows may overlap and share a winner; WGSL has no float atomics, so the gradient *gathers*: each input
 * element sums dy over the windows that chose it. Deterministic, and no zero-fill. Four channels go in one lane vector.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, type Constants, type Shape, type Tensor } from "../tensor/index.ts";
import { windowGeometry, type Direction, type Pair, type PaddingOption } from "./geometry.ts";

export interface PoolOptions {
  /** Window size. */
  readonly size: Pair;
  /** Default: the window size, so that windows tile the image. */
  readonly stride?: Pair;
  /** Default: `valid`. Padded elements never win a maximum. */
  readonly padding?: PaddingOption;
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts as zeros in the mean (PyTorch's default) or not at all (TensorFlow). Default: false. */
  readonly countPadding?: boolean;
}

const uniforms = {
  h: "u32", w: "u32", c: "u32", oh: "u32", ow: "u32",
  kh: "u32", kw: "u32", sh: "u32", sw: "u32", top: "u32", left: "u32",
} as const; // prettier-ignore

/** Rows r0…r1 and columns q0…q1 of the window of output pixel `o`, clipped to the image. */
const WINDOW = /* wgsl */ `
      let o = unravel(i, u.oh, u.ow, u.c);
      let r0 = max(o.y * u.sh, u.top) - u.top;   let r1 = min(o.y * u.sh + u.kh - u.top, u.h);
      let q0 = max(o.z * u.sw, u.left) - u.left; let q1 = min(o.z * u.sw + u.kw - u.left, u.w);`;

/** Windows a0…a1 and b0…b1 that cover input pixel `e`. */
const COVERING = /* wgsl */ `
      let e = unravel(i, u.h, u.w, u.c);
      let a0 = (max(e.y + u.top + 1, u.kh) - u.kh + u.sh - 1) / u.sh;   let a1 = min((e.y + u.top) / u.sh + 1, u.oh);
      let b0 = (max(e.z + u.left + 1, u.kw) - u.kw + u.sw - 1) / u.sw;  let b1 = min((e.z + u.left) / u.sw + 1, u.ow);`;

const maxForward = defineKernel({
  name: "maxPool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "f32v", winner: "u32v" },
  wgsl: ({ keepWinner }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four channels)
      ${WINDOW}
      var best = x[ravel(o.x, r0, q0, o.w, u.h, u.w, u.c)];
      var place = u32v(r0 * u.w + q0);
      for (var r = r0; r < r1; r++) { for (var q = q0; q < q1; q++) {
        let value = x[ravel(o.x, r, q, o.w, u.h, u.w, u.c)];
        place = select(place, u32v(r * u.w + q), value > best); // ties: the first in row order
        best = max(best, value);
      } }
      store_y(i, best);
      ${keepWinner === true ? "store_winner(i, place);" : ""}
    }`,
  flops: (threads, u) => threads * u.kh * u.kw,
});

const maxBackward = defineKernel({
  name: "maxPool2d.grad",
  uniforms,
  inputs: { dy: "f32v", winner: "u32v" },
  outputs: { dx: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element (of four channels)
      ${COVERING}
      let here = u32v(e.y * u.w + e.z);
      var sum = f32v();
      for (var a = a0; a < a1; a++) { for (var b = b0; b < b1; b++) {
        let at = ravel(e.x, a, b, e.w, u.oh, u.ow, u.c);
        sum += select(f32v(), dy[at], winner[at] == here);
      } }
      store_dx(i, sum);
    }`,
  flops: (threads, u) => threads * Math.ceil(u.kh / u.sh) * Math.ceil(u.kw / u.sw),
});

/** How many elements a window's mean divides by. */
const COUNT = (countPadding: boolean) => (countPadding ? "u.kh * u.kw" : "(r1 - r0) * (q1 - q0)");

const averageForward = defineKernel({
  name: "averagePool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "f32v" },
  wgsl: ({ countPadding }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four channels)
      ${WINDOW}
      var sum = f32v();
      for (var r = r0; r < r1; r++) { for (var q = q0; q < q1; q++) {
        sum += x[ravel(o.x, r, q, o.w, u.h, u.w, u.c)];
      } }
      store_y(i, sum / f32(${COUNT(countPadding === true)}));
    }`,
  flops: (threads, u) => threads * u.kh * u.kw,
});

const averageBackward = defineKernel({
  name: "averagePool2d.grad",
  uniforms,
  inputs: { dy: "f32v" },
  outputs: { dx: "f32v" },
  wgsl: ({ countPadding }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element (of four channels)
      ${COVERING}
      var sum = f32v();
      for (var a = a0; a < a1; a++) { for (var b = b0; b < b1; b++) {
        let r0 = max(a * u.sh, u.top) - u.top;   let r1 = min(a * u.sh + u.kh - u.top, u.h);
        let q0 = max(b * u.sw, u.left) - u.left; let q1 = min(b * u.sw + u.kw - u.left, u.w);
        sum += dy[ravel(e.x, a, b, e.w, u.oh, u.ow, u.c)] / f32(${COUNT(countPadding === true)});
      } }
      store_dx(i, sum);
    }`,
  flops: (threads, u) => threads * Math.ceil(u.kh / u.sh) * Math.ceil(u.kw / u.sw),
});

interface PoolGeometry {
  readonly inShape: Shape;
  readonly outShape: Shape;
  readonly sizes: Record<keyof typeof uniforms, number>;
  readonly constants: Constants;
}

function poolGeometry(where: string, shape: Shape, { size, stride = size, padding = "valid" }: PoolOptions): PoolGeometry {
  const [vertical, horizontal] = windowGeometry(where, shape, size, { stride, padding });
  checkPadding(where, vertical);
  checkPadding(where, horizontal);
  const channels = shape[3]!;
  const width = channels % 4 === 0 ? 4 : 1;
  const sizes = {
    h: vertical.input, w: horizontal.input, c: channels / width, oh: vertical.output, ow: horizontal.output,
    kh: vertical.kernel, kw: horizontal.kernel, sh: vertical.stride, sw: horizontal.stride,
    top: vertical.before, left: horizontal.before,
  }; // prettier-ignore
  return { inShape: shape, outShape: [shape[0]!, vertical.output, horizontal.output, channels], sizes, constants: { width } };
}

/** Every window must see at least one real element: a mean or maximum of padding alone means nothing. */
function checkPadding(where: string, { before, after, kernel }: Direction): void {
  if (before < kernel && after < kernel) return;
  throw new OptionError({ where, expected: `padding smaller than the window (${kernel})`, got: `${before} and ${after}` });
}

/**
 * Max pooling. `x` is `[batch, height, width, channels]`. Ties go to the first element in row order, as in TensorFlow
 * and PyTorch.
 */
export const maxPool2d = defineOp("maxPool2d", {
  forward(x: Tensor, options: PoolOptions) {
    const geometry = poolGeometry("maxPool2d", x.shape, options);
    const { outShape, sizes } = geometry;
    const keepWinner = x.device.tape?.tracks(x) ?? false;
    const constants = { ...geometry.constants, keepWinner };
    const outputs = { y: outShape, winner: keepWinner ? outShape : [4] };
    const { y, winner } = run(maxForward, { x }, outputs, sizes, { constants });
    return { output: y, saved: { winner, geometry } };
  },
  backward(dy, { winner, geometry: { inShape, sizes, constants } }) {
    return [run(maxBackward, { dy, winner }, { dx: inShape }, sizes, { constants }).dx];
  },
});

/** Average pooling. `x` is `[batch, height, width, channels]`. */
export const averagePool2d = defineOp("averagePool2d", {
  forward(x: Tensor, options: AveragePoolOptions) {
    const geometry = poolGeometry("averagePool2d", x.shape, options);
    const constants = { ...geometry.constants, countPadding: options.countPadding ?? false };
    const { y } = run(averageForward, { x }, { y: geometry.outShape }, geometry.sizes, { constants });
    return { output: y, saved: { geometry, constants } };
  },
  backward(dy, { geometry, constants }) {
    return [run(averageBackward, { dy }, { dx: geometry.inShape }, geometry.sizes, { constants }).dx];
  },
});
