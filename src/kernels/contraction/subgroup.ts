/**
 * Contractions by subgroup shuffles, for adapters that run on the CPU.
 *
 *   c[m, n]     = Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *   dw[t, k, n] = Σ over rows m of                 x[place(m, t) + k] · dy[m, n]
 *
 * There a load costs as much as 25 multiply-adds and workgroup memory never pays, so everything stays in registers. One
 * workgroup is one subgroup and owns a block of `rows` × (lanes · width · spans) results. Lanes run along the columns:
 * each loads its own of w (or dy), four neighbours at once where it can. The values of x, one for each row of the block,
 * are loaded side by side by the lanes and handed to all by `subgroupShuffle` with constant lanes, the one broadcast
 * that is cheap. Measured on lavapipe, 32 rows × 64 columns are best where there is that much to do.
 */
import { defineKernel, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, filterGradientUniforms } from "./geometry.ts";

export interface SubgroupBlock {
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** Rows of the block. */
  readonly rows: number;
  /** Loads of w, each `lanes · width` columns wide. */
  readonly spans: number;
  readonly width: Width;
}

interface Constants extends SubgroupBlock {
  readonly bounded: boolean;
  readonly fractional: boolean;
}

/** Columns of a block. */
export function blockColumns({ lanes, spans, width }: SubgroupBlock): number {
  return lanes * width * spans;
}

export const subgroupContraction = defineKernel({
  name: "contraction.subgroup",
  inputs: { x: "f32", w: "f32v" },
  outputs: { c: "f32v" },
  uniforms: contractionUniforms,
  enable: ["subgroups"],
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => contractionSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels,
});

export const subgroupFilterGradient = defineKernel({
  name: "filterGradient.subgroup",
  inputs: { x: "f32", dy: "f32v" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  enable: ["subgroups"],
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => filterGradientSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow,
});

function contractionSource({ bounded, fractional, ...block }: Constants): string {
  const { lanes, rows, spans, width } = block;
  const loads = Math.ceil(rows / lanes);
  const step = lanes * width;
  // Without padding or division a tap moves every place by the same distance.
  const place = (q: number) =>
    bounded || fractional ? boundedPlace(q, fractional) : `var at${q} = origin${q} + tapY * u.xRow + tapX * u.xColumn;`;
  return /* wgsl */ `
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${rows}u;
  let firstColumn = group.y * ${blockColumns(block)}u + lane * ${width}u;
  ${each(
    loads,
    (q) => /* wgsl */ `
  let m${q} = min(firstRow + ${q * lanes}u + lane, u.m - 1u);
  let p${q} = m${q} % u.pixels; let image${q} = (m${q} / u.pixels) * u.xBatch;
  let y${q} = (p${q} / u.ow) * u.stepY; let x${q} = (p${q} % u.ow) * u.stepX;
  let origin${q} = image${q} + y${q} * u.xRow + x${q} * u.xColumn;`,
  )}
  ${each(spans, (t) => `let column${t} = min(firstColumn + ${t * step}u, u.n - ${width}u) * u.wColumn;`)}
  ${accumulators(block)}
  for (var tap = 0u; tap < u.taps; tap++) {
    let tapY = (tap / u.kw) * u.tapY - u.padY; let tapX = (tap % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
    ${each(loads, place)}
    var row = tap * u.wTap;
    for (var k = 0u; k < u.channels; k++) {
      ${each(spans, (t) => `let b${t} = w[(row + column${t}) / ${width}u];`)}
      ${each(loads, (q) => (bounded || fractional ? `let a${q} = select(0.0, x[at${q}], inside${q});` : `let a${q} = x[at${q}];`))}
      ${multiplyAdd(block)}
      row += u.wChannel;
      ${each(loads, (q) => `at${q} += u.xChannel;`, " ")}
    }
  }
  ${each(
    rows,
    (i) => /* wgsl */ `
  if (firstRow + ${i}u < u.m) {
    let start = ((firstRow + ${i}u) * u.n + firstColumn) / ${width}u;
    ${each(spans, (t) => `if (firstColumn + ${t * step}u < u.n) { store_c(start + ${t * lanes}u, s${i}_${t}); }`)}
  }`,
  )}
}`;
}

/** Where a lane finds the value of its row for this tap, and whether it lies inside x. */
function boundedPlace(q: number, fractional: boolean): string {
  if (!fractional) {
    return /* wgsl */ `
    let iy${q} = y${q} + tapY; let ix${q} = x${q} + tapX;
    let inside${q} = iy${q} < u.h && ix${q} < u.w;
    var at${q} = select(0u, image${q} + iy${q} * u.xRow + ix${q} * u.xColumn, inside${q});`;
  }
  return /* wgsl */ `
    let iy${q} = (y${q} + tapY) / u.divisorY; let ix${q} = (x${q} + tapX) / u.divisorX;
    let inside${q} = iy${q} < u.h && ix${q} < u.w && iy${q} * u.divisorY == y${q} + tapY && ix${q} * u.divisorX == x${q} + tapX;
    var at${q} = select(0u, image${q} + iy${q} * u.xRow + ix${q} * u.xColumn, inside${q});`;
}

function filterGradientSource({ bounded, ...block }: Constants): string {
  const { lanes, rows, spans, width } = block;
  const loads = Math.ceil(rows / lanes);
  const step = lanes * width;
  const load = (q: number) =>
    bounded
      ? `let inside${q} = y + tapY${q} < u.h && column + tapX${q} < u.w; let a${q} = select(0.0, x[select(0u, at + place${q}, inside${q})], inside${q});`
      : `let a${q} = x[at + place${q}];`;
  return /* wgsl */ `
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${rows}u;
  let firstColumn = group.y * ${blockColumns(block)}u + lane * ${width}u;
  ${each(
    loads,
    (q) => /* wgsl */ `
  let r${q} = min(firstRow + ${q * lanes}u + lane, u.rows - 1u); let tap${q} = r${q} / u.channels;
  let tapY${q} = (tap${q} / u.kw) * u.tapY - u.padY; let tapX${q} = (tap${q} % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
  let place${q} = tapY${q} * u.xRow + tapX${q} * u.xColumn + r${q} % u.channels;`,
  )}
  ${each(spans, (t) => `let column${t} = min(firstColumn + ${t * step}u, u.n - ${width}u);`)}
  ${accumulators(block)}
  let last = min((group.z + 1u) * u.linesPerSplit, u.lines);
  for (var line = group.z * u.linesPerSplit; line < last; line++) {
    let y = (line % u.oh) * u.stepY;
    var at = (line / u.oh) * u.xBatch + y * u.xRow;
    var pixel = line * u.ow * u.n;
    var column = 0u;
    for (var ox = 0u; ox < u.ow; ox++) {
      ${each(spans, (t) => `let b${t} = dy[(pixel + column${t}) / ${width}u];`)}
      ${each(loads, load)}
      ${multiplyAdd(block)}
      pixel += u.n; column += u.stepX; at += u.stepX * u.xColumn;
    }
  }
  ${each(
    rows,
    (i) => /* wgsl */ `
  if (firstRow + ${i}u < u.rows) {
    let start = ((group.z * u.rows + firstRow + ${i}u) * u.n + firstColumn) / ${width}u;
    ${each(spans, (t) => `if (firstColumn + ${t * step}u < u.n) { store_dw(start + ${t * lanes}u, s${i}_${t}); }`)}
  }`,
  )}
}`;
}

function accumulators({ rows, spans }: SubgroupBlock): string {
  return each(rows, (i) => each(spans, (t) => `var s${i}_${t} = f32v();`, " "));
}

/** Row i of the block: the value that lane i mod lanes loaded, times what every lane holds of w. */
function multiplyAdd({ lanes, rows, spans }: SubgroupBlock): string {
  return each(rows, (i) => {
    const sums = each(spans, (t) => `s${i}_${t} += a * b${t};`, " ");
    return `{ let a = subgroupShuffle(a${Math.floor(i / lanes)}, ${i % lanes}u); ${sums} }`;
  });
}

/** The block for a result of `rows` × `n`: as large as pays, no larger than the work. */
export function chooseBlock(rows: number, n: number, lanes: number, width: Width): SubgroupBlock {
  const span = lanes * width;
  // A second span costs 1.6 times the first, because x is loaded and shuffled once for both.
  const narrow = Math.ceil(n / span);
  const wide = Math.ceil(n / (2 * span)) * 1.6;
  return { lanes, rows: Math.min(MOST_ROWS, Math.ceil(rows / 4) * 4), spans: wide < narrow ? 2 : 1, width };
}

const MOST_ROWS = 32;
