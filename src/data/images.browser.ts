/** Picture files in a page or a worker; see `PlatformImages`, whose docstrings hold for the functions here. */
import { DataError } from "../errors.ts";
import { MAX_PICTURE_PIXELS, undecodable, type Picture, type PlatformImages } from "./images.ts";

export async function decodePicture(bytes: Uint8Array, name: string): Promise<Picture> {
  const bitmap = await createImageBitmap(new Blob([bytes.slice()]), { imageOrientation: "from-image" }).catch(
    (cause: unknown) => {
      throw undecodable(name, cause instanceof Error ? cause.message : String(cause), cause);
    },
  );
  const { height, width } = bitmap;
  try {
    if (height * width > MAX_PICTURE_PIXELS) {
      throw undecodable(name, `${height}×${width} pixels, more than ${MAX_PICTURE_PIXELS}`);
    }
    const context = drawing(height, width);
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    return { pixels: withoutAlpha(context.getImageData(0, 0, width, height).data), shape: [height, width, 3] };
  } finally {
    bitmap.close();
  }
}

export async function encodePng({ pixels, shape: [height, width, channels] }: Picture): Promise<Uint8Array> {
  const context = drawing(height, width);
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      image.data[pixel * 4 + channel] = pixels[pixel * channels + (channels === 1 ? 0 : channel)]!;
    }
    image.data[pixel * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  const blob = await context.canvas.convertToBlob({ type: "image/png" });
  return new Uint8Array(await blob.arrayBuffer());
}

function drawing(height: number, width: number): OffscreenCanvasRenderingContext2D {
  // In memory, because every pixel is read back.
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context !== null) return context;
  throw new DataError({ where: "pictures", expected: "a browser that can draw off screen", got: "none" });
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}

// Compile-time proof that this file shows the whole face.
void ({ decodePicture, encodePng } satisfies PlatformImages);
