/**
 * Contractions by register tiles over workgroup memory, for GPUs, and for every adapter without subgroups.
 *
 *   c[m, n]     = bias[n] + Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *   dw[t, k, n] = Σ over rows m of  x[place(m, t) + k] · dy[m, n]
 *
 * A workgroup of 16 × 16 invocations owns a 64 × 64 tile of the result, four by four elements each. The inner dimension
 * is walked in slices of 16: all invocations bring a slice of both operands into workgroup memory, then each multiplies
 * its four rows with its four columns from there. Loads beyond an edge bring zeros.
 */
import { defineKernel, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, filterGradientUniforms } from "./geometry.ts";

/** Rows and columns of the result that a workgroup owns. */
export const TILE = 64;
const SLICE = 16;
const INVOCATIONS = 256;

export const tiledContraction = defineKernel({
  name: "contraction.tiled",
  inputs: { x: "f32", w: "f32", bias: "f32" },
  outputs: { c: "realv" },
  uniforms: contractionUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: ({ width, fractional, biased }) => contractionSource(width as Width, fractional === true, biased === true),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels,
});

export const tiledFilterGradient = defineKernel({
  name: "filterGradient.tiled",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: ({ width }) => filterGradientSource(width as Width),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow,
});

function contractionSource(width: Width, fractional: boolean, biased: boolean): string {
  const divide = (name: string, divisor: string) => (fractional ? `${name} / ${divisor}` : name);
  const divides = fractional ? " && iy * u.divisorY == numeratorY && ix * u.divisorX == numeratorX" : "";
  return /* wgsl */ `
fn left(m: u32, inner: u32, end: u32) -> f32 {
  let tap = inner / u.channels; let p = m % u.pixels;
  let numeratorY = (p / u.ow) * u.stepY + (tap / u.kw) * u.tapY - u.padY; // u32 wraps: below 0 is ≥ h
  let numeratorX = (p % u.ow) * u.stepX + (tap % u.kw) * u.tapX - u.padX;
  let iy = ${divide("numeratorY", "u.divisorY")}; let ix = ${divide("numeratorX", "u.divisorX")};
  let inside = m < u.m && inner < end && iy < u.h && ix < u.w${divides};
  let at = (m / u.pixels) * u.xBatch + iy * u.xRow + ix * u.xColumn + (inner % u.channels) * u.xChannel;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn right(inner: u32, n: u32, end: u32) -> f32 {
  let inside = inner < end && n < u.n;
  let at = (inner / u.channels) * u.wTap + (inner % u.channels) * u.wChannel + n * u.wColumn;
  return select(0.0, w[select(0u, at, inside)], inside);
}
${tileProduct({ width, store: "store_c", rows: "u.m", begin: "0u", end: "u.taps * u.channels", offset: "0u", biased })}`;
}

function filterGradientSource(width: Width): string {
  return /* wgsl */ `
fn left(r: u32, pixel: u32, end: u32) -> f32 {
  let tap = r / u.channels; let line = pixel / u.ow;
  let iy = (line % u.oh) * u.stepY + (tap / u.kw) * u.tapY - u.padY; // u32 wraps: below 0 is ≥ h
  let ix = (pixel % u.ow) * u.stepX + (tap % u.kw) * u.tapX - u.padX;
  let inside = r < u.rows && pixel < end && iy < u.h && ix < u.w;
  let at = (line / u.oh) * u.xBatch + iy * u.xRow + ix * u.xColumn + r % u.channels;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn right(pixel: u32, n: u32, end: u32) -> f32 {
  let inside = pixel < end && n < u.n;
  return select(0.0, dy[select(0u, pixel * u.n + n, inside)], inside);
}
${tileProduct({
  width,
  store: "store_dw",
  rows: "u.rows",
  begin: "group.z * u.linesPerSplit * u.ow",
  end: "min((group.z + 1u) * u.linesPerSplit, u.lines) * u.ow",
  offset: "group.z * u.rows",
  biased: false,
})}`;
}

interface TileProduct {
  readonly width: Width;
  readonly store: string;
  /** Rows of the result, and how many rows before it in the output, as WGSL. */
  readonly rows: string;
  readonly offset: string;
  /** The inner dimension's part, as WGSL. */
  readonly begin: string;
  readonly end: string;
  /** Whether sums begin at `bias` instead of zero. */
  readonly biased: boolean;
}

/** The tile's loop: `left(row, inner, end)` times `right(inner, column, end)`, summed over inner from begin to end. */
function tileProduct({ width, store, rows, offset, begin, end, biased }: TileProduct): string {
  const first = `vec4f(${each(4, (z) => `bias[min(column + ${z}u, u.n - 1u)]`, ", ")})`;
  const lane = (j: number, q: number) => each(width, (z) => `s${j}[${q * width + z}]`, ", ");
  const stores = (j: number) =>
    each(
      4 / width,
      (q) => /* wgsl */ `
    if (column + ${q * width}u < u.n) { ${store}(((${offset} + row + ${j}u) * u.n + column) / ${width}u + ${q}u, f32v(${lane(j, q)})); }`,
    );
  return /* wgsl */ `
var<workgroup> tileLeft: array<array<f32, ${TILE}>, ${SLICE}>;
var<workgroup> tileRight: array<array<f32, ${TILE}>, ${SLICE}>;

fn run(group: vec3u, lane: u32) {
  let r0 = (lane / 16u) * 4u; let row = group.x * ${TILE}u + r0;
  let c0 = (lane % 16u) * 4u; let column = group.y * ${TILE}u + c0;
  let end = ${end};
  let first = ${biased ? first : "vec4f()"};
  ${each(4, (j) => `var s${j} = first;`, " ")}
  for (var k = ${begin}; k < end; k += ${SLICE}u) {
    ${each(
      (TILE * SLICE) / INVOCATIONS,
      (q) => /* wgsl */ `
    { let z = (lane + ${q * INVOCATIONS}u) / ${TILE}u; let i = (lane + ${q * INVOCATIONS}u) % ${TILE}u;
      tileLeft[z][i] = left(group.x * ${TILE}u + i, k + z, end);
      tileRight[z][i] = right(k + z, group.y * ${TILE}u + i, end); }`,
    )}
    workgroupBarrier();
    for (var z = 0u; z < ${SLICE}u; z++) {
      let b = vec4f(tileRight[z][c0], tileRight[z][c0 + 1u], tileRight[z][c0 + 2u], tileRight[z][c0 + 3u]);
      ${each(4, (j) => `s${j} += tileLeft[z][r0 + ${j}u] * b;`, " ")}
    }
    workgroupBarrier();
  }
  ${each(4, (j) => `if (row + ${j}u < ${rows}) { ${stores(j)} }`)}
}`;
}
