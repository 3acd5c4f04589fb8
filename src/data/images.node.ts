/** Picture files in Node, by `sharp`; see `PlatformImages`, whose docstrings hold for the functions here. */
import type { default as Sharp } from "sharp";
import { DataError } from "../errors.ts";
import { MAX_PICTURE_PIXELS, undecodable, type Picture, type PlatformImages } from "./images.ts";

export async function decodePicture(bytes: Uint8Array, name: string): Promise<Picture> {
  const sharp = await loadSharp();
  try {
    const { data, info } = await sharp(bytes, { failOn: "error", limitInputPixels: MAX_PICTURE_PIXELS })
      .autoOrient()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { pixels: asColour(data, info.channels), shape: [info.height, info.width, 3] };
  } catch (cause) {
    // The decoder's later lines repeat the first.
    const [got = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw undecodable(name, got, cause);
  }
}

export async function encodePng({ pixels, shape: [height, width, channels] }: Picture): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const raw = sharp(pixels, { raw: { height, width, channels: channels === 1 ? 1 : 3 } });
  return (channels === 1 ? raw.toColourspace("b-w") : raw).png().toBuffer();
}

/** Some grey files stay grey. */
function asColour(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return pixels;
  const colour = new Uint8Array((pixels.length / channels) * 3);
  for (let at = 0; at < colour.length; at++) colour[at] = pixels[Math.floor(at / 3) * channels]!;
  return colour;
}

/** Optional, because only picture files need it. */
async function loadSharp(): Promise<typeof Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    const got = missing ? "none installed" : cause instanceof Error ? cause.message : String(cause);
    const expected = "the package `sharp`, which decodes and encodes pictures";
    throw new DataError({ where: "pictures", expected, got, advice: "run `npm install sharp`" }, { cause });
  }
}

// Compile-time proof that this file shows the whole face.
void ({ decodePicture, encodePng } satisfies PlatformImages);
