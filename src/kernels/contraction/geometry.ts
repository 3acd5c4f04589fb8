/**
 * The one shape of work behind matmul, convolution and their gradients: rows of x at places that a filter's taps name,
 * times a matrix for each tap. The grid's third dimension counts what repeats that work at other places: the matrices of
 * a batched product, the groups of a convolution, the phases of a strided one's gradient.
 */

/** Sizes and strides, in elements. Rows m run over images × pixels of the result; a plain matmul has one pixel and one tap. */
export const contractionUniforms = {
  m: "u32",
  n: "u32",
  taps: "u32",
  channels: "u32",
  /** Pixels of one image of the result, and the width of that image. */
  pixels: "u32",
  ow: "u32",
  /** Extents of x. */
  h: "u32",
  w: "u32",
  /** Filter height and width. */
  kh: "u32",
  kw: "u32",
  /** input row = output row × step + filter row × tap − pad; a tap step may be −1 mod 2³². */
  stepY: "u32",
  stepX: "u32",
  tapY: "u32",
  tapX: "u32",
  padY: "u32",
  padX: "u32",
  xBatch: "u32",
  xRow: "u32",
  xColumn: "u32",
  xChannel: "u32",
  wTap: "u32",
  wChannel: "u32",
  wColumn: "u32",
  cRow: "u32",
  /** How many products, and how far x, w, the result and the bias of one lie from those of the next. */
  matrices: "u32",
  xMatrix: "u32",
  wMatrix: "u32",
  cMatrix: "u32",
  biasMatrix: "u32",
  /** Phases in each direction, filter rows and columns between two taps of one, extents of the result (see phases.ts). */
  phasesY: "u32",
  phasesX: "u32",
  everyY: "u32",
  everyX: "u32",
  ch: "u32",
  cw: "u32",
} as const;

export type ContractionUniforms = Record<keyof typeof contractionUniforms, number>;

/** The sizes of a single product without phases, where every pixel of the result meets every tap. */
export const SINGLE = {
  matrices: 1, xMatrix: 0, wMatrix: 0, cMatrix: 0, biasMatrix: 0, phasesY: 1, phasesX: 1, everyY: 1, everyX: 1, ch: 1, cw: 1,
} as const; // prettier-ignore

/** The same for the gradient of w. Lines are batch × output rows: the unit by which the long sum is cut into parts. */
export const filterGradientUniforms = {
  n: "u32",
  channels: "u32",
  /** Taps × channels: rows of the result. */
  rows: "u32",
  kw: "u32",
  h: "u32",
  w: "u32",
  oh: "u32",
  ow: "u32",
  stepY: "u32",
  stepX: "u32",
  tapY: "u32",
  tapX: "u32",
  padY: "u32",
  padX: "u32",
  xBatch: "u32",
  xRow: "u32",
  xColumn: "u32",
  dyRow: "u32",
  dwRow: "u32",
  lines: "u32",
  linesPerSplit: "u32",
  /** How many products, how far their operands and results lie apart, and the results of two parts of the sum. */
  matrices: "u32",
  xMatrix: "u32",
  dyMatrix: "u32",
  dwMatrix: "u32",
  dwSplit: "u32",
} as const;

export type FilterGradientUniforms = Record<keyof typeof filterGradientUniforms, number>;
