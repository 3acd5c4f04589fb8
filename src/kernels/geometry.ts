/** Where windows fall on an image: the arithmetic shared by convolutions and pooling, and its complaints. */
import { OptionError, ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../tensor/index.ts";

/** One number for both directions, or `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

/**
 * `valid`: windows stay inside the image. `same`: TensorFlow's, output = ⌈input / stride⌉, an odd remainder padded at
 * the bottom and right. A number or `[[top, bottom], [left, right]]`: PyTorch's explicit padding.
 */
export type PaddingOption = "valid" | "same" | number | readonly [readonly [number, number], readonly [number, number]];

export interface WindowOptions {
  readonly stride?: Pair;
  readonly padding?: PaddingOption;
  readonly dilation?: Pair;
  /** Whether a last, partial window counts if it begins before the end of the image. Default: false. */
  readonly ceilMode?: boolean;
}

/** One direction of a window: what it covers and how it moves. */
export interface Direction {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Pixels that a dilated window covers. */
  readonly span: number;
  readonly before: number;
  readonly after: number;
  readonly output: number;
}

/** Throws unless `x` is `[batch, height, width, channels]`. */
export function checkImages(where: string, x: Shape): void {
  if (x.length === 4) return;
  throw new ShapeError({
    where,
    expected: "an image batch [batch, height, width, channels]",
    got: formatShape(x),
    advice: "reshape it; a single image is a batch of one",
  });
}

/** Throws unless `groups` parts of `channels` are of one size. */
export function checkGroups(where: string, groups: number, channels: number): void {
  if (Number.isInteger(groups) && groups > 0 && channels % groups === 0) return;
  throw new OptionError({ where, expected: `groups that divide ${channels} channels`, got: String(groups) });
}

/** Resolves options for an image `[batch, height, width, channels]` and a kernel size; throws what cannot be. */
export function windowGeometry(
  where: string,
  image: Shape,
  kernel: Pair,
  options: WindowOptions,
): [Direction, Direction] {
  const { padding = "valid", ceilMode = false } = options;
  return directions(where, image, kernel, options, (window, input, axis) => {
    const { span, stride } = window;
    const [before, after] = resolvePadding(where, padding, axis, input, span, stride);
    const output = countWindows(input, before, after, span, stride, ceilMode);
    if (output < 1) throw tooSmall(where, image, span - before - after, axis);
    return { ...window, input, before, after, output };
  });
}

export interface TransposedOptions extends Omit<WindowOptions, "ceilMode"> {
  /**
   * With explicit padding: rows and columns added at the bottom and right, where the stride leaves open what size the
   * other image had. Less than the stride or the dilation. Default: 0.
   */
  readonly outputPadding?: number | readonly [number, number];
}

/**
 * The same for a transposed convolution of `image`: the convolution whose adjoint it is, from the finer image (`input`) to
 * the given one (`output`). `after` may be below 0: rows that no window reaches.
 */
export function transposedGeometry(
  where: string,
  image: Shape,
  kernel: Pair,
  options: TransposedOptions,
): [Direction, Direction] {
  const { padding = "valid", outputPadding } = options;
  return directions(where, image, kernel, options, (window, output, axis) => {
    const { span, stride, dilation } = window;
    const [before, cut] = resolvePadding(where, padding, axis, output * stride, span, stride);
    const open =
      typeof padding === "string" && outputPadding === undefined
        ? Math.max(0, stride - span)
        : checkOutputPadding(where, padding, outputPadding ?? 0, axis, Math.max(stride, dilation));
    const input = (output - 1) * stride + span - before - cut + open;
    if (input < 1) throw tooSmall(where, image, Math.ceil((before + cut - open - span + 1) / stride) + 1, axis);
    return { ...window, input, before, after: cut - open, output };
  });
}

type Window = Pick<Direction, "kernel" | "stride" | "dilation" | "span">;

/** Checks what both directions have in common, and completes each by `complete(window, extent of the image, axis)`. */
function directions(
  where: string,
  image: Shape,
  kernel: Pair,
  options: Pick<WindowOptions, "stride" | "dilation">,
  complete: (window: Window, extent: number, axis: 0 | 1) => Direction,
): [Direction, Direction] {
  checkImages(where, image);
  const sizes = pair(where, "kernel size", kernel);
  const strides = pair(where, "stride", options.stride ?? 1);
  const dilations = pair(where, "dilation", options.dilation ?? 1);
  const direction = (axis: 0 | 1) => {
    const [size, stride, dilation] = [sizes[axis], strides[axis], dilations[axis]];
    const span = (size - 1) * dilation + 1;
    return complete({ kernel: size, stride, dilation, span }, image[axis + 1]!, axis);
  };
  return [direction(0), direction(1)];
}

function tooSmall(where: string, image: Shape, least: number, axis: 0 | 1): ShapeError {
  return new ShapeError({
    where,
    expected: `an image of at least ${least} pixels ${axis === 0 ? "high" : "wide"}`,
    got: formatShape(image),
    advice: "use a smaller window or more padding",
  });
}

function checkOutputPadding(
  where: string,
  padding: PaddingOption,
  value: number | readonly [number, number],
  axis: 0 | 1,
  limit: number,
): number {
  const extra = typeof value === "number" ? value : value[axis];
  if (typeof padding !== "string" && Number.isInteger(extra) && extra >= 0 && extra < limit) return extra;
  throw new OptionError({
    where,
    expected: `an output padding of whole numbers below ${limit}, with explicit padding`,
    got: `${JSON.stringify(value)}, with ${JSON.stringify(padding)}`,
  });
}

/** PyTorch's rule: in ceil mode a window beyond the last whole one must begin in the image or in the padding before it. */
function countWindows(
  input: number,
  before: number,
  after: number,
  span: number,
  stride: number,
  ceilMode: boolean,
): number {
  const steps = (input + before + after - span) / stride;
  if (!ceilMode) return Math.floor(steps) + 1;
  const output = Math.ceil(steps) + 1;
  return (output - 1) * stride >= input + before ? output - 1 : output;
}

function pair(where: string, what: string, value: Pair): readonly [number, number] {
  const both = typeof value === "number" ? ([value, value] as const) : value;
  if (both.length === 2 && both.every((part) => Number.isInteger(part) && part > 0)) return both;
  throw new OptionError({
    where,
    expected: `a ${what} of one or two positive whole numbers`,
    got: JSON.stringify(value),
  });
}

function resolvePadding(
  where: string,
  padding: PaddingOption,
  axis: 0 | 1,
  input: number,
  span: number,
  stride: number,
): readonly [number, number] {
  if (padding === "valid") return [0, 0];
  if (padding === "same") {
    const total = Math.max(0, (Math.ceil(input / stride) - 1) * stride + span - input);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  const both = typeof padding === "number" ? ([padding, padding] as const) : padding[axis];
  if (Array.isArray(both) && both.every((part) => Number.isInteger(part) && part >= 0)) return both;
  throw new OptionError({
    where,
    expected: '"valid", "same", a whole number ≥ 0, or [[top, bottom], [left, right]]',
    got: JSON.stringify(padding),
  });
}
