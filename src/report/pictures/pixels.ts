/** One image enlarged, with a bar that says what its shades mean, and as the numbers that a model sees. */
import type { Picture } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { element, escaped, FONTS, shortened } from "../svg.ts";
import { themes, type ThemeName } from "../theme.ts";
import { imageElement, SHARP } from "./grid.ts";

export interface PixelViewOptions {
  /** Default: "light". */
  readonly theme?: ThemeName;
  readonly title: string;
  /** Writes the value of each pixel into it; of colours their mean. Default: false. */
  readonly numbers?: boolean;
}

const TOP = 34;
const MARGIN = 12;
const BAR = 18;
/** Of a pixel that has room for three digits. */
const ROOMY = 24;
const SIDE = 364;
const MOST = 64;

/** An SVG picture of one image. */
export async function pixelView(
  picture: Picture,
  { title, numbers = false, theme = "light" }: PixelViewOptions,
): Promise<string> {
  const { surface, ink, line } = themes[theme];
  const [height, width, channels] = picture.shape;
  const longest = Math.max(height, width);
  if (numbers && longest > MOST) {
    const expected = `at most ${MOST} pixels a side to write numbers into`;
    throw new OptionError({ where: "pixelView", expected, got: `${height}×${width}` });
  }
  const side = numbers ? ROOMY * longest : SIDE;
  const scale = side / longest;
  const [left, top] = [MARGIN + (side - width * scale) / 2, TOP + (side - height * scale) / 2];
  const label = (x: number, y: number, text: string, more: Readonly<Record<string, string | number>> = {}): string =>
    element("text", { x, y, fill: ink, "font-size": 11, ...more }, escaped(text));
  const values = numbers ? means(picture) : [];
  const bar = MARGIN + side + 18;
  const size = { width: bar + BAR + 44, height: TOP + side + MARGIN };
  const steps = 64;
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      ...size,
      viewBox: `0 0 ${size.width} ${size.height}`,
      role: "img",
      "aria-label": `${title}: ${height} by ${width} pixels of ${channels} ${channels === 1 ? "channel" : "channels"}`,
      "font-family": FONTS,
    },
    SHARP,
    element("rect", { ...size, fill: surface }),
    label(MARGIN, 21, shortened(title, size.width - 2 * MARGIN, 15), { "font-size": 15, "font-weight": "bold" }),
    await imageElement(picture, MARGIN, TOP, side),
    ...values.map((value, at) =>
      label(left + ((at % width) + 0.5) * scale, top + (Math.floor(at / width) + 0.5) * scale + 3, String(value), {
        "font-size": 9,
        "text-anchor": "middle",
        fill: value > 127 ? "#000" : "#fff",
      }),
    ),
    ...Array.from({ length: steps }, (_, step) => {
      const grey = Math.round((255 * (steps - 1 - step)) / (steps - 1));
      const y = TOP + (step * side) / steps;
      return element("rect", {
        x: bar,
        y,
        width: BAR,
        height: side / steps + 0.5,
        fill: `rgb(${grey},${grey},${grey})`,
      });
    }),
    element("rect", { x: bar, y: TOP, width: BAR, height: side, fill: "none", stroke: line }),
    ...[255, 191, 128, 64, 0].map((value) =>
      label(bar + BAR + 6, TOP + ((255 - value) / 255) * side + 4, String(value)),
    ),
  );
}

/** Mean over the channels of each pixel. */
function means({ pixels, shape: [height, width, channels] }: Picture): number[] {
  return Array.from({ length: height * width }, (_, at) => {
    const own = pixels.subarray(at * channels, (at + 1) * channels);
    return Math.round(own.reduce((sum, value) => sum + value, 0) / channels);
  });
}
