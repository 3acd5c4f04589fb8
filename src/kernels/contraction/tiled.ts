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
import { PHASES } from "./phases.ts";

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
  wgsl: ({ width, phased, biased }) => contractionSource(width as Width, phased === true, biased === true),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels * u.matrices,
});

export const tiledFilterGradient = defineKernel({
  name: "filterGradient.tiled",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: ({ width }) => filterGradientSource(width as Width),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow * u.matrices,
});

function contractionSource(width: Width, phased: boolean, biased: boolean): string {
  return /* wgsl */ `
${phased ? PHASES : ""}
${phased ? PHASED_PART : "struct Part { matrix: u32 }\nfn partOf(z: u32) -> Part { return Part(z); }"}

fn left(part: Part, m: u32, inner: u32, end: u32) -> f32 {
  let tap = inner / u.channels; let p = m % u.pixels;
  ${phased ? PHASE_TAP : EVERY_TAP}
  let iy = (p / u.ow) * u.stepY + tapY; let ix = (p % u.ow) * u.stepX + tapX;
  let inside = m < u.m && inner < end && iy < u.h && ix < u.w;
  let pixel = (m / u.pixels) * u.xBatch + iy * u.xRow + ix * u.xColumn;
  let at = part.matrix * u.xMatrix + pixel + (inner % u.channels) * u.xChannel;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn right(part: Part, inner: u32, n: u32, end: u32) -> f32 {
  let tap = inner / u.channels;
  ${phased ? PHASE_FILTER_TAP : "let filterTap = tap;"}
  let inside = inner < end && n < u.n;
  let at = part.matrix * u.wMatrix + filterTap * u.wTap + (inner % u.channels) * u.wChannel + n * u.wColumn;
  return select(0.0, w[select(0u, at, inside)], inside);
}
${tileProduct({
  width,
  store: "store_c",
  begin: "0u",
  end: `${phased ? "part.along.taps * part.across.taps" : "u.taps"} * u.channels`,
  row: (m) => (phased ? `resultRow(${m}, part.phase)` : m),
  rowLimit: phased ? "0xffffffffu" : "u.m",
  at: "part.matrix * u.cMatrix + row * u.cRow",
  first: biased
    ? `vec4f(${each(4, (z) => `bias[part.matrix * u.biasMatrix + min(column + ${z}u, u.n - 1u)]`, ", ")})`
    : "vec4f()",
})}`;
}

const EVERY_TAP = `let tapY = (tap / u.kw) * u.tapY - u.padY; let tapX = (tap % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h`;

const PHASED_PART = `struct Part { matrix: u32, phase: u32, along: Phase, across: Phase }
fn partOf(z: u32) -> Part {
  let phase = z % (u.phasesY * u.phasesX);
  return Part(z / (u.phasesY * u.phasesX), phase, phaseY(phase), phaseX(phase));
}`;

const PHASE_TAP = `let r = tap / max(part.across.taps, 1u); let q = tap % max(part.across.taps, 1u);
  let tapY = r * u.tapY + part.along.shift; let tapX = q * u.tapX + part.across.shift; // u32 wraps: below 0 is ≥ h`;

const PHASE_FILTER_TAP = `let r = tap / max(part.across.taps, 1u); let q = tap % max(part.across.taps, 1u);
  let filterTap = (part.along.first + r * u.everyY) * u.kw + part.across.first + q * u.everyX;`;

function filterGradientSource(width: Width): string {
  return /* wgsl */ `
struct Part { matrix: u32, split: u32 }
fn partOf(z: u32) -> Part { return Part(z % u.matrices, z / u.matrices); }

fn left(part: Part, r: u32, pixel: u32, end: u32) -> f32 {
  let tap = r / u.channels; let line = pixel / u.ow;
  let iy = (line % u.oh) * u.stepY + (tap / u.kw) * u.tapY - u.padY; // u32 wraps: below 0 is ≥ h
  let ix = (pixel % u.ow) * u.stepX + (tap % u.kw) * u.tapX - u.padX;
  let inside = r < u.rows && pixel < end && iy < u.h && ix < u.w;
  let at = part.matrix * u.xMatrix + (line / u.oh) * u.xBatch + iy * u.xRow + ix * u.xColumn + r % u.channels;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn right(part: Part, pixel: u32, n: u32, end: u32) -> f32 {
  let inside = pixel < end && n < u.n;
  return select(0.0, dy[select(0u, part.matrix * u.dyMatrix + pixel * u.dyRow + n, inside)], inside);
}
${tileProduct({
  width,
  store: "store_dw",
  begin: "part.split * u.linesPerSplit * u.ow",
  end: "min((part.split + 1u) * u.linesPerSplit, u.lines) * u.ow",
  row: (r) => r,
  rowLimit: "u.rows",
  at: "part.split * u.dwSplit + part.matrix * u.dwMatrix + row * u.dwRow",
  first: "vec4f()",
})}`;
}

interface TileProduct {
  readonly width: Width;
  readonly store: string;
  /** The inner dimension's part, as WGSL. */
  readonly begin: string;
  readonly end: string;
  /** WGSL: the row of the output that row m of the result goes to, what such rows lie below, and where one starts. */
  readonly row: (m: string) => string;
  readonly rowLimit: string;
  readonly at: string;
  /** Four neighbouring sums begin here. */
  readonly first: string;
}

/**
 * The tile's loop: `left(part, row, inner, end)` times `right(part, inner, column, end)`, summed over inner from begin to
 * end. `part` is what `partOf` makes of the grid's third dimension.
 */
function tileProduct({ width, store, begin, end, row, rowLimit, at, first }: TileProduct): string {
  const lane = (j: number, q: number) => each(width, (z) => `s${j}[${q * width + z}]`, ", ");
  const stores = (j: number) =>
    each(
      4 / width,
      (q) => /* wgsl */ `
    if (column + ${q * width}u < u.n) { ${store}((${at} + column) / ${width}u + ${q}u, f32v(${lane(j, q)})); }`,
    );
  return /* wgsl */ `
var<workgroup> tileLeft: array<array<f32, ${TILE}>, ${SLICE}>;
var<workgroup> tileRight: array<array<f32, ${TILE}>, ${SLICE}>;

fn run(group: vec3u, lane: u32) {
  let part = partOf(group.z);
  let r0 = (lane / 16u) * 4u; let firstRow = group.x * ${TILE}u + r0;
  let c0 = (lane % 16u) * 4u; let column = group.y * ${TILE}u + c0;
  let end = ${end};
  let first = ${first};
  ${each(4, (j) => `var s${j} = first;`, " ")}
  for (var k = ${begin}; k < end; k += ${SLICE}u) {
    ${each(
      (TILE * SLICE) / INVOCATIONS,
      (q) => /* wgsl */ `
    { let z = (lane + ${q * INVOCATIONS}u) / ${TILE}u; let i = (lane + ${q * INVOCATIONS}u) % ${TILE}u;
      tileLeft[z][i] = left(part, group.x * ${TILE}u + i, k + z, end);
      tileRight[z][i] = right(part, k + z, group.y * ${TILE}u + i, end); }`,
    )}
    workgroupBarrier();
    for (var z = 0u; z < ${SLICE}u; z++) {
      let b = vec4f(tileRight[z][c0], tileRight[z][c0 + 1u], tileRight[z][c0 + 2u], tileRight[z][c0 + 3u]);
      ${each(4, (j) => `s${j} += tileLeft[z][r0 + ${j}u] * b;`, " ")}
    }
    workgroupBarrier();
  }
  ${each(4, (j) => `{ let row = ${row(`firstRow + ${j}u`)}; if (row < ${rowLimit}) { ${stores(j)} } }`)}
}`;
}
