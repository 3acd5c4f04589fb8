/** Scores over folds of a cross-validation, as boxes with every fold as a point. */
import { fixed } from "../table.ts";
import { nameAxis, nameRoom, plotOf, requireData, themeOf, TITLE_HEIGHT, valueAxis } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

/** A model, or a setting of one, with its score on each fold. */
export interface FoldScores {
  readonly name: string;
  readonly scores: readonly number[];
}

export interface FoldPlotOptions extends PlotOptions {
  /** What the scores are. Default: "accuracy". */
  readonly score?: string;
}

const ROW = 44;

/** Boxes from the first to the third quartile, a line at the median, whiskers to the least and the greatest. */
export function foldPlot(models: readonly FoldScores[], options: FoldPlotOptions = {}): Plot {
  const where = "foldPlot";
  requireData(where, models, "model");
  for (const { scores, name } of models) requireData(`${where}, "${name}"`, scores, "score");
  const { score = "accuracy" } = options;
  const theme = themeOf(options);
  const names = models.map(({ name }) => name);
  const [left, top] = [nameRoom(names), TITLE_HEIGHT + 8];
  const words = {
    title: options.title ?? `${score[0]!.toUpperCase()}${score.slice(1)} over folds`,
    description: models
      .map(({ name, scores }) => {
        const [least, , median, , greatest] = fiveNumbers(scores);
        return `${name}: median ${fixed(median, 4)}, ${fixed(least, 4)} to ${fixed(greatest, 4)} over ${scores.length} folds.`;
      })
      .join(" "),
    width: 660,
    height: top + ROW * models.length + 56,
  };
  return plotOf(theme, words, {
    grid: { left, top, width: words.width - left - 30, height: ROW * models.length },
    xAxis: valueAxis(theme, score, { scale: true }),
    yAxis: { ...nameAxis(theme, names), inverse: true },
    series: [
      {
        type: "boxplot",
        data: models.map(({ scores }) => [...fiveNumbers(scores)]),
        boxWidth: [8, 22],
        itemStyle: { color: theme.surface, borderColor: theme.series[0]!, borderWidth: 2 },
        emphasis: { disabled: true },
      },
      {
        type: "scatter",
        data: models.flatMap(({ scores }, row) => scores.map((value) => [value, row])),
        symbolSize: 7,
        itemStyle: { color: theme.series[1]!, opacity: 1 },
        emphasis: { disabled: true },
      },
    ],
  });
}

/** Least, quartiles, greatest; between two values lies the line that joins them (type 7 of Hyndman and Fan 1996). */
export function fiveNumbers(values: readonly number[]): readonly [number, number, number, number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return sorted[below]! + (place - below) * (next - sorted[below]!);
  };
  return [at(0), at(0.25), at(0.5), at(0.75), at(1)];
}
