/** SVG to PNG in a page; see `PlatformRasteriser`, whose docstrings hold for the functions here. */
import { DataError, FormatError } from "../../errors.ts";
import type { PlatformRasteriser } from "./rasterise.ts";

export async function svgToPng(svg: string, scale: number): Promise<Uint8Array> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode().catch((cause: unknown) => {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({ where: "svgToPng", expected: "an SVG picture", got }, { cause });
  });
  const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) {
    throw new DataError({ where: "svgToPng", expected: "a browser that can draw off screen", got: "none" });
  }
  context.drawImage(image, 0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new Uint8Array(await blob.arrayBuffer());
}

// Compile-time proof that this file shows the whole face.
void ({ svgToPng } satisfies PlatformRasteriser);
