/**
 * Gradient of a contraction's matrix: the filter of a convolution, the weights of a dense layer.
 *
 *   dw[t, k, n] = Σ over rows m of  x[place(m, t) + k] · dy[m, n]
 *
 * The sum is long (batch × pixels) and the result small, so the lines of the batch are cut into parts whose results are
 * added in a second, deterministic pass. Never one serial invocation per weight.
 */
import { defineKernel, run, type Constants, type Shape, type Tensor, type Width } from "../../tensor/index.ts";
import { wantedGroups } from "./contract.ts";
import { tiledFamily } from "./family.ts";
import type { FilterGradientUniforms } from "./geometry.ts";
import { matrixFilterGradient } from "./matrixUnit.ts";
import { chooseBlock, subgroupFilterGradient, type Extents } from "./subgroup.ts";
import { tiledFilterGradient } from "./tiled.ts";

export interface FilterGradient {
  /** The operation that errors name. */
  readonly where: string;
  readonly x: Tensor;
  readonly dy: Tensor;
  /** Of the result: `[…taps, channels, n]`, or `[matrices, …taps, channels, n]`. */
  readonly shape: Shape;
  readonly sizes: Omit<FilterGradientUniforms, "lines" | "linesPerSplit" | "rows" | "dwSplit">;
  readonly batch: number;
  readonly taps: number;
  /** Whether a tap may fall outside x. */
  readonly bounded: boolean;
}

export function filterGradient({ where, x, dy, shape, taps, bounded, ...over }: FilterGradient): Tensor {
  const { sizes, lines } = inLines(over, taps, bounded);
  const { n, channels, matrices, ow } = sizes;
  const rows = taps * channels;
  const width: Width = n % 4 === 0 ? 4 : 1;
  const extents = { rows, n, inner: lines * ow, matrices };
  const { kernel, constants, across } = chooseVariant(x, dy, extents, width, bounded);
  const wanted = Math.ceil(wantedGroups(x.device) / (across[0] * across[1] * matrices));
  const worthwhile = Math.max(1, Math.floor((lines * ow) / LEAST_PIXELS));
  const linesPerSplit = Math.ceil(lines / Math.min(wanted, worthwhile, lines));
  const splits = Math.ceil(lines / linesPerSplit);
  const groups = [across[0], across[1], splits * matrices] as const;
  const dwSplit = matrices * rows * n;
  const outputs = { dw: splits === 1 ? shape : [splits, dwSplit] };
  const uniforms = { ...sizes, rows, lines, linesPerSplit, dwSplit };
  const { dw } = run(kernel, { x, dy }, outputs, uniforms, { where, constants, groups });
  return splits === 1 ? dw : addParts(dw, shape);
}

/** One tap that meets every pixel in turn sees one long row of them, which may be cut into lines of any length. */
function inLines({ sizes, batch }: Pick<FilterGradient, "sizes" | "batch">, taps: number, bounded: boolean) {
  const { oh, ow, stepY, stepX, xBatch, xRow, xColumn } = sizes;
  const row = stepX * xColumn;
  const inTurn = (oh === 1 || stepY * xRow === ow * row) && (batch === 1 || xBatch === oh * ow * row);
  if (taps > 1 || bounded || !inTurn) return { sizes, lines: batch * oh };
  const line = greatestDivisor(batch * oh * ow, LINE);
  const cut = { h: 1, w: line * stepX, oh: 1, ow: line, xBatch: line * row };
  return { sizes: { ...sizes, ...cut }, lines: (batch * oh * ow) / line };
}

const LINE = 256;

/** The greatest divisor of `value` up to `limit`. */
function greatestDivisor(value: number, limit: number): number {
  for (let divisor = Math.min(value, limit); ; divisor--) if (value % divisor === 0) return divisor;
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

/** Adds up `[splits, …]` along the first axis. */
export function addParts(parts: Tensor, shape: Shape): Tensor {
  const splits = parts.shape[0]!;
  const count = parts.size / splits;
  const width: Width = count % 4 === 0 ? 4 : 1;
  return run(addPartsKernel, { parts }, { dw: shape }, { splits, count: count / width }, { constants: { width } }).dw;
}

/** Pixels below which a part is not worth the launch of its workgroups. */
const LEAST_PIXELS = 256;

function chooseVariant(x: Tensor, dy: Tensor, extents: Extents, width: Width, bounded: boolean) {
  const { rows, n, matrices } = extents;
  const tiles = tiledFamily(x, dy, extents, true);
  if (tiles) return { ...tiles, kernel: tiles.kind === "matrix" ? matrixFilterGradient : tiledFilterGradient };
  const block = chooseBlock(extents, x.device.subgroupSize, width);
  const constants: Constants = { ...block, bounded, many: matrices > 1 };
  return {
    kernel: subgroupFilterGradient,
    constants,
    across: [Math.ceil(rows / block.rows), Math.ceil(n / block.columns)] as const,
  };
}
