/**
 * A decoded picture as the pixels that a model expects: grey or colour, of one size, light garments on dark.
 */
import { OptionError } from "../errors.ts";
import type { ImageShape } from "./dataset.ts";
import type { Picture } from "./images.ts";
import { resample, type ImageSize, type Resampling } from "./resample.ts";

/**
 * How a picture of another shape is brought into `size`:
 * `stretch` changes its proportions, `cover` cuts off what sticks out, `contain` fills the sides that stay free.
 */
export type Fit = "stretch" | "cover" | "contain";

/** When dark and light are exchanged. `lightBackground`: when the median of the picture's border is above 127. */
export type Inversion = "never" | "always" | "lightBackground";

/** How pictures become images of one shape. */
export interface PictureOptions {
  /** Height and width in pixels. Default: [28, 28]. */
  readonly size?: ImageSize;
  /** 1 for grey (luma of ITU-R BT.601, as Pillow's), 3 for red, green, blue. Default: 1. */
  readonly channels?: 1 | 3;
  /** Default: `stretch`. */
  readonly fit?: Fit;
  /** Default: `bilinear`. */
  readonly resize?: "nearest" | "bilinear" | "area";
  /** Bilinear weights widen to see every pixel of a picture made smaller, as Pillow's do. Default: true. */
  readonly antialias?: boolean;
  /** Default: `never`. */
  readonly invert?: Inversion;
  /** What `contain` fills free sides with: the median colour of the picture's own border, or a grey value 0…255. Default: `border`. */
  readonly background?: "border" | number;
}

/** `PictureOptions` with every default filled in. */
export type PictureSettings = Required<PictureOptions>;

/** A picture ready for a model. */
export interface PreparedPicture {
  /** Bytes of [height, width, channels]. */
  readonly pixels: Uint8Array;
  /** Dark and light were exchanged. */
  readonly inverted: boolean;
}

/**
 * Study S0's treatment of photographs that its network had never seen the like of, so that they resemble Fashion-MNIST:
 * grey, 28×28 by bilinear resizing, inverted where the background is light.
 */
export const OUT_OF_DISTRIBUTION: PictureSettings = {
  size: [28, 28],
  channels: 1,
  fit: "stretch",
  resize: "bilinear",
  antialias: true,
  invert: "lightBackground",
  background: "border",
};

const RESIZES: readonly PictureSettings["resize"][] = ["nearest", "bilinear", "area"];
const FITS: readonly Fit[] = ["stretch", "cover", "contain"];
const INVERSIONS: readonly Inversion[] = ["never", "always", "lightBackground"];
const MAX_SIDE = 8192;

/** Checks the options and fills in the defaults. @throws {OptionError} for a value that makes no sense. */
export function pictureSettings(options: PictureOptions): PictureSettings {
  const settings: PictureSettings = { ...OUT_OF_DISTRIBUTION, invert: "never", ...options };
  const { size, channels, fit, resize, invert, background } = settings;
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE;
  insist(size.length === 2 && size.every(isSide), "size", `two whole numbers from 1 to ${MAX_SIDE}`, size.join("×"));
  insist(channels === 1 || channels === 3, "channels", "1 or 3", channels);
  insist(FITS.includes(fit), "fit", FITS.join(", "), fit);
  insist(RESIZES.includes(resize), "resize", RESIZES.join(", "), resize);
  insist(INVERSIONS.includes(invert), "invert", INVERSIONS.join(", "), invert);
  const isGrey = typeof background === "number" && background >= 0 && background <= 255;
  insist(background === "border" || isGrey, "background", '"border" or a grey value from 0 to 255', background);
  return settings;
}

/** Brings a decoded picture into the shape that the settings ask for. */
export function preparePicture(picture: Picture, settings: PictureSettings): PreparedPicture {
  const { size, channels, resize, antialias } = settings;
  const filter: Resampling = resize === "bilinear" && antialias ? "triangle" : resize;
  const source = channels === 1 && picture.shape[2] === 3 ? greyOf(picture) : picture;
  const inner = settings.fit === "contain" ? innerSize(source.shape, size) : size;
  const window = settings.fit === "cover" ? coveringWindow(source.shape, size) : undefined;
  const fitted: Picture = {
    pixels: resample(source.pixels, source.shape, inner, filter, window),
    shape: [...inner, channels],
  };
  // Decided before sides are filled, by what the picture itself shows.
  const border = borderMedian(fitted);
  const inverted = settings.invert === "always" || (settings.invert === "lightBackground" && lumaOf(border) > 127);
  const colour = settings.background === "border" ? border : border.map(() => settings.background as number);
  const { pixels } = centred(fitted, [...size, channels], colour);
  return { pixels: inverted ? pixels.map((value) => 255 - value) : pixels, inverted };
}

function insist(holds: boolean, where: string, expected: string, got: unknown): void {
  if (!holds) throw new OptionError({ where, expected, got: String(got) });
}

function greyOf({ pixels, shape: [height, width] }: Picture): Picture {
  const grey = new Uint8Array(height * width);
  for (let at = 0; at < grey.length; at++) {
    grey[at] = luma(pixels[at * 3]!, pixels[at * 3 + 1]!, pixels[at * 3 + 2]!);
  }
  return { pixels: grey, shape: [height, width, 1] };
}

/** 0.299 r + 0.587 g + 0.114 b in 16 bits: the weights sum to 65536, so that greys stay what they are. */
function luma(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

function lumaOf([red = 0, green = red, blue = red]: readonly number[]): number {
  return luma(red, green, blue);
}

/** The largest size of the picture's proportions inside `size`. */
function innerSize([height, width]: ImageShape, size: ImageSize): ImageSize {
  const scale = Math.min(size[0] / height, size[1] / width);
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}

/** The largest part of the picture, in its middle, that has the proportions of `size`. */
function coveringWindow([height, width]: ImageShape, size: ImageSize) {
  const scale = Math.min(height / size[0], width / size[1]);
  const [tall, wide] = [size[0] * scale, size[1] * scale];
  return { top: (height - tall) / 2, left: (width - wide) / 2, height: tall, width: wide };
}

/** Median of the outermost pixels, channel by channel; of an even number, the lower of the middle two. */
function borderMedian({ pixels, shape: [height, width, channels] }: Picture): number[] {
  return Array.from({ length: channels }, (_, channel) => {
    const values: number[] = [];
    for (let y = 0; y < height; y++) {
      const inside = y > 0 && y < height - 1;
      const step = inside ? Math.max(1, width - 1) : 1;
      for (let x = 0; x < width; x += step) values.push(pixels[(y * width + x) * channels + channel]!);
    }
    return values.sort((a, b) => a - b)[(values.length - 1) >> 1]!;
  });
}

/** The picture in the middle of a larger one of one colour. */
function centred(picture: Picture, shape: ImageShape, colour: readonly number[]): Picture {
  const [height, width, channels] = picture.shape;
  if (height === shape[0] && width === shape[1]) return picture;
  const pixels = Uint8Array.from({ length: shape[0] * shape[1] * channels }, (_, at) => colour[at % channels]!);
  const [top, left] = [Math.floor((shape[0] - height) / 2), Math.floor((shape[1] - width) / 2)];
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    pixels.set(picture.pixels.subarray(y * row, (y + 1) * row), ((top + y) * shape[1] + left) * channels);
  }
  return { pixels, shape };
}
