/**
 * fast-check arbitraries for shapes and geometries, and seeded values to fill them with.
 *
 * Extents come from around the sizes of vectors, subgroups and tiles (1, 3, 4, 5, 7, 8, 9, 31, 32, 33, …). Each case is
 * shrunk, never rejected, until its work fits a bound: the largest extent steps down until the product is small enough.
 * All values are exact in float32, so that a kernel and its reference start from the same numbers.
 */
import fc from "fast-check";
import {
  convShape,
  noPadding,
  resolvePadding,
  resolveTransposedPadding,
  span,
  transposedConvShape,
  type Padding,
  type Pair,
} from "./conv.ts";
import { nd, size, type Nd } from "./nd.ts";
import { ceilExtra, poolShape } from "./pool.ts";

/** Extents around the multiples of 4, 8, 16, 32 and 64 that kernels tile by. */
const EXTENTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129] as const;

export function extent(most = 65): fc.Arbitrary<number> {
  return fc.constantFrom(...EXTENTS.filter((e) => e <= most));
}

/**
 * Runs `check` on `numRuns` drawn cases and reports the smallest failing one with its cause. The seed is fixed, so that
 * a failure is a fault of this commit and not of the day; REFERENCE_SEED draws other cases.
 */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (drawn: T) => void | Promise<void>,
  numRuns = 40,
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, async (drawn) => check(drawn));
  await fc.assert(property, {
    numRuns,
    seed: Number(process.env["REFERENCE_SEED"] ?? 20_260_101),
    includeErrorInReport: true,
  });
}

export const seed: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** Lowers the largest of `extents` to the next smaller tabled one until `work(extents)` is at most `most`. */
function fitted(
  extents: readonly number[],
  most: number,
  work: (extents: readonly number[]) => number = size,
): number[] {
  const fit = [...extents];
  while (work(fit) > most) {
    const largest = fit.indexOf(Math.max(...fit));
    const smaller = EXTENTS.findLast((e) => e < fit[largest]!);
    if (smaller === undefined) break;
    fit[largest] = smaller;
  }
  return fit;
}

export interface ShapeLimits {
  readonly minRank?: number;
  readonly maxRank?: number;
  readonly maxSize?: number;
}

export function shape({ minRank = 1, maxRank = 4, maxSize = 4096 }: ShapeLimits = {}): fc.Arbitrary<number[]> {
  return fc.array(extent(129), { minLength: minRank, maxLength: maxRank }).map((extents) => fitted(extents, maxSize));
}

/** Two shapes that broadcast: the second one lacks leading axes or has extent 1 here and there; in either order. */
export function broadcastPair(limits: ShapeLimits = {}): fc.Arbitrary<readonly [number[], number[]]> {
  return shape(limits).chain((full) =>
    fc
      .tuple(
        fc.array(fc.constantFrom("both", "both", "first", "second"), {
          minLength: full.length,
          maxLength: full.length,
        }),
        fc.nat(full.length),
        fc.boolean(),
      )
      .map(([kinds, missing, swap]) => {
        const first = full.map((e, axis) => (kinds[axis] === "second" && axis >= missing ? 1 : e));
        const second = full.map((e, axis) => (kinds[axis] === "first" ? 1 : e)).slice(missing);
        return swap ? ([second, first] as const) : ([first, second] as const);
      }),
  );
}

export interface ReduceCase {
  readonly shape: number[];
  readonly axes: number[];
  readonly keepDims: boolean;
  readonly seed: number;
}

/** A shape and a non-empty set of its axes, some of them counted from the back. */
export function reduceCase(limits: ShapeLimits = {}): fc.Arbitrary<ReduceCase> {
  return shape(limits).chain((extents) =>
    fc.record({
      shape: fc.constant(extents),
      axes: fc
        .tuple(
          fc.subarray(
            extents.map((_, axis) => axis),
            { minLength: 1 },
          ),
          fc.boolean(),
        )
        .map(([axes, back]) => (back ? axes.map((axis) => axis - extents.length) : axes)),
      keepDims: fc.boolean(),
      seed,
    }),
  );
}

export interface AxisCase {
  readonly shape: number[];
  readonly axis: number;
  readonly seed: number;
}

/** A shape and one of its axes, possibly counted from the back. */
export function axisCase(limits: ShapeLimits = {}): fc.Arbitrary<AxisCase> {
  return shape(limits).chain((extents) =>
    fc.record({
      shape: fc.constant(extents),
      axis: fc.integer({ min: -extents.length, max: extents.length - 1 }),
      seed,
    }),
  );
}

export interface MatmulCase {
  readonly a: number[];
  readonly b: number[];
  readonly y: number[];
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly bias: boolean;
  readonly seed: number;
}

/** Products of at most `maxWork` multiplications, with and without (broadcasting) batch axes. */
export function matmulCase({
  maxWork = 500_000,
  batches = true,
}: { maxWork?: number; batches?: boolean } = {}): fc.Arbitrary<MatmulCase> {
  return fc
    .record({
      m: extent(129),
      k: extent(129),
      n: extent(129),
      batch: batches ? fc.oneof(fc.constant([]), broadcastPair({ maxRank: 2, maxSize: 6 })) : fc.constant([]),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
      bias: fc.boolean(),
      seed,
    })
    .map(({ batch, transposeA, transposeB, bias, seed: drawn, ...extents }) => {
      const [batchA = [], batchB = []] = batch;
      const rank = Math.max(batchA.length, batchB.length);
      const batchY = Array.from({ length: rank }, (_, axis) =>
        Math.max(batchA[axis - rank + batchA.length] ?? 1, batchB[axis - rank + batchB.length] ?? 1),
      );
      const [m, k, n] = fitted([extents.m, extents.k, extents.n], maxWork / size(batchY)) as [number, number, number];
      return {
        a: [...batchA, ...(transposeA ? [k, m] : [m, k])],
        b: [...batchB, ...(transposeB ? [n, k] : [k, n])],
        y: [...batchY, m, n],
        k,
        transposeA,
        transposeB,
        bias,
        seed: drawn,
      };
    });
}

const pair = (values: fc.Arbitrary<number>): fc.Arbitrary<Pair> =>
  fc.oneof(
    values.map((v): Pair => [v, v]),
    fc.tuple(values, values),
  );

/** Mostly 1, sometimes 2 or 3. */
const step = fc.constantFrom(1, 1, 1, 2, 2, 3);

type Mode = "valid" | "same" | "explicit";
const mode = fc.constantFrom<Mode>("valid", "same", "explicit");
const fraction = fc.integer({ min: 0, max: 1000 });
const fourFractions = fc.tuple(fraction, fraction, fraction, fraction);

/** Padding of 0 … most on each side, from four draws between 0 and 1000. */
function drawnPadding([a, b, c, d]: readonly [number, number, number, number], [height, width]: Pair): Padding {
  const part = (draw: number, most: number): number => Math.floor((draw / 1001) * (most + 1));
  return { top: part(a, height), bottom: part(b, height), left: part(c, width), right: part(d, width) };
}

export interface ConvCase {
  readonly x: number[];
  readonly filter: number[];
  readonly y: number[];
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: Padding;
  readonly groups: number;
  readonly bias: boolean;
  readonly seed: number;
}

const convDraws = {
  batch: fc.constantFrom(1, 1, 2, 3),
  image: pair(extent(33)),
  kernel: pair(fc.constantFrom(1, 2, 3, 3, 3, 4, 5, 7)),
  stride: pair(step),
  dilation: pair(fc.constantFrom(1, 1, 1, 2, 3)),
  mode,
  paddings: fourFractions,
  bias: fc.boolean(),
  seed,
};

/**
 * Convolutions whose padded image holds the filter, of at most `maxWork` multiplications (or one output position's, if
 * that is more). `kind` "grouped" draws 1 to 4 groups; "depthwise" gives filters [KH, KW, C, M] for `depthwiseConv2d`.
 */
export function convCase({
  maxWork = 500_000,
  kind = "grouped",
}: { maxWork?: number; kind?: "plain" | "grouped" | "depthwise" } = {}): fc.Arbitrary<ConvCase> {
  const groupCount =
    kind === "plain" ? fc.constant(1) : kind === "grouped" ? fc.constantFrom(1, 1, 1, 2, 3, 4) : extent(33);
  const perGroup = kind === "depthwise" ? fc.constant(1) : extent(33);
  return fc
    .record({
      ...convDraws,
      groups: groupCount,
      groupIn: perGroup,
      groupOut: kind === "depthwise" ? fc.constantFrom(1, 1, 2, 3) : extent(33),
    })
    .map((drawn) => {
      const { kernel, stride, dilation } = drawn;
      const build = ([n, h, w, groupIn, groupOut, groups]: readonly number[]): ConvCase => {
        const most: Pair = [span(kernel[0], dilation[0]) - 1, span(kernel[1], dilation[1]) - 1];
        let padding = drawn.mode === "explicit" ? drawnPadding(drawn.paddings, most) : noPadding;
        // "same" always fits; otherwise the image grows until the filter does.
        const image: Pair =
          drawn.mode === "same"
            ? [h!, w!]
            : [
                Math.max(h!, most[0] + 1 - padding.top - padding.bottom),
                Math.max(w!, most[1] + 1 - padding.left - padding.right),
              ];
        if (drawn.mode === "same") padding = resolvePadding("same", image, kernel, stride, dilation);
        const x = [n!, ...image, groupIn! * groups!];
        const grouped = [...kernel, groupIn!, groupOut! * groups!];
        const filter = kind === "depthwise" ? [...kernel, groups!, groupOut!] : grouped;
        const y = convShape(x, grouped, { stride, dilation, padding });
        return { x, filter, y, stride, dilation, padding, groups: groups!, bias: drawn.bias, seed: drawn.seed };
      };
      const extents = [drawn.batch, ...drawn.image, drawn.groupIn, drawn.groupOut, drawn.groups];
      const work = (candidate: readonly number[]): number =>
        size(build(candidate).y) * kernel[0] * kernel[1] * candidate[3]!;
      return build(fitted(extents, maxWork, work));
    });
}

export interface TransposedConvCase extends ConvCase {
  readonly outputPadding: Pair;
}

/** Transposed convolutions, x [N, H, W, C] with filters [KH, KW, O/G, C], of at most `maxWork` multiplications. */
export function transposedConvCase({ maxWork = 500_000 }: { maxWork?: number } = {}): fc.Arbitrary<TransposedConvCase> {
  return fc
    .record({
      ...convDraws,
      groups: fc.constantFrom(1, 1, 1, 2, 3),
      groupIn: extent(17),
      groupOut: extent(17),
      outputPaddings: fc.tuple(fraction, fraction),
    })
    .map((drawn) => {
      const { kernel, stride, dilation, groups } = drawn;
      const most: Pair = [span(kernel[0], dilation[0]) - 1, span(kernel[1], dilation[1]) - 1];
      const build = ([n, h, w, groupIn, groupOut]: readonly number[]): TransposedConvCase => {
        const x = [n!, h!, w!, groupIn! * groups];
        const filter = [...kernel, groupOut!, groupIn! * groups];
        let padding = drawnPadding(drawn.paddings, most);
        let outputPadding: Pair = [drawn.outputPaddings[0] % stride[0], drawn.outputPaddings[1] % stride[1]];
        if (drawn.mode !== "explicit") {
          ({ padding, outputPadding } = resolveTransposedPadding(drawn.mode, kernel, stride, dilation));
        }
        const [, oh, ow] = transposedConvShape(x, filter, { stride, dilation, padding, groups, outputPadding }) as [
          number,
          number,
          number,
          number,
        ];
        if (oh < 1 || ow < 1) padding = noPadding;
        const y = transposedConvShape(x, filter, { stride, dilation, padding, groups, outputPadding });
        return { x, filter, y, stride, dilation, padding, outputPadding, groups, bias: drawn.bias, seed: drawn.seed };
      };
      const extents = [drawn.batch, ...drawn.image, drawn.groupIn, drawn.groupOut];
      const work = (candidate: readonly number[]): number =>
        size(build(candidate).x) * kernel[0] * kernel[1] * candidate[4]!;
      return build(fitted(extents, maxWork, work));
    });
}

export interface PoolCase {
  readonly x: number[];
  readonly y: number[];
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly extra: Pair;
  readonly countPadding: boolean;
  readonly seed: number;
}

/** Pooling geometries in which every window holds a real element; overlapping, apart, and in ceil mode. */
export function poolCase({ maxWork = 100_000 }: { maxWork?: number } = {}): fc.Arbitrary<PoolCase> {
  return fc
    .record({
      batch: fc.constantFrom(1, 1, 2, 3),
      image: pair(extent(33)),
      channels: extent(65),
      kernel: pair(fc.constantFrom(1, 2, 2, 3, 3, 4, 5)),
      stride: pair(fc.constantFrom(1, 2, 2, 3, 4, 6)),
      mode,
      paddings: fourFractions,
      ceil: fc.boolean(),
      countPadding: fc.boolean(),
      seed,
    })
    .map(({ kernel, stride, countPadding, ...drawn }) => {
      const build = ([n, h, w, c]: readonly number[]): PoolCase => {
        let padding =
          drawn.mode === "explicit" ? drawnPadding(drawn.paddings, [kernel[0] - 1, kernel[1] - 1]) : noPadding;
        const image: Pair =
          drawn.mode === "same"
            ? [h!, w!]
            : [
                Math.max(h!, kernel[0] - padding.top - padding.bottom),
                Math.max(w!, kernel[1] - padding.left - padding.right),
              ];
        if (drawn.mode === "same") padding = resolvePadding("same", image, kernel, stride);
        const extra: Pair = drawn.ceil ? ceilExtra(image, { size: kernel, stride, padding }) : [0, 0];
        const x = [n!, ...image, c!];
        const y = poolShape(x, { size: kernel, stride, padding, extra });
        return { x, y, size: kernel, stride, padding, extra, countPadding, seed: drawn.seed };
      };
      const extents = [drawn.batch, ...drawn.image, drawn.channels];
      const work = (candidate: readonly number[]): number => {
        const { x, y } = build(candidate);
        return size(y) * kernel[0] * kernel[1] + size(x);
      };
      return build(fitted(extents, maxWork, work));
    });
}

export interface PadCase {
  readonly shape: number[];
  readonly paddings: (readonly [number, number])[];
  readonly seed: number;
}

export function padCase(limits: ShapeLimits = {}): fc.Arbitrary<PadCase> {
  const around = fc.tuple(fc.nat(3), fc.nat(3));
  return shape(limits).chain((extents) =>
    fc.record({ shape: fc.constant(extents), paddings: fc.tuple(...extents.map(() => around)), seed }),
  );
}

export interface SliceCase {
  readonly shape: number[];
  readonly begin: number[];
  readonly extent: number[];
  readonly seed: number;
}

export function sliceCase(limits: ShapeLimits = {}): fc.Arbitrary<SliceCase> {
  return shape(limits).chain((extents) =>
    fc.tuple(fc.tuple(...extents.map((e) => fc.tuple(fc.nat(e - 1), fc.nat(e - 1)))), seed).map(([ends, drawn]) => ({
      shape: extents,
      begin: ends.map(([a, b]) => Math.min(a, b)),
      extent: ends.map(([a, b]) => Math.abs(a - b) + 1),
      seed: drawn,
    })),
  );
}

export interface TransposeCase {
  readonly shape: number[];
  readonly permutation: number[];
  readonly seed: number;
}

export function transposeCase(limits: ShapeLimits = {}): fc.Arbitrary<TransposeCase> {
  return shape(limits).chain((extents) => {
    const axes = extents.map((_, axis) => axis);
    return fc.record({
      shape: fc.constant(extents),
      permutation: fc.shuffledSubarray(axes, { minLength: axes.length }),
      seed,
    });
  });
}

export interface ConcatCase {
  readonly shapes: number[][];
  readonly axis: number;
  readonly seed: number;
}

/** One to four arrays that differ along one axis only. */
export function concatCase(limits: ShapeLimits = {}): fc.Arbitrary<ConcatCase> {
  return axisCase(limits).chain(({ shape: extents, axis, seed: drawn }) => {
    const along = axis < 0 ? axis + extents.length : axis;
    const one = fc
      .integer({ min: 1, max: extents[along]! })
      .map((e) => extents.map((other, k) => (k === along ? e : other)));
    return fc.array(one, { minLength: 1, maxLength: 4 }).map((shapes) => ({ shapes, axis, seed: drawn }));
  });
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, public domain). */
function uniform(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ValueOptions {
  /** Defaults to −1. */
  readonly min?: number;
  /** Defaults to 1. */
  readonly max?: number;
  /** Pairwise different values, evenly spaced and shuffled: a maximum has no ties. */
  readonly distinct?: boolean;
  /** Points, such as the kinks of an activation, that values keep `margin` away from (by then perhaps no longer distinct). */
  readonly avoid?: readonly number[];
  /** Defaults to 0.01. */
  readonly margin?: number;
}

/** An array of `extents` filled from a seed; every value is a float32. */
export function values(extents: readonly number[], from: number, options: ValueOptions = {}): Nd {
  const { min = -1, max = 1, distinct = false, avoid = [], margin = 0.01 } = options;
  const random = uniform(from);
  const count = size(extents);
  const data = Float64Array.from(
    { length: count },
    (_, i) => min + (max - min) * (distinct ? (i + 0.5) / count : random()),
  );
  if (distinct) {
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [data[i], data[j]] = [data[j]!, data[i]!];
    }
  }
  return nd(
    extents,
    data.map((value) => {
      const near = avoid.find((point) => Math.abs(value - point) < margin);
      return Math.fround(near === undefined ? value : near + (value < near ? -margin : margin));
    }),
  );
}

/** Values of only `levels` (default 3) neighbouring integers around 0: nearly every window and line has ties. */
export function tiedValues(extents: readonly number[], from: number, levels = 3): Nd {
  const random = uniform(from);
  return nd(
    extents,
    Float64Array.from({ length: size(extents) }, () => Math.floor(random() * levels) - Math.floor(levels / 2)),
  );
}

/** Integers 0 … classes − 1: labels, or rows to gather. */
export function labels(count: number, classes: number, from: number): Int32Array {
  const random = uniform(from);
  return Int32Array.from({ length: count }, () => Math.floor(random() * classes));
}
