/**
 * The one shape of work behind matmul, convolution and the gradient of a convolution's input: rows of x at places that
 * a filter's taps name, times a matrix for each tap.
 */
/** Sizes and strides, in elements. Rows m run over batch × output pixels; a matmul has one pixel and one tap. */
export const contractionUniforms = {
  m: "u32",
  n: "u32",
  taps: "u32",
  channels: "u32",
  /** Output pixels of one image, and the width of the output. */
  pixels: "u32",
  ow: "u32",
  /** Extents of x. */
  h: "u32",
  w: "u32",
  /** Filter width, to split a tap into row and column. */
  kw: "u32",
  /** input row = (output row × step + filter row × tap − pad) ÷ divisor, where that divides; a tap step may be −1 mod 2³². */
  stepY: "u32",
  stepX: "u32",
  tapY: "u32",
  tapX: "u32",
  padY: "u32",
  padX: "u32",
  divisorY: "u32",
  divisorX: "u32",
  xBatch: "u32",
  xRow: "u32",
  xColumn: "u32",
  xChannel: "u32",
  wTap: "u32",
  wChannel: "u32",
  wColumn: "u32",
} as const;

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
  lines: "u32",
  linesPerSplit: "u32",
} as const;

export type FilterGradientUniforms = Record<keyof typeof filterGradientUniforms, number>;

export type ContractionUniforms = Record<keyof typeof contractionUniforms, number>;
