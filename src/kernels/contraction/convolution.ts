/**
 * The three products of a convolution between a finer image x `[n, h, w, in]` and a coarser one y `[n, h′, w′, out]`:
 *
 *   correlate        y[n, i, j]    = Σ x[n, s·i + d·r − p, s·j + d·q − p] · w[r, q]     over r, q
 *   spread           its adjoint: x[n, s·i + d·r − p, s·j + d·q − p] += y[n, i, j] · w[r, q]ᵀ
 *   filterOf         dw[r, q]      = Σ x[n, s·i + d·r − p, s·j + d·q − p]ᵀ · y[n, i, j]  over n, i, j
 *
 * A convolution runs the first forward and the others backward; a transposed one runs the second forward. The adjoint
 * gathers: with taps reversed it is a contraction of the same kind, one for each phase of the stride.
 */
import type { Shape, Tensor } from "../../tensor/index.ts";
import type { EpilogueOptions } from "../epilogue.ts";
import type { Direction } from "../geometry.ts";
import { contract } from "./contract.ts";
import { filterGradient } from "./filterGradient.ts";
import { SINGLE } from "./geometry.ts";
import { phasesAlong } from "./phases.ts";

/** From x (`input`) to y (`output`), whichever of them is computed. Filters are `[kh, kw, inChannels / groups, outChannels]`. */
export interface ConvGeometry {
  readonly where: string;
  readonly vertical: Direction;
  readonly horizontal: Direction;
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
}

function inputShape({ batch, vertical, horizontal, inChannels }: ConvGeometry): Shape {
  return [batch, vertical.input, horizontal.input, inChannels];
}

function outputShape({ batch, vertical, horizontal, outChannels }: ConvGeometry): Shape {
  return [batch, vertical.output, horizontal.output, outChannels];
}

/** Whether some tap of some window falls outside the image. */
function reachesOut({ input, before, stride, span, output }: Direction): boolean {
  return before > 0 || (output - 1) * stride + span > input;
}

/** y = x ∗ w, with bias and activation. */
export function correlate(x: Tensor, w: Tensor, geometry: ConvGeometry, finish: EpilogueOptions = {}): Tensor {
  const { where, vertical: v, horizontal: h, batch, inChannels, outChannels, groups } = geometry;
  const [channels, n] = [inChannels / groups, outChannels / groups];
  const sizes = {
    ...SINGLE, m: batch * v.output * h.output, n, taps: v.kernel * h.kernel, channels,
    pixels: v.output * h.output, ow: h.output, h: v.input, w: h.input, kh: v.kernel, kw: h.kernel,
    stepY: v.stride, stepX: h.stride, tapY: v.dilation, tapX: h.dilation, padY: v.before, padX: h.before,
    xBatch: v.input * h.input * inChannels, xRow: h.input * inChannels, xColumn: inChannels, xChannel: 1,
    wTap: channels * outChannels, wChannel: outChannels, wColumn: 1, cRow: outChannels,
    matrices: groups, xMatrix: channels, wMatrix: n, cMatrix: n, biasMatrix: n,
  }; // prettier-ignore
  const bounded = reachesOut(v) || reachesOut(h);
  return contract({ where, x, w, shape: outputShape(geometry), sizes, bounded, ...finish });
}

/** x = y ∗ᵀ w, with bias and activation: x[i] gathers from y[(i + p − d·r) ÷ s], where that divides. */
export function spread(y: Tensor, w: Tensor, geometry: ConvGeometry, finish: EpilogueOptions = {}): Tensor {
  const { where, vertical: v, horizontal: h, batch, inChannels, outChannels, groups } = geometry;
  const [channels, n] = [outChannels / groups, inChannels / groups];
  const [down, across] = [phasesAlong(v), phasesAlong(h)];
  const [rows, columns] = [Math.ceil(v.input / down.phases), Math.ceil(h.input / across.phases)];
  const sizes = {
    m: batch * rows * columns, n, taps: v.kernel * h.kernel, channels,
    pixels: rows * columns, ow: columns, h: v.output, w: h.output, kh: v.kernel, kw: h.kernel,
    stepY: 1, stepX: 1, tapY: minus(down.step), tapX: minus(across.step), padY: minus(v.before), padX: minus(h.before),
    xBatch: v.output * h.output * outChannels, xRow: h.output * outChannels, xColumn: outChannels, xChannel: 1,
    wTap: n * outChannels, wChannel: 1, wColumn: outChannels, cRow: inChannels,
    matrices: groups, xMatrix: channels, wMatrix: channels, cMatrix: n, biasMatrix: n,
    phasesY: down.phases, phasesX: across.phases, everyY: down.every, everyX: across.every, ch: v.input, cw: h.input,
  }; // prettier-ignore
  const bounded = v.kernel * h.kernel * v.stride * h.stride > 1 || reachesOut(v) || reachesOut(h);
  return contract({ where, x: y, w, shape: inputShape(geometry), sizes, bounded, ...finish });
}

/** −value mod 2³², as shaders count down in u32. */
function minus(value: number): number {
  return (2 ** 32 - value) % 2 ** 32;
}

/** dw = xᵀ ∗ y, of the filters' shape. */
export function filterOf(x: Tensor, y: Tensor, geometry: ConvGeometry): Tensor {
  const { where, vertical: v, horizontal: h, batch, inChannels, outChannels, groups } = geometry;
  const [channels, n] = [inChannels / groups, outChannels / groups];
  const sizes = {
    n, channels, kw: h.kernel, h: v.input, w: h.input, oh: v.output, ow: h.output,
    stepY: v.stride, stepX: h.stride, tapY: v.dilation, tapX: h.dilation, padY: v.before, padX: h.before,
    xBatch: v.input * h.input * inChannels, xRow: h.input * inChannels, xColumn: inChannels,
    dyRow: outChannels, dwRow: outChannels, matrices: groups, xMatrix: channels, dyMatrix: n, dwMatrix: n,
  }; // prettier-ignore
  const shape = [v.kernel, h.kernel, channels, outChannels];
  const bounded = reachesOut(v) || reachesOut(h);
  return filterGradient({ where, x, dy: y, shape, sizes, batch, taps: v.kernel * h.kernel, bounded });
}
