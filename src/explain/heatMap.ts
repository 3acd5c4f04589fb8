/** Heat maps: brought to 0…1, enlarged, coloured, and laid over the picture that they are about. */
import { OptionError, ShapeError } from "../errors.ts";

/** Values `[height, width]`, row-major. */
export interface HeatMap {
  readonly values: Float32Array;
  readonly height: number;
  readonly width: number;
}

export interface NormaliseOptions {
  /** Share of the pixels, the hottest ones, that are all shown as 1: a few extremes then leave the rest visible. Default: 0. */
  readonly clip?: number;
}

/** A map in 0…1: what speaks against the class becomes 0, the hottest place 1. A map without heat is 0 throughout. */
export function normaliseMap({ values, ...size }: HeatMap, { clip = 0 }: NormaliseOptions = {}): HeatMap {
  if (!(clip >= 0 && clip < 1)) {
    throw new OptionError({ where: "normaliseMap", expected: "clip in [0, 1)", got: String(clip) });
  }
  const ranked = values.toSorted();
  const top = ranked[ranked.length - 1 - Math.floor(clip * ranked.length)] ?? 0;
  const most = top > 0 ? top : (ranked.at(-1) ?? 0);
  return { ...size, values: values.map((value) => (most > 0 ? Math.min(Math.max(value / most, 0), 1) : 0)) };
}

/** The map in another size: bilinear, with centres of pixels on centres of pixels; beyond the border, the border's value. */
export function upsample(map: HeatMap, height: number, width: number): HeatMap {
  const rows = tapsAlong(map.height, height);
  const columns = tapsAlong(map.width, width);
  const at = (row: number, { low, high, share }: Tap): number =>
    (1 - share) * map.values[row * map.width + low]! + share * map.values[row * map.width + high]!;
  const values = rows.flatMap(({ low, high, share }) =>
    columns.map((column) => (1 - share) * at(low, column) + share * at(high, column)),
  );
  return { values: Float32Array.from(values), height, width };
}

/** The two neighbours that a new pixel lies between, and the weight of the second. */
interface Tap {
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

function tapsAlong(size: number, count: number): Tap[] {
  return Array.from({ length: count }, (_, index) => {
    const place = Math.min(Math.max(((index + 0.5) * size) / count - 0.5, 0), size - 1);
    const low = Math.floor(place);
    return { low, high: Math.min(low + 1, size - 1), share: place - low };
  });
}

/**
 * Black-violet over red to pale yellow, sRGB: in OKLCH the lightness rises evenly from 0.13 to 0.96 while the hue turns from
 * 282° to 100°. Order can be told by lightness alone, and so by the colour-blind and in print.
 */
const COLOURS: readonly (readonly [number, number, number])[] = [
  [6, 0, 37],
  [43, 0, 75],
  [93, 0, 96],
  [148, 2, 99],
  [207, 1, 80],
  [242, 78, 44],
  [255, 141, 40],
  [253, 197, 107],
  [251, 244, 195],
];

/** The colour of a value in 0…1. */
function colourOf(value: number): readonly number[] {
  const place = Math.min(Math.max(value, 0), 1) * (COLOURS.length - 1);
  const index = Math.min(Math.floor(place), COLOURS.length - 2);
  const share = place - index;
  return COLOURS[index]!.map((low, channel) => low + share * (COLOURS[index + 1]![channel]! - low));
}

/** A map in 0…1 as a picture: bytes of `[height, width, 3]`. */
export function colourise({ values }: HeatMap): Uint8Array {
  const pixels = new Uint8Array(values.length * 3);
  values.forEach((value, at) => pixels.set(colourOf(value).map(Math.round), at * 3));
  return pixels;
}

export interface OverlayOptions {
  /** How much of the picture the hottest places hide, in 0…1. Default: 0.75. */
  readonly opacity?: number;
}

/** A picture as bytes of `[height, width, 1 or 3]`. */
export interface OverlaidPicture {
  readonly pixels: Uint8Array;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/**
 * A map in 0…1, of any size, over a picture: the hotter a place, the more it shows the map's colour; cold places stay as they are.
 * @returns bytes of `[height, width, 3]`.
 */
export function overlay({ pixels, shape }: OverlaidPicture, map: HeatMap, options: OverlayOptions = {}): Uint8Array {
  const [height, width, channels] = shape;
  const { opacity = 0.75 } = options;
  if (!(opacity >= 0 && opacity <= 1)) {
    throw new OptionError({ where: "overlay", expected: "an opacity in [0, 1]", got: String(opacity) });
  }
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels) {
    const expected = "a picture of [height, width, 1 or 3] bytes";
    throw new ShapeError({ where: "overlay", expected, got: `${pixels.length} for [${shape.join(", ")}]` });
  }
  const { values } = upsample(map, height, width);
  const result = new Uint8Array(height * width * 3);
  values.forEach((value, at) => {
    const share = opacity * value;
    colourOf(value).forEach((colour, channel) => {
      const below = pixels[at * channels + (channels === 1 ? 0 : channel)]!;
      result[at * 3 + channel] = Math.round((1 - share) * below + share * colour);
    });
  });
  return result;
}
