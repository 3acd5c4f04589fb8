/**
 * Contraction by register tiles over workgroup memory, for GPUs, and for every adapter without subgroups.
 *
 *   c[m, n] = Σ over taps t and channels k of  x[place(m, t) + k] · w[t, k, n]
 *
 * A workgroup of 16 × 16 invocations owns a 64 × 64 tile of c, four by four elements each. Taps and channels are one
 * long inner dimension, walked in slices of 16: all invocations bring a slice of both operands into workgroup memory,
 * then each multiplies its four rows with its four columns from there. Loads beyond an edge bring zeros.
 */
import { defineKernel } from "../../tensor/index.ts";
import { each } from "../wgslText.ts";
import { contractionUniforms, type ContractionConstants } from "./geometry.ts";

export const ROW_TILE = 64;
export const COLUMN_TILE = 64;
const SLICE = 16;
const INVOCATIONS = 256;

export const tiledContraction = defineKernel({
  name: "contraction.tiled",
  inputs: { x: "f32", w: "f32" },
  outputs: { c: "f32v" },
  uniforms: contractionUniforms,
  grid: "groups",
  workgroup: INVOCATIONS,
  wgsl: (constants) => source(constants as unknown as ContractionConstants),
  flops: (_, u) => 2 * u.m * u.n * u.taps * u.channels,
});

function source({ width, fractional }: ContractionConstants): string {
  const loads = (ROW_TILE * SLICE) / INVOCATIONS;
  const divides = fractional ? "iy * u.divisorY == numeratorY && ix * u.divisorX == numeratorX" : "true";
  const stores = (j: number) => each(4 / width, (q) => {
    const values = each(width, (z) => `s${j}[${q * width + z}]`, ", ");
    return /* wgsl */ `if (column + ${q * width}u < u.n) { store_c(((row + ${j}u) * u.n + column) / ${width}u + ${q}u, f32v(${values})); }`;
  });
  return /* wgsl */ `
var<workgroup> tileX: array<array<f32, ${ROW_TILE}>, ${SLICE}>;
var<workgroup> tileW: array<array<f32, ${COLUMN_TILE}>, ${SLICE}>;

fn loadX(m: u32, inner: u32) -> f32 {
  let tap = inner / u.channels; let p = m % u.pixels;
  let numeratorY = (p / u.ow) * u.stepY + (tap / u.kw) * u.tapY - u.padY; // u32 wraps: below 0 is ≥ h
  let numeratorX = (p % u.ow) * u.stepX + (tap % u.kw) * u.tapX - u.padX;
  let iy = numeratorY${fractional ? " / u.divisorY" : ""}; let ix = numeratorX${fractional ? " / u.divisorX" : ""};
  let inside = m < u.m && tap < u.taps && iy < u.h && ix < u.w && ${divides};
  let at = (m / u.pixels) * u.xBatch + iy * u.xRow + ix * u.xColumn + (inner % u.channels) * u.xChannel;
  return select(0.0, x[select(0u, at, inside)], inside);
}

fn loadW(inner: u32, n: u32) -> f32 {
  let inside = inner < u.taps * u.channels && n < u.n;
  let at = (inner / u.channels) * u.wTap + (inner % u.channels) * u.wChannel + n * u.wColumn;
  return select(0.0, w[select(0u, at, inside)], inside);
}

fn run(group: vec3u, lane: u32) {
  let row = group.x * ${ROW_TILE}u + (lane / 16u) * 4u; let column = group.y * ${COLUMN_TILE}u + (lane % 16u) * 4u;
  ${each(4, (j) => `var s${j} = vec4f();`, " ")}
  for (var k = 0u; k < u.taps * u.channels; k += ${SLICE}u) {
    ${each(loads, (q) => /* wgsl */ `
    { let e = lane + ${q * INVOCATIONS}u;
      tileX[e % ${SLICE}u][e / ${SLICE}u] = loadX(group.x * ${ROW_TILE}u + e / ${SLICE}u, k + e % ${SLICE}u);
      tileW[e / ${COLUMN_TILE}u][e % ${COLUMN_TILE}u] = loadW(k + e / ${COLUMN_TILE}u, group.y * ${COLUMN_TILE}u + e % ${COLUMN_TILE}u); }`)}
    workgroupBarrier();
    for (var z = 0u; z < ${SLICE}u; z++) {
      let c0 = (lane % 16u) * 4u; let r0 = (lane / 16u) * 4u;
      let b = vec4f(tileW[z][c0], tileW[z][c0 + 1u], tileW[z][c0 + 2u], tileW[z][c0 + 3u]);
      ${each(4, (j) => `s${j} += tileX[z][r0 + ${j}u] * b;`, " ")}
    }
    workgroupBarrier();
  }
  ${each(4, (j) => `if (row + ${j}u < u.m) { ${stores(j)} }`)}
}`;
}
