/** Runs a contraction in the variant that suits the adapter and the shape. */
import { COPY, run, runMapOn, viewOperand, type Device, type MapProgram, type Shape, type Tensor, type Width } from "../../tensor/index.ts";
import type { ContractionUniforms } from "./geometry.ts";
import { blockColumns, chooseBlock, subgroupContraction } from "./subgroup.ts";
import { TILE, tiledContraction } from "./tiled.ts";

export interface Contraction {
  readonly x: Tensor;
  readonly w: Tensor;
  /** Of the result: `[…, n]` with `sizes.m` rows. */
  readonly shape: Shape;
  readonly sizes: ContractionUniforms;
  /** Whether a tap may fall outside x, and whether steps divide (input gradient of a strided convolution). */
  readonly bounded: boolean;
  readonly fractional: boolean;
  /** Element-wise work on the result, while it is stored. */
  readonly epilogue: MapProgram;
}

export function contract({ x, w, shape, sizes, bounded, fractional, epilogue }: Contraction): Tensor {
  const { m, n } = sizes;
  const width: Width = n % 4 === 0 ? 4 : 1;
  if (x.device.variant === "tiled") {
    const groups = [Math.ceil(m / TILE), Math.ceil(n / TILE), 1] as const;
    return run(tiledContraction, { x, w }, { c: shape }, sizes, { constants: { width, fractional }, groups, epilogue }).c;
  }
  const right = width === 4 ? columnsTogether(w, sizes) : { w, sizes };
  const block = chooseBlock(m, n, x.device.subgroupSize, width);
  const constants = { ...block, bounded, fractional };
  const groups = [Math.ceil(m / block.rows), Math.ceil(n / blockColumns(block)), 1] as const;
  return run(subgroupContraction, { x, w: right.w }, { c: shape }, right.sizes, { constants, groups, epilogue }).c;
}

/** Lanes load four neighbouring columns at once; a transposed w is small beside the work and is copied into that order. */
function columnsTogether(w: Tensor, sizes: ContractionUniforms): { w: Tensor; sizes: ContractionUniforms } {
  const { taps, channels, n, wTap, wChannel, wColumn } = sizes;
  if (wColumn === 1 && wChannel % 4 === 0 && wTap % 4 === 0) return { w, sizes };
  const shape = [taps, channels, n];
  const together = runMapOn(COPY, [viewOperand(w, shape, [wTap, wChannel, wColumn])], shape);
  return { w: together, sizes: { ...sizes, wTap: channels * n, wChannel: n, wColumn: 1 } };
}

/** How many workgroups keep an adapter busy: a few for each core of a CPU, several for each processor of a GPU. */
export function wantedGroups(device: Device): number {
  return device.isSoftware ? 16 : 512;
}
