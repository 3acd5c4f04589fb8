/** Runs a contraction in the variant that suits the adapter and the shape. */
import {
  COPY,
  run,
  runMapOn,
  viewOperand,
  type Device,
  type Shape,
  type Tensor,
  type Width,
} from "../../tensor/index.ts";
import { activationProgram, type EpilogueOptions } from "../epilogue.ts";
import type { ContractionUniforms } from "./geometry.ts";
import { chooseBlock, subgroupContraction } from "./subgroup.ts";
import { TILE, tiledContraction } from "./tiled.ts";
import { transposeMatrices } from "./transpose.ts";

export interface Contraction extends EpilogueOptions {
  readonly x: Tensor;
  readonly w: Tensor;
  /** Of the result: `[…, n]` with `sizes.m` rows. */
  readonly shape: Shape;
  readonly sizes: ContractionUniforms;
  /** Whether a tap may fall outside x, and whether steps divide (input gradient of a strided convolution). */
  readonly bounded: boolean;
  readonly fractional: boolean;
}

export function contract({ x, w, shape, sizes, bounded, fractional, bias, activation }: Contraction): Tensor {
  const { m, n } = sizes;
  // A kernel without bias does not read that binding, which must hold some buffer all the same.
  const width: Width = n % 4 === 0 ? 4 : 1;
  const epilogue = activationProgram(activation ? { activation } : {});
  const biased = bias !== undefined;
  if (x.device.variant === "tiled") {
    const groups = [Math.ceil(m / TILE), Math.ceil(n / TILE), 1] as const;
    return run(tiledContraction, { x, w, bias: bias ?? w }, { c: shape }, sizes, {
      constants: { width, fractional, biased },
      groups,
      epilogue,
    }).c;
  }
  const left = rowsTogether(x, sizes);
  const right = width === 4 ? columnsTogether(w, left.sizes) : { w, sizes: left.sizes };
  const block = chooseBlock(m, n, sizes.taps * sizes.channels, x.device.subgroupSize, width);
  const constants = { ...block, bounded, fractional, biased };
  const groups = [Math.ceil(m / block.rows), Math.ceil(n / block.columns), 1] as const;
  const inputs = { x: left.x, w: right.w, bias: bias ?? right.w };
  return run(subgroupContraction, inputs, { c: shape }, right.sizes, { constants, groups, epilogue }).c;
}

/** Columns from which on every row of x is read so often that it pays to bring rows side by side first. */
const MANY_COLUMNS = 256;
const LONG_ROW = 128;

/**
 * Lanes load neighbouring rows of x. In a long row-major matrix those lie far apart, often a power of two, and push each
 * other out of the cache: transposed, they are neighbours in memory as well.
 */
function rowsTogether(x: Tensor, sizes: ContractionUniforms): { x: Tensor; sizes: ContractionUniforms } {
  const { m, n, taps, channels, pixels, xBatch, xChannel } = sizes;
  const rowMajor = taps === 1 && pixels === 1 && xChannel === 1 && xBatch === channels;
  const worthwhile = n >= MANY_COLUMNS && channels >= LONG_ROW && m % 4 === 0 && channels % 4 === 0;
  if (!rowMajor || !worthwhile) return { x, sizes };
  return { x: transposeMatrices(x, 1, m, channels), sizes: { ...sizes, xBatch: 1, xChannel: m } };
}

/** Lanes load four neighbouring columns at once; a transposed w is small beside the work and is copied into that order. */
function columnsTogether(w: Tensor, sizes: ContractionUniforms): { w: Tensor; sizes: ContractionUniforms } {
  const { taps, channels, n, wTap, wChannel, wColumn } = sizes;
  if (wColumn === 1 && wChannel % 4 === 0 && wTap % 4 === 0) return { w, sizes };
  const inBlocks = channels % 4 === 0 && wChannel === 1 && wColumn === channels;
  const shape = [taps, channels, n];
  const together = inBlocks
    ? transposeMatrices(w, taps, n, channels)
    : runMapOn(COPY, [viewOperand(w, shape, [wTap, wChannel, wColumn])], shape);
  return { w: together, sizes: { ...sizes, wTap: channels * n, wChannel: n, wColumn: 1 } };
}

/** How many workgroups keep an adapter busy: a few for each core of a CPU, several for each processor of a GPU. */
export function wantedGroups(device: Device): number {
  return device.isSoftware ? 16 : 512;
}
