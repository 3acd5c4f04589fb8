/** Picture files as the pixels that a model expects. */
import type { default as Sharp } from "sharp";
import { DataError, ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../tensor/index.ts";
import { readFile } from "#files";

/** A picture of the model's size. */
export interface Picture {
  /** Bytes, `[height, width, channels]`. */
  readonly pixels: Uint8Array;
  /** Dark and light were exchanged, because the background was light and the models know dark ones. */
  readonly inverted: boolean;
}

/** `sharp` is an optional package: only this command needs it. */
export async function loadDecoder(): Promise<typeof Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    const got = missing ? "none installed" : cause instanceof Error ? cause.message : String(cause);
    throw new DataError(
      {
        where: "predict",
        expected: "the package `sharp`, which decodes pictures",
        got,
        advice: "run `npm install sharp`",
      },
      { cause },
    );
  }
}

/** Throws unless pictures can be given to a model of that input. */
export function requirePictureInput(input: Shape, file: string): void {
  if (input.length === 3 && (input[2] === 1 || input[2] === 3)) return;
  throw new ShapeError({
    where: file,
    expected: "a model for pictures, [height, width, 1 or 3]",
    got: `a model for ${formatShape(input)}`,
  });
}

/**
 * Decodes a file, turns it upright, lays transparency over white, and fits it into the model's size without stretching;
 * what stays free at the sides has the colour of the picture's own border. A grey picture on a light background is inverted.
 * @throws {FileError} when it cannot be read. @throws {DataError} when it is no picture.
 */
export async function decodePicture(sharp: typeof Sharp, file: string, input: Shape): Promise<Picture> {
  const [height = 1, width = 1, channels = 1] = input;
  const bytes = await readFile(file);
  try {
    const upright = sharp(bytes, { failOn: "error" }).autoOrient().flatten({ background: "white" });
    const coloured = channels === 1 ? upright.greyscale().toColourspace("b-w") : upright.toColourspace("srgb");
    const small = await coloured.resize(width, height, { fit: "inside" }).raw().toBuffer({ resolveWithObject: true });
    const { info, data } = small;
    if (info.channels !== channels) throw new Error(`it has ${info.channels} channels`);
    const backdrop = borderColour(data, info);
    const pixels = centre(data, info, backdrop, [height, width, channels]);
    const inverted = channels === 1 && (backdrop[0] ?? 0) > 127;
    return { pixels: inverted ? pixels.map((value) => 255 - value) : pixels, inverted };
  } catch (cause) {
    const got = cause instanceof Error ? cause.message.replace(/\s*\n\s*/g, " ") : String(cause);
    throw new DataError(
      { where: file, expected: "a picture (JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG)", got },
      { cause },
    );
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Mean colour of the outermost pixels. */
function borderColour(pixels: Uint8Array, { width, height, channels }: Size): number[] {
  const sums = new Array<number>(channels).fill(0);
  let places = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      places += 1;
      for (let channel = 0; channel < channels; channel++) {
        sums[channel]! += pixels[(y * width + x) * channels + channel]!;
      }
    }
  }
  return sums.map((sum) => Math.round(sum / places));
}

/** Puts pixels in the middle of a larger picture of one colour. */
function centre(
  pixels: Uint8Array,
  size: Size,
  colour: readonly number[],
  shape: readonly [number, number, number],
): Uint8Array {
  const [height, width, channels] = shape;
  const canvas = Uint8Array.from({ length: height * width * channels }, (_, at) => colour[at % channels]!);
  const [top, left] = [Math.floor((height - size.height) / 2), Math.floor((width - size.width) / 2)];
  const row = size.width * channels;
  for (let y = 0; y < size.height; y++) {
    canvas.set(pixels.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * channels);
  }
  return canvas;
}
