/**
 * Contractions by register tiles over workgroup memory, for GPUs, and for every adapter without subgroups.
 *
 *   c[m, n]     = bias[n] + Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *   dw[t, k, n] = Σ over rows m of  x[place(m, t) + k] · dy[m, n]
 *
 * A workgroup of 16 × 16 invocations owns a square tile of the result; each holds 4 × 4 of it, or 2 × 2 blocks of 4 × 4 that
 * lie half a tile apart, so that neighbours read neighbouring words of workgroup memory. The inner dimension is walked in
 * slices of 16. While a slice is multiplied, the next one is on its way from memory into registers. What depends on a row of
 * the result alone is found once; what depends on the inner index, once a slice. Loads beyond an edge bring zeros.
 */
import { defineKernel, type Constants, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, filterGradientUniforms } from "./geometry.ts";
import { PHASES } from "./phases.ts";

/** Rows and columns of the result that a workgroup owns, and how its invocations share them. */
export interface Tile {
  /** Blocks of 4 × 4 that an invocation holds in each direction: 1 or 2. */
  readonly blocks: 1 | 2;
  readonly width: Width;
  /** Whether neighbours in the right operand's columns are neighbours in memory, or those in the inner dimension. */
  readonly alongColumns: boolean;
}

/** The side of the tile of an invocation's single block; two blocks make it twice as long. */
export const TILE = 64;
const SLICE = 16;
const INVOCATIONS = 256;

const tileOf = (constants: Constants) => constants as unknown as Tile;

export const tiledContraction = defineKernel({
  name: "contraction.tiled",
  inputs: { x: "f32", w: "f32", bias: "f32" },
  outputs: { c: "realv" },
  uniforms: contractionUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) =>
    tileProduct(tileOf(constants), contractionTile(constants["phased"] === true, constants["biased"] === true)),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels * u.matrices,
});

export const tiledFilterGradient = defineKernel({
  name: "filterGradient.tiled",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) => tileProduct(tileOf(constants), filterGradientTile()),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow * u.matrices,
});

/**
 * Where a value of the left operand lies: a row of the result and an inner index each give a part of its row, its column and
 * its place. Their sums may wrap below zero, and are then beyond the image as well.
 */
const PLACE = /* wgsl */ `
struct Place { y: u32, x: u32, base: u32, valid: bool }
fn left(a: Place, b: Place) -> f32 {
  let iy = a.y + b.y; let ix = a.x + b.x;
  let inside = a.valid && b.valid && iy < u.h && ix < u.w;
  return select(0.0, x[select(0u, a.base + b.base + iy * u.xRow + ix * u.xColumn, inside)], inside);
}
struct Line { base: u32, valid: bool }`;

/** What the tile's loop over a contraction calls, and where its results go. */
export function contractionTile(phased: boolean, biased: boolean): TileProduct {
  const functions = /* wgsl */ `
${phased ? PHASES : ""}
${phased ? PHASED_PART : "struct Part { matrix: u32 }\nfn partOf(z: u32) -> Part { return Part(z); }"}
${PLACE}
fn leftRow(part: Part, m: u32) -> Place {
  let p = m % u.pixels; let row = p / u.ow;
  return Place(row * u.stepY, (p - row * u.ow) * u.stepX, part.matrix * u.xMatrix + m / u.pixels * u.xBatch, m < u.m);
}
fn leftInner(part: Part, inner: u32, end: u32) -> Place {
  let tap = inner / u.channels;
  ${phased ? PHASE_TAP : EVERY_TAP}
  return Place(tapY, tapX, (inner - tap * u.channels) * u.xChannel, inner < end);
}
fn rightInner(part: Part, inner: u32, end: u32) -> Line {
  let tap = inner / u.channels;
  ${phased ? PHASE_FILTER_TAP : "let filterTap = tap;"}
  return Line(part.matrix * u.wMatrix + filterTap * u.wTap + (inner - tap * u.channels) * u.wChannel, inner < end);
}
fn right(line: Line, n: u32) -> f32 {
  let inside = line.valid && n < u.n;
  return select(0.0, w[select(0u, line.base + n * u.wColumn, inside)], inside);
}`;
  return {
    functions,
    store: "store_c",
    begin: "0u",
    end: `${phased ? "part.along.taps * part.across.taps" : "u.taps"} * u.channels`,
    row: (m) => (phased ? `resultRow(${m}, part.phase)` : m),
    rowLimit: phased ? "0xffffffffu" : "u.m",
    at: "part.matrix * u.cMatrix + row * u.cRow",
    first: biased ? (column) => `bias[part.matrix * u.biasMatrix + min(${column}, u.n - 1u)]` : null,
  };
}

const EVERY_TAP = `let filterRow = tap / u.kw;
  let tapY = filterRow * u.tapY - u.padY; let tapX = (tap - filterRow * u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h`;

const PHASED_PART = `struct Part { matrix: u32, phase: u32, along: Phase, across: Phase }
fn partOf(z: u32) -> Part {
  let phase = z % (u.phasesY * u.phasesX);
  return Part(z / (u.phasesY * u.phasesX), phase, phaseY(phase), phaseX(phase));
}`;

const PHASE_TAP = `let r = tap / max(part.across.taps, 1u); let q = tap % max(part.across.taps, 1u);
  let tapY = r * u.tapY + part.along.shift; let tapX = q * u.tapX + part.across.shift; // u32 wraps: below 0 is ≥ h`;

const PHASE_FILTER_TAP = `let r = tap / max(part.across.taps, 1u); let q = tap % max(part.across.taps, 1u);
  let filterTap = (part.along.first + r * u.everyY) * u.kw + part.across.first + q * u.everyX;`;

/** The same for the gradient of a filter. */
export function filterGradientTile(): TileProduct {
  const functions = /* wgsl */ `
struct Part { matrix: u32, split: u32 }
fn partOf(z: u32) -> Part { return Part(z % u.matrices, z / u.matrices); }
${PLACE}
fn leftRow(part: Part, r: u32) -> Place {
  let tap = r / u.channels; let row = tap / u.kw;
  let tapY = row * u.tapY - u.padY; let tapX = (tap - row * u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
  return Place(tapY, tapX, part.matrix * u.xMatrix + r - tap * u.channels, r < u.rows);
}
fn leftInner(part: Part, pixel: u32, end: u32) -> Place {
  let line = pixel / u.ow; let image = line / u.oh;
  return Place((line - image * u.oh) * u.stepY, (pixel - line * u.ow) * u.stepX, image * u.xBatch, pixel < end);
}
fn rightInner(part: Part, pixel: u32, end: u32) -> Line {
  return Line(part.matrix * u.dyMatrix + pixel * u.dyRow, pixel < end);
}
fn right(line: Line, n: u32) -> f32 {
  let inside = line.valid && n < u.n;
  return select(0.0, dy[select(0u, line.base + n, inside)], inside);
}`;
  return {
    functions,
    store: "store_dw",
    begin: "part.split * u.linesPerSplit * u.ow",
    end: "min((part.split + 1u) * u.linesPerSplit, u.lines) * u.ow",
    row: (r) => r,
    rowLimit: "u.rows",
    at: "part.split * u.dwSplit + part.matrix * u.dwMatrix + row * u.dwRow",
    first: null,
  };
}

/** A product of tiles: what is summed, over what, and where the sums go. */
export interface TileProduct {
  /** WGSL of `partOf`, `leftRow`, `leftInner` and `left`, `rightInner` and `right`. */
  readonly functions: string;
  readonly store: string;
  /** The inner dimension's part, as WGSL. */
  readonly begin: string;
  readonly end: string;
  /** WGSL: the row of the output that row m of the result goes to, what such rows lie below, and where one starts. */
  readonly row: (m: string) => string;
  readonly rowLimit: string;
  readonly at: string;
  /** What the sums of a column begin with; null for zero. */
  readonly first: ((column: string) => string) | null;
}

/** The tile's loop: summed over inner from begin to end. `part` is what `partOf` makes of the grid's third dimension. */
function tileProduct({ blocks, width, alongColumns }: Tile, product: TileProduct): string {
  const { functions, store, begin, end, row, rowLimit, at, first } = product;
  const side = TILE * blocks;
  const loads = (side * SLICE) / INVOCATIONS;
  const rows = 4 * blocks;
  /** Sums of row j of an invocation, in blocks of columns. */
  const sums = (piece: (j: number, b: number) => string) => each(rows, (j) => each(blocks, (b) => piece(j, b), " "));
  /** Row j of an invocation within the tile, and the first column of its block b. */
  const rowAt = (j: number) => `r0 + ${Math.floor(j / 4) * TILE + (j % 4)}u`;
  const columnAt = (b: number) => `group.y * ${side}u + c0 + ${b * TILE}u`;
  // Lanes along the inner dimension: 16 of them read 16 neighbours; each keeps to one inner index and some rows.
  const leftLoad = (q: number) => `let l${q} = left(row${q}, inner);`;
  const rightLoad = (q: number) =>
    alongColumns
      ? `let g${q} = right(rightInner(part, next + lane / ${side}u + ${q * (INVOCATIONS / side)}u, end), group.y * ${side}u + lane % ${side}u);`
      : `let g${q} = right(line, group.y * ${side}u + lane / 16u + ${16 * q}u);`;
  const keep = (what: string, q: number) => `${what}Held${q} = ${what}${q};`;
  const fetch = /* wgsl */ `
    { let inner = leftInner(part, next + lane % 16u, end); ${alongColumns ? "" : "let line = rightInner(part, next + lane % 16u, end);"}
      ${each(loads, leftLoad)} ${each(loads, rightLoad)}
      ${each(loads, (q) => `${keep("l", q)} ${keep("g", q)}`, " ")} }`;
  const put = (array: string, z: string, i: string, value: string) =>
    `${array}[${z}][(${i}) / 4u][(${i}) % 4u] = ${value};`;
  const putRight = (q: number) =>
    alongColumns
      ? put("tileRight", `lane / ${side}u + ${q * (INVOCATIONS / side)}u`, `lane % ${side}u`, `gHeld${q}`)
      : put("tileRight", "lane % 16u", `lane / 16u + ${16 * q}u`, `gHeld${q}`);
  const lane4 = (j: number, b: number, q: number) => each(width, (z) => `s${j}_${b}[${q * width + z}]`, ", ");
  const stores = (j: number, b: number) =>
    each(
      4 / width,
      (q) =>
        `{ let column = ${columnAt(b)} + ${q * width}u; if (column < u.n) { ${store}((${at} + column) / ${width}u, f32v(${lane4(j, b, q)})); } }`,
    );
  const begins = (column: string) => (first ? `vec4f(${each(4, (z) => first(`${column} + ${z}u`), ", ")})` : "vec4f()");
  return /* wgsl */ `${functions}
var<workgroup> tileLeft: array<array<vec4f, ${side / 4}>, ${SLICE}>;
var<workgroup> tileRight: array<array<vec4f, ${side / 4}>, ${SLICE}>;

fn run(group: vec3u, lane: u32) {
  let part = partOf(group.z);
  let r0 = lane / 16u * 4u; let c0 = lane % 16u * 4u;
  let end = ${end};
  ${each(loads, (q) => `let row${q} = leftRow(part, group.x * ${side}u + lane / 16u + ${16 * q}u); var lHeld${q}: f32; var gHeld${q}: f32;`)}
  ${each(blocks, (b) => `let first${b} = ${begins(columnAt(b))};`)}
  ${sums((j, b) => `var s${j}_${b} = first${b};`)}
  var next = ${begin};
  var ready = false;                                       // whether a slice is in workgroup memory
  loop {
    let more = next < end;
    if (more) { ${fetch} }
    if (ready) {
      for (var z = 0u; z < ${SLICE}u; z++) {
        ${each(blocks, (b) => `let a${b} = tileLeft[z][r0 / 4u + ${(b * TILE) / 4}u]; let b${b} = tileRight[z][c0 / 4u + ${(b * TILE) / 4}u];`)}
        ${sums((j, b) => `s${j}_${b} += a${Math.floor(j / 4)}[${j % 4}] * b${b};`)}
      }
    }
    if (!more) { break; }
    workgroupBarrier();                                    // nobody reads the slice before any more
    ${each(loads, (q) => `${put("tileLeft", "lane % 16u", `lane / 16u + ${16 * q}u`, `lHeld${q}`)} ${putRight(q)}`)}
    workgroupBarrier();
    next += ${SLICE}u;
    ready = true;
  }
  ${each(rows, (j) => `{ let row = ${row(`group.x * ${side}u + ${rowAt(j)}`)}; if (row < ${rowLimit}) { ${each(blocks, (b) => stores(j, b))} } }`)}
}`;
}
