/**
 * Transposed convolution of an NHWC batch: the adjoint of a convolution from y to x, run forward. Every x spreads over the
 * window that such a convolution would have read, and stride s makes images s times finer.
 *
 *   y[n, s·i + d·r − p, s·j + d·q − p, o] += x[n,i,j,c] · w[r,q,o,c]     over i, j, r, q, c;  then f(y + bias[o])
 *
 * So value and gradients are conv2d's three products with the images' roles exchanged (contraction/convolution.ts), and
 * nothing is scattered: the adjoint gathers, one dense product for each phase of the stride.
 */
import { ShapeError } from "../errors.ts";
import { defineOp, formatShape, type Shape, type Tensor } from "../tensor/index.ts";
import { correlate, filterOf, spread, type ConvGeometry } from "./contraction/index.ts";
import { biasGradient, checkBias, finishOf, throughActivation, type EpilogueOptions } from "./epilogue.ts";
import { checkGroups, transposedGeometry, type TransposedOptions } from "./geometry.ts";

export interface TransposedConvOptions extends TransposedOptions, EpilogueOptions {
  /** Parts of the channels that are convolved apart. Default: 1. */
  readonly groups?: number;
}

const where = "transposedConv2d";

function convGeometry(x: Shape, w: Shape, options: TransposedConvOptions): ConvGeometry {
  const { groups = 1 } = options;
  const [kh = 0, kw = 0, groupOut = 0, channels = 0] = w;
  if (w.length !== 4 || x.at(-1) !== channels) {
    throw new ShapeError({
      where,
      expected: `filters [height, width, out, ${x.at(-1)}] for an image batch ${formatShape(x)}`,
      got: formatShape(w),
      advice: "the output's channels come before the input's",
    });
  }
  checkGroups(where, groups, channels);
  const [vertical, horizontal] = transposedGeometry(where, x, [kh, kw], options);
  return { where, vertical, horizontal, batch: x[0]!, inChannels: groupOut * groups, outChannels: channels, groups };
}

/**
 * Transposed convolution. `x` is `[batch, height, width, in]`, `w` is `[height, width, out / groups, in]`, `bias` is `[out]`.
 * Padding, in the terms of the convolution from y to x: `valid` gives size · stride + max(window − stride, 0), `same` gives
 * size · stride (both Keras'); explicit padding gives (size − 1) · stride + window − padding + outputPadding (PyTorch's).
 * Defaults: stride 1, `valid`, dilation 1, one group.
 */
export const transposedConv2d = defineOp(where, {
  forward(x: Tensor, w: Tensor, options: TransposedConvOptions = {}) {
    const geometry = convGeometry(x.shape, w.shape, options);
    checkBias(where, geometry.inChannels, options);
    const y = spread(x, w, geometry, finishOf(options));
    return { output: y, saved: { x, w, y, geometry, options } };
  },
  backward(dy, { x, w, y, geometry, options }, [wantsX, wantsW, wantsBias]) {
    const dz = throughActivation(dy, y, options);
    const { bias } = options;
    return [
      wantsX ? correlate(dz, w, geometry) : null,
      wantsW ? filterOf(dz, x, geometry) : null,
      ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : []),
    ];
  },
});
