/**
 * Two-dimensional convolution (cross-correlation, as everywhere in the field) of an NHWC batch with HWIO filters.
 *
 *   y[n,i,j,o] = f( Σ x[n, s·i + d·r − p, s·j + d·q − p, c] · w[r,q,c,o] + bias[o] )     over r, q, c
 *
 * All three passes are matrix products over places that the filter's taps name, so no patch matrix is ever stored: see
 * contraction/convolution.ts. In groups, the channels c of output o are those of its group alone, and each group is a
 * product of its own.
 */
import { ShapeError } from "../errors.ts";
import { defineOp, formatShape, type Shape, type Tensor } from "../tensor/index.ts";
import { correlate, filterOf, spread, type ConvGeometry } from "./contraction/index.ts";
import { biasGradient, checkBias, finishOf, throughActivation, type EpilogueOptions } from "./epilogue.ts";
import { checkGroups, windowGeometry, type WindowOptions } from "./geometry.ts";

export interface ConvOptions extends WindowOptions, EpilogueOptions {
  /** Parts of the channels that are convolved apart, as in PyTorch. Default: 1. */
  readonly groups?: number;
}

function convGeometry(x: Shape, w: Shape, options: ConvOptions): ConvGeometry {
  const { groups = 1 } = options;
  const [kh = 0, kw = 0, groupIn = 0, outChannels = 0] = w;
  const inChannels = x.at(-1) ?? 0;
  checkGroups("conv2d", groups, inChannels);
  if (w.length !== 4 || inChannels !== groupIn * groups) {
    throw new ShapeError({
      where: "conv2d",
      expected: `filters [height, width, ${inChannels / groups}, out] for an image batch ${formatShape(x)}`,
      got: formatShape(w),
      advice: "images are NHWC, filters HWIO",
    });
  }
  checkGroups("conv2d", groups, outChannels);
  const [vertical, horizontal] = windowGeometry("conv2d", x, [kh, kw], options);
  return { where: "conv2d", vertical, horizontal, batch: x[0]!, inChannels, outChannels, groups };
}

/**
 * Convolution. `x` is `[batch, height, width, in]`, `w` is `[height, width, in / groups, out]`, `bias` is `[out]`.
 * Defaults: stride 1, no padding (`valid`), dilation 1, one group. For groups of one channel `depthwiseConv2d` is faster.
 */
export const conv2d = defineOp("conv2d", {
  forward(x: Tensor, w: Tensor, options: ConvOptions = {}) {
    const geometry = convGeometry(x.shape, w.shape, options);
    checkBias("conv2d", geometry.outChannels, options);
    const y = correlate(x, w, geometry, finishOf(options));
    return { output: y, saved: { x, w, y, geometry, options } };
  },
  backward(dy, { x, w, y, geometry, options }, [wantsX, wantsW, wantsBias]) {
    const dz = throughActivation(dy, y, options);
    const { bias } = options;
    return [
      wantsX ? spread(dz, w, geometry) : null,
      wantsW ? filterOf(x, dz, geometry) : null,
      ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : []),
    ];
  },
});
