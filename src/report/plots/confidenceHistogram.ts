/** How confident right and wrong answers are: a good model is unsure where it is wrong. */
import { ShapeError } from "../../errors.ts";
import { fixed } from "../table.ts";
import {
  LEGEND_HEIGHT,
  legendOf,
  nameAxis,
  plotOf,
  requireData,
  themeOf,
  TITLE_HEIGHT,
  valueAxis,
  whole,
} from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

export interface ConfidenceHistogramOptions extends PlotOptions {
  /** Of equal width, from 0 to 1. Default: 20. */
  readonly bins?: number;
}

/**
 * @param confidence the probability of each answer.
 * @param isRight whether the answer is right, one for each.
 * @throws {ShapeError} when there are more of one than of the other.
 */
export function confidenceHistogram(
  confidence: ArrayLike<number>,
  isRight: ArrayLike<boolean>,
  options: ConfidenceHistogramOptions = {},
): Plot {
  const where = "confidenceHistogram";
  requireData(where, confidence, "answer");
  if (isRight.length !== confidence.length) {
    throw new ShapeError({ where, expected: `${confidence.length} verdicts`, got: String(isRight.length) });
  }
  const { bins = 20 } = options;
  const theme = themeOf(options);
  const groups = [
    { name: "right", verdict: true, color: theme.good },
    { name: "wrong", verdict: false, color: theme.bad },
  ].map(({ name, verdict, color }) => {
    const values = Array.from(confidence).filter((_, at) => isRight[at] === verdict);
    return { name, color, values };
  });
  const [left, top] = [62, TITLE_HEIGHT + LEGEND_HEIGHT + 4];
  const words = {
    title: options.title ?? "Confidence of answers",
    description: groups
      .map(({ name, values }) =>
        values.length === 0
          ? `No answer is ${name}.`
          : `${whole(values.length)} ${name}, mean confidence ${fixed(mean(values), 4)}.`,
      )
      .join(" "),
    width: 520,
    height: 340,
  };
  const names = groups.map(({ name, values }) => `${name} (${whole(values.length)})`);
  const edges = Array.from({ length: bins }, (_, bin) => fixed(bin / bins, 2));
  const axis = nameAxis(theme, edges, "confidence, lower edge of the bin");
  return plotOf(theme, words, {
    legend: legendOf(theme, names),
    grid: { left, top, width: words.width - left - 20, height: words.height - top - 52 },
    xAxis: { ...axis, axisLabel: { ...axis.axisLabel, interval: Math.ceil(bins / 10) - 1 } },
    yAxis: valueAxis(theme, "% of the right, % of the wrong", { min: 0, nameGap: 40 }),
    series: groups.map(({ color, values }, n) => ({
      type: "bar",
      name: names[n]!,
      data: sharesOf(values, bins).map((share) => 100 * share),
      barGap: "0%",
      barCategoryGap: "14%",
      itemStyle: {
        color,
        ...(n === 1
          ? {
              decal: {
                symbol: "rect",
                dashArrayX: [1, 0],
                dashArrayY: [2, 4],
                rotation: -Math.PI / 4,
                color: theme.surface,
              },
            }
          : {}),
      },
      emphasis: { disabled: true },
    })),
  });
}

/** Share of the values in each bin; 1 joins the last. */
function sharesOf(values: readonly number[], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.max(0, Math.min(bins - 1, Math.floor(value * bins)))]! += 1;
  return counts.map((count) => count / Math.max(1, values.length));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
