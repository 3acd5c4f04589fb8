/**
 * Contraction by subgroup shuffles, for adapters that run on the CPU.
 *
 *   c[m, n] = Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *
 * There a load costs as much as 25 multiply-adds and workgroup memory never pays, so everything stays in registers:
 * one workgroup is one subgroup; a lane owns `rows` rows of c and `columns` columns. For each k a lane loads its `rows`
 * values of x, the subgroup loads `columns` values of w side by side, and `subgroupShuffle` with constant lanes hands
 * each of those to all. Strides are free, so transposes, im2col and the flipped filter of an input gradient cost nothing.
 */
import { defineKernel } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, type ContractionConstants } from "./geometry.ts";

interface SubgroupConstants extends ContractionConstants {
  /** Lanes of a subgroup. */
  readonly lanes: number;
  /** Rows a lane; columns a workgroup, a multiple of `width`. */
  readonly rows: number;
  readonly columns: number;
}

export const subgroupContraction = defineKernel({
  name: "contraction.subgroup",
  inputs: { x: "f32", w: "f32" },
  outputs: { c: "f32v" },
  uniforms: contractionUniforms,
  enable: ["subgroups"],
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: (constants) => source(constants as unknown as SubgroupConstants),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels,
});

function source({ lanes, rows, columns, width, bounded, fractional }: SubgroupConstants): string {
  const loads = Math.ceil(columns / lanes);
  const accumulator = (i: number, j: number) => `s${i}_${j}`;
  const address = (j: number) => /* wgsl */ `
      let numeratorY${j} = y${j} + tapY; let numeratorX${j} = x${j} + tapX;
      ${fractional ? `let iy${j} = numeratorY${j} / u.divisorY; let ix${j} = numeratorX${j} / u.divisorX;` : `let iy${j} = numeratorY${j}; let ix${j} = numeratorX${j};`}
      let inside${j} = iy${j} < u.h && ix${j} < u.w${fractional ? ` && iy${j} * u.divisorY == numeratorY${j} && ix${j} * u.divisorX == numeratorX${j}` : ""};
      let at${j} = select(0u, base${j} + iy${j} * u.xRow + ix${j} * u.xColumn, inside${j});`;
  const loadX = (j: number) => (bounded ? `select(0.0, x[at${j} + k * u.xChannel], inside${j})` : `x[at${j} + k * u.xChannel]`);
  return /* wgsl */ `
fn run(group: vec3u, lane: u32) {
  let firstRow = group.x * ${lanes * rows}u + lane;
  let firstColumn = group.y * ${columns}u;
  ${each(rows, (j) => /* wgsl */ `
  let m${j} = min(firstRow + ${j * lanes}u, u.m - 1u);
  let p${j} = m${j} % u.pixels; let base${j} = (m${j} / u.pixels) * u.xBatch;
  let y${j} = (p${j} / u.ow) * u.stepY; let x${j} = (p${j} % u.ow) * u.stepX;`)}
  ${each(loads, (q) => `let column${q} = min(firstColumn + lane + ${q * lanes}u, u.n - 1u) * u.wColumn;`)}
  ${each(columns, (i) => each(rows, (j) => `var ${accumulator(i, j)} = 0.0;`, " "))}
  for (var tap = 0u; tap < u.taps; tap++) {
    let tapY = (tap / u.kw) * u.tapY - u.padY; let tapX = (tap % u.kw) * u.tapX - u.padX; // u32 wraps: below 0 is ≥ h
    ${each(rows, address)}
    for (var k = 0u; k < u.channels; k++) {
      let row = tap * u.wTap + k * u.wChannel;
      ${each(loads, (q) => `let w${q} = w[row + column${q}];`, " ")}
      ${each(rows, (j) => `let a${j} = ${loadX(j)};`)}
      ${each(columns, (i) => /* wgsl */ `{ let b = subgroupShuffle(w${Math.floor(i / lanes)}, ${i % lanes}u); ${each(rows, (j) => `${accumulator(i, j)} += a${j} * b;`, " ")} }`)}
    }
  }
  ${each(rows, (j) => /* wgsl */ `
  if (firstRow + ${j * lanes}u < u.m) {
    let start = (m${j} * u.n + firstColumn) / ${width}u;
    ${each(columns / width, (q) => `if (firstColumn + ${q * width}u < u.n) { store_c(start + ${q}u, f32v(${each(width, (z) => accumulator(q * width + z, j), ", ")})); }`)}
  }`)}
}`;
}
