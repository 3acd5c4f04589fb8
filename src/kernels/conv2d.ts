/**
 * Two-dimensional convolution (cross-correlation, as everywhere in the field) of an NHWC batch with HWIO filters.
 *
 *   y[n,i,j,o] = f( Σ x[n, s·i + d·r − p, s·j + d·q − p, c] · w[r,q,c,o] + bias[o] )     over r, q, c
 *
 * All three passes are matrix products over places that the filter's taps name, so no patch matrix is ever stored: the
 * forward pass and the input's gradient (taps reversed, strides divided instead of multiplied) are one kernel, and the
 * filter's gradient is its transpose, split over the batch.
 */
import { ShapeError } from "../errors.ts";
import { defineOp, formatShape, type Shape, type Tensor } from "../tensor/index.ts";
import { contract, filterGradient } from "./contraction/index.ts";
import { biasGradient, checkBias, throughActivation, type EpilogueOptions } from "./epilogue.ts";
import { windowGeometry, type Direction, type WindowOptions } from "./geometry.ts";

export interface ConvOptions extends WindowOptions, EpilogueOptions {}

interface ConvGeometry {
  readonly vertical: Direction;
  readonly horizontal: Direction;
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

function convGeometry(x: Shape, w: Shape, options: ConvOptions): ConvGeometry {
  const [kh = 0, kw = 0, inChannels = 0, outChannels = 0] = w;
  if (w.length !== 4 || x.at(-1) !== inChannels) {
    throw new ShapeError({
      where: "conv2d",
      expected: `filters [height, width, ${x.at(-1)}, out] for an image batch ${formatShape(x)}`,
      got: formatShape(w),
      advice: "images are NHWC, filters HWIO",
    });
  }
  const [vertical, horizontal] = windowGeometry("conv2d", x, [kh, kw], options);
  return { vertical, horizontal, batch: x[0]!, inChannels, outChannels };
}

/** What is left of the options for the kernel once the geometry is known. */
function finishOf({ bias, activation }: ConvOptions): EpilogueOptions {
  return { ...(bias ? { bias } : {}), ...(activation ? { activation } : {}) };
}

/** Whether some tap of some window falls outside the image. */
function reachesOut({ before, after }: Direction): boolean {
  return before > 0 || after > 0;
}

function convolve(x: Tensor, w: Tensor, geometry: ConvGeometry, shape: Shape, finish: EpilogueOptions): Tensor {
  const { vertical: v, horizontal: h, batch, inChannels, outChannels } = geometry;
  const sizes = {
    m: batch * v.output * h.output, n: outChannels, taps: v.kernel * h.kernel, channels: inChannels,
    pixels: v.output * h.output, ow: h.output, h: v.input, w: h.input, kw: h.kernel,
    stepY: v.stride, stepX: h.stride, tapY: v.dilation, tapX: h.dilation, padY: v.before, padX: h.before,
    divisorY: 1, divisorX: 1,
    xBatch: v.input * h.input * inChannels, xRow: h.input * inChannels, xColumn: inChannels, xChannel: 1,
    wTap: inChannels * outChannels, wChannel: outChannels, wColumn: 1,
  }; // prettier-ignore
  return contract({ x, w, shape, sizes, bounded: reachesOut(v) || reachesOut(h), fractional: false, ...finish });
}

/** dx[i] gathers from every output that saw input i: output = (i + p − d·r) ÷ s, where that divides. */
function inputGradient(dy: Tensor, w: Tensor, geometry: ConvGeometry, shape: Shape): Tensor {
  const { vertical: v, horizontal: h, batch, inChannels, outChannels } = geometry;
  const minus = (value: number) => (2 ** 32 - value) % 2 ** 32;
  const sizes = {
    m: batch * v.input * h.input, n: inChannels, taps: v.kernel * h.kernel, channels: outChannels,
    pixels: v.input * h.input, ow: h.input, h: v.output, w: h.output, kw: h.kernel,
    stepY: 1, stepX: 1, tapY: minus(v.dilation), tapX: minus(h.dilation), padY: minus(v.before), padX: minus(h.before),
    divisorY: v.stride, divisorX: h.stride,
    xBatch: v.output * h.output * outChannels, xRow: h.output * outChannels, xColumn: outChannels, xChannel: 1,
    wTap: inChannels * outChannels, wChannel: 1, wColumn: outChannels,
  }; // prettier-ignore
  const bounded = v.kernel * h.kernel > 1 || reachesOut(v) || reachesOut(h) || v.stride * h.stride > 1;
  return contract({ x: dy, w, shape, sizes, bounded, fractional: v.stride * h.stride > 1 });
}

function weightGradient(x: Tensor, dz: Tensor, geometry: ConvGeometry, shape: Shape): Tensor {
  const { vertical: v, horizontal: h, batch, inChannels, outChannels } = geometry;
  const sizes = {
    n: outChannels, channels: inChannels, kw: h.kernel, h: v.input, w: h.input, oh: v.output, ow: h.output,
    stepY: v.stride, stepX: h.stride, tapY: v.dilation, tapX: h.dilation, padY: v.before, padX: h.before,
    xBatch: v.input * h.input * inChannels, xRow: h.input * inChannels, xColumn: inChannels,
  }; // prettier-ignore
  const bounded = reachesOut(v) || reachesOut(h);
  return filterGradient({ x, dy: dz, shape, sizes, batch, taps: v.kernel * h.kernel, bounded });
}

/**
 * Convolution. `x` is `[batch, height, width, in]`, `w` is `[height, width, in, out]`, `bias` is `[out]`.
 * Defaults: stride 1, no padding (`valid`), dilation 1.
 */
export const conv2d = defineOp("conv2d", {
  forward(x: Tensor, w: Tensor, options: ConvOptions = {}) {
    const geometry = convGeometry(x.shape, w.shape, options);
    const shape = [geometry.batch, geometry.vertical.output, geometry.horizontal.output, geometry.outChannels];
    checkBias("conv2d", geometry.outChannels, options);
    const y = convolve(x, w, geometry, shape, finishOf(options));
    return { output: y, saved: { x, w, y, geometry, options } };
  },
  backward(dy, { x, w, y, geometry, options }, [wantsX, wantsW, wantsBias]) {
    const dz = throughActivation(dy, y, options);
    const { bias } = options;
    return [
      wantsX ? inputGradient(dz, w, geometry, x.shape) : null,
      wantsW ? weightGradient(x, dz, geometry, w.shape) : null,
      ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : []),
    ];
  },
});
