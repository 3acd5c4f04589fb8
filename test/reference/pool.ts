/**
 * Pooling over windows of NHWC images. A window covers rows i·sh − top … i·sh − top + kh − 1 and columns likewise;
 * windows may overlap, or leave gaps when the stride exceeds the size.
 */
import { noPadding, outputExtent, type Padding, type Pair } from "./conv.ts";
import { requireShape, zeros, type Nd } from "./nd.ts";
import * as reduce from "./reduce.ts";

export interface PoolOptions {
  readonly size: Pair;
  /** Defaults to `size`. */
  readonly stride?: Pair | undefined;
  readonly padding?: Padding | undefined;
  /** Ceil mode: rows and columns after the padding that make room for a last, partial window (see `ceilExtra`). */
  readonly extra?: Pair | undefined;
}

export interface AveragePoolOptions extends PoolOptions {
  /**
   * false (default, TensorFlow): divide by the number of real elements in the window.
   * true (PyTorch's count_include_pad): padding counts too, so that the divisor is kh·kw; ceil mode's extra never counts.
   */
  readonly countPadding?: boolean | undefined;
}

/**
 * The extra bottom rows and right columns that turn the floor in the output's extent into PyTorch's ceil mode:
 * out = ⌈(size + before + after − k) / s⌉ + 1, less one if the last window would then start beyond size + before.
 */
export function ceilExtra(size: Pair, { size: kernel, stride = kernel, padding = noPadding }: PoolOptions): Pair {
  const along = (axis: 0 | 1, before: number, after: number): number => {
    let out = Math.ceil((size[axis] + before + after - kernel[axis]) / stride[axis]) + 1;
    if ((out - 1) * stride[axis] >= size[axis] + before) out--;
    return Math.max((out - 1) * stride[axis] + kernel[axis] - (size[axis] + before + after), 0);
  };
  return [along(0, padding.top, padding.bottom), along(1, padding.left, padding.right)];
}

export function poolShape(
  x: readonly number[],
  { size, stride = size, padding = noPadding, extra = [0, 0] }: PoolOptions,
): number[] {
  const [n, h, w, c] = x as readonly [number, number, number, number];
  return [
    n,
    outputExtent(h, size[0], stride[0], 1, padding.top, padding.bottom + extra[0]),
    outputExtent(w, size[1], stride[1], 1, padding.left, padding.right + extra[1]),
    c,
  ];
}

interface Window {
  /** Flat position of the result. */
  readonly y: number;
  /** Flat positions of the real elements in the window, in row order. */
  readonly inside: readonly number[];
  /** Elements of the window that are real or padding, without ceil mode's extra. */
  readonly padded: number;
}

function forEachWindow(shape: readonly number[], options: PoolOptions, visit: (window: Window) => void): void {
  const { size, stride = size, padding = noPadding } = options;
  const [batch, h, w, channels] = shape as readonly [number, number, number, number];
  const [, oh, ow] = poolShape(shape, options) as [number, number, number, number];
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++) {
        for (let c = 0; c < channels; c++) {
          const inside: number[] = [];
          let padded = 0;
          for (let r = 0; r < size[0]; r++) {
            for (let q = 0; q < size[1]; q++) {
              const row = i * stride[0] + r - padding.top;
              const column = j * stride[1] + q - padding.left;
              if (row < h + padding.bottom && column < w + padding.right) padded++;
              if (row >= 0 && row < h && column >= 0 && column < w) {
                inside.push(((n * h + row) * w + column) * channels + c);
              }
            }
          }
          if (inside.length === 0) throw new RangeError(`pool: window (${i}, ${j}) holds padding only`);
          visit({ y: ((n * oh + i) * ow + j) * channels + c, inside, padded });
        }
      }
    }
  }
}

/** The first position in row order whose value no other beats; padding never competes. */
function winnerOf(x: Nd, inside: readonly number[]): number {
  let best = inside[0]!;
  for (const position of inside) if (x.data[position]! > x.data[best]!) best = position;
  return best;
}

/** y = max of the real elements in the window */
export function maxPool(x: Nd, options: PoolOptions): Nd {
  const y = zeros(poolShape(x.shape, options));
  forEachWindow(x.shape, options, (window) => {
    y.data[window.y] = x.data[winnerOf(x, window.inside)]!;
  });
  return y;
}

/** dx = Σ dy over the windows that the element wins; of equal elements the first in row order wins. */
export function maxPoolGrad(x: Nd, dy: Nd, options: PoolOptions): Nd {
  requireShape("maxPoolGrad: dy", dy.shape, poolShape(x.shape, options));
  const dx = zeros(x.shape);
  forEachWindow(x.shape, options, (window) => {
    dx.data[winnerOf(x, window.inside)]! += dy.data[window.y]!;
  });
  return dx;
}

/** y = Σ of the real elements in the window / divisor */
export function averagePool(x: Nd, options: AveragePoolOptions): Nd {
  const y = zeros(poolShape(x.shape, options));
  forEachWindow(x.shape, options, ({ y: to, inside, padded }) => {
    let sum = 0;
    for (const position of inside) sum += x.data[position]!;
    y.data[to] = sum / (options.countPadding === true ? padded : inside.length);
  });
  return y;
}

/** dx = Σ dy / divisor over the windows that hold the element; the values of x do not matter. */
export function averagePoolGrad(shape: readonly number[], dy: Nd, options: AveragePoolOptions): Nd {
  requireShape("averagePoolGrad: dy", dy.shape, poolShape(shape, options));
  const dx = zeros(shape);
  forEachWindow(shape, options, ({ y: from, inside, padded }) => {
    const share = dy.data[from]! / (options.countPadding === true ? padded : inside.length);
    for (const position of inside) dx.data[position]! += share;
  });
  return dx;
}

const overImage = (keepDims: boolean) => ({ axes: [1, 2], keepDims });

/** [N, H, W, C] → [N, C], or [N, 1, 1, C] with `keepDims`: the mean over the image. */
export function globalAveragePool(x: Nd, keepDims = false): Nd {
  return reduce.mean(x, overImage(keepDims));
}

export function globalAveragePoolGrad(shape: readonly number[], dy: Nd, keepDims = false): Nd {
  return reduce.meanGrad(shape, dy, overImage(keepDims));
}

/** [N, H, W, C] → [N, C], or [N, 1, 1, C] with `keepDims`: the maximum over the image. */
export function globalMaxPool(x: Nd, keepDims = false): Nd {
  return reduce.max(x, overImage(keepDims));
}

export function globalMaxPoolGrad(x: Nd, dy: Nd, keepDims = false): Nd {
  return reduce.maxGrad(x, dy, overImage(keepDims));
}
