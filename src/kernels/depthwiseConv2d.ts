/**
 * Depthwise convolution of an NHWC batch: each channel c has M filters of its own, which make output channels o = c·M + m.
 *
 *   y[n,i,j,o]  = f( Σ x[n, s·i + d·r − p, s·j + d·q − p, c] · w[r,q,c,m] + bias[o] )     over r, q
 *   dx[n,i,j,c] = Σ dz[n, (i + p − d·r) / s, (j + p − d·q) / s, o] · w[r,q,c,m]            over m and the r, q that divide
 *   dw[r,q,c,m] = Σ x[n, s·i + d·r − p, s·j + d·q − p, c] · dz[n,i,j,o]                    over n, i, j
 *
 * Nothing is summed over channels, so loads bound it, not arithmetic: filter and window stay in registers, and a loaded value
 * serves every tap that meets it (slidingWindow.ts). Value and input gradient are one kernel with different tables. A filter
 * too large for registers is a convolution in groups of one channel.
 */
import { ShapeError } from "../errors.ts";
import {
  defineKernel,
  defineOp,
  formatShape,
  run,
  type Constants,
  type Device,
  type Shape,
  type Tensor,
  type Width,
} from "../tensor/index.ts";
import { addParts, correlate, filterOf, spread, wantedGroups, type ConvGeometry } from "./contraction/index.ts";
import {
  activationProgram,
  biasGradient,
  checkBias,
  finishOf,
  throughActivation,
  type EpilogueOptions,
} from "./epilogue.ts";
import { windowGeometry, type Direction, type WindowOptions } from "./geometry.ts";
import { sumTo } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { overTiles, slide, type Slide } from "./slidingWindow.ts";
import { each } from "./wgslText.ts";

export interface DepthwiseConvOptions extends WindowOptions, EpilogueOptions {}

const where = "depthwiseConv2d";

/** Extents of the image that is read and of the result, channels in lane vectors, and how tiles cover the result. */
const uniforms = {
  h: "u32",
  w: "u32",
  xc: "u32",
  oh: "u32",
  ow: "u32",
  c: "u32",
  /** Place 0 of the first window, below 0 in the padding: u32 wraps. */
  originY: "u32",
  originX: "u32",
  /** Rows of tiles, stretches of a row, tiles of a stretch. */
  down: "u32",
  across: "u32",
  turns: "u32",
} as const;

/** Constants of a kernel: the filter, as `Sliding` in both directions, and what the names say. */
interface Source {
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  readonly dh: number;
  readonly dw: number;
  readonly rows: number;
  readonly columns: number;
  readonly remainderY: number;
  readonly remainderX: number;
  /** Filters of a channel. */
  readonly multiplier: number;
  readonly biased: boolean;
}

const asSource = (constants: Constants) => constants as unknown as Source;

function slides({ kh, kw, sh, sw, dh, dw, rows, columns, remainderY, remainderX }: Source): [Slide, Slide] {
  return [
    slide({ kernel: kh, stride: sh, dilation: dh, tile: rows, remainder: remainderY }),
    slide({ kernel: kw, stride: sw, dilation: dw, tile: columns, remainder: remainderX }),
  ];
}

/** Where the window's rows lie in the image, for the tile row `e.y` of image `e.x` and channels `channel`. */
function windowRows({ places, step }: Slide): string {
  const row = (place: number) =>
    `let y${place} = e.y * ${step}u + ${place}u + u.originY; let row${place} = (e.x * u.h + y${place}) * u.w * u.xc + channel;`;
  return places.map(row).join("\n");
}

function load(row: number, column: number): string {
  const inside = `y${row} < u.h && x${column} < u.w`;
  return `select(f32v(), x[select(0u, row${row} + x${column} * u.xc, ${inside})], ${inside})`;
}

/** Whether value (i, j) of a tile lies inside the result, and where. */
function resultPlace(rows: Slide, columns: Slide, i: number, j: number): string {
  return `let oy = e.y * ${rows.values.length}u + ${i}u; let ox = tile * ${columns.values.length}u + ${j}u;
          let inside = oy < u.oh && ox < u.ow; let at = ((e.x * u.oh + oy) * u.ow + ox) * u.c + e.w;`;
}

const slidingKernel = defineKernel({
  name: "depthwiseConv2d",
  uniforms,
  inputs: { x: "f32v", w: "f32v", bias: "f32v" },
  outputs: { y: "realv" },
  row: ({ c }) => c,
  wgsl: (constants) => {
    const source = asSource(constants);
    const [rows, columns] = slides(source);
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per stretch of a row of tiles and channel(s)
      let e = unravel(i, u.down, u.across, u.c);
      let channel = e.w / ${source.multiplier}u; let first = e.z * u.turns; let turns = u.turns; let origin = u.originX;
      ${each(source.kh * source.kw, (tap) => `let w${tap} = w[${tap}u * u.c + e.w];`)}
      let begin = ${source.biased ? "bias[e.w]" : "f32v()"}; let held = hold(e.w);
      ${windowRows(rows)}
      ${overTiles(rows, columns, {
        load,
        visit: (i, j, products) => /* wgsl */ `
        { ${resultPlace(rows, columns, i, j)}
          var sum = begin;
          ${products.map(({ place, tap: [r, q] }) => `sum += ${place} * w${r * source.kw + q};`).join(" ")}
          if (inside) { store_y(at, sum, held); } }`,
      })}
    }`;
  },
  flops: (threads, u, constants) => {
    const { kh, kw, remainderY } = asSource(constants);
    const values = remainderY >= 0 ? u.h * u.w : u.oh * u.ow; // each value of the coarser image meets all taps
    return (2 * kh * kw * values * threads * (constants["width"] as Width)) / (u.down * u.across);
  },
});

const filterKernel = defineKernel({
  name: "depthwiseConv2d.filterGradient",
  uniforms: { ...uniforms, lines: "u32", linesPerPart: "u32" },
  inputs: { x: "f32v", dz: "f32v" },
  outputs: { parts: "f32v" },
  wgsl: (constants) => {
    const source = asSource(constants);
    const [rows, columns] = slides(source);
    const taps = source.kh * source.kw;
    return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per part of the batch and channel(s)
      let part = i / u.c; let o = i - part * u.c;
      let channel = o / ${source.multiplier}u; let turns = u.turns; let origin = u.originX;
      ${each(taps, (tap) => `var s${tap} = f32v();`, " ")}
      let last = min((part + 1u) * u.linesPerPart, u.lines);
      for (var line = part * u.linesPerPart; line < last; line++) {
        let e = vec4u(line / u.across / u.down, line / u.across % u.down, line % u.across, o);
        let first = e.z * u.turns;
        ${windowRows(rows)}
        ${overTiles(rows, columns, {
          load,
          visit: (i, j, products) => /* wgsl */ `
        { ${resultPlace(rows, columns, i, j)}
          let d = select(f32v(), dz[select(0u, at, inside)], inside);
          ${products.map(({ place, tap: [r, q] }) => `s${r * source.kw + q} += ${place} * d;`).join(" ")} }`,
        })}
      }
      ${each(taps, (tap) => `store_parts((part * ${taps}u + ${tap}u) * u.c + o, s${tap});`)}
    }`;
  },
  flops: (threads, u, constants) => {
    const { kh, kw, rows, columns } = asSource(constants);
    const values = (u.lines * u.turns * rows * columns * threads) / Math.ceil(u.lines / u.linesPerPart);
    return 2 * kh * kw * values * (constants["width"] as Width);
  },
});

function geometryOf(x: Shape, w: Shape, options: DepthwiseConvOptions): ConvGeometry {
  const [kh = 0, kw = 0, channels = 0, multiplier = 0] = w;
  if (w.length !== 4 || x.at(-1) !== channels) {
    throw new ShapeError({
      where,
      expected: `filters [height, width, ${x.at(-1)}, multiplier] for an image batch ${formatShape(x)}`,
      got: formatShape(w),
    });
  }
  const [vertical, horizontal] = windowGeometry(where, x, [kh, kw], options);
  const outChannels = channels * multiplier;
  return { where, vertical, horizontal, batch: x[0]!, inChannels: channels, outChannels, groups: channels };
}

/** Taps up to which four channels and their window fit into registers, and into a source that compiles in a moment. */
const FEW_TAPS = 9;
/** Beyond, not even those of one channel do. */
const MOST_TAPS = 49;
/** Rows of a tile at stride 1, by channels. */
const TILE_ROWS = { 1: 4, 4: 2 } as const;
/** Dilation up to which a tile is as wide as it: then neighbouring tiles have places in common. */
const MOST_DILATION = 2;
/** Tiles of a stretch for which it is worth while to load the filter. */
const LEAST_TILES = 8;

/** What the kernels have in common, over the result (`finer`: the input's gradient) that tiles cover. */
function tiling(device: Device, geometry: ConvGeometry, finer: boolean) {
  const { vertical: v, horizontal: h, batch, inChannels: channels, outChannels: out } = geometry;
  const multiplier = out / channels;
  const width: Width = out % 4 === 0 && multiplier === 1 && v.kernel * h.kernel <= FEW_TAPS ? 4 : 1;
  const source: Source = {
    kh: v.kernel, kw: h.kernel, sh: v.stride, sw: h.stride, dh: v.dilation, dw: h.dilation,
    rows: Math.ceil(TILE_ROWS[width] / v.stride), columns: h.stride === 1 && h.dilation <= MOST_DILATION ? h.dilation : 1,
    remainderY: finer ? v.before % v.stride : -1, remainderX: finer ? h.before % h.stride : -1,
    multiplier: finer ? 1 : multiplier, biased: false,
  }; // prettier-ignore
  const [rows, columns] = slides(source);
  const [image, result] = finer ? (["output", "input"] as const) : (["input", "output"] as const);
  const down = Math.ceil(v[result] / rows.values.length);
  const tiles = Math.ceil(h[result] / columns.values.length);
  const stretches = Math.ceil(wantedInvocations(device) / (batch * down * (out / width)));
  const turns = Math.ceil(tiles / Math.max(1, Math.min(stretches, Math.floor(tiles / LEAST_TILES))));
  const origin = ({ before, stride }: Direction, { origin: place }: Slide) =>
    (2 ** 32 + place + (finer ? Math.floor(before / stride) : -before)) % 2 ** 32;
  const sizes = {
    h: v[image], w: h[image], xc: (finer ? out : channels) / width, oh: v[result], ow: h[result], c: out / width,
    originY: origin(v, rows), originX: origin(h, columns), down, across: Math.ceil(tiles / turns), turns,
  }; // prettier-ignore
  return { constants: { ...source, width }, sizes };
}

function wantedInvocations(device: Device): number {
  return wantedGroups(device) * 64;
}

function convolve(x: Tensor, w: Tensor, geometry: ConvGeometry, finish: EpilogueOptions): Tensor {
  const { batch, vertical, horizontal, outChannels } = geometry;
  const { constants, sizes } = tiling(x.device, geometry, false);
  const { bias } = finish;
  const shape = [batch, vertical.output, horizontal.output, outChannels];
  // A kernel without bias does not read that binding, which must hold some buffer all the same.
  const { y } = run(slidingKernel, { x, w, bias: bias ?? w }, { y: shape }, sizes, {
    where,
    constants: { ...constants, biased: bias !== undefined },
    threads: batch * sizes.down * sizes.across * sizes.c,
    epilogue: activationProgram(finish),
  });
  return y;
}

/** Of all output channels apart, then summed over those of one channel. */
function inputGradient(dz: Tensor, w: Tensor, geometry: ConvGeometry): Tensor {
  const { batch, vertical, horizontal, inChannels, outChannels } = geometry;
  const { constants, sizes } = tiling(dz.device, geometry, true);
  const pixels = [batch, vertical.input, horizontal.input];
  const threads = batch * sizes.down * sizes.across * sizes.c;
  const outputs = { y: [...pixels, outChannels] };
  const { y } = run(slidingKernel, { x: dz, w, bias: w }, outputs, sizes, { where, constants, threads });
  if (outChannels === inChannels) return y;
  const apart = reshape.raw(y, [...pixels, inChannels, outChannels / inChannels]);
  return reshape.raw(sumTo(apart, [...pixels, inChannels, 1]), [...pixels, inChannels]);
}

/** Parts of the batch that are summed apart at most; more would be long to add up. */
const MOST_PARTS = 256;

function filterGradient(x: Tensor, dz: Tensor, geometry: ConvGeometry, shape: Shape): Tensor {
  const { constants, sizes } = tiling(x.device, geometry, false);
  const lines = geometry.batch * sizes.down * sizes.across;
  const wanted = Math.min(MOST_PARTS, Math.ceil(wantedInvocations(x.device) / sizes.c));
  const linesPerPart = Math.ceil(lines / Math.min(wanted, lines));
  const parts = Math.ceil(lines / linesPerPart);
  const outputs = { parts: parts === 1 ? shape : [parts, ...shape] };
  const options = { where, constants, threads: parts * sizes.c };
  const made = run(filterKernel, { x, dz }, outputs, { ...sizes, lines, linesPerPart }, options).parts;
  return parts === 1 ? made : addParts(made, shape);
}

/** The three passes over a sliding window, and as a convolution in groups. */
const sliding = { convolve, inputGradient, filterGradient };
const inGroups: typeof sliding = {
  convolve: correlate,
  inputGradient: spread,
  filterGradient: (x, dz, geometry, shape) => reshape.raw(filterOf(x, dz, geometry), shape),
};

function passesOf({ vertical, horizontal }: ConvGeometry): typeof sliding {
  return vertical.kernel * horizontal.kernel > MOST_TAPS ? inGroups : sliding;
}

/**
 * Depthwise convolution. `x` is `[batch, height, width, channels]`, `w` is `[height, width, channels, multiplier]`, `bias` is
 * `[channels · multiplier]`. Defaults: stride 1, no padding (`valid`), dilation 1.
 */
export const depthwiseConv2d = defineOp(where, {
  forward(x: Tensor, w: Tensor, options: DepthwiseConvOptions = {}) {
    const geometry = geometryOf(x.shape, w.shape, options);
    checkBias(where, geometry.outChannels, options);
    const y = passesOf(geometry).convolve(x, w, geometry, finishOf(options));
    return { output: y, saved: { x, w, y, geometry, options } };
  },
  backward(dy, { x, w, y, geometry, options }, [wantsX, wantsW, wantsBias]) {
    const dz = throughActivation(dy, y, options);
    const passes = passesOf(geometry);
    const { bias } = options;
    return [
      wantsX ? passes.inputGradient(dz, w, geometry) : null,
      wantsW ? passes.filterGradient(x, dz, geometry, w.shape) : null,
      ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : []),
    ];
  },
});
