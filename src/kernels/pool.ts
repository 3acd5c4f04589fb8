/**
 * Max and average pooling over windows of an NHWC batch.
 *
 *   max:      y[n,i,j,c] = max x[n,r,q,c]            over r in s·i−p … s·i−p+k−1, q likewise
 *   average:  y[n,i,j,c] = Σ x[n,r,q,c] / count      over the same window
 *
 * A tap beyond the image reads the nearest real element of its window: a maximum is none the worse for seeing it twice (and
 * needs no −∞, which WGSL cannot spell), a sum leaves it out. The winner is kept as its place in the window, a byte for
 * each of four channels. WGSL has no float atomics, so the gradient *gathers*: an invocation owns the `stride × stride`
 * inputs of a *cell*; which windows cover them, and by which tap, is known when the kernel is compiled. Every dy is loaded
 * once for the cell, not once for each input.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, type Constants, type Shape, type Tensor, type Width } from "../tensor/index.ts";
import { max } from "./extremum.ts";
import { checkImages, windowGeometry, type Direction, type Pair, type PaddingOption } from "./geometry.ts";
import { mean } from "./reduce.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";
import { each } from "./wgslText.ts";

export interface PoolOptions {
  /** Window size. */
  readonly size: Pair;
  /** Default: the window size, so that windows tile the image. */
  readonly stride?: Pair;
  /** Default: `valid`. Padded elements never win a maximum. */
  readonly padding?: PaddingOption;
  /**
   * Whether a last window may reach beyond the padded image, so that no element is left out; as in PyTorch it must begin
   * inside the image or the padding before it. Default: false.
   */
  readonly ceilMode?: boolean;
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts as zeros in the mean (PyTorch's default) or not at all (TensorFlow). Default: false. */
  readonly countPadding?: boolean;
}

const uniforms = {
  ...stripUniforms, rows: "u32", h: "u32", w: "u32", oh: "u32", ow: "u32", kh: "u32", kw: "u32", sh: "u32", sw: "u32",
  top: "u32", left: "u32", edgeY: "u32", edgeX: "u32",
} as const; // prettier-ignore

/**
 * Windows of few elements are compiled in: their loops unroll, and taps become constants. Those of many are walked by loops
 * and share one pipeline.
 */
interface Windows extends Constants {
  readonly unrolled: boolean;
  /** 0 where windows are not unrolled. */
  readonly kh: number;
  readonly kw: number;
  readonly sh: number;
  readonly sw: number;
  /** Whether windows reach beyond the image. */
  readonly clipped: boolean;
}

/** Loads that are unrolled: drivers take long to compile more. */
const UNROLLED = 9;

/** Window and stride as WGSL expressions. */
function inWgsl({ unrolled, kh, kw, sh, sw }: Windows) {
  if (!unrolled) return { kh: "u.kh", kw: "u.kw", sh: "u.sh", sw: "u.sw" };
  return { kh: `${kh}u`, kw: `${kw}u`, sh: `${sh}u`, sw: `${sw}u` };
}

/** Arithmetic of one dispatch, for reports. */
const flops = (threads: number, u: Readonly<Record<keyof typeof uniforms, number>>, { width }: Constants) =>
  threads * u.strip * u.kh * u.kw * (width as number);

/** The strip of invocation i lies on line `row` of image n; `rows` and `columns` count outputs, or cells. */
const PLACE = /* wgsl */ `${STRIP}
      let n = line / u.rows; let row = line - n * u.rows;`;

/** A kernel that computes the outputs of a strip one by one. */
function overOutputs(body: string): string {
  return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (row of outputs, strip of it, channel (of four))
      ${PLACE}
      for (var column = begin; column < end; column++) {
        let to = (line * u.columns + column) * c + channel;
        ${body}
      }
    }`;
}

/** What the body of `overTaps` may use, by the names of the tap's row and column: "0", "1", … unrolled, "" in a loop. */
interface Tap {
  /** The element of the window, in row order. */
  readonly number: string;
  /** The row and column of the element that is read; where windows are clipped, the nearest real one's. */
  readonly r: string;
  readonly q: string;
  /** The row and column of the tap in the padded image. */
  readonly py: string;
  readonly px: string;
}

/** Runs `body` for each tap of the window at (row, column), in row order, where `value` is the element that it reads. */
function overTaps(windows: Windows, body: (tap: Tap) => string, first = body): string {
  const { kh, kw, sh, sw } = inWgsl(windows);
  const nearest = (place: string, before: string, extent: string): string =>
    windows.clipped ? `min(max(${place}, ${before}) - ${before}, ${extent} - 1u)` : place;
  const along = (y: string, ky: string): string => /* wgsl */ `
        let py${y} = row * ${sh} + ${ky}; let r${y} = ${nearest(`py${y}`, "u.top", "u.h")};
        let start${y} = (n * u.h + r${y}) * u.w;`;
  const across = (x: string, kx: string): string => /* wgsl */ `
        let px${x} = column * ${sw} + ${kx}; let q${x} = ${nearest(`px${x}`, "u.left", "u.w")};`;
  const visit = (y: string, x: string, number: string, use: typeof body): string => /* wgsl */ `
        { let value = x[(start${y} + q${x}) * c + channel];
          ${use({ number, r: `r${y}`, q: `q${x}`, py: `py${y}`, px: `px${x}` })} }`;
  if (windows.unrolled) {
    const tap = (ky: number, kx: number): string =>
      visit(`${ky}`, `${kx}`, `${ky * windows.kw + kx}u`, ky + kx === 0 ? first : body);
    return [
      each(windows.kh, (ky) => along(`${ky}`, `${ky}u`)),
      each(windows.kw, (kx) => across(`${kx}`, `${kx}u`)),
      each(windows.kh, (ky) => each(windows.kw, (kx) => tap(ky, kx))),
    ].join("");
  }
  return /* wgsl */ `
        ${first === body ? "" : `{ ${along("", "0u")} ${across("", "0u")} ${visit("", "", "0u", first)} }`}
        for (var ky = 0u; ky < ${kh}; ky++) { ${along("", "ky")}
          for (var kx = 0u; kx < ${kw}; kx++) { ${across("", "kx")} ${visit("", "", `(ky * ${kw} + kx)`, body)} }
        }`;
}

const maxForward = defineKernel({
  name: "maxPool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv", winner: "u32" },
  wgsl: (constants) => {
    const windows = constants as Windows;
    const { kw, sh, sw } = inWgsl(windows);
    const packed = constants["width"] === 4 ? "dot(best, vec4u(1u, 0x100u, 0x10000u, 0x1000000u))" : "best";
    // The tap of the element that was read.
    const seen = ({ number, r, q }: Tap): string =>
      windows.clipped ? `(${r} + u.top - row * ${sh}) * ${kw} + ${q} + u.left - column * ${sw}` : number;
    const first = (tap: Tap): string => `greatest = value; best = u32v(${seen(tap)});`;
    const visit = (tap: Tap): string =>
      `let better = value > greatest; best = select(best, u32v(${seen(tap)}), better); greatest = max(greatest, value);`;
    return overOutputs(/* wgsl */ `
        var greatest: f32v; var best: u32v;                // ties: the first in row order
        ${overTaps(windows, visit, first)}
        store_y(to, greatest);
        ${constants["keepWinner"] === true ? `store_winner(to, ${packed});` : ""}`);
  },
  flops,
});

/** How many elements the mean of window (row, column) divides by. */
function count(windows: Windows, row = "row", column = "column"): string {
  const { kh, kw, sh, sw } = inWgsl(windows);
  if (!windows.clipped) return `f32(${kh} * ${kw})`;
  const along = (first: string, k: string, before: string, edge: string, extent: string): string =>
    windows["countPadding"] === true
      ? `(min(${first} + ${k}, ${edge}) - ${first})`
      : `(min(${first} + ${k}, ${before} + ${extent}) - max(${first}, ${before}))`;
  const rows = along(`${row} * ${sh}`, kh, "u.top", "u.edgeY", "u.h");
  const columns = along(`${column} * ${sw}`, kw, "u.left", "u.edgeX", "u.w");
  return `f32(${rows} * ${columns})`;
}

const averageForward = defineKernel({
  name: "averagePool2d",
  uniforms,
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  wgsl: (constants) => {
    const windows = constants as Windows;
    const inside = ({ py, px }: Tap): string =>
      windows.clipped ? `select(f32v(), value, ${py} - u.top < u.h && ${px} - u.left < u.w)` : "value";
    return overOutputs(/* wgsl */ `
        var sum = f32v();
        ${overTaps(windows, (tap) => `sum += ${inside(tap)};`)}
        store_y(to, sum / ${count(windows)});`);
  },
  flops,
});

interface Cells extends Windows {
  /** Whether the image is whole cells. */
  readonly fits: boolean;
  /** Whether each cell has one window, and it exists. */
  readonly complete: boolean;
}

/** What an operation loads of a window, and what a tap of that window gets; names end with the window's own. */
interface Share {
  readonly load: (name: string, row: string, column: string) => string;
  readonly term: (name: string, tap: string) => string;
}

/**
 * A kernel that gathers the gradient of each input of a strip of cells. Padded pixel (s·row + a, s·column + b) is tap
 * (s·t + a, s·v + b) of window (row − t, column − v), for every t and v that make this a tap.
 */
function overCells(cells: Cells, share: Share): string {
  return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (row of cells, strip of it, channel (of four))
      ${PLACE}
      for (var column = begin; column < end; column++) { ${cells.unrolled ? unrolledCell(cells, share) : loopedCell(cells, share)} }
    }`;
}

/** Loads what window (row − t, column − v) hands out. */
function loadWindow(name: string, t: string, v: string, { complete }: Cells, { load }: Share): string {
  const exists = complete ? "true" : `row${name} < u.oh && column${name} < u.ow`;
  return /* wgsl */ `
        let row${name} = row - ${t}; let column${name} = column - ${v}; // wraps before the first: then ≥ oh as well
        let exists${name} = ${exists};
        let at${name} = select(0u, ((n * u.oh + row${name}) * u.ow + column${name}) * c + channel, exists${name});
        let d${name} = select(f32v(), dy[at${name}], exists${name});
        ${load(name, `row${name}`, `column${name}`)}`;
}

/** Runs `body` for element (a, b) of the cell, if it is a pixel (r, q) of the image. */
function atElement(a: string, b: string, cells: Cells, body: string): string {
  const { sh, sw } = inWgsl(cells);
  return /* wgsl */ `
        { let r = row * ${sh} + ${a} - u.top; let q = column * ${sw} + ${b} - u.left;
          ${cells.fits ? "" : "if (r < u.h && q < u.w)"} { ${body} } }`;
}

const STORE = (value: string): string => `store_dx(((n * u.h + r) * u.w + q) * c + channel, ${value});`;

function unrolledCell(cells: Cells, share: Share): string {
  const { kh, kw, sh, sw } = cells;
  const name = (t: number, v: number): string => `_${t}_${v}`;
  const windows = each(Math.ceil(kh / sh), (t) =>
    each(Math.ceil(kw / sw), (v) => loadWindow(name(t, v), `${t}u`, `${v}u`, cells, share)),
  );
  const terms = (a: number, b: number): string[] => {
    const found: string[] = [];
    for (let ky = a; ky < kh; ky += sh) {
      for (let kx = b; kx < kw; kx += sw) {
        found.push(share.term(name((ky - a) / sh, (kx - b) / sw), `${ky * kw + kx}u`));
      }
    }
    return found;
  };
  const elements = each(sh, (a) =>
    each(sw, (b) => atElement(`${a}u`, `${b}u`, cells, STORE(terms(a, b).join(" + ") || "f32v()"))),
  );
  return windows + elements;
}

function loopedCell(cells: Cells, share: Share): string {
  const { kh, kw, sh, sw } = inWgsl(cells);
  const gather = /* wgsl */ `
          var sum = f32v();
          for (var t = max(row + 1u, u.oh) - u.oh; t <= row && t * ${sh} + a < ${kh}; t++) {
            let start = (n * u.oh + row - t) * u.ow;
            for (var v = max(column + 1u, u.ow) - u.ow; v <= column && v * ${sw} + b < ${kw}; v++) {
              let at = (start + column - v) * c + channel;
              let d = dy[at];
              ${share.load("", "(row - t)", "(column - v)")}
              sum += ${share.term("", `(t * ${sh} + a) * ${kw} + v * ${sw} + b`)};
            }
          }
          ${STORE("sum")}`;
  return /* wgsl */ `
        for (var a = 0u; a < ${sh}; a++) { for (var b = 0u; b < ${sw}; b++) { ${atElement("a", "b", cells, gather)} } }`;
}

const maxBackward = defineKernel({
  name: "maxPool2d.grad",
  uniforms,
  inputs: { dy: "f32v", winner: "u32" },
  outputs: { dx: "realv" },
  wgsl: (constants) => {
    const bytes = (word: string): string =>
      constants["width"] === 4 ? `(vec4u(${word}) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)` : word;
    return overCells(constants as Cells, {
      load: (name) => `let won${name} = ${bytes(`winner[at${name}]`)};`,
      term: (name, tap) => `select(f32v(), d${name}, won${name} == u32v(${tap}))`,
    });
  },
  flops,
});

const averageBackward = defineKernel({
  name: "averagePool2d.grad",
  uniforms,
  inputs: { dy: "f32v" },
  outputs: { dx: "realv" },
  wgsl: (constants) =>
    overCells(constants as Cells, {
      load: (name, row, column) => `let share${name} = d${name} / ${count(constants as Cells, row, column)};`,
      term: (name) => `share${name}`,
    }),
  flops,
});

/** Everything that the kernels of one call need to know. */
interface PoolGeometry {
  readonly inShape: Shape;
  readonly outShape: Shape;
  readonly width: Width;
  readonly forward: Launch<Windows>;
  readonly backward: Launch<Cells>;
}

interface Launch<C> {
  readonly constants: C;
  readonly sizes: Readonly<Record<keyof typeof uniforms, number>>;
  readonly threads: number;
}

/** Taps that a byte can name. */
const NAMEABLE = 256;

function poolGeometry(where: string, { shape, device }: Tensor, options: PoolOptions): PoolGeometry {
  const { size, stride = size, padding = "valid", ceilMode = false } = options;
  const directions = windowGeometry(where, shape, size, { stride, padding, ceilMode });
  directions.forEach((direction) => checkPadding(where, direction));
  const [vertical, horizontal] = directions;
  const [batch, , , channels] = shape as [number, number, number, number];
  const window = { kh: vertical.kernel, kw: horizontal.kernel, sh: vertical.stride, sw: horizontal.stride };
  const width: Width = channels % 4 === 0 && window.kh * window.kw <= NAMEABLE ? 4 : 1;
  const cells = directions.map(({ input, before, stride: step }) => Math.ceil((input + before) / step));
  const reach = directions.map(({ kernel, stride: step }) => Math.ceil(kernel / step));
  const clipped = directions.some(reachesOut);
  const fits = directions.every(({ input, before, stride: step }) => before === 0 && input % step === 0);
  const complete = directions.every(({ output }, k) => reach[k] === 1 && output === cells[k]);
  const sizes = {
    ...window, h: vertical.input, w: horizontal.input, oh: vertical.output, ow: horizontal.output,
    top: vertical.before, left: horizontal.before,
    edgeY: vertical.before + vertical.input + vertical.after,
    edgeX: horizontal.before + horizontal.input + horizontal.after,
  }; // prettier-ignore
  const compiled = (unrolled: boolean) => ({
    width,
    clipped,
    unrolled,
    ...(unrolled ? window : { kh: 0, kw: 0, sh: 0, sw: 0 }),
  });
  const launch = <C>(constants: C, rows: number, columns: number): Launch<C> => {
    const strips = cutIntoStrips(device, batch * rows, columns, channels / width);
    return { constants, sizes: { ...sizes, ...strips.sizes, rows }, threads: strips.threads };
  };
  return {
    inShape: shape,
    outShape: [batch, vertical.output, horizontal.output, channels],
    width,
    forward: launch(compiled(window.kh * window.kw <= UNROLLED), vertical.output, horizontal.output),
    backward: launch(
      { ...compiled(reach[0]! * reach[1]! <= 4 && window.sh * window.sw <= UNROLLED), fits, complete },
      cells[0]!,
      cells[1]!,
    ),
  };
}

function reachesOut({ input, before, kernel, stride, output }: Direction): boolean {
  return before > 0 || (output - 1) * stride + kernel > input;
}

/** Every window must see at least one real element: a mean or maximum of padding alone means nothing. */
function checkPadding(where: string, { before, after, kernel }: Direction): void {
  if (before < kernel && after < kernel) return;
  throw new OptionError({
    where,
    expected: `padding smaller than the window (${kernel})`,
    got: `${before} and ${after}`,
    advice: "use a larger window, or pad the image first",
  });
}

/**
 * Max pooling. `x` is `[batch, height, width, channels]`. Ties go to the first element in row order, as in TensorFlow
 * and PyTorch.
 */
export const maxPool2d = defineOp("maxPool2d", {
  forward(x: Tensor, options: PoolOptions) {
    const { inShape, outShape, width, forward, backward } = poolGeometry("maxPool2d", x, options);
    const keepWinner = x.device.tape?.tracks(x) ?? false;
    const places = [...outShape.slice(0, 3), outShape[3]! / width];
    const outputs = { y: outShape, winner: keepWinner ? places : [1] };
    const constants = { ...forward.constants, keepWinner };
    const { y, winner } = run(maxForward, { x }, outputs, forward.sizes, { constants, threads: forward.threads });
    return { output: y, saved: { winner, inShape, ...backward } };
  },
  backward(dy, { winner, inShape, sizes, constants, threads }) {
    return [run(maxBackward, { dy, winner }, { dx: inShape }, sizes, { constants, threads }).dx];
  },
});

/** Average pooling. `x` is `[batch, height, width, channels]`. */
export const averagePool2d = defineOp("averagePool2d", {
  forward(x: Tensor, options: AveragePoolOptions) {
    const { countPadding = false } = options;
    const { inShape, outShape, forward, backward } = poolGeometry("averagePool2d", x, options);
    const constants = { ...forward.constants, countPadding };
    const { y } = run(averageForward, { x }, { y: outShape }, forward.sizes, { constants, threads: forward.threads });
    return { output: y, saved: { inShape, countPadding, ...backward } };
  },
  backward(dy, { inShape, countPadding, sizes, constants, threads }) {
    const settings = { constants: { ...constants, countPadding }, threads };
    return [run(averageBackward, { dy }, { dx: inShape }, sizes, settings).dx];
  },
});

/** Greatest value of each channel over the image: `[batch, height, width, channels]` → `[batch, channels]`. */
export function globalMaxPool2d(x: Tensor): Tensor {
  checkImages("globalMaxPool2d", x.shape);
  return max(x, { axes: [1, 2] });
}

/** Mean of each channel over the image, in f32: `[batch, height, width, channels]` → `[batch, channels]`. */
export function globalAveragePool2d(x: Tensor): Tensor {
  checkImages("globalAveragePool2d", x.shape);
  return mean(x, { axes: [1, 2] });
}
