/** Runs a contraction in the variant that suits the adapter and the shape. */
import {
  COPY,
  run,
  runMapOn,
  viewOperand,
  type Device,
  type Dtype,
  type Shape,
  type Tensor,
  type Width,
} from "../../tensor/index.ts";
import { activationProgram, type EpilogueOptions } from "../epilogue.ts";
import { tiledFamily } from "./family.ts";
import type { ContractionUniforms } from "./geometry.ts";
import { matrixContraction } from "./matrixUnit.ts";
import { chooseBlock, subgroupContraction } from "./subgroup.ts";
import { tiledContraction } from "./tiled.ts";
import { transposeMatrices } from "./transpose.ts";

export interface Contraction extends EpilogueOptions {
  /** The operation that errors name. */
  readonly where: string;
  readonly x: Tensor;
  readonly w: Tensor;
  /** Of the result: `[…, n]` with `sizes.m` rows, as often as there are matrices and phases. */
  readonly shape: Shape;
  readonly sizes: ContractionUniforms;
  /** Whether a tap may fall outside x. */
  readonly bounded: boolean;
  /** Of the result. Default: that of x. */
  readonly dtype?: Dtype;
}

export function contract({ where, x, w, shape, sizes, bounded, bias, activation, dtype }: Contraction): Tensor {
  const { m, n, taps, channels, matrices, phasesY, phasesX } = sizes;
  const phases = phasesY * phasesX;
  const width: Width = n % 4 === 0 ? 4 : 1;
  const epilogue = activationProgram(activation ? { activation } : {});
  const options = { where, epilogue, ...(dtype && { dtype }) };
  const biased = bias !== undefined;
  const tiles = tiledFamily(x, w, { rows: m, n, matrices: matrices * phases }, sizes.wColumn === 1);
  if (tiles) {
    const constants = { ...tiles.constants, phased: phases > 1, biased };
    const groups = [...tiles.across, matrices * phases] as const;
    const kernel = tiles.kind === "matrix" ? matrixContraction : tiledContraction;
    // A kernel without bias does not read that binding, which must hold some buffer all the same.
    return run(kernel, { x, w, bias: bias ?? w }, { c: shape }, sizes, { ...options, constants, groups }).c;
  }
  const left = rowsTogether(where, x, asRows(sizes, bounded));
  const right = width === 4 ? columnsTogether(where, w, left.sizes) : { w, sizes: left.sizes };
  const extents = { rows: m, n, inner: (taps * channels) / phases, matrices: matrices * phases };
  const block = chooseBlock(extents, x.device.subgroupSize, width);
  const constants = { ...block, bounded, phased: phases > 1, many: matrices > 1, biased };
  const groups = [Math.ceil(m / block.rows), Math.ceil(n / block.columns), matrices * phases] as const;
  const inputs = { x: left.x, w: right.w, bias: bias ?? right.w };
  return run(subgroupContraction, inputs, { c: shape }, right.sizes, { ...options, constants, groups }).c;
}

/** A filter of one tap that meets every pixel in turn sees the rows of a matrix: "images" of one pixel. */
function asRows(sizes: ContractionUniforms, bounded: boolean): ContractionUniforms {
  const { m, taps, pixels, ow, stepY, stepX, xBatch, xRow, xColumn } = sizes;
  const row = stepX * xColumn;
  const inTurn = (pixels === ow || stepY * xRow === ow * row) && (m === pixels || xBatch === pixels * row);
  if (taps > 1 || bounded || !inTurn) return sizes;
  return { ...sizes, pixels: 1, ow: 1, xBatch: row, xRow: 0, xColumn: 0 };
}

/** Columns from which on every row of x is read so often that it pays to bring rows side by side first. */
const MANY_COLUMNS = 512;
const LONG_ROW = 512;

/**
 * Lanes load neighbouring rows of x. In a long row-major matrix those lie far apart, often a power of two, and push each
 * other out of the cache: transposed, they are neighbours in memory as well.
 */
function rowsTogether(where: string, x: Tensor, sizes: ContractionUniforms): { x: Tensor; sizes: ContractionUniforms } {
  const { m, n, taps, channels, pixels, xBatch, xChannel, xMatrix } = sizes;
  const rowMajor =
    taps === 1 && pixels === 1 && xChannel === 1 && xBatch === channels && xMatrix % (m * channels) === 0;
  const worthwhile = n >= MANY_COLUMNS && channels >= LONG_ROW && m % 4 === 0 && channels % 4 === 0;
  if (!rowMajor || !worthwhile) return { x, sizes };
  return { x: transposeMatrices(where, x, m, channels), sizes: { ...sizes, xBatch: 1, xChannel: m } };
}

/** Lanes load four neighbouring columns at once; a transposed w is small beside the work and is copied into that order. */
function columnsTogether(
  where: string,
  w: Tensor,
  sizes: ContractionUniforms,
): { w: Tensor; sizes: ContractionUniforms } {
  const { n, taps, channels, matrices, wMatrix, wTap, wChannel, wColumn } = sizes;
  if (wColumn === 1 && [wChannel, wTap, wMatrix].every((stride) => stride % 4 === 0)) return { w, sizes };
  const block = n * wColumn;
  if (wChannel === 1 && wColumn % 4 === 0 && wTap % block === 0 && w.size % block === 0) {
    // Steps along a column become steps over rows; those from one [n, wColumn] to the next stay.
    const moved = wMatrix < wColumn ? wMatrix * n : wMatrix;
    const together = transposeMatrices(where, w, n, wColumn);
    return { w: together, sizes: { ...sizes, wMatrix: moved, wChannel: n, wColumn: 1 } };
  }
  const count = wMatrix === 0 ? 1 : matrices;
  const shape = [count, taps, channels, n];
  const together = runMapOn(COPY, [viewOperand(w, shape, [wMatrix, wTap, wChannel, wColumn])], shape, { where });
  const wMoved = { wMatrix: count === 1 ? 0 : taps * channels * n, wTap: channels * n, wChannel: n, wColumn: 1 };
  return { w: together, sizes: { ...sizes, ...wMoved } };
}

/** How many workgroups keep an adapter busy: a few for each core of a CPU, several for each processor of a GPU. */
export function wantedGroups(device: Device): number {
  return device.isSoftware ? 16 : 512;
}
