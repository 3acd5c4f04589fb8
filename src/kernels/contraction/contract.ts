/** Runs a contraction in the variant that suits the adapter and the shape. */
import {
  COPY,
  defineKernel,
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
  const right = width === 4 ? columnsTogether(w, sizes) : { w, sizes };
  const block = chooseBlock(m, n, sizes.taps * sizes.channels, x.device.subgroupSize, width);
  const constants = { ...block, bounded, fractional, biased };
  const groups = [Math.ceil(m / block.rows), Math.ceil(n / block.columns), 1] as const;
  return run(subgroupContraction, { x, w: right.w, bias: bias ?? right.w }, { c: shape }, right.sizes, {
    constants,
    groups,
    epilogue,
  }).c;
}

/** Lanes load four neighbouring columns at once; a transposed w is small beside the work and is copied into that order. */
function columnsTogether(w: Tensor, sizes: ContractionUniforms): { w: Tensor; sizes: ContractionUniforms } {
  const { taps, channels, n, wTap, wChannel, wColumn } = sizes;
  if (wColumn === 1 && wChannel % 4 === 0 && wTap % 4 === 0) return { w, sizes };
  const shape = [taps, channels, n];
  const blocks = channels % 4 === 0 && wChannel === 1 && wColumn % 4 === 0 && wTap % 4 === 0;
  const together = blocks
    ? run(
        transposeKernel,
        { w },
        { t: shape },
        { channels, n, wTap, wColumn },
        { constants: { width: 4 }, threads: w.size / 16 },
      ).t
    : runMapOn(COPY, [viewOperand(w, shape, [wTap, wChannel, wColumn])], shape);
  return { w: together, sizes: { ...sizes, wTap: channels * n, wChannel: n, wColumn: 1 } };
}

/** Four by four elements an invocation: four loads and four stores of four lanes instead of sixteen of one. */
const transposeKernel = defineKernel({
  name: "contraction.transpose",
  inputs: { w: "f32v" },
  outputs: { t: "f32v" },
  uniforms: { channels: "u32", n: "u32", wTap: "u32", wColumn: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per block of (tap, 4 channels, 4 columns)
      let perTap = (u.channels / 4u) * (u.n / 4u);
      let k = (i % perTap) / (u.n / 4u); let column = i % (u.n / 4u);
      let read = ((i / perTap) * u.wTap + column * 4u * u.wColumn) / 4u + k;
      let step = u.wColumn / 4u;
      let block = transpose(mat4x4f(w[read], w[read + step], w[read + 2u * step], w[read + 3u * step]));
      let write = ((i / perTap) * u.channels + k * 4u) * u.n / 4u + column;
      store_t(write, block[0]);
      store_t(write + u.n / 4u, block[1]);
      store_t(write + u.n / 2u, block[2]);
      store_t(write + 3u * (u.n / 4u), block[3]);
    }`,
});

/** How many workgroups keep an adapter busy: a few for each core of a CPU, several for each processor of a GPU. */
export function wantedGroups(device: Device): number {
  return device.isSoftware ? 16 : 512;
}
