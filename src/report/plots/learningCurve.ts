/** Scores over the number of training samples: whether more data would help. */
import type { LineSeriesOption } from "echarts";
import { fixed } from "../table.ts";
import type { Theme } from "../theme.ts";
import { LEGEND_HEIGHT, legendOf, plotOf, requireData, themeOf, TITLE_HEIGHT, valueAxis, whole } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

/** Scores of models that were trained on that many samples, one a repetition or fold. */
export interface LearningPoint {
  readonly samples: number;
  readonly training: readonly number[];
  readonly validation: readonly number[];
}

export interface LearningCurveOptions extends PlotOptions {
  /** What the scores are. Default: "accuracy". */
  readonly score?: string;
}

/** Means as lines, and bands of one standard deviation (of the population) to both sides. */
export function learningCurve(points: readonly LearningPoint[], options: LearningCurveOptions = {}): Plot {
  requireData("learningCurve", points, "size");
  const { score = "accuracy" } = options;
  const theme = themeOf(options);
  const ordered = [...points].sort((a, b) => a.samples - b.samples);
  const [left, top] = [66, TITLE_HEIGHT + LEGEND_HEIGHT + 4];
  const last = ordered.at(-1)!;
  const highest = Math.max(...ordered.flatMap(({ training, validation }) => [...training, ...validation]));
  const words = {
    title: options.title ?? "Learning curve",
    description: `With ${whole(last.samples)} samples: training ${score} ${fixed(spread(last.training).mean, 4)}, validation ${fixed(spread(last.validation).mean, 4)}.`,
    width: 560,
    height: 360,
  };
  return plotOf(theme, words, {
    legend: legendOf(theme, ["training", "validation"]),
    grid: { left, top, width: words.width - left - 30, height: words.height - top - 54 },
    xAxis: valueAxis(theme, "training samples", { min: 0 }),
    yAxis: valueAxis(theme, score, { scale: true, nameGap: 44, ...(highest > 0.8 && highest <= 1 ? { max: 1 } : {}) }),
    series: (["training", "validation"] as const).flatMap((part, n) => linesOf(theme, ordered, part, n)),
  });
}

/** A line of means above a band, which is drawn as an area stacked on an unseen one. */
function linesOf(
  theme: Theme,
  points: readonly LearningPoint[],
  part: "training" | "validation",
  n: number,
): LineSeriesOption[] {
  const color = theme.series[n]!;
  const values = points.map((point) => ({ samples: point.samples, ...spread(point[part]) }));
  const unseen = {
    type: "line",
    stack: `band of ${part}`,
    symbol: "none",
    silent: true,
    lineStyle: { opacity: 0 },
  } as const;
  return [
    { ...unseen, data: values.map(({ samples, mean, deviation }) => [samples, mean - deviation]) },
    {
      ...unseen,
      data: values.map(({ samples, deviation }) => [samples, 2 * deviation]),
      areaStyle: { color, opacity: 0.18 },
    },
    {
      type: "line",
      name: part,
      data: values.map(({ samples, mean }) => [samples, mean]),
      symbol: n === 0 ? "circle" : "rect",
      symbolSize: 7,
      lineStyle: { color, width: 2, type: n === 0 ? "solid" : "dashed" },
      itemStyle: { color },
      emphasis: { disabled: true },
    },
  ];
}

function spread(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
