/**
 * Pictures of bytes in another size, on the CPU, with the same result in Node and in pages.
 *
 *   y(i) = Σ_j w(j, i) · x(j) / Σ_j w(j, i), rows and columns one after the other, rounded once at the end
 *
 * Output pixel i covers [i·s, (i + 1)·s] of the source, s = source length / output length, around c = (i + ½)·s:
 *
 *   nearest    1 for the pixel that c lies in
 *   bilinear   1 − |j + ½ − c| for both neighbours of c; beyond the border, the border's pixel
 *   triangle   1 − |j + ½ − c| / max(s, 1): bilinear that sees every pixel of a picture made smaller (Pillow's BILINEAR)
 *   area       the part of the covered stretch that lies in pixel j
 *
 * Weights that fall outside the source are left out before the division: that is what repeats the border.
 */
import type { ImageShape } from "./dataset.ts";

export type Resampling = "nearest" | "bilinear" | "triangle" | "area";

/** Height and width in pixels. */
export type ImageSize = readonly [height: number, width: number];

/** A rectangle of a picture, in pixels that need not be whole. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** What one output pixel takes from a row or column: pixels from `first` on, with weights that sum to 1. */
export interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * Resizes a picture, or the part of it that lies in `window`.
 * @param pixels bytes of `shape`, [height, width, channels], row-major.
 * @returns bytes of [size[0], size[1], channels].
 */
export function resample(
  pixels: Uint8Array,
  shape: ImageShape,
  size: ImageSize,
  method: Resampling,
  window: Window = { top: 0, left: 0, height: shape[0], width: shape[1] },
): Uint8Array {
  const [height, width, channels] = shape;
  const down = tapsOf(method, window.top, window.height, height, size[0]);
  const across = tapsOf(method, window.left, window.width, width, size[1]);
  const rows = new Map<number, Float32Array>();
  const output = new Uint8Array(size[0] * size[1] * channels);
  const sums = new Float64Array(size[1] * channels);
  down.forEach(({ first, weights }, y) => {
    sums.fill(0);
    weights.forEach((weight, at) => {
      const row = narrowedRow(rows, pixels, first + at, width * channels, channels, across);
      for (let x = 0; x < sums.length; x++) sums[x]! += weight * row[x]!;
    });
    for (let x = 0; x < sums.length; x++) output[y * sums.length + x] = Math.floor(sums[x]! + 0.5);
    forgetBefore(rows, down[y + 1]?.first ?? height);
  });
  return output;
}

/** Row `y` with its columns resampled, made when it is first asked for. */
function narrowedRow(
  rows: Map<number, Float32Array>,
  pixels: Uint8Array,
  y: number,
  rowLength: number,
  channels: number,
  across: readonly Taps[],
): Float32Array {
  const known = rows.get(y);
  if (known !== undefined) return known;
  const row = new Float32Array(across.length * channels);
  const start = y * rowLength;
  for (let x = 0; x < across.length; x++) {
    const { first, weights } = across[x]!;
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      let at = start + first * channels + channel;
      for (let tap = 0; tap < weights.length; tap++, at += channels) sum += weights[tap]! * pixels[at]!;
      row[x * channels + channel] = sum;
    }
  }
  rows.set(y, row);
  return row;
}

/** Rows above are not looked at again, so that memory holds a few rows and never the picture. */
function forgetBefore(rows: Map<number, Float32Array>, row: number): void {
  for (const y of rows.keys()) if (y < row) rows.delete(y);
}

/** Taps of `count` output pixels that share [start, start + length] of a row of `size` pixels. */
export function tapsOf(
  method: Resampling,
  start: number,
  length: number,
  size: number,
  count: number,
): readonly Taps[] {
  const scale = length / count;
  return Array.from({ length: count }, (_, at) => {
    // In this order a centre that is a whole number comes out whole.
    const centre = start + ((at + 0.5) * length) / count;
    if (method === "nearest") return { first: clamp(Math.floor(centre), size - 1), weights: Float64Array.of(1) };
    const radius = method === "area" ? scale / 2 : method === "triangle" ? Math.max(1, scale) : 1;
    const weigh = method === "area" ? overlap(centre, radius) : tent(centre, radius);
    return normalisedTaps(centre, radius, size, weigh);
  });
}

/** The part of [centre − radius, centre + radius] in pixel j. */
function overlap(centre: number, radius: number): (j: number) => number {
  return (j) => Math.max(0, Math.min(j + 1, centre + radius) - Math.max(j, centre - radius));
}

function tent(centre: number, radius: number): (j: number) => number {
  return (j) => Math.max(0, 1 - Math.abs(j + 0.5 - centre) / radius);
}

function normalisedTaps(centre: number, radius: number, size: number, weigh: (j: number) => number): Taps {
  const first = clamp(Math.floor(centre - radius), size - 1);
  const last = clamp(Math.ceil(centre + radius) - 1, size - 1);
  const weights = Float64Array.from({ length: last - first + 1 }, (_, at) => weigh(first + at));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { first, weights: weights.map((weight) => weight / sum) };
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
