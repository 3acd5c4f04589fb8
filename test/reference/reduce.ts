/**
 * Reductions over any set of axes, and their gradients. `axes` defaults to all; negative axes count from the back.
 * With `keepDims` the reduced axes stay with extent 1. Where several elements tie for a maximum or minimum, the first
 * in row order is the winner and alone receives the gradient (TensorFlow's arg-max; pooling uses the same rule).
 */
import { axisOf, map, requireShape, size, strides, unravel, zeros, type Nd } from "./nd.ts";

export interface ReduceOptions {
  readonly axes?: readonly number[] | undefined;
  readonly keepDims?: boolean | undefined;
}

function resolveAxes(shape: readonly number[], axes: readonly number[] | undefined): Set<number> {
  return new Set((axes ?? shape.map((_, axis) => axis)).map((axis) => axisOf(axis, shape.length)));
}

/** The shape that is left after reducing. */
export function reducedShape(shape: readonly number[], { axes, keepDims = false }: ReduceOptions = {}): number[] {
  const gone = resolveAxes(shape, axes);
  return keepDims
    ? shape.map((extent, axis) => (gone.has(axis) ? 1 : extent))
    : shape.filter((_, axis) => !gone.has(axis));
}

/** For each element of `shape`, the flat position of the result that it is reduced into. */
function targets(shape: readonly number[], { axes }: ReduceOptions): Int32Array {
  const gone = resolveAxes(shape, axes);
  const step = strides(reducedShape(shape, { axes, keepDims: true }));
  return Int32Array.from({ length: size(shape) }, (_, flat) =>
    unravel(flat, shape).reduce((to, k, axis) => to + (gone.has(axis) ? 0 : k * step[axis]!), 0),
  );
}

/** y = Σ x over the axes */
export function sum(x: Nd, options: ReduceOptions = {}): Nd {
  const y = zeros(reducedShape(x.shape, options));
  targets(x.shape, options).forEach((to, i) => {
    y.data[to]! += x.data[i]!;
  });
  return y;
}

/** dxᵢ = dy of the result that xᵢ belongs to */
export function sumGrad(shape: readonly number[], dy: Nd, options: ReduceOptions = {}): Nd {
  requireShape("sumGrad: dy", dy.shape, reducedShape(shape, options));
  const dx = zeros(shape);
  targets(shape, options).forEach((to, i) => {
    dx.data[i] = dy.data[to]!;
  });
  return dx;
}

/** y = Σ x / m, m elements in each group */
export function mean(x: Nd, options: ReduceOptions = {}): Nd {
  const y = sum(x, options);
  const count = x.data.length / y.data.length;
  return map(y, (value) => value / count);
}

/** dxᵢ = dy / m */
export function meanGrad(shape: readonly number[], dy: Nd, options: ReduceOptions = {}): Nd {
  const count = size(shape) / dy.data.length;
  return map(sumGrad(shape, dy, options), (value) => value / count);
}

/** For each result, the flat position of the first element that no other one beats. */
function winners(x: Nd, options: ReduceOptions, beats: (a: number, b: number) => boolean): Int32Array {
  const winner = new Int32Array(size(reducedShape(x.shape, options))).fill(-1);
  targets(x.shape, options).forEach((to, i) => {
    const best = winner[to]!;
    if (best < 0 || beats(x.data[i]!, x.data[best]!)) winner[to] = i;
  });
  return winner;
}

const greater = (a: number, b: number): boolean => a > b;
const less = (a: number, b: number): boolean => a < b;

function pick(x: Nd, options: ReduceOptions, beats: (a: number, b: number) => boolean): Nd {
  return {
    shape: reducedShape(x.shape, options),
    data: Float64Array.from(winners(x, options, beats), (i) => x.data[i]!),
  };
}

function pickGrad(x: Nd, dy: Nd, options: ReduceOptions, beats: (a: number, b: number) => boolean): Nd {
  requireShape("dy", dy.shape, reducedShape(x.shape, options));
  const dx = zeros(x.shape);
  winners(x, options, beats).forEach((i, to) => {
    dx.data[i]! += dy.data[to]!;
  });
  return dx;
}

/** y = max x over the axes */
export function max(x: Nd, options: ReduceOptions = {}): Nd {
  return pick(x, options, greater);
}

/** dx = dy at the first maximum, 0 elsewhere */
export function maxGrad(x: Nd, dy: Nd, options: ReduceOptions = {}): Nd {
  return pickGrad(x, dy, options, greater);
}

/** y = min x over the axes */
export function min(x: Nd, options: ReduceOptions = {}): Nd {
  return pick(x, options, less);
}

/** dx = dy at the first minimum, 0 elsewhere */
export function minGrad(x: Nd, dy: Nd, options: ReduceOptions = {}): Nd {
  return pickGrad(x, dy, options, less);
}

function argPick(x: Nd, axis: number, keepDims: boolean, beats: (a: number, b: number) => boolean): Nd {
  const along = axisOf(axis, x.shape.length);
  const options = { axes: [along], keepDims };
  const positions = Float64Array.from(winners(x, options, beats), (i) => unravel(i, x.shape)[along]!);
  return { shape: reducedShape(x.shape, options), data: positions };
}

/** y = the index along `axis` of the first maximum */
export function argMax(x: Nd, axis = -1, keepDims = false): Nd {
  return argPick(x, axis, keepDims, greater);
}

/** y = the index along `axis` of the first minimum */
export function argMin(x: Nd, axis = -1, keepDims = false): Nd {
  return argPick(x, axis, keepDims, less);
}

/** Broadcasts a result back over the elements that it was reduced from. */
function backOver(y: Nd, shape: readonly number[], options: ReduceOptions): (i: number) => number {
  const to = targets(shape, options);
  return (i) => y.data[to[i]!]!;
}

/** y = Σ (x − μ)² / (m − c), μ the mean of each group of m elements */
export function variance(x: Nd, options: ReduceOptions = {}, correction = 0): Nd {
  const center = backOver(mean(x, options), x.shape, options);
  const squares = sum(
    map(x, (value, i) => (value - center(i)) ** 2),
    options,
  );
  const count = x.data.length / squares.data.length;
  return map(squares, (value) => value / (count - correction));
}

/** dxᵢ = 2 (xᵢ − μ) dy / (m − c) */
export function varianceGrad(x: Nd, dy: Nd, options: ReduceOptions = {}, correction = 0): Nd {
  const center = backOver(mean(x, options), x.shape, options);
  const g = sumGrad(x.shape, dy, options);
  const count = x.data.length / dy.data.length;
  return map(x, (value, i) => (2 * (value - center(i)) * g.data[i]!) / (count - correction));
}

/** y = ln Σ eˣ over the axes */
export function logSumExp(x: Nd, options: ReduceOptions = {}): Nd {
  const greatest = max(x, options);
  const shift = backOver(greatest, x.shape, options);
  const total = sum(
    map(x, (value, i) => Math.exp(value - shift(i))),
    options,
  );
  return map(total, (value, i) => Math.log(value) + greatest.data[i]!);
}

/** dxᵢ = e^(xᵢ − y) dy */
export function logSumExpGrad(x: Nd, dy: Nd, options: ReduceOptions = {}): Nd {
  const y = backOver(logSumExp(x, options), x.shape, options);
  const g = sumGrad(x.shape, dy, options);
  return map(x, (value, i) => Math.exp(value - y(i)) * g.data[i]!);
}
