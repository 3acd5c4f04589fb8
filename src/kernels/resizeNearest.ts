/**
 * Nearest-neighbour resizing of an NHWC batch.
 *
 *   y[n, i, j, c] = x[n, near(i), near(j), c]          dx[n, r, q, c] = Σ dy[n, i, j, c] over near(i) = r, near(j) = q
 *   near(o) = ⌊o · in / out⌋ (asymmetric),  ⌊(o + ½) · in / out⌋ (half-pixel),  ⌊o · (in − 1) / (out − 1) + ½⌋ (align-corners)
 *
 * near is ⌊(a·o + b) / d⌋ of integers and grows with o, so that the pixels which show input pixel r are those from
 * ⌈(d·r − b) / a⌉ on, up to where those of r + 1 begin.
 */
import { defineKernel, defineOp, run, type Tensor } from "../tensor/index.ts";
import { checkResize, places, type Fraction, type ResizeConvention } from "./resizeGeometry.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

const uniforms = {
  ...stripUniforms, h: "u32", w: "u32", oh: "u32", ow: "u32", ay: "u32", by: "u32", dy: "u32", ax: "u32", bx: "u32", dx: "u32",
} as const; // prettier-ignore

const forward = defineKernel({
  name: "resizeNearest",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (row of outputs, strip of it, channel (of four))
      ${STRIP}
      let n = line / u.oh; let r = (u.ay * (line - n * u.oh) + u.by) / u.dy;
      let row = (n * u.h + r) * u.w;
      let first = u.ax * begin + u.bx;
      var q = first / u.dx; var rest = first - q * u.dx;
      var value = x[(row + q) * c + channel];
      for (var column = begin; column < end; column++) {
        store_y((line * u.ow + column) * c + channel, value);
        rest += u.ax;
        if (rest < u.dx) { continue; }                     // the same pixel again
        q += rest / u.dx; rest %= u.dx;
        value = x[(row + min(q, u.w - 1u)) * c + channel];
      }
    }`,
});

const backward = defineKernel({
  name: "resizeNearest.grad",
  uniforms,
  inputs: { dy: "f32v" },
  outputs: { dx: "realv" },
  wgsl: /* wgsl */ `
    // The first output that shows input pixel r or one after it.
    fn shows(r: u32, a: u32, b: u32, d: u32, n: u32) -> u32 { return min((max(d * r, b) - b + a - 1u) / a, n); }

    fn run(i: u32) {                                       // one thread per (row of inputs, strip of it, channel (of four))
      ${STRIP}
      let n = line / u.h; let r = line - n * u.h;
      let top = shows(r, u.ay, u.by, u.dy, u.oh); let bottom = shows(r + 1u, u.ay, u.by, u.dy, u.oh);
      var left = shows(begin, u.ax, u.bx, u.dx, u.ow);
      for (var q = begin; q < end; q++) {
        let right = shows(q + 1u, u.ax, u.bx, u.dx, u.ow);
        var sum = f32v();
        for (var row = top; row < bottom; row++) {
          for (var column = left; column < right; column++) { sum += dy[((n * u.oh + row) * u.ow + column) * c + channel]; }
        }
        store_dx((line * u.w + q) * c + channel, sum);
        left = right;
      }
    }`,
});

/** ⌊(a·o + b) / d⌋ is the nearest pixel. */
function near(convention: ResizeConvention, input: number, output: number): Fraction {
  const { a, b, d } = places(convention, input, output);
  // Places are of centres; in the asymmetric convention, of the corner before them.
  return convention === "asymmetric" ? { a, b, d } : { a: 2 * a, b: 2 * b + d, d: 2 * d };
}

export interface ResizeNearestOptions {
  /** Default: `halfPixel`. For whole factors it makes no difference when enlarging, except with `alignCorners`. */
  readonly convention?: ResizeConvention;
}

/** `[batch, height, width, channels]` → `[batch, size[0], size[1], channels]`, each pixel the nearest one's copy. */
export const resizeNearest = defineOp("resizeNearest", {
  forward(x: Tensor, size: readonly [number, number], { convention = "halfPixel" }: ResizeNearestOptions = {}) {
    checkResize("resizeNearest", x.shape, size, convention);
    const [batch, h, w, channels] = x.shape as [number, number, number, number];
    const [oh, ow] = size;
    const [vertical, horizontal] = [near(convention, h, oh), near(convention, w, ow)];
    const width = channels % 4 === 0 ? 4 : 1;
    const sizes = {
      h, w, oh, ow, ay: vertical.a, by: vertical.b, dy: vertical.d, ax: horizontal.a, bx: horizontal.b, dx: horizontal.d,
    }; // prettier-ignore
    const strips = (lines: number, columns: number) => {
      const cut = cutIntoStrips(x.device, lines, columns, channels / width);
      return { sizes: { ...sizes, ...cut.sizes }, options: { constants: { width }, threads: cut.threads } };
    };
    const outputs = strips(batch * oh, ow);
    const { y } = run(forward, { x }, { y: [batch, oh, ow, channels] }, outputs.sizes, outputs.options);
    return { output: y, saved: { inputs: strips(batch * h, w), shape: x.shape } };
  },
  backward: (dy, { inputs, shape }) => [run(backward, { dy }, { dx: shape }, inputs.sizes, inputs.options).dx],
});
