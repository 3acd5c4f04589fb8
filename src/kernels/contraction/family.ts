/**
 * Which family of kernels computes a product, in one table.
 *
 *   the adapter runs on the CPU             subgroup   registers and shuffles; blocks chosen by their cost (subgroup.ts)
 *   matrix units, both operands f16         matrix     products of small matrices by subgroups (matrixUnit.ts)
 *   everything else                         tiled      4 × 4 or 8 × 8 sums an invocation (tiled.ts)
 *
 * Tiles are 128 × 128 where the result has 256 of them, else 64 × 64. *
 * `TRAMA_VARIANT` forces a family as far as the adapter can run it.
 */
import type { Constants, Tensor, Width } from "../../tensor/index.ts";
import { TILE } from "./tiled.ts";

/** A product of `rows` × n, so many times. */
interface Result {
  readonly rows: number;
  readonly n: number;
  readonly matrices: number;
}

export interface TiledFamily {
  readonly kind: "tiled" | "matrix";
  readonly constants: Constants;
  /** Workgroups along the rows and along the columns of the result. */
  readonly across: readonly [number, number];
}

/** Large tiles load each value half as often; fewer than this many leave processors of a large GPU without work. */
const WAVES = 256;

/** The family of a product on this device, if it is one of tiles; null for that of subgroups. */
export function tiledFamily(
  left: Tensor,
  right: Tensor,
  { rows, n, matrices }: Result,
  alongColumns: boolean,
): TiledFamily | null {
  const { variant, matrixUnit } = left.device;
  if (variant === "subgroup") return null;
  const width: Width = n % 4 === 0 ? 4 : 1;
  const tiles = (side: number) => [Math.ceil(rows / side), Math.ceil(n / side)] as const;
  const [down, aside] = tiles(2 * TILE);
  const blocks = down * aside * matrices >= WAVES ? 2 : 1;
  const side = blocks * TILE;
  const across = tiles(side);
  if (variant === "matrix" && matrixUnit && left.dtype === "f16" && right.dtype === "f16") {
    return { kind: "matrix", constants: { ...matrixUnit, side, width, alongColumns }, across };
  }
  return { kind: "tiled", constants: { blocks, width, alongColumns }, across };
}
