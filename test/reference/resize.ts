/**
 * Resizing of NHWC images. Every method is linear and separable: a matrix of weights for the rows, `weights[o][r]` being
 * what output o takes of input r, and another for the columns. Its gradient is the transpose.
 */
import { requireShape, zeros, type Nd } from "./nd.ts";

export type Convention = "halfPixel" | "alignCorners" | "asymmetric";
export type Method = "nearest" | "bilinear" | "antialias" | "area";

/** Where output pixel o lies on the input, in pixels from the centre (align-corners: point; asymmetric: corner) of the first. */
function place(o: number, input: number, output: number, convention: Convention): number {
  if (convention === "asymmetric") return (o * input) / output;
  if (convention === "halfPixel") return ((o + 0.5) * input) / output - 0.5;
  return output === 1 ? 0 : (o * (input - 1)) / (output - 1);
}

/** Exactly at a half, the later pixel is the nearest (half-pixel and align-corners). */
function nearest(o: number, input: number, output: number, convention: Convention): number {
  if (convention === "asymmetric") return Math.floor((o * input) / output);
  if (convention === "halfPixel") return Math.floor(((2 * o + 1) * input) / (2 * output));
  return output === 1 ? 0 : Math.floor((2 * o * (input - 1) + output - 1) / (2 * (output - 1)));
}

function weightsOf(o: number, input: number, output: number, method: Method, convention: Convention): number[] {
  const pixels = Array.from({ length: input }, (_, r) => r);
  const scale = input / output;
  switch (method) {
    case "nearest": {
      const chosen = nearest(o, input, output, convention);
      return pixels.map((r) => (r === chosen ? 1 : 0));
    }
    case "bilinear": {
      const p = Math.min(Math.max(place(o, input, output, convention), 0), input - 1);
      return pixels.map((r) => Math.max(0, 1 - Math.abs(p - r)));
    }
    case "antialias": {
      const p = place(o, input, output, "halfPixel");
      const raw = pixels.map((r) => Math.max(0, 1 - Math.abs(p - r) / Math.max(scale, 1)));
      const total = raw.reduce((sum, weight) => sum + weight, 0);
      return raw.map((weight) => weight / total);
    }
    case "area":
      return pixels.map((r) => Math.max(0, Math.min((o + 1) * scale, r + 1) - Math.max(o * scale, r)) / scale);
  }
}

export interface ResizeOptions {
  readonly size: readonly [number, number];
  readonly method: Method;
  /** Of nearest and bilinear. */
  readonly convention: Convention;
}

/** Visits every pair of an output and an input pixel that it takes something of, as positions in images of one channel. */
function forEachShare(
  [, h, w]: readonly number[],
  { size: [oh, ow], method, convention }: ResizeOptions,
  visit: (to: number, from: number, weight: number) => void,
): void {
  const rows = Array.from({ length: oh }, (_, i) => weightsOf(i, h!, oh, method, convention));
  const columns = Array.from({ length: ow }, (_, j) => weightsOf(j, w!, ow, method, convention));
  rows.forEach((down, i) =>
    columns.forEach((across, j) =>
      down.forEach((a, r) =>
        across.forEach((b, q) => {
          if (a * b !== 0) visit(i * ow + j, r * w! + q, a * b);
        }),
      ),
    ),
  );
}

const resized = ([n, , , c]: readonly number[], [oh, ow]: readonly [number, number]): number[] => [n!, oh, ow, c!];

/** y[n, i, j, c] = Σ rows[i][r] · columns[j][q] · x[n, r, q, c] */
export function resize(x: Nd, options: ResizeOptions): Nd {
  const y = zeros(resized(x.shape, options.size));
  move(x.shape, y.shape, options, (to, from, weight) => {
    y.data[to]! += weight * x.data[from]!;
  });
  return y;
}

/** dx[n, r, q, c] = Σ rows[i][r] · columns[j][q] · dy[n, i, j, c] */
export function resizeGrad(shape: readonly number[], dy: Nd, options: ResizeOptions): Nd {
  requireShape("resizeGrad: dy", dy.shape, resized(shape, options.size));
  const dx = zeros(shape);
  move(shape, dy.shape, options, (to, from, weight) => {
    dx.data[from]! += weight * dy.data[to]!;
  });
  return dx;
}

function move(
  x: readonly number[],
  y: readonly number[],
  options: ResizeOptions,
  visit: (to: number, from: number, weight: number) => void,
): void {
  const [batch, h, w, channels] = x as [number, number, number, number];
  const pixels = y[1]! * y[2]!;
  forEachShare(x, options, (to, from, weight) => {
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        visit((n * pixels + to) * channels + c, (n * h * w + from) * channels + c, weight);
      }
    }
  });
}
