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
import type { FilterGradientUniforms } from "./geometry.ts";
import { chooseBlock, subgroupFilterGradient } from "./subgroup.ts";
import { TILE, tiledFilterGradient } from "./tiled.ts";

export interface FilterGradient {
  readonly x: Tensor;
  readonly dy: Tensor;
  /** Of the result: `[…taps, channels, n]`. */
  readonly shape: Shape;
  readonly sizes: Omit<FilterGradientUniforms, "lines" | "linesPerSplit" | "rows">;
  readonly batch: number;
  readonly taps: number;
  /** Whether a tap may fall outside x. */
  readonly bounded: boolean;
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

export function filterGradient({ x, dy, shape, sizes, batch, taps, bounded }: FilterGradient): Tensor {
  const { n, channels, oh, ow } = sizes;
  const rows = taps * channels;
  const width: Width = n % 4 === 0 ? 4 : 1;
  const { kernel, constants, across } = chooseVariant(x, rows, n, batch * oh * ow, width, bounded);
  const lines = batch * oh;
  const wanted = Math.ceil(wantedGroups(x.device) / (across[0] * across[1]));
  const worthwhile = Math.max(1, Math.floor((lines * ow) / LEAST_PIXELS));
  const linesPerSplit = Math.ceil(lines / Math.min(wanted, worthwhile, lines));
  const splits = Math.ceil(lines / linesPerSplit);
  const groups = [across[0], across[1], splits] as const;
  const outputs = { dw: splits === 1 ? shape : [splits, rows, n] };
  const { dw } = run(kernel, { x, dy }, outputs, { ...sizes, rows, lines, linesPerSplit }, { constants, groups });
  if (splits === 1) return dw;
  return run(
    addPartsKernel,
    { parts: dw },
    { dw: shape },
    { splits, count: (rows * n) / width },
    { constants: { width } },
  ).dw;
}

/** Pixels below which a part is not worth the launch of its workgroups. */
const LEAST_PIXELS = 256;

function chooseVariant(x: Tensor, rows: number, n: number, pixels: number, width: Width, bounded: boolean) {
  if (x.device.variant === "tiled") {
    const constants: Constants = { width };
    return { kernel: tiledFilterGradient, constants, across: [Math.ceil(rows / TILE), Math.ceil(n / TILE)] as const };
  }
  const block = chooseBlock(rows, n, pixels, x.device.subgroupSize, width);
  const constants: Constants = { ...block, bounded };
  return {
    kernel: subgroupFilterGradient,
    constants,
    across: [Math.ceil(rows / block.rows), Math.ceil(n / block.columns)] as const,
  };
}
