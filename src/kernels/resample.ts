/**
 * Bilinear and area resizing of an NHWC batch, one axis after the other.
 *
 *   y[o] = Σ_r w(o, r) · x[r] / W(o),  W(o) = Σ_r w(o, r)          dx[r] = Σ_o w(o, r) · dy[o] / W(o)
 *
 *   linear   w = max(0, 1 − |p(o) − r|)                 p(o): the place of o on the input, see resizeGeometry.ts
 *   wide     w = max(0, 1 − |p(o) − r| · out / in)      with antialiasing, when shrinking: every pixel is seen (Pillow)
 *   area     w = |[o, o + 1] · in / out ∩ [r, r + 1]|   the mean of what a pixel covers (OpenCV's INTER_AREA)
 *
 * Dividing by W(o) is clamping: beyond the border lies the border's pixel. Weights are integers over a common denominator,
 * so that it is known exactly which r an o sees and which o see an r: the gradient is the transpose, a gather, at any scale.
 * The axis that shrinks most goes first.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, sizeOf, type Constants, type Tensor } from "../tensor/index.ts";
import { reshape } from "./reshape.ts";
import { checkResize, places, type Fraction, type ResizeConvention } from "./resizeGeometry.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

/**
 * A line of `columns` places is computed from one of `extent`. ⌊(a·t + first) / d⌋ is the first that place t sees; it moves
 * on by whole + part / d from place to place.
 */
const uniforms = {
  ...stripUniforms, extent: "i32", a: "i32", b: "i32", d: "i32", first: "i32", whole: "i32", part: "i32", reach: "i32",
} as const; // prettier-ignore

/** A fraction below zero is rounded down too. */
const BEGIN = /* wgsl */ `
      ${STRIP}
      let numerator = u.a * i32(begin) + u.first;
      var start = select(numerator / u.d, -((u.d - 1 - numerator) / u.d), numerator < 0);
      var rest = numerator - start * u.d;
      let row = line * u32(u.extent);`;

const ADVANCE = /* wgsl */ `
        start += u.whole; rest += u.part;
        if (rest >= u.d) { start++; rest -= u.d; }`;

/** Two neighbours, of which the first is often the second of the place before. */
const interpolate = defineKernel({
  name: "interpolate",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn index(row: u32, r: i32) -> u32 { return row + u32(clamp(r, 0, u.extent - 1)); }
    fn run(i: u32) {                                       // one thread per (outer, strip of outputs, inner (in fours))
      ${BEGIN}
      var low = x[index(row, start) * c + channel]; var high = x[index(row, start + 1) * c + channel];
      for (var o = begin; o < end; o++) {
        store_y((line * u.columns + o) * c + channel, mix(low, high, f32(rest) / f32(u.d)));
        let last = start;
        ${ADVANCE}
        if (start > last) {
          low = high;
          if (start > last + 1) { low = x[index(row, start) * c + channel]; }
          high = x[index(row, start + 1) * c + channel];
        }
      }
    }`,
});

type FilterName = "linear" | "wide" | "area";

const TENT = /* wgsl */ `
    fn weight(t: i32, s: i32) -> i32 { return u.reach - abs(u.a * t + u.b - u.d * s); }`;

/**
 * `weight(t, s)` over the common denominator, not above 0 where t does not see s. It is the same seen from either side: the
 * gradient has a and d exchanged, and −b for b. `total(o)` is needed where the gradient divides by it.
 */
const FILTERS: Readonly<Record<FilterName, string>> = {
  linear: /* wgsl */ `${TENT}
    fn total(o: i32) -> f32 {                              // of two neighbours, or of what is left of them at the border
      let p = u.d * o - u.b;
      return f32(u.a - max(-p, 0) - max(p - u.a * (i32(u.columns) - 1), 0));
    }`,
  wide: /* wgsl */ `${TENT}
    fn total(o: i32) -> f32 {
      var sum = 0.0;
      for (var r = max(u.d * o - u.b - u.reach, 0) / u.a; r < i32(u.columns); r++) {
        let w = weight(r, o);
        if (w > 0) { sum += f32(w); } else if (sum > 0.0) { break; }
      }
      return sum;
    }`,
  area: /* wgsl */ `
    fn weight(t: i32, s: i32) -> i32 { return min((t + 1) * u.a, (s + 1) * u.d) - max(t * u.a, s * u.d); }
    fn total(o: i32) -> f32 { return f32(u.columns); }`,
};

const resampleKernel = defineKernel({
  name: "resample",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  wgsl: ({ filter, transposed }: Constants) => /* wgsl */ `
    ${FILTERS[filter as FilterName]}
    fn run(i: u32) {                                       // one thread per (outer, strip of places, inner (in fours))
      ${BEGIN}
      for (var t = begin; t < end; t++) {
        var sum = f32v(); var weights = 0.0;
        var s = max(start, 0);
        for (var at = (row + u32(s)) * c + channel; s < u.extent; at += c) {
          let w = f32(weight(i32(t), s));
          if (w <= 0.0) { break; }
          sum += w ${transposed === true ? "/ total(s)" : ""} * x[at]; weights += w;
          s++;
        }
        store_y((line * u.columns + t) * c + channel, ${transposed === true ? "sum" : "sum / weights"});
        ${ADVANCE}
      }
    }`,
});

/** How one axis is resized. */
interface Axis {
  readonly axis: 1 | 2;
  readonly place: Fraction;
  readonly out: number;
  readonly filter: FilterName;
  readonly reach: number;
}

/** Computes `columns` places along an axis, from those of `x`. */
function runAxis(
  x: Tensor,
  { axis, filter, reach }: Axis,
  columns: number,
  { a, b, d }: Fraction,
  transposed: boolean,
): Tensor {
  const { shape, device } = x;
  const extent = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const width = inner % 4 === 0 ? 4 : 1;
  const neighbours = filter === "linear" && !transposed;
  const first = filter === "area" ? 0 : neighbours ? b : b - reach + d;
  const strips = cutIntoStrips(device, sizeOf(shape.slice(0, axis)), columns, inner / width);
  const sizes = { ...strips.sizes, extent, a, b, d, first, whole: Math.floor(a / d), part: a % d, reach };
  const outShape = shape.map((size, index) => (index === axis ? columns : size));
  const { threads } = strips;
  return neighbours
    ? run(interpolate, { x }, { y: outShape }, sizes, { constants: { width }, threads }).y
    : run(resampleKernel, { x }, { y: outShape }, sizes, { constants: { width, filter, transposed }, threads }).y;
}

const resampleAxis = defineOp("resample", {
  forward: (x: Tensor, axis: Axis) => ({
    output: runAxis(x, axis, axis.out, axis.place, false),
    saved: { axis, extent: x.shape[axis.axis]! },
  }),
  backward: (dy, { axis, extent }) => {
    const { a, b, d } = axis.place;
    return [runAxis(dy, axis, extent, { a: d, b: -b, d: a }, true)];
  },
});

function resample(
  x: Tensor,
  size: readonly [number, number],
  filterFor: (extent: number, out: number) => FilterName,
  convention: ResizeConvention,
): Tensor {
  const axes = ([1, 2] as const)
    .map((axis) => ({ axis, extent: x.shape[axis]!, out: size[axis - 1]! }))
    .filter(({ extent, out }) => extent !== out)
    .sort((one, other) => one.out / one.extent - other.out / other.extent)
    .map(({ axis, extent, out }): Axis => {
      const [filter, place] = [filterFor(extent, out), places(convention, extent, out)];
      return { axis, out, filter, place, reach: filter === "wide" ? 2 * extent : place.d };
    });
  return axes.length === 0 ? reshape(x, x.shape) : axes.reduce(resampleAxis, x);
}

export interface ResizeBilinearOptions {
  /** Default: `halfPixel`. */
  readonly convention?: ResizeConvention;
  /** When shrinking, a filter wide enough to see every pixel, as in Pillow. Needs `halfPixel`. Default: false. */
  readonly antialias?: boolean;
}

/**
 * `[batch, height, width, channels]` → `[batch, size[0], size[1], channels]`, linear between the nearest pixels. Throws
 * `OptionError` for antialiasing with a convention other than `halfPixel`.
 */
export function resizeBilinear(
  x: Tensor,
  size: readonly [number, number],
  { convention = "halfPixel", antialias = false }: ResizeBilinearOptions = {},
): Tensor {
  const where = "resizeBilinear";
  checkResize(where, x.shape, size, convention);
  if (antialias && convention !== "halfPixel") {
    throw new OptionError({
      where,
      expected: "the convention halfPixel with antialias",
      got: convention,
      advice: "leave antialias out, or use halfPixel",
    });
  }
  return resample(x, size, (extent, out) => (antialias && out < extent ? "wide" : "linear"), convention);
}

/**
 * `[batch, height, width, channels]` → `[batch, size[0], size[1], channels]`: each pixel the mean of the area that it covers,
 * pixels in part by their part.
 */
export function resizeArea(x: Tensor, size: readonly [number, number]): Tensor {
  checkResize("resizeArea", x.shape, size);
  return resample(x, size, () => "area", "asymmetric");
}
