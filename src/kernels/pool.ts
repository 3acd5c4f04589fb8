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
import { each } from "./wgslText.ts";
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

const uniforms = { h: "u32", w: "u32", c: "u32", oh: "u32", ow: "u32", top: "u32", left: "u32" } as const;

/** Window and stride are compiled in: loops unroll, and divisions by them become multiplications. */
interface Windows {
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  /** Whether windows reach into padding and must be clipped. */
  readonly padded: boolean;
}

const asWindows = (constants: Constants) => constants as unknown as Windows;

/** Elements of a window, for the arithmetic that reports state. */
function elements(constants: Constants): number {
  const { kh, kw } = asWindows(constants);
  return kh * kw * (constants["width"] === 4 ? 4 : 1);
}

/**
 * Runs `body` for each element of the window of output pixel `o`, in row order; rows r and columns q lie inside the image.
 * `first`, where given, runs for the first element instead.
 */
function overWindow(windows: Windows, body: string, first = body): string {
  const { kh, kw, sh, sw, padded } = windows;
  if (!padded) {
    const visit = (tap: number) => (tap === 0 ? first : body);
    return each(
      kh * kw,
      (tap) =>
        `{ let r = o.y * ${sh}u + ${Math.floor(tap / kw)}u; let q = o.z * ${sw}u + ${tap % kw}u; ${visit(tap)} }`,
    );
  }
  return /* wgsl */ `${clipped(windows)}
      { let r = r0; let q = q0; ${first} }
      for (var r = r0; r < r1; r++) { for (var q = q0; q < q1; q++) { if (r > r0 || q > q0) { ${body} } } }`;
}

/** Rows r0…r1 and columns q0…q1 of the window of output pixel `o` that lie inside the image. */
function clipped({ kh, kw, sh, sw }: Windows): string {
  return /* wgsl */ `
      let r0 = max(o.y * ${sh}u, u.top) - u.top;   let r1 = min(o.y * ${sh}u + ${kh}u - u.top, u.h);
      let q0 = max(o.z * ${sw}u, u.left) - u.left; let q1 = min(o.z * ${sw}u + ${kw}u - u.left, u.w);`;
}

/** Runs `body` for each window `o` that covers input pixel `e`. */
function overCovering({ kh, kw, sh, sw }: Windows, body: string): string {
  return /* wgsl */ `
      let a0 = (max(e.y + u.top + 1, ${kh}u) - ${kh}u + ${sh - 1}u) / ${sh}u;   let a1 = min((e.y + u.top) / ${sh}u + 1, u.oh);
      let b0 = (max(e.z + u.left + 1, ${kw}u) - ${kw}u + ${sw - 1}u) / ${sw}u;  let b1 = min((e.z + u.left) / ${sw}u + 1, u.ow);
      for (var a = a0; a < a1; a++) { for (var b = b0; b < b1; b++) { let o = vec4u(e.x, a, b, e.w); ${body} } }`;
}

const OUTPUT = "ravel(o.x, o.y, o.z, o.w, u.oh, u.ow, u.c)";
const INPUT = "ravel(o.x, r, q, o.w, u.h, u.w, u.c)";

const maxForward = defineKernel({
  name: "maxPool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv", winner: "u32v" },
  wgsl: (constants) => {
    const first = `best = x[${INPUT}]; place = u32v(r * u.w + q);`;
    const visit = `let value = x[${INPUT}]; place = select(place, u32v(r * u.w + q), value > best); best = max(best, value);`;
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four channels)
      let o = unravel(i, u.oh, u.ow, u.c);
      var best: f32v; var place: u32v;                     // ties: the first in row order
      ${overWindow(asWindows(constants), visit, first)}
      store_y(i, best);
      ${constants["keepWinner"] === true ? "store_winner(i, place);" : ""}
    }`;
  },
  flops: (threads, _, constants) => threads * elements(constants),
});

const maxBackward = defineKernel({
  name: "maxPool2d.grad",
  uniforms,
  inputs: { dy: "f32v", winner: "u32v" },
  outputs: { dx: "realv" },
  wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element (of four channels)
      let e = unravel(i, u.h, u.w, u.c);
      let here = u32v(e.y * u.w + e.z);
      var sum = f32v();
      ${overCovering(asWindows(constants), `let at = ${OUTPUT}; sum += select(f32v(), dy[at], winner[at] == here);`)}
      store_dx(i, sum);
    }`,
  flops: (threads, _, constants) => threads * elements(constants),
});

/** Where windows tile the image, each input has one window: a window reads dy and its winner once for all its inputs. */
const maxBackwardTiled = defineKernel({
  name: "maxPool2d.grad.tiled",
  uniforms: { ...uniforms, th: "u32", tw: "u32" },
  inputs: { dy: "f32v", winner: "u32v" },
  outputs: { dx: "realv" },
  wgsl: (constants) => {
    const write = `store_dx(${INPUT}, select(f32v(), d, won == u32v(r * u.w + q)));`;
    if (constants["whole"] === true) {
      return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per window (of four channels)
      let o = unravel(i, u.th, u.tw, u.c);
      let d = dy[i]; let won = winner[i];
      ${overWindow(asWindows(constants), write)}
    }`;
    }
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per window (of four channels), cut ones included
      let o = unravel(i, u.th, u.tw, u.c);
      let whole = o.y < u.oh && o.z < u.ow;
      let at = select(0u, ${OUTPUT}, whole);
      let d = select(f32v(), dy[at], whole); let won = winner[at];
      ${overWindow(asWindows(constants), `if (r < u.h && q < u.w) { ${write} }`)}
    }`;
  },
  flops: (threads, _, constants) => threads * elements(constants),
});

/** How many elements the mean of window `o` divides by. */
function count(windows: Windows, countPadding: boolean): string {
  return countPadding || !windows.padded ? `${windows.kh * windows.kw}.0` : "f32((r1 - r0) * (q1 - q0))";
}

const averageForward = defineKernel({
  name: "averagePool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  wgsl: (constants) => {
    const windows = asWindows(constants);
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four channels)
      let o = unravel(i, u.oh, u.ow, u.c);
      var sum = f32v();
      ${overWindow(windows, `sum += x[${INPUT}];`)}
      store_y(i, sum / ${count(windows, constants["countPadding"] === true)});
    }`;
  },
  flops: (threads, _, constants) => threads * elements(constants),
});

const averageBackward = defineKernel({
  name: "averagePool2d.grad",
  uniforms,
  inputs: { dy: "f32v" },
  outputs: { dx: "realv" },
  wgsl: (constants) => {
    const windows = asWindows(constants);
    const clip = windows.padded ? clipped(windows) : "";
    const divide = `${clip} sum += dy[${OUTPUT}] / ${count(windows, constants["countPadding"] === true)};`;
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element (of four channels)
      let e = unravel(i, u.h, u.w, u.c);
      var sum = f32v();
      ${overCovering(windows, divide)}
      store_dx(i, sum);
    }`;
  },
  flops: (threads, _, constants) => threads * elements(constants),
});

interface PoolGeometry {
  readonly inShape: Shape;
  readonly outShape: Shape;
  readonly sizes: Record<keyof typeof uniforms, number>;
  readonly constants: Constants & Windows;
}

function poolGeometry(
  where: string,
  shape: Shape,
  { size, stride = size, padding = "valid" }: PoolOptions,
): PoolGeometry {
  const [vertical, horizontal] = windowGeometry(where, shape, size, { stride, padding });
  checkPadding(where, vertical);
  checkPadding(where, horizontal);
  const channels = shape[3]!;
  const width = channels % 4 === 0 ? 4 : 1;
  const sizes = {
    h: vertical.input, w: horizontal.input, c: channels / width, oh: vertical.output, ow: horizontal.output,
    top: vertical.before, left: horizontal.before,
  }; // prettier-ignore
  const constants = {
    width, kh: vertical.kernel, kw: horizontal.kernel, sh: vertical.stride, sw: horizontal.stride,
    padded: [vertical, horizontal].some(({ before, after }) => before > 0 || after > 0),
  }; // prettier-ignore
  return { inShape: shape, outShape: [shape[0]!, vertical.output, horizontal.output, channels], sizes, constants };
}

/** Every window must see at least one real element: a mean or maximum of padding alone means nothing. */
function checkPadding(where: string, { before, after, kernel }: Direction): void {
  if (before < kernel && after < kernel) return;
  throw new OptionError({
    where,
    expected: `padding smaller than the window (${kernel})`,
    got: `${before} and ${after}`,
  });
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
    const { kh, kw, sh, sw, padded } = constants;
    if (padded || kh !== sh || kw !== sw) {
      return [run(maxBackward, { dy, winner }, { dx: inShape }, sizes, { constants }).dx];
    }
    const [th, tw] = [Math.ceil(sizes.h / kh), Math.ceil(sizes.w / kw)];
    const threads = inShape[0]! * th * tw * sizes.c;
    const whole = th === sizes.oh && tw === sizes.ow;
    const options = { constants: { ...constants, whole }, threads };
    return [run(maxBackwardTiled, { dy, winner }, { dx: inShape }, { ...sizes, th, tw }, options).dx];
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
