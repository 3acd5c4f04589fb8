/**
 * Gradient of a contraction's matrix: the filter of a convolution, the weights of a dense layer.
 *
 *   dw[t, k, n] = Σ over rows m of  x[place(m, t) + k] · dy[m, n]
 *
 * The sum is long (batch × pixels) and the result small, so the rows are cut into `splits` parts whose partial results
 * are added in a second, deterministic pass. Within a part both families work as in the forward contraction, with
 * taps × channels as rows and the long dimension inside.
 */
import { defineKernel, run, type Shape, type Tensor, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { columnsPerGroup, subgroupLanes } from "./contract.ts";

/** Batch × output rows are the parts' unit; a dense layer has one output row and column. */
const uniforms = {
  n: "u32", channels: "u32", rows: "u32", kw: "u32", h: "u32", w: "u32", oh: "u32", ow: "u32",
  stepY: "u32", stepX: "u32", tapY: "u32", tapX: "u32", padY: "u32", padX: "u32",
  xBatch: "u32", xRow: "u32", xColumn: "u32", lines: "u32", linesPerSplit: "u32",
} as const; // prettier-ignore

export interface FilterGradient {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly shape: Shape;
  readonly sizes: Omit<Record<keyof typeof uniforms, number>, "lines" | "linesPerSplit" | "rows">;
  readonly batch: number;
  readonly taps: number;
  readonly bounded: boolean;
}

interface Constants {
  readonly lanes: number;
  readonly rows: number;
  readonly columns: number;
  readonly width: Width;
  readonly bounded: boolean;
}

/** Every lane owns `rows` of taps × channels; `columns` values of dy are loaded side by side and shuffled to all. */
const subgroupKernel = defineKernel({
  name: "filterGradient.subgroup",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms,
  enable: ["subgroups"],
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => subgroupSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow,
});

function subgroupSource({ lanes, rows, columns, width, bounded }: Constants): string {
  const loads = Math.ceil(columns / lanes);
  const load = (j: number) =>
    bounded
      ? `let inside${j} = y + tapY${j} < u.h && column + tapX${j} < u.w; let a${j} = select(0.0, x[select(0u, at + place${j}, inside${j})], inside${j});`
      : `let a${j} = x[at + place${j}];`;
  return /* wgsl */ `
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${lanes * rows}u + lane; let firstColumn = group.y * ${columns}u;
  ${each(rows, (j) => /* wgsl */ `
  let r${j} = min(firstRow + ${j * lanes}u, u.rows - 1u); let tap${j} = r${j} / u.channels;
  let tapY${j} = (tap${j} / u.kw) * u.tapY - u.padY; let tapX${j} = (tap${j} % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
  let place${j} = tapY${j} * u.xRow + tapX${j} * u.xColumn + r${j} % u.channels;`)}
  ${each(loads, (q) => `let column${q} = min(firstColumn + lane + ${q * lanes}u, u.n - 1u);`)}
  ${each(columns, (i) => each(rows, (j) => `var s${i}_${j} = 0.0;`, " "))}
  let last = min((group.z + 1u) * u.linesPerSplit, u.lines);
  for (var line = group.z * u.linesPerSplit; line < last; line++) {
    let y = (line % u.oh) * u.stepY;
    let start = (line / u.oh) * u.xBatch + y * u.xRow;
    for (var ox = 0u; ox < u.ow; ox++) {
      let column = ox * u.stepX; let at = start + column * u.xColumn; let source = (line * u.ow + ox) * u.n;
      ${each(loads, (q) => `let w${q} = dy[source + column${q}];`, " ")}
      ${each(rows, load)}
      ${each(columns, (i) => /* wgsl */ `{ let b = subgroupShuffle(w${Math.floor(i / lanes)}, ${i % lanes}u); ${each(rows, (j) => `s${i}_${j} += a${j} * b;`, " ")} }`)}
    }
  }
  ${each(rows, (j) => /* wgsl */ `
  if (firstRow + ${j * lanes}u < u.rows) {
    let start = ((group.z * u.rows + r${j}) * u.n + firstColumn) / ${width}u;
    ${each(columns / width, (q) => `if (firstColumn + ${q * width}u < u.n) { store_dw(start + ${q}u, f32v(${each(width, (z) => `s${q * width + z}_${j}`, ", ")})); }`)}
  }`)}
}`;
}

const TILE = 64;
const SLICE = 16;
const INVOCATIONS = 256;

/** 64 × 64 tiles of dw over workgroup memory; the slice runs along the pixels of the part. */
const tiledKernel = defineKernel({
  name: "filterGradient.tiled",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) => tiledSource(constants as unknown as Constants),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow,
});

function tiledSource({ width }: Constants): string {
  const stores = (j: number) => each(4 / width, (q) => {
    const values = each(width, (z) => `s${j}[${q * width + z}]`, ", ");
    return /* wgsl */ `if (column + ${q * width}u < u.n) { store_dw(((group.z * u.rows + row + ${j}u) * u.n + column) / ${width}u + ${q}u, f32v(${values})); }`;
  });
  return /* wgsl */ `
var<workgroup> tileX: array<array<f32, ${TILE}>, ${SLICE}>;
var<workgroup> tileY: array<array<f32, ${TILE}>, ${SLICE}>;

fn loadX(r: u32, pixel: u32, last: u32) -> f32 {
  let tap = r / u.channels; let line = pixel / u.ow;
  let iy = (line % u.oh) * u.stepY + (tap / u.kw) * u.tapY - u.padY; // u32 wraps: below 0 is ≥ h
  let ix = (pixel % u.ow) * u.stepX + (tap % u.kw) * u.tapX - u.padX;
  let inside = r < u.rows && pixel < last && iy < u.h && ix < u.w;
  let at = (line / u.oh) * u.xBatch + iy * u.xRow + ix * u.xColumn + r % u.channels;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn loadY(pixel: u32, n: u32, last: u32) -> f32 {
  let inside = pixel < last && n < u.n;
  return select(0.0, dy[select(0u, pixel * u.n + n, inside)], inside);
}

fn run(group: vec3u, lane: u32) {
  let row = group.x * ${TILE}u + (lane / 16u) * 4u; let column = group.y * ${TILE}u + (lane % 16u) * 4u;
  let last = min((group.z + 1u) * u.linesPerSplit, u.lines) * u.ow;
  ${each(4, (j) => `var s${j} = vec4f();`, " ")}
  for (var k = group.z * u.linesPerSplit * u.ow; k < last; k += ${SLICE}u) {
    ${each((TILE * SLICE) / INVOCATIONS, (q) => /* wgsl */ `
    { let e = lane + ${q * INVOCATIONS}u; let z = e / ${TILE}u; let c = e % ${TILE}u;
      tileX[z][c] = loadX(group.x * ${TILE}u + c, k + z, last);
      tileY[z][c] = loadY(k + z, group.y * ${TILE}u + c, last); }`)}
    workgroupBarrier();
    for (var z = 0u; z < ${SLICE}u; z++) {
      let c0 = (lane % 16u) * 4u; let r0 = (lane / 16u) * 4u;
      let b = vec4f(tileY[z][c0], tileY[z][c0 + 1u], tileY[z][c0 + 2u], tileY[z][c0 + 3u]);
      ${each(4, (j) => `s${j} += tileX[z][r0 + ${j}u] * b;`, " ")}
    }
    workgroupBarrier();
  }
  ${each(4, (j) => `if (row + ${j}u < u.rows) { ${stores(j)} }`)}
}`;
}

const addPartsKernel = defineKernel({
  name: "filterGradient.add",
  inputs: { parts: "f32v" },
  outputs: { dw: "f32v" },
  uniforms: { splits: "u32", count: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per element of dw
      var sum = parts[i];
      for (var k = 1u; k < u.splits; k++) { sum += parts[i + k * u.count]; }
      store_dw(i, sum);
    }`,
  flops: (threads, u) => threads * u.splits,
});

/** The gradient, of the given shape: `[…taps, channels, n]`. */
export function filterGradient({ x, dy, shape, sizes, batch, taps, bounded }: FilterGradient): Tensor {
  const rows = taps * sizes.channels;
  const { n } = sizes;
  const width: Width = n % 4 === 0 ? 4 : 1;
  const lanes = subgroupLanes(x.device);
  const rowsPerLane = lanes === 0 ? 0 : Math.min(4, Math.ceil(rows / lanes));
  const columns = lanes === 0 ? TILE : columnsPerGroup(n, width);
  const across = [Math.ceil(rows / (lanes === 0 ? TILE : lanes * rowsPerLane)), Math.ceil(n / columns)] as const;
  const lines = batch * sizes.oh;
  const linesPerSplit = Math.ceil(lines / splitsFor(x.device.isSoftware, across[0] * across[1], lines, sizes.ow));
  const splits = Math.ceil(lines / linesPerSplit);
  const kernel = lanes === 0 ? tiledKernel : subgroupKernel;
  const constants = lanes === 0 ? { width, bounded } : { width, bounded, lanes, rows: rowsPerLane, columns };
  const uniformValues = { ...sizes, rows, lines, linesPerSplit };
  const made = splits === 1 ? shape : [splits, rows, n];
  const { dw } = run(kernel, { x, dy }, { dw: made }, uniformValues, { constants, groups: [...across, splits] });
  if (splits === 1) return dw;
  return run(addPartsKernel, { parts: dw }, { dw: shape }, { splits, count: (rows * n) / width }, { constants: { width } }).dw;
}

/** Enough workgroups to fill the adapter, each with enough pixels to be worth its launch. */
function splitsFor(isSoftware: boolean, groups: number, lines: number, lineLength: number): number {
  const wanted = Math.ceil((isSoftware ? 16 : 512) / groups);
  const worthwhile = Math.max(1, Math.floor((lines * lineLength) / 256));
  return Math.max(1, Math.min(wanted, worthwhile, lines));
}
