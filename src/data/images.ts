/**
 * What differs between Node and a page where picture files are concerned, and nothing else. `package.json` maps
 * `#images` to `images.node.ts` (the package `sharp`) or `images.browser.ts` (what the browser itself decodes); both
 * export exactly the functions of `PlatformImages`. Resizing is ours (resample.ts), so that both give the same picture.
 */
import { FormatError } from "../errors.ts";
import type { ImageShape } from "./dataset.ts";

/** One picture in memory. */
export interface Picture {
  /** Bytes of `shape`, [height, width, channels], row-major. */
  readonly pixels: Uint8Array;
  readonly shape: ImageShape;
}

export interface PlatformImages {
  /**
   * Decodes a picture file: the first frame, turned upright as its EXIF data says, in sRGB, transparency laid over white.
   * @param name what errors call the file.
   * @returns 3 channels, red, green, blue.
   * @throws {FormatError} when it is no picture that can be decoded here, or broken.
   * @throws {DataError} when the decoder itself is missing.
   */
  decodePicture(bytes: Uint8Array, name: string): Promise<Picture>;
  /** Writes a picture of 1 or 3 channels as PNG. @throws {DataError} when the encoder is missing. */
  encodePng(picture: Picture): Promise<Uint8Array>;
}

/** Larger pictures are refused: decoded they would take 300 MB and more, several at a time. */
export const MAX_PICTURE_PIXELS = 100_000_000;

/** The refusal of a file that does not decode. */
export function undecodable(name: string, got: string, cause?: unknown): FormatError {
  return new FormatError({ where: name, expected: "a picture file that can be decoded", got }, { cause });
}
