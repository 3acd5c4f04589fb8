/** A picture, its heat maps, and each over the picture, side by side as PNG. */
import { decodePicture, encodePng, type Picture } from "../data/index.ts";
import { colourise, overlay, upsample, type HeatMap } from "../explain/index.ts";

/** One method's result. */
export interface SheetRow {
  readonly label: string;
  /** In 0…1. */
  readonly map: HeatMap;
}

/** Smallest side of a panel in pixels: small pictures are enlarged by a whole factor, pixel by pixel. */
const PANEL = 196;
const GAP = 12;
const TITLE = 26;
const CAPTION = 20;

/** One row a method: the picture, the heat map, the heat map over the picture. */
export async function explanationSheet(
  picture: Picture,
  title: string,
  rows: readonly SheetRow[],
): Promise<Uint8Array> {
  const large = enlarged(picture);
  const [tall, wide] = large.shape;
  const columns = [0, 1, 2].map((column) => GAP + column * (wide + GAP));
  const tops = rows.map((_, row) => TITLE + GAP + row * (tall + CAPTION + GAP));
  const width = columns[2]! + wide + GAP;
  const height = tops.at(-1)! + tall + CAPTION + GAP;
  const canvas = { pixels: new Uint8Array(height * width * 3).fill(255), shape: [height, width, 3] } as const;
  const texts = [text(GAP, TITLE - 6, title, 'font-weight="bold" font-size="15"')];
  rows.forEach(({ label, map }, row) => {
    const panels = [large.pixels, colourise(upsample(map, tall, wide)), overlay(large, map)];
    const captions = ["the picture", label, "over the picture"];
    panels.forEach((pixels, column) => {
      paste(canvas, { pixels, shape: large.shape }, tops[row]!, columns[column]!);
      texts.push(text(columns[column]!, tops[row]! + tall + 15, captions[column]!));
    });
  });
  const png = Buffer.from(await encodePng(canvas)).toString("base64");
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    `<image width="${width}" height="${height}" href="data:image/png;base64,${png}"/>`,
    `<g font-family="DejaVu Sans, Arial, sans-serif" font-size="12" fill="#222">`,
    ...texts,
    "</g></svg>",
  ].join("\n");
  return encodePng(await decodePicture(new TextEncoder().encode(svg), "explanation"));
}

function text(x: number, y: number, content: string, style = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" ${style}>${escaped}</text>`;
}

/** The picture in colour, each pixel a square of pixels. */
function enlarged({ pixels, shape: [height, width, channels] }: Picture): Picture {
  const scale = Math.max(1, Math.ceil(PANEL / Math.max(height, width)));
  const result = new Uint8Array(height * scale * width * scale * 3);
  for (let at = 0; at < result.length; at++) {
    const place = Math.floor(at / 3);
    const row = Math.floor(place / (width * scale) / scale);
    const column = Math.floor((place % (width * scale)) / scale);
    result[at] = pixels[(row * width + column) * channels + (channels === 1 ? 0 : at % 3)]!;
  }
  return { pixels: result, shape: [height * scale, width * scale, 3] };
}

function paste(canvas: Picture, { pixels, shape: [height, width] }: Picture, top: number, left: number): void {
  for (let row = 0; row < height; row++) {
    const line = pixels.subarray(row * width * 3, (row + 1) * width * 3);
    canvas.pixels.set(line, ((top + row) * canvas.shape[1] + left) * 3);
  }
}
