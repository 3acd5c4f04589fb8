/** Sheets of small pictures with words below each: samples of a data set, average images, right and wrong answers. */
import { encodePng } from "#images";
import type { Picture } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { element, escaped, FONTS, shortened } from "../svg.ts";
import { themes, type Theme, type ThemeName } from "../theme.ts";

export interface Tile {
  readonly picture: Picture;
  /** Lines below the picture; what does not fit is cut. */
  readonly lines: readonly string[];
  /** Frames the picture, and puts a tick or a cross into its corner. */
  readonly verdict?: "right" | "wrong";
}

export interface GridOptions {
  /** Default: "light". */
  readonly theme?: ThemeName;
  readonly title: string;
  /** Tiles a row. Default: 6. */
  readonly columns?: number;
}

const SIDE = 88;
const CELL = 112;
const LINE = 15;
const FONT = 11;
const TOP = 34;
const MARGIN = 8;

/**
 * An SVG picture of all tiles, row by row. Small pictures are enlarged, pixel by pixel and without blur.
 * @throws {DataError} without tiles, or when the encoder of PNG is missing.
 */
export async function pictureGrid(tiles: readonly Tile[], options: GridOptions): Promise<string> {
  if (tiles.length === 0) throw new DataError({ where: "pictureGrid", expected: "at least one picture", got: "none" });
  const { title, columns = 6, theme: name = "light" } = options;
  const theme = themes[name];
  const across = Math.min(columns, tiles.length);
  const words = Math.max(...tiles.map(({ lines }) => lines.length));
  const cellHeight = SIDE + words * LINE + 14;
  const width = Math.max(across * CELL, 260) + 2 * MARGIN;
  const height = TOP + Math.ceil(tiles.length / across) * cellHeight + MARGIN;
  const drawn = await Promise.all(
    tiles.map((tile, at) =>
      drawTile(theme, tile, MARGIN + (at % across) * CELL, TOP + Math.floor(at / across) * cellHeight),
    ),
  );
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${title}: ${tiles.map(inWords).join("; ")}`,
      "font-family": FONTS,
    },
    SHARP,
    element("rect", { width, height, fill: theme.surface }),
    element(
      "text",
      { x: MARGIN, y: 21, fill: theme.ink, "font-size": 15, "font-weight": "bold" },
      escaped(shortened(title, width - 2 * MARGIN, 15)),
    ),
    ...drawn,
  );
}

function inWords({ lines, verdict }: Tile): string {
  return (verdict === undefined ? "" : `${verdict}, `) + lines.join(", ");
}

async function drawTile(theme: Theme, tile: Tile, x: number, y: number): Promise<string> {
  const { picture, lines, verdict } = tile;
  const { good, bad, line, ink, muted } = theme;
  const left = x + (CELL - SIDE) / 2;
  const frame = verdict === undefined ? line : verdict === "right" ? good : bad;
  return element(
    "g",
    {},
    await imageElement(picture, left, y, SIDE),
    element("rect", {
      x: left - 1,
      y: y - 1,
      width: SIDE + 2,
      height: SIDE + 2,
      fill: "none",
      stroke: frame,
      "stroke-width": verdict === undefined ? 1 : 2.5,
    }),
    ...(verdict === undefined ? [] : [sign(theme, verdict, left + SIDE - 4, y + 4)]),
    ...lines.map((text, row) => {
      const cut = shortened(text, CELL - 4, FONT);
      return element(
        "text",
        {
          x: x + CELL / 2,
          y: y + SIDE + 3 + (row + 1) * LINE,
          "text-anchor": "middle",
          "font-size": FONT,
          fill: row === 0 ? ink : muted,
        },
        ...(cut === text ? [] : [element("title", {}, escaped(text))]),
        escaped(cut),
      );
    }),
  );
}

/** Pixels without blur in browsers, which blur them in spite of `optimizeSpeed`; other renderers do not know the word. */
export const SHARP = element("style", {}, "@supports(image-rendering:pixelated){image{image-rendering:pixelated}}");

/** A picture in a square of that side, in its own proportions. */
export async function imageElement(picture: Picture, x: number, y: number, side: number): Promise<string> {
  const [height, width] = picture.shape;
  const scale = side / Math.max(height, width);
  return element("image", {
    x: x + (side - width * scale) / 2,
    y: y + (side - height * scale) / 2,
    width: width * scale,
    height: height * scale,
    "image-rendering": "optimizeSpeed",
    href: `data:image/png;base64,${base64(await encodePng(picture))}`,
  });
}

/** A tick or a cross on a disc: verdicts are told by more than a colour. */
function sign({ good, bad, surface }: Theme, verdict: "right" | "wrong", x: number, y: number): string {
  const stroke = { stroke: surface, "stroke-width": 2, fill: "none", "stroke-linecap": "round" };
  const mark = verdict === "right" ? "m-4 0l3 3l5 -6" : "m-3 -3l6 6m0 -6l-6 6";
  return (
    element("circle", { cx: x, cy: y, r: 8, fill: verdict === "right" ? good : bad, stroke: surface }) +
    element("path", { d: `M${x} ${y}${mark}`, ...stroke })
  );
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
