/**
 * Contractions by subgroup shuffles, for adapters that run on the CPU.
 *
 *   c[m, n]     = bias[n] + Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *   dw[t, k, n] = Σ over rows m of  x[place(m, t) + k] · dy[m, n]
 *
 * There a load costs as much as 25 multiply-adds and workgroup memory never pays, so everything stays in registers. One
 * workgroup is one subgroup and owns a block of results. Lanes run along one side of the block, each with values of its
 * own; the values of the other side are loaded side by side by the lanes and handed to all by `subgroupShuffle` with
 * constant lanes, the one broadcast that is cheap. Many results are best served with lanes along the columns, narrow ones
 * with lanes along the rows; `chooseBlock` weighs loads, shuffles and multiply-adds as they were measured.
 */
import { defineKernel, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, filterGradientUniforms } from "./geometry.ts";
import { PHASES } from "./phases.ts";

export interface SubgroupBlock {
  /** The side that lanes run along. */
  readonly along: "columns" | "rows";
  /** Lanes of a subgroup. */
  readonly lanes: number;
  readonly rows: number;
  readonly columns: number;
  /** Neighbouring columns in one load of w and one store of the result. */
  readonly width: Width;
}

interface Constants extends SubgroupBlock {
  readonly bounded: boolean;
  readonly phased: boolean;
  readonly many: boolean;
  readonly biased: boolean;
}

/** Loads of x and of w that each lane does for one step of the inner dimension. */
function loadsOf({ lanes, rows, columns, width }: SubgroupBlock) {
  return { ofX: Math.ceil(rows / lanes), ofW: Math.ceil(columns / (lanes * width)) };
}

export const subgroupContraction = defineKernel({
  name: "contraction.subgroup",
  inputs: { x: "f32", w: "f32v", bias: "f32v" },
  outputs: { c: "realv" },
  uniforms: contractionUniforms,
  enable: ["subgroups"],
  row: (u, width) => u.n / width,
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => contractionSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels * u.matrices,
});

export const subgroupFilterGradient = defineKernel({
  name: "filterGradient.subgroup",
  inputs: { x: "f32", dy: "f32v" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  enable: ["subgroups"],
  row: (u, width) => u.n / width,
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => filterGradientSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow * u.matrices,
});

function contractionSource({ bounded, phased, many, biased, ...block }: Constants): string {
  const { lanes, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  const inMatrix = (stride: string) => (many ? ` + matrix * u.${stride}` : "");
  // Without padding a tap moves every place by the same distance.
  const place = (q: number) =>
    bounded ? boundedPlace(q) : `var at${q} = origin${q} + tapY * u.xRow + tapX * u.xColumn;`;
  const load = (q: number) => (bounded ? `select(0.0, x[at${q}], inside${q})` : `x[at${q}]`);
  return /* wgsl */ `
${phased ? PHASES : ""}
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${rows}u; let firstColumn = group.y * ${columns}u;
  ${phased ? PHASE_OF_GROUP : many ? "let matrix = group.z;" : ""}
  ${each(
    ofX,
    (q) => /* wgsl */ `
  let m${q} = min(firstRow + ${q * lanes}u + lane, u.m - 1u);
  let p${q} = m${q} % u.pixels; let image${q} = (m${q} / u.pixels) * u.xBatch${inMatrix("xMatrix")};
  let y${q} = (p${q} / u.ow) * u.stepY; let x${q} = (p${q} % u.ow) * u.stepX;
  let origin${q} = image${q} + y${q} * u.xRow + x${q} * u.xColumn;`,
  )}
  ${each(ofW, (t) => `let column${t} = min(firstColumn + (lane + ${t * lanes}u) * ${width}u, u.n - ${width}u) * u.wColumn;`)}
  ${accumulators(block, (column) => (biased ? `bias[(${column}${inMatrix("biasMatrix")}) / ${width}u]` : "f32v()"))}
  for (var tap = 0u; tap < ${phased ? "along.taps * across.taps" : "u.taps"}; tap++) {
    ${phased ? PHASE_TAP : EVERY_TAP}
    ${each(ofX, place)}
    var row = filterTap * u.wTap${inMatrix("wMatrix")};
    for (var k = 0u; k < u.channels; k++) {
      ${each(ofW, (t) => `let b${t} = w[(row + column${t}) / ${width}u];`)}
      ${each(ofX, (q) => `let a${q} = ${load(q)};`)}
      ${multiplyAdd(block)}
      row += u.wChannel;
      ${each(ofX, (q) => `at${q} += u.xChannel;`, " ")}
    }
  }
  ${storeBlock(block, {
    store: "store_c",
    row: (m) => (phased ? `resultRow(${m}, phase)` : m),
    rowLimit: phased ? "0xffffffffu" : "u.m",
    at: `row * u.cRow${inMatrix("cMatrix")}`,
    rows: "u.m",
  })}
}`;
}

const PHASE_OF_GROUP = `let matrix = group.z / (u.phasesY * u.phasesX); let phase = group.z % (u.phasesY * u.phasesX);
  let along = phaseY(phase); let across = phaseX(phase);`;

const PHASE_TAP = `let r = tap / across.taps; let q = tap % across.taps;
    let filterTap = (along.first + r * u.everyY) * u.kw + across.first + q * u.everyX;
    let tapY = r * u.tapY + along.shift; let tapX = q * u.tapX + across.shift; // u32 wraps: below 0 is ≥ h`;

const EVERY_TAP = `let filterTap = tap;
    let tapY = (tap / u.kw) * u.tapY - u.padY; let tapX = (tap % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h`;

/** Where a lane finds the value of its row for this tap, and whether it lies inside x. */
function boundedPlace(q: number): string {
  return /* wgsl */ `
    let iy${q} = y${q} + tapY; let ix${q} = x${q} + tapX;
    let inside${q} = iy${q} < u.h && ix${q} < u.w;
    var at${q} = select(0u, image${q} + iy${q} * u.xRow + ix${q} * u.xColumn, inside${q});`;
}

function filterGradientSource({ bounded, many, ...block }: Constants): string {
  const { lanes, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  const inMatrix = (stride: string) => (many ? ` + matrix * u.${stride}` : "");
  const load = (q: number) =>
    bounded
      ? `let inside${q} = y + tapY${q} < u.h && column + tapX${q} < u.w; let a${q} = select(0.0, x[select(0u, at + place${q}, inside${q})], inside${q});`
      : `let a${q} = x[at + place${q}];`;
  return /* wgsl */ `
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${rows}u; let firstColumn = group.y * ${columns}u;
  ${many ? "let matrix = group.z % u.matrices; let split = group.z / u.matrices;" : "let split = group.z;"}
  ${each(
    ofX,
    (q) => /* wgsl */ `
  let r${q} = min(firstRow + ${q * lanes}u + lane, u.rows - 1u); let tap${q} = r${q} / u.channels;
  let tapY${q} = (tap${q} / u.kw) * u.tapY - u.padY; let tapX${q} = (tap${q} % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
  let place${q} = tapY${q} * u.xRow + tapX${q} * u.xColumn + r${q} % u.channels;`,
  )}
  ${each(ofW, (t) => `let column${t} = min(firstColumn + (lane + ${t * lanes}u) * ${width}u, u.n - ${width}u);`)}
  ${accumulators(block, () => "f32v()")}
  let last = min((split + 1u) * u.linesPerSplit, u.lines);
  for (var line = split * u.linesPerSplit; line < last; line++) {
    let y = (line % u.oh) * u.stepY;
    var at = (line / u.oh) * u.xBatch + y * u.xRow${inMatrix("xMatrix")};
    var pixel = line * u.ow * u.dyRow${inMatrix("dyMatrix")};
    var column = 0u;
    for (var ox = 0u; ox < u.ow; ox++) {
      ${each(ofW, (t) => `let b${t} = dy[(pixel + column${t}) / ${width}u];`)}
      ${each(ofX, load)}
      ${multiplyAdd(block)}
      pixel += u.dyRow; column += u.stepX; at += u.stepX * u.xColumn;
    }
  }
  ${storeBlock(block, {
    store: "store_dw",
    row: (r) => r,
    rowLimit: "u.rows",
    at: `split * u.dwSplit + row * u.dwRow${inMatrix("dwMatrix")}`,
    rows: "u.rows",
  })}
}`;
}

/**
 * Sums of the block, which begin at `first(column)`: `s<row>_<load of w>` along columns, `s<column>_<load of x>` along
 * rows.
 */
function accumulators(block: SubgroupBlock, first: (column: string) => string): string {
  const { along, lanes, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  if (along === "columns") {
    const column = (t: number) => `min(firstColumn + (lane + ${t * lanes}u) * ${width}u, u.n - ${width}u)`;
    const begin = each(ofW, (t) => `let begin${t} = ${first(column(t))};`);
    return `${begin} ${each(rows, (i) => each(ofW, (t) => `var s${i}_${t} = begin${t};`, " "))}`;
  }
  const column = (t: number) => `min(firstColumn + ${t * width}u, u.n - ${width}u)`;
  const begin = each(columns / width, (t) => `let begin${t} = ${first(column(t))};`);
  const part = (i: number) => (width === 4 ? `begin${Math.floor(i / 4)}[${i % 4}]` : `begin${i}`);
  return `${begin} ${each(columns, (i) => each(ofX, (q) => `var s${i}_${q} = ${part(i)};`, " "))}`;
}

/** One step of the inner dimension: every value of the broadcast side times what each lane holds of the other. */
function multiplyAdd(block: SubgroupBlock): string {
  const { along, lanes, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  if (along === "columns") {
    return each(rows, (i) => {
      const sums = each(ofW, (t) => `s${i}_${t} += a * b${t};`, " ");
      return `{ let a = subgroupShuffle(a${Math.floor(i / lanes)}, ${i % lanes}u); ${sums} }`;
    });
  }
  return each(columns, (i) => {
    const [load, part] = [Math.floor(i / (lanes * width)), i % (lanes * width)];
    const held = width === 4 ? `b${load}[${part % 4}]` : `b${load}`;
    const sums = each(ofX, (q) => `s${i}_${q} += a${q} * b;`, " ");
    return `{ let b = subgroupShuffle(${held}, ${Math.floor(part / width)}u); ${sums} }`;
  });
}

interface StorePlace {
  readonly store: string;
  /** WGSL: the row of the output that row m of the result goes to, what such rows lie below, and where one starts. */
  readonly row: (m: string) => string;
  readonly rowLimit: string;
  readonly at: string;
  /** WGSL: rows of the result. */
  readonly rows: string;
}

/**
 * Stores the block in loops over an array of its sums. Written out, with one store for each sum, drivers compile the
 * epilogue 5 times as long, and 35 times where it reads another tensor.
 */
function storeBlock(block: SubgroupBlock, { store, row, rowLimit, at, rows: end }: StorePlace): string {
  const { along, lanes, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  const inRow = (m: string, stores: string) => `let row = ${row(m)}; if (row < ${rowLimit}) { ${stores} }`;
  if (along === "columns") {
    const column = (t: number) => `firstColumn + (lane + ${t * lanes}u) * ${width}u`;
    const spans = each(ofW, (t) => {
      const place = `(${at} + ${column(t)}) / ${width}u`;
      return `if (${column(t)} < u.n) { ${store}(${place}, sums[i * ${ofW}u + ${t}u], held${t}); }`;
    });
    return /* wgsl */ `
  ${each(ofW, (t) => `let held${t} = hold(min(${column(t)}, u.n - ${width}u) / ${width}u);`)}
  var sums = array<f32v, ${rows * ofW}>(${each(rows, (i) => each(ofW, (t) => `s${i}_${t}`, ", "), ", ")});
  for (var i = 0u; i < min(${rows}u, ${end} - firstRow); i++) { ${inRow("firstRow + i", spans)} }`;
  }
  const vectors = columns / width;
  const value = (t: number, q: number) => `f32v(${each(width, (z) => `s${t * width + z}_${q}`, ", ")})`;
  const stores = `${store}((${at} + firstColumn) / ${width}u + t, sums[q * ${vectors}u + t], held);`;
  return /* wgsl */ `
  var sums = array<f32v, ${vectors * ofX}>(${each(ofX, (q) => each(vectors, (t) => value(t, q), ", "), ", ")});
  for (var t = 0u; t < min(${vectors}u, (u.n - firstColumn) / ${width}u); t++) {
    let held = hold(firstColumn / ${width}u + t);
    for (var q = 0u; q < min(${ofX}u, (${end} - firstRow + ${lanes - 1}u) / ${lanes}u); q++) {
      ${inRow(`firstRow + q * ${lanes}u + lane`, stores)}
    }
  }`;
}

/** Nanoseconds on lavapipe for one step of the inner dimension, by what a lane does (measured on a Zen 5 core). */
const COST = { load: 5, shuffle: 1.1, multiplyAdd: 0.2, loop: 12 } as const;

/** Extents of the broadcast side. Few, because each is a pipeline of its own; 12 suits 3×3 taps of one channel. */
const BROADCAST_ROWS = [4, 12, 32] as const;
const BROADCAST_COLUMNS = [4, 8, 16, 28, 32] as const;

/**
 * Sums of a lane up to which a pipeline compiles in a moment; with 256 a driver takes seconds. Short work, in floating
 * point operations, would never win those back.
 */
const LIGHT_SUMS = 64;
const SHORT_WORK = 4e6;

/** Extents of one product: of its result, and of the sums. */
export interface Extents {
  readonly rows: number;
  readonly n: number;
  readonly inner: number;
  /** How many such products there are. */
  readonly matrices: number;
}

/** The block that does the whole work in the least time. */
export function chooseBlock({ rows, n, inner, matrices }: Extents, lanes: number, width: Width): SubgroupBlock {
  const span = lanes * width;
  const shapes: SubgroupBlock[] = [
    ...BROADCAST_ROWS.flatMap((broadcast): SubgroupBlock[] => [
      { along: "columns", lanes, rows: broadcast, columns: span, width },
      { along: "columns", lanes, rows: broadcast, columns: 2 * span, width },
    ]),
    ...BROADCAST_COLUMNS.map((columns): SubgroupBlock => ({ along: "rows", lanes, rows: 8 * lanes, columns, width })),
  ];
  const short = 2 * rows * n * inner * matrices < SHORT_WORK;
  const allowed = short ? shapes.filter((block) => sumsOf(block) <= LIGHT_SUMS) : shapes;
  const time = (block: SubgroupBlock) => Math.ceil(rows / block.rows) * Math.ceil(n / block.columns) * stepTime(block);
  return allowed.reduce((best, block) => (time(block) < time(best) ? block : best));
}

/** Sums that a lane holds. */
function sumsOf({ lanes, rows, columns }: SubgroupBlock): number {
  return (rows * columns) / lanes;
}

function stepTime(block: SubgroupBlock): number {
  const { along, rows, columns, width } = block;
  const { ofX, ofW } = loadsOf(block);
  const shuffles = along === "columns" ? rows : columns;
  return COST.load * (ofX + ofW * width) + COST.shuffle * shuffles + COST.multiplyAdd * sumsOf(block) + COST.loop;
}
