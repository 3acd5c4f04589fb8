/** Runs a contraction in the variant that suits the adapter and the shape. */
import { run, sizeOf, type Device, type MapProgram, type Shape, type Tensor, type Width } from "../../tensor/index.ts";
import type { ContractionUniforms } from "./geometry.ts";
import { subgroupContraction } from "./subgroup.ts";
import { COLUMN_TILE, ROW_TILE, tiledContraction } from "./tiled.ts";

export interface Contraction {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly shape: Shape;
  readonly sizes: ContractionUniforms;
  /** Whether a tap may fall outside x, and whether steps divide (input gradient of a strided convolution). */
  readonly bounded: boolean;
  readonly fractional: boolean;
  readonly epilogue?: MapProgram;
}

/** `[…, n]` with as many rows as `sizes.m`. */
export function contract({ x, w, shape, sizes, bounded, fractional, epilogue }: Contraction): Tensor {
  const { m, n } = sizes;
  const width: Width = n % 4 === 0 && sizeOf(shape) === m * n ? 4 : 1;
  const constants = { width, bounded, fractional };
  const options = epilogue ? { epilogue } : {};
  const lanes = subgroupLanes(x.device);
  if (lanes === 0) {
    const groups = [Math.ceil(m / ROW_TILE), Math.ceil(n / COLUMN_TILE), 1] as const;
    return run(tiledContraction, { x, w }, { c: shape }, sizes, { constants, groups, ...options }).c;
  }
  const rows = rowsPerLane(m, lanes);
  const columns = columnsPerGroup(n, width);
  const groups = [Math.ceil(m / (lanes * rows)), Math.ceil(n / columns), 1] as const;
  return run(subgroupContraction, { x, w }, { c: shape }, sizes, { constants: { ...constants, lanes, rows, columns }, groups, ...options }).c;
}

/** Lanes for the subgroup family, or 0 where the tiled family serves. */
export function subgroupLanes(device: Device): number {
  return device.variant === "subgroup" ? device.subgroupSize : 0;
}

/** Four rows a lane amortise the shuffles; few rows are spread over lanes instead. */
function rowsPerLane(m: number, lanes: number): number {
  return Math.min(4, Math.ceil(m / lanes));
}

const MOST_COLUMNS = 32;

/** Equal blocks of at most 32 columns, so that the last one is not mostly empty. */
export function columnsPerGroup(n: number, width: Width): number {
  const even = Math.ceil(n / Math.ceil(n / MOST_COLUMNS));
  return Math.ceil(even / width) * width;
}
