/**
 * Contractions on matrix units (tensor cores), for operands in half precision: products of small matrices that a subgroup
 * holds together, summed in f32.
 *
 * A workgroup of 256 invocations owns a tile of 128 × 128, or of 64 × 64 where the result is small. Slices of both operands, 32 deep, are brought into workgroup
 * memory as f16, with rows padded by eight so that neighbouring rows lie in different banks; while one is multiplied, the
 * next is on its way into registers. The elements of a matrix cannot be reached from WGSL, so results go through workgroup
 * memory once more, where bias and fused work meet them.
 */
import { defineKernel, type Constants, type MatrixUnit, type Width } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, filterGradientUniforms } from "./geometry.ts";
import { contractionTile, filterGradientTile, type TileProduct } from "./tiled.ts";

interface Options extends MatrixUnit {
  /** Rows and columns of the result that a workgroup owns: 64 or 128. */
  readonly side: number;
  readonly width: Width;
  readonly alongColumns: boolean;
}

const SLICE = 32;
const PADDING = 8;
const INVOCATIONS = 256;
const ENABLE = ["subgroups", "chromium_experimental_subgroup_matrix"];

const optionsOf = (constants: Constants) => constants as unknown as Options;

export const matrixContraction = defineKernel({
  name: "contraction.matrix",
  inputs: { x: "f32", w: "f32", bias: "f32" },
  outputs: { c: "realv" },
  uniforms: contractionUniforms,
  enable: ENABLE,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) =>
    matrixProduct(optionsOf(constants), contractionTile(constants["phased"] === true, constants["biased"] === true)),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels * u.matrices,
});

export const matrixFilterGradient = defineKernel({
  name: "filterGradient.matrix",
  inputs: { x: "f32", dy: "f32" },
  outputs: { dw: "f32v" },
  uniforms: filterGradientUniforms,
  enable: ENABLE,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) => matrixProduct(optionsOf(constants), filterGradientTile()),
  flops: (_, u) => 2 * u.rows * u.n * u.lines * u.ow * u.matrices,
});

/** Loads and stores in the spelling that this browser or Dawn knows. */
function words({ spelling, m, n, k }: MatrixUnit) {
  const template = spelling === "template";
  const load = (type: string, place: string, stride: number) =>
    template
      ? `subgroupMatrixLoad<${type}, row_major>(${place}, ${stride}u)`
      : `subgroupMatrixLoad<${type}>(${place}, false, ${stride}u)`;
  return {
    result: `subgroup_matrix_result<f32, ${n}, ${m}>`,
    left: (place: string, stride: number) => load(`subgroup_matrix_left<f16, ${k}, ${m}>`, place, stride),
    right: (place: string, stride: number) => load(`subgroup_matrix_right<f16, ${n}, ${k}>`, place, stride),
    store: (place: string, value: string, stride: number) =>
      template
        ? `subgroupMatrixStore<row_major>(${place}, ${value}, ${stride}u)`
        : `subgroupMatrixStore(${place}, ${value}, false, ${stride}u)`,
  };
}

function matrixProduct(options: Options, product: TileProduct): string {
  const { m, n, k, lanes, side, width, alongColumns } = options;
  const { functions, store, begin, end, row, rowLimit, at, first } = product;
  const { result, left, right, store: put } = words(options);
  // Two rows of subgroups, as many columns of them as there are left.
  const across = INVOCATIONS / lanes / 2;
  const [rows, columns] = [side / 2 / m, side / across / n];
  const [leftStride, rightStride] = [SLICE + PADDING, side + PADDING];
  const loads = (side * SLICE) / INVOCATIONS;
  const apart = INVOCATIONS / SLICE; // rows between two that an invocation loads
  const deep = INVOCATIONS / side; // inner indices that are loaded at once, with lanes along the columns
  const sums = (piece: (i: number, j: number) => string) => each(rows, (i) => each(columns, (j) => piece(i, j), " "));
  const rightColumn = (q: number) => (alongColumns ? `lane % ${side}u` : `lane / ${SLICE}u + ${apart * q}u`);
  const rightInner = (q: number) => (alongColumns ? `lane / ${side}u + ${deep * q}u` : `lane % ${SLICE}u`);
  const rightValue = (q: number) =>
    `right(${alongColumns ? `rightInner(part, next + ${rightInner(q)}, end)` : "line"}, group.y * ${side}u + ${rightColumn(q)})`;
  const fetch = /* wgsl */ `
    { let inner = leftInner(part, next + lane % ${SLICE}u, end);
      ${alongColumns ? "" : `let line = rightInner(part, next + lane % ${SLICE}u, end);`}
      ${each(loads, (q) => `held${q} = vec2h(f16(left(row${q}, inner)), f16(${rightValue(q)}));`)} }`;
  const multiply = (step: number) => /* wgsl */ `
      ${each(rows, (i) => `let a${i} = ${left(`&tileLeft, (down + ${i * m}u) * ${leftStride}u + ${step * k}u`, leftStride)};`)}
      ${each(columns, (j) => `let b${j} = ${right(`&tileRight, ${step * k * rightStride}u + aside + ${j * n}u`, rightStride)};`)}
      ${sums((i, j) => `s${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, s${i}_${j});`)}`;
  const value = (z: number) => `staged[own + e * ${width}u + ${z}u]${first ? ` + ${first(`column + ${z}u`)}` : ""}`;
  const deliver = (i: number, j: number) => /* wgsl */ `
  ${put("&staged, own", `s${i}_${j}`, n)};
  workgroupBarrier();
  for (var e = lane % ${lanes}u; e < ${(m * n) / width}u; e += ${lanes}u) {
    let column = group.y * ${side}u + aside + ${j * n}u + (e * ${width}u) % ${n}u;
    let row = ${row(`group.x * ${side}u + down + ${i * m}u + (e * ${width}u) / ${n}u`)};
    if (row < ${rowLimit} && column < u.n) { ${store}((${at} + column) / ${width}u, f32v(${each(width, value, ", ")})); }
  }
  workgroupBarrier();`;
  return /* wgsl */ `${functions}
var<workgroup> tileLeft: array<f16, ${side * leftStride}>;
var<workgroup> tileRight: array<f16, ${SLICE * rightStride}>;
var<workgroup> staged: array<f32, ${(INVOCATIONS / lanes) * m * n}>;

@diagnostic(off, chromium.subgroup_matrix_uniformity)      // places are uniform in a subgroup, which the compiler cannot see
fn run(group: vec3u, lane: u32) {
  let part = partOf(group.z);
  let subgroup = lane / ${lanes}u; let own = subgroup * ${m * n}u;
  let down = subgroup / ${across}u * ${side / 2}u; let aside = subgroup % ${across}u * ${side / across}u;
  let end = ${end};
  ${each(loads, (q) => `let row${q} = leftRow(part, group.x * ${side}u + lane / ${SLICE}u + ${apart * q}u); var held${q}: vec2h;`)}
  ${sums((i, j) => `var s${i}_${j}: ${result};`)}
  var next = ${begin};
  var ready = false;                                       // whether a slice is in workgroup memory
  loop {
    let more = next < end;
    if (more) { ${fetch} }
    if (ready) { ${each(SLICE / k, (step) => `{ ${multiply(step)} }`)} }
    if (!more) { break; }
    workgroupBarrier();                                    // nobody reads the slice before any more
    ${each(loads, (q) => `tileLeft[(lane / ${SLICE}u + ${apart * q}u) * ${leftStride}u + lane % ${SLICE}u] = held${q}.x; tileRight[(${rightInner(q)}) * ${rightStride}u + ${rightColumn(q)}] = held${q}.y;`)}
    workgroupBarrier();
    next += ${SLICE}u;
    ready = true;
  }
  ${sums(deliver)}
}`;
}
