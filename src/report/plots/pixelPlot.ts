/** How often each pixel value occurs, on a logarithmic scale: backgrounds outweigh all else. */
import { ShapeError } from "../../errors.ts";
import { fixed } from "../table.ts";
import { logAxis, plotOf, themeOf, TITLE_HEIGHT, valueAxis, whole } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

/** @param histogram how often each value from 0 to 255 occurs, as `pixelHistogram` counts it. */
export function pixelPlot(histogram: ArrayLike<number>, options: PlotOptions = {}): Plot {
  if (histogram.length !== 256) {
    throw new ShapeError({ where: "pixelPlot", expected: "256 counts", got: String(histogram.length) });
  }
  const theme = themeOf(options);
  const counts = Array.from(histogram);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / total;
  const [left, top] = [70, TITLE_HEIGHT + 8];
  const words = {
    title: options.title ?? "Pixel values",
    description: `${whole(total)} values, mean ${fixed(mean, 1)}, from ${counts.findIndex((count) => count > 0)} to ${counts.findLastIndex((count) => count > 0)}; ${fixed((100 * counts[0]!) / total, 1)} % are 0.`,
    width: 560,
    height: 320,
  };
  const shares = counts.map((count) => (100 * count) / total);
  const least = Math.min(...shares.filter((share) => share > 0));
  return plotOf(theme, words, {
    grid: { left, top, width: words.width - left - 24, height: words.height - top - 54 },
    xAxis: valueAxis(theme, "pixel value", { min: 0, max: 255, interval: 51 }),
    yAxis: logAxis(theme, "share of pixels (%)", 10 ** Math.floor(Math.log10(least))),
    series: [
      {
        type: "line",
        step: "middle",
        data: shares.map((share, value) => [value, share > 0 ? share : null]),
        symbol: "none",
        lineStyle: { color: theme.series[0]!, width: 1.5 },
        areaStyle: { color: theme.series[0]!, opacity: 0.35, origin: "start" },
        emphasis: { disabled: true },
      },
    ],
  });
}
