/**
 * Two-dimensional convolution (cross-correlation, as every deep-learning framework means it) of NHWC images with HWIO
 * filters, its depthwise and transposed forms, and all gradients.
 *
 *   y[n, i, j, o] = bias[o] + Σ over r, q, c of x[n, i·sh + r·dh − top, j·sw + q·dw − left, g·(C/G) + c] · w[r, q, c, o]
 *
 * with g = ⌊o / (O/G)⌋ the group of output channel o; positions outside the image count as 0.
 */
import { applyUnary, sumTo, unary, unaryGrad, type Unary } from "./elementwise.ts";
import { map, nd, requireShape, zeros, type Nd } from "./nd.ts";

export type Pair = readonly [height: number, width: number];

export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export const noPadding: Padding = { top: 0, bottom: 0, left: 0, right: 0 };

export interface ConvOptions {
  readonly stride?: Pair | undefined;
  readonly dilation?: Pair | undefined;
  readonly padding?: Padding | undefined;
  readonly groups?: number | undefined;
  readonly bias?: Nd | undefined;
  readonly activation?: Unary | undefined;
}

export interface TransposedConvOptions extends ConvOptions {
  /** Rows and columns added at the bottom and right of the output, which no tap beyond the padding reaches. */
  readonly outputPadding?: Pair | undefined;
}

/** Extent that a dilated filter spans: d (k − 1) + 1. */
export function span(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1;
}

/** ⌊(size + before + after − span) / stride⌋ + 1 */
export function outputExtent(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  before: number,
  after: number,
): number {
  return Math.floor((size + before + after - span(kernel, dilation)) / stride) + 1;
}

/**
 * "valid" is no padding. "same" is TensorFlow's: the output has ⌈size/stride⌉ elements, the padding is
 * p = max((out − 1)·stride + span − size, 0), ⌊p/2⌋ before and the rest after.
 */
export function resolvePadding(
  mode: "same" | "valid",
  size: Pair,
  kernel: Pair,
  stride: Pair = [1, 1],
  dilation: Pair = [1, 1],
): Padding {
  if (mode === "valid") return noPadding;
  const [vertical, horizontal] = ([0, 1] as const).map((axis) => {
    const out = Math.ceil(size[axis] / stride[axis]);
    return Math.max((out - 1) * stride[axis] + span(kernel[axis], dilation[axis]) - size[axis], 0);
  }) as [number, number];
  const top = Math.floor(vertical / 2);
  const left = Math.floor(horizontal / 2);
  return { top, bottom: vertical - top, left, right: horizontal - left };
}

/**
 * Keras' transposed convolution in explicit terms. "same" gives size·stride, "valid" gives
 * size·stride + max(span − stride, 0): what reaches beyond is cut off as padding, ⌊p/2⌋ before and the rest after;
 * what is missing when span < stride is output padding.
 */
export function resolveTransposedPadding(
  mode: "same" | "valid",
  kernel: Pair,
  stride: Pair = [1, 1],
  dilation: Pair = [1, 1],
): { padding: Padding; outputPadding: Pair } {
  const excess = ([0, 1] as const).map((axis) => span(kernel[axis], dilation[axis]) - stride[axis]) as [number, number];
  const [vertical, horizontal] = excess.map((e) => (mode === "same" ? Math.max(e, 0) : 0)) as [number, number];
  const top = Math.floor(vertical / 2);
  const left = Math.floor(horizontal / 2);
  return {
    padding: { top, bottom: vertical - top, left, right: horizontal - left },
    outputPadding: [Math.max(-excess[0], 0), Math.max(-excess[1], 0)],
  };
}

type Shape4 = readonly [number, number, number, number];

function shape4(what: string, x: Nd): Shape4 {
  if (x.shape.length !== 4) throw new RangeError(`${what}: expected rank 4, got [${x.shape.join(", ")}]`);
  return x.shape as unknown as Shape4;
}

/** Shape of y for an image [N, H, W, C] and a filter [KH, KW, C/G, O]. */
export function convShape(x: readonly number[], filter: readonly number[], options: ConvOptions = {}): number[] {
  const [n, h, w] = x as Shape4;
  const [kh, kw, , o] = filter as Shape4;
  const { stride = [1, 1], dilation = [1, 1], padding = noPadding } = options;
  return [
    n,
    outputExtent(h, kh, stride[0], dilation[0], padding.top, padding.bottom),
    outputExtent(w, kw, stride[1], dilation[1], padding.left, padding.right),
    o,
  ];
}

/** Visits every term x·w of every y of the formula above, as flat positions in x, w and y. */
function forEachProduct(
  x: Shape4,
  filter: Shape4,
  y: Shape4,
  options: ConvOptions,
  visit: (x: number, w: number, y: number) => void,
): void {
  const { stride = [1, 1], dilation = [1, 1], padding = noPadding, groups = 1 } = options;
  const [batch, h, w, channels] = x;
  const [kh, kw, groupIn, outChannels] = filter;
  const [, oh, ow] = y;
  if (groupIn * groups !== channels || outChannels % groups !== 0) {
    throw new RangeError(
      `convolution: ${groups} groups do not fit ${channels} channels and filter [${filter.join(", ")}]`,
    );
  }
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++) {
        for (let o = 0; o < outChannels; o++) {
          const group = Math.floor(o / (outChannels / groups));
          for (let r = 0; r < kh; r++) {
            const row = i * stride[0] + r * dilation[0] - padding.top;
            if (row < 0 || row >= h) continue;
            for (let q = 0; q < kw; q++) {
              const column = j * stride[1] + q * dilation[1] - padding.left;
              if (column < 0 || column >= w) continue;
              for (let c = 0; c < groupIn; c++) {
                visit(
                  ((n * h + row) * w + column) * channels + group * groupIn + c,
                  ((r * kw + q) * groupIn + c) * outChannels + o,
                  ((n * oh + i) * ow + j) * outChannels + o,
                );
              }
            }
          }
        }
      }
    }
  }
}

function addBias(z: Nd, bias: Nd | undefined): Nd {
  if (bias === undefined) return z;
  const channels = z.shape.at(-1)!;
  requireShape("convolution: bias", bias.shape, [channels]);
  return map(z, (value, i) => value + bias.data[i % channels]!);
}

function preActivation(x: Nd, filter: Nd, options: ConvOptions): Nd {
  const z = zeros(convShape(x.shape, filter.shape, options));
  forEachProduct(shape4("x", x), shape4("filter", filter), shape4("y", z), options, (ix, iw, iy) => {
    z.data[iy]! += x.data[ix]! * filter.data[iw]!;
  });
  return addBias(z, options.bias);
}

/** y = activation(x ∗ w + bias); x [N, H, W, C], w [KH, KW, C/G, O] */
export function conv2d(x: Nd, filter: Nd, options: ConvOptions = {}): Nd {
  return applyUnary(options.activation ?? unary.identity, preActivation(x, filter, options));
}

export interface ConvGradients {
  readonly dx: Nd;
  readonly dfilter: Nd;
  readonly dbias: Nd;
}

/** dz = dy · activation′(z); every term x·w of z gives dx += dz·w and dw += dz·x; dbias = Σ dz over n, i, j. */
export function conv2dGrad(x: Nd, filter: Nd, dy: Nd, options: ConvOptions = {}): ConvGradients {
  const z = preActivation(x, filter, options);
  const dz = unaryGrad(options.activation ?? unary.identity, z, dy);
  const dx = zeros(x.shape);
  const dfilter = zeros(filter.shape);
  forEachProduct(shape4("x", x), shape4("filter", filter), shape4("y", z), options, (ix, iw, iy) => {
    dx.data[ix]! += dz.data[iy]! * filter.data[iw]!;
    dfilter.data[iw]! += dz.data[iy]! * x.data[ix]!;
  });
  return { dx, dfilter, dbias: sumTo(dz, dz.shape.slice(-1)) };
}

/** The filter [KH, KW, C, M] of a depthwise convolution as that of a convolution with C groups: [KH, KW, 1, C·M]. */
function groupedFilter(filter: Nd): Nd {
  const [kh, kw, c, m] = shape4("filter", filter);
  return nd([kh, kw, 1, c * m], filter.data);
}

/** y[…, c·M + m] = bias + Σ over r, q of x[…, c] · w[r, q, c, m]; w [KH, KW, C, M] (TensorFlow's layout) */
export function depthwiseConv2d(x: Nd, filter: Nd, options: Omit<ConvOptions, "groups"> = {}): Nd {
  return conv2d(x, groupedFilter(filter), { ...options, groups: x.shape[3] });
}

export function depthwiseConv2dGrad(
  x: Nd,
  filter: Nd,
  dy: Nd,
  options: Omit<ConvOptions, "groups"> = {},
): ConvGradients {
  const { dx, dfilter, dbias } = conv2dGrad(x, groupedFilter(filter), dy, { ...options, groups: x.shape[3] });
  return { dx, dfilter: nd(filter.shape, dfilter.data), dbias };
}

/** Shape of the transposed convolution of x [N, H, W, C] with a filter [KH, KW, O/G, C]. */
export function transposedConvShape(
  x: readonly number[],
  filter: readonly number[],
  options: TransposedConvOptions = {},
): number[] {
  const [n, h, w] = x as Shape4;
  const [kh, kw, groupOut] = filter as Shape4;
  const { stride = [1, 1], dilation = [1, 1], padding = noPadding, groups = 1, outputPadding = [0, 0] } = options;
  return [
    n,
    (h - 1) * stride[0] + span(kh, dilation[0]) - padding.top - padding.bottom + outputPadding[0],
    (w - 1) * stride[1] + span(kw, dilation[1]) - padding.left - padding.right + outputPadding[1],
    groupOut * groups,
  ];
}

function transposedPreActivation(x: Nd, filter: Nd, options: TransposedConvOptions): Nd {
  const z = zeros(transposedConvShape(x.shape, filter.shape, options));
  forEachProduct(shape4("y", z), shape4("filter", filter), shape4("x", x), options, (iz, iw, ix) => {
    z.data[iz]! += x.data[ix]! * filter.data[iw]!;
  });
  return addBias(z, options.bias);
}

/**
 * The adjoint of conv2d: each x[n, i, j, c] adds x · w[r, q, o, c] to
 * y[n, i·sh + r·dh − top, j·sw + q·dw − left, g·(O/G) + o], g = ⌊c / (C/G)⌋; what falls outside is dropped.
 * w [KH, KW, O/G, C] is Keras' layout, and that of the convolution from y to x whose adjoint this is.
 */
export function transposedConv2d(x: Nd, filter: Nd, options: TransposedConvOptions = {}): Nd {
  return applyUnary(options.activation ?? unary.identity, transposedPreActivation(x, filter, options));
}

export function transposedConv2dGrad(x: Nd, filter: Nd, dy: Nd, options: TransposedConvOptions = {}): ConvGradients {
  const z = transposedPreActivation(x, filter, options);
  const dz = unaryGrad(options.activation ?? unary.identity, z, dy);
  const dx = zeros(x.shape);
  const dfilter = zeros(filter.shape);
  forEachProduct(shape4("y", z), shape4("filter", filter), shape4("x", x), options, (iz, iw, ix) => {
    dx.data[ix]! += dz.data[iz]! * filter.data[iw]!;
    dfilter.data[iw]! += dz.data[iz]! * x.data[ix]!;
  });
  return { dx, dfilter, dbias: sumTo(dz, dz.shape.slice(-1)) };
}
