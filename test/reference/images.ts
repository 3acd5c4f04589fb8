/**
 * Pictures resized, moved, toned and normalised, in float64. A picture is [height, width, channels], its values 0…255.
 *
 * All filters are separable: what a place sees is Σ_y Σ_x a[y]·b[x]·picture[y, x], where a and b are the weights of one
 * direction. They are written down here as one list of weights a place, from the definitions.
 */
import { at, nd, type Nd } from "./nd.ts";
import { philox4x32, toUniform, type Key } from "./philox.ts";

export type Filter = "nearest" | "bilinear" | "antialias" | "area";

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/**
 * Weights of n source pixels for place q (whole for a pixel, else between two) of a direction resized to `size`. The place's
 * centre is c = (q + ½)·s in the source, s = n / size, where pixel y is the interval [y, y + 1].
 */
export function weights(filter: Filter, n: number, size: number, q: number): number[] {
  const s = n / size;
  const centre = (q + 0.5) * s;
  const pixels = Array.from({ length: n }, (_, y) => y);
  switch (filter) {
    case "nearest": {
      // The centre in twice `size`-ths of a pixel, a whole number for a whole q: no rounding decides.
      const nearest = Math.floor(((2 * q + 1) * n) / (2 * size));
      return pixels.map((y) => (y === nearest ? 1 : 0));
    }
    case "bilinear": {
      const inside = clamp(centre, 0.5, n - 0.5);
      return pixels.map((y) => Math.max(0, 1 - Math.abs(y + 0.5 - inside)));
    }
    case "antialias":
      return shares(pixels.map((y) => Math.max(0, 1 - Math.abs(y + 0.5 - centre) / Math.max(s, 1))));
    case "area":
      return shares(pixels.map((y) => Math.max(0, Math.min(y + 1, centre + s / 2) - Math.max(y, centre - s / 2))));
  }
}

function shares(parts: readonly number[]): number[] {
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}

/** What a picture, resized to [oh, ow], shows at (row, column). */
export function seen(picture: Nd, filter: Filter, [oh, ow]: readonly number[], row: number, column: number): number[] {
  const [h, w, channels] = picture.shape as [number, number, number];
  const down = weights(filter, h, oh!, row);
  const across = weights(filter, w, ow!, column);
  const sums = new Array<number>(channels).fill(0);
  down.forEach((a, y) => {
    if (a === 0) return;
    across.forEach((b, x) => {
      if (b === 0) return;
      for (let c = 0; c < channels; c++) sums[c]! += a * b * at(picture, y, x, c);
    });
  });
  return sums;
}

/** [h, w, c] → [oh, ow, c]. */
export function resize(picture: Nd, size: readonly [number, number], filter: Filter): Nd {
  const [oh, ow] = size;
  const values: number[] = [];
  for (let i = 0; i < oh; i++) for (let j = 0; j < ow; j++) values.push(...seen(picture, filter, size, i, j));
  return nd([oh, ow, picture.shape[2]!], values);
}

export interface AugmentOptions {
  readonly flip?: number;
  readonly rotation?: number | readonly [number, number];
  readonly zoom?: number | readonly [number, number];
  readonly shift?: number | readonly [number, number];
  readonly padCrop?: number;
  readonly brightness?: number | readonly [number, number];
  readonly contrast?: number | readonly [number, number];
  readonly erase?:
    | { readonly size: number | readonly [number, number]; readonly probability?: number }
    | {
        readonly area: readonly [number, number];
        readonly aspect?: readonly [number, number];
        readonly probability?: number;
      };
  readonly outside?: "constant" | "nearest" | "reflect";
  readonly fill?: number | "mean";
}

export interface Change {
  /** The picture's place that is shown at (row, column): x = a₀·column + a₁·row + a₂, y = d₀·column + d₁·row + d₂. */
  readonly across: readonly [number, number, number];
  readonly down: readonly [number, number, number];
  /** In units of white: v·gain + offset. */
  readonly gain: number;
  readonly offset: number;
  /** Rows and columns that are erased: top, left, bottom, right. */
  readonly rectangle: readonly [number, number, number, number];
}

/** The sixteen uniform numbers of row b: words of philox([4b + k, layer, step, 2]), k = 0 … 3. */
function draws(b: number, key: Key, layer: number, step: number): number[] {
  return [0, 1, 2, 3].flatMap((k) => philox4x32([4 * b + k, layer, step, 2], key).map(toUniform));
}

const spread = (value: number | readonly [number, number] | undefined, neutral: number): readonly [number, number] =>
  typeof value === "object" ? value : [neutral - (value ?? 0), neutral + (value ?? 0)];

/**
 * What happens to row b of a batch of [h, w]. Forward, about the centre: mirror, turn by θ counter-clockwise (y points
 * down, so (x, y) → (x cos θ + y sin θ, y cos θ − x sin θ)), zoom, then move.
 */
export function change(options: AugmentOptions, [h, w]: readonly number[], u: readonly number[]): Change {
  const [flip, turn, shiftY, shiftX, zoom, cropY, cropX, , light, contrast, chosen, , area, aspect, top, left] = u;
  const between = ([a, b]: readonly [number, number], t: number): number => a + (b - a) * t;
  const mirror = flip! < (options.flip ?? 0) ? -1 : 1;
  const theta = (between(spread(options.rotation, 0), turn!) * Math.PI) / 180;
  const factor = between(spread(options.zoom, 1), zoom!);
  const [mostY, mostX] = typeof options.shift === "object" ? options.shift : [options.shift ?? 0, options.shift ?? 0];
  const pad = options.padCrop ?? 0;
  const crop = (t: number): number => Math.floor(t * (2 * pad + 1)) - pad;
  const dx = w! * mostX * (2 * shiftX! - 1) + crop(cropX!);
  const dy = h! * mostY * (2 * shiftY! - 1) + crop(cropY!);
  const [cx, cy] = [(w! - 1) / 2, (h! - 1) / 2];
  // Backward: undo the move, the zoom, the turn, the mirror.
  const back = (column: number, row: number): [number, number] => {
    const [x, y] = [(column - cx - dx) / factor, (row - cy - dy) / factor];
    return [mirror * (x * Math.cos(theta) - y * Math.sin(theta)) + cx, x * Math.sin(theta) + y * Math.cos(theta) + cy];
  };
  const [[x0, y0], [x1, y1], [x2, y2]] = [back(0, 0), back(1, 0), back(0, 1)];
  const gain = between(spread(options.contrast, 1), contrast!);
  const rectangle = erase(options.erase, [h!, w!], chosen!, [area!, aspect!, top!, left!]);
  return {
    across: [x1 - x0, x2 - x0, x0],
    down: [y1 - y0, y2 - y0, y0],
    gain,
    offset: 0.5 - 0.5 * gain + between(spread(options.brightness, 0), light!),
    rectangle,
  };
}

function erase(
  options: AugmentOptions["erase"],
  [h, w]: readonly [number, number],
  chosen: number,
  [areaDraw, aspectDraw, topDraw, leftDraw]: readonly [number, number, number, number],
): [number, number, number, number] {
  if (options === undefined) return [0, 0, 0, 0];
  if ("size" in options) {
    const [eh, ew] = typeof options.size === "number" ? [options.size, options.size] : options.size;
    if (chosen >= (options.probability ?? 1)) return [0, 0, 0, 0];
    const top = Math.floor(topDraw * h) - Math.floor(eh / 2);
    const left = Math.floor(leftDraw * w) - Math.floor(ew / 2);
    return [top, left, top + eh, left + ew];
  }
  if (chosen >= (options.probability ?? 0.5)) return [0, 0, 0, 0];
  const [least, most] = options.aspect ?? [0.3, 1 / 0.3];
  const area = (options.area[0] + (options.area[1] - options.area[0]) * areaDraw) * h * w;
  const aspect = least * (most / least) ** aspectDraw;
  const eh = Math.min(h, Math.round(Math.sqrt(area * aspect)));
  const ew = Math.min(w, Math.round(Math.sqrt(area / aspect)));
  const top = Math.floor(topDraw * (h - eh + 1));
  const left = Math.floor(leftDraw * (w - ew + 1));
  return [top, left, top + eh, left + ew];
}

/** The change of row b under a seed, a layer and a step. */
export function drawnChange(
  options: AugmentOptions,
  size: readonly number[],
  { key, layer, step, b }: { key: Key; layer: number; step: number; b: number },
): Change {
  return change(options, size, draws(b, key, layer, step));
}

export type Normalisation =
  | { readonly scale: number; readonly shift: number }
  | {
      readonly mean: number | readonly number[];
      readonly std: number | readonly number[];
      readonly white?: number;
      readonly order?: "rgb" | "bgr";
    };

const of = (values: number | readonly number[], c: number): number =>
  typeof values === "number" ? values : values[c]!;

/** A pixel's channels 0…255 → what the network sees. */
export function normalise(pixel: readonly number[], normalisation: Normalisation): number[] {
  if ("scale" in normalisation) return pixel.map((p) => (p / 255) * normalisation.scale + normalisation.shift);
  const { mean, std, white = 255, order = "rgb" } = normalisation;
  const channels = order === "bgr" ? [...pixel].reverse() : pixel;
  return channels.map((p, c) => ((p / 255) * white - of(mean, c)) / of(std, c));
}

/** The pixel value, channel by channel as they leave, that `fill` stands for. */
function fillOf(fill: number | "mean", channels: number, normalisation: Normalisation): number[] {
  const filled = Array.from({ length: channels }, (_, c) => {
    if (fill !== "mean") return fill;
    if ("scale" in normalisation) return (-normalisation.shift / normalisation.scale) * 255;
    return (of(normalisation.mean, c) / (normalisation.white ?? 255)) * 255;
  });
  return fill === "mean" && "order" in normalisation && normalisation.order === "bgr" ? filled.reverse() : filled;
}

function convert(pixel: readonly number[], channels: number): number[] {
  if (pixel.length === channels) return [...pixel];
  if (pixel.length === 1) return new Array<number>(channels).fill(pixel[0]!);
  return [0.299 * pixel[0]! + 0.587 * pixel[1]! + 0.114 * pixel[2]!];
}

export interface Look {
  readonly size: readonly [number, number];
  readonly channels: number;
  readonly filter: Filter;
  readonly normalisation: Normalisation;
  readonly augmentation?: AugmentOptions;
}

/** … d c b a | a b c d | d c b a … : the place in 0 … n − 1 that stands for q. */
function reflected(q: number, n: number): number {
  let place = q;
  while (place < -0.5 || place > n - 0.5) place = place < -0.5 ? -1 - place : 2 * n - 1 - place;
  return place;
}

/** One picture of a batch. */
export function shown(picture: Nd, look: Look, { across, down, gain, offset, rectangle }: Change): Nd {
  const { size, channels, filter, normalisation, augmentation = {} } = look;
  const { outside = "constant", fill = 0 } = augmentation;
  const [oh, ow] = size;
  const filled = fillOf(fill, channels, normalisation);
  const values: number[] = [];
  for (let i = 0; i < oh; i++) {
    for (let j = 0; j < ow; j++) {
      let x = across[0] * j + across[1] * i + across[2];
      let y = down[0] * j + down[1] * i + down[2];
      if (outside === "reflect") [x, y] = [reflected(x, ow), reflected(y, oh)];
      // The part of the pixel-sized square about (y, x) that the picture's centres leave to it, as in bilinear sampling.
      const covered = (q: number, n: number): number => clamp(Math.min(q + 1, n - q), 0, 1);
      const share = outside === "constant" ? covered(x, ow) * covered(y, oh) : 1;
      const found = convert(seen(picture, filter, size, clamp(y, 0, oh - 1), clamp(x, 0, ow - 1)), channels);
      const mixed = found.map((v, c) => share * v + (1 - share) * filled[c]!);
      const toned = mixed.map((v) => (gain === 1 && offset === 0 ? v : clamp((v / 255) * gain + offset, 0, 1) * 255));
      const [top, left, bottom, right] = rectangle;
      const erased = i >= top && i < bottom && j >= left && j < right;
      values.push(...normalise(erased ? filled : toned, normalisation));
    }
  }
  return nd([oh, ow, channels], values);
}

/** Nothing happens. */
export const unchanged: Change = { across: [1, 0, 0], down: [0, 1, 0], gain: 1, offset: 0, rectangle: [0, 0, 0, 0] };
