/** Plots as SVG and PNG, by packages that are loaded when they are first needed. */
import type * as Echarts from "echarts";
import { svgToPng } from "#rasterise";
import { DataError } from "../../errors.ts";
import { escaped, textExtent } from "../svg.ts";
import type { Plot } from "./plot.ts";

/**
 * A plot as an SVG picture: `echarts` draws it without a page. Equal plots give equal text.
 * @throws {DataError} when `echarts` is not installed.
 */
export async function renderSvg({ option, width, height, title, description }: Plot): Promise<string> {
  const echarts = await loadEcharts();
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    return tidy(chart.renderToSVGString({ useViewBox: true }), `${title}. ${description}`);
  } finally {
    chart.dispose();
  }
}

export interface PngOptions {
  /** Pixels to a pixel of CSS. Default: 2. */
  readonly scale?: number;
}

/**
 * A picture as a PNG file. In Node `@resvg/resvg-js` draws it, with the font of `@expo-google-fonts/noto-sans` and none of
 * the system's, so that it looks the same everywhere.
 * @param picture a plot, or SVG text of any other picture.
 * @throws {DataError} when a package is not installed.
 */
export async function renderPng(picture: Plot | string, { scale = 2 }: PngOptions = {}): Promise<Uint8Array> {
  return svgToPng(typeof picture === "string" ? picture : await renderSvg(picture), scale);
}

async function loadEcharts(): Promise<typeof Echarts> {
  try {
    const echarts = await import("echarts");
    // Without a page it takes every letter beyond ASCII for as wide as it is high.
    if (typeof document === "undefined") echarts.setPlatformAPI({ measureText });
    return echarts;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    const got = missing ? "none installed" : cause instanceof Error ? cause.message : String(cause);
    const expected = "the package `echarts`, which draws plots";
    throw new DataError({ where: "plots", expected, got, advice: "run `npm install echarts`" }, { cause });
  }
}

function measureText(text: string, font = "12px sans-serif"): TextMetrics {
  return { width: textExtent(text, Number(/([\d.]+)px/.exec(font)?.[1] ?? 12)) } as TextMetrics;
}

/** Shapes that cannot be seen: places to point at in a live chart, borders of no width. */
const UNSEEN = /<path [^>]*(?:fill-opacity="0"[^>]*stroke-width="0"|fill="none"(?![^>]* stroke=))[^>]*><\/path>\n?/g;

/** Leaves out what serves a live chart only, names clips after what they belong to, and adds words for the blind. */
function tidy(svg: string, words: string): string {
  const lean = svg
    .replace(/<style ?>[^]*?<\/style>\n?/g, "")
    .replace(/ (?:class="zr\d+-cls-\d+"|ecmeta_\w+="[^"]*"|pointer-events="\w+"|xml:space="preserve")/g, "")
    .replace(UNSEEN, "")
    .replace(/zr\d+-/g, "zr-");
  // echarts counts the charts of a process; pictures that lie in one page need names that differ all the same.
  return lean
    .replaceAll("zr-", `p${hashOf(lean)}-`)
    .replace("<svg ", `<svg role="img" aria-label="${escaped(words)}" `);
}

/** FNV-1a. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(36);
}
