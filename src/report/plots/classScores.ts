/** Precision, recall and F1 of each class, as points on one scale. */
import type { ScatterSeriesOption } from "echarts";
import type { ClassScores } from "../../train/index.ts";
import { fixed } from "../table.ts";
import {
  LEGEND_HEIGHT,
  legendOf,
  nameAxis,
  nameRoom,
  plotOf,
  requireData,
  themeOf,
  TITLE_HEIGHT,
  valueAxis,
} from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

const SCORES = [
  { name: "precision", score: "precision", symbol: "triangle" },
  { name: "recall", score: "recall", symbol: "rect" },
  { name: "F1", score: "f1", symbol: "circle" },
] as const;

const ROW = 26;

/** @param scores of each class, as `classificationMetrics` gives them in `perClass`. */
export function classScoresPlot(
  scores: readonly ClassScores[],
  classNames: readonly string[],
  options: PlotOptions = {},
): Plot {
  requireData("classScoresPlot", scores, "class");
  const theme = themeOf(options);
  const [left, top] = [nameRoom(classNames), TITLE_HEIGHT + LEGEND_HEIGHT + 4];
  const words = {
    title: options.title ?? "Scores of each class",
    description: describe(scores, classNames),
    width: 660,
    height: top + ROW * scores.length + 52,
  };
  const lowest = Math.min(...scores.flatMap((of) => SCORES.map(({ score }) => of[score])).filter(Number.isFinite), 1);
  return plotOf(theme, words, {
    legend: legendOf(
      theme,
      SCORES.map(({ name }) => name),
      14,
    ),
    grid: { left, top, width: words.width - left - 30, height: ROW * scores.length },
    xAxis: valueAxis(theme, "score", { min: Math.max(0, Math.floor(lowest * 10 - 0.5) / 10), max: 1 }),
    yAxis: {
      ...nameAxis(theme, classNames),
      inverse: true,
      splitLine: { show: true, lineStyle: { color: theme.line } },
    },
    series: SCORES.map(({ name, score, symbol }, n): ScatterSeriesOption => ({
      type: "scatter",
      name,
      symbol,
      symbolSize: symbol === "rect" ? 10 : 12,
      itemStyle: { color: theme.series[n]!, opacity: 1, borderColor: theme.surface, borderWidth: 1 },
      data: scores.flatMap((of, k) => (Number.isFinite(of[score]) ? [[of[score], k]] : [])),
      emphasis: { disabled: true },
    })),
  });
}

function describe(scores: readonly ClassScores[], names: readonly string[]): string {
  const order = [...scores.keys()].sort((a, b) => scores[a]!.f1 - scores[b]!.f1);
  const said = (k: number): string => `"${names[k]}" with ${fixed(scores[k]!.f1, 4)}`;
  return `F1 of each class: lowest ${said(order[0]!)}, highest ${said(order.at(-1)!)}.`;
}
