/**
 * A picture of what HOG sees: a star of lines in each cell, one per direction, as bright as its histogram bin.
 * A line runs along the *edge*, at a right angle to the gradient, as in scikit-image's `visualize=True`.
 */
import { HogExtractor } from "./hogJob.ts";
import { checkImages, type ImageBatch } from "./hog.ts";
import { hogGeometry, type HogOptions, hogSettings } from "./options.ts";

/** Grey values of `height` × `width`, row-major; brightness is the sum of bin values, so scale it for display. */
export interface HogPicture {
  readonly data: Float64Array;
  readonly height: number;
  readonly width: number;
}

/** The picture of one image's cells. With `signed`, half-lines: an edge and its reverse point to opposite sides. */
export function hogPicture(image: Omit<ImageBatch, "count">, options: HogOptions = {}): HogPicture {
  const settings = hogSettings(options);
  checkImages({ ...image, count: 1 }, [settings]);
  const { height, width } = image;
  const { cells } = hogGeometry(height, width, settings);
  const histograms = new HogExtractor(height, width, image.channels ?? 1, settings).histograms(image.data, 0);
  const [perRow, perColumn] = settings.pixelsPerCell;
  const radius = Math.floor(Math.min(perRow, perColumn) / 2) - 1;
  const data = new Float64Array(height * width);
  for (let row = 0, at = 0; row < cells[0]; row++) {
    for (let column = 0; column < cells[1]; column++) {
      const centre = [row * perRow + Math.floor(perRow / 2), column * perColumn + Math.floor(perColumn / 2)] as const;
      for (let bin = 0; bin < settings.orientations; bin++, at++) {
        const angle = ((settings.signed ? 2 : 1) * Math.PI * (bin + 0.5)) / settings.orientations;
        const [down, right] = [radius * Math.cos(angle), radius * Math.sin(angle)];
        const from = settings.signed
          ? centre
          : ([Math.trunc(centre[0] - down), Math.trunc(centre[1] + right)] as const);
        const to = [Math.trunc(centre[0] + down), Math.trunc(centre[1] - right)] as const;
        for (const [r, c] of line(from, to)) {
          const pixel = r * width + c;
          if (r >= 0 && r < height && c >= 0 && c < width) {
            data[pixel] = (data[pixel] as number) + (histograms[at] as number);
          }
        }
      }
    }
  }
  return { data, height, width };
}

type Point = readonly [row: number, column: number];

/** Pixels from one point to another (Bresenham 1965), ends included, with scikit-image's choice between equal steps. */
function line(from: Point, to: Point): Point[] {
  const steep = Math.abs(to[0] - from[0]) > Math.abs(to[1] - from[1]);
  const [along, across] = steep ? ([0, 1] as const) : ([1, 0] as const);
  const length = Math.abs(to[along] - from[along]);
  const height = Math.abs(to[across] - from[across]);
  const stepAlong = to[along] > from[along] ? 1 : -1;
  const stepAcross = to[across] > from[across] ? 1 : -1;
  const points: Point[] = [];
  let [a, b, error] = [from[along], from[across], 2 * height - length];
  for (let i = 0; i < length; i++) {
    points.push(steep ? [a, b] : [b, a]);
    while (error >= 0) {
      b += stepAcross;
      error -= 2 * length;
    }
    a += stepAlong;
    error += 2 * height;
  }
  return [...points, to];
}
