/** How many samples each class has in each part of the data. */
import { ShapeError } from "../../errors.ts";
import {
  FONT_SIZE,
  LEGEND_HEIGHT,
  legendOf,
  nameAxis,
  nameRoom,
  plotOf,
  requireData,
  themeOf,
  TITLE_HEIGHT,
  valueAxis,
  whole,
} from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

/** A part of the data: how many samples of each class it has. */
export interface ClassCounts {
  /** "train", "validation", "test". */
  readonly name: string;
  readonly counts: readonly number[];
}

/** Bars, one a class and part; names have lines of their own, so that long ones fit. @throws {ShapeError} where a class lacks a count. */
export function classCountsPlot(
  parts: readonly ClassCounts[],
  classNames: readonly string[],
  options: PlotOptions = {},
): Plot {
  requireData("classCountsPlot", parts, "part");
  const odd = parts.find(({ counts }) => counts.length !== classNames.length);
  if (odd) {
    const expected = `${classNames.length} counts in each part`;
    throw new ShapeError({ where: "classCountsPlot", expected, got: `${odd.counts.length} in "${odd.name}"` });
  }
  const theme = themeOf(options);
  const bar = parts.length === 1 ? 16 : 11;
  const row = bar * parts.length + 10;
  const [left, top] = [nameRoom(classNames), TITLE_HEIGHT + LEGEND_HEIGHT];
  const words = {
    title: options.title ?? "Samples of each class",
    description: describe(parts, classNames),
    width: 660,
    height: top + row * classNames.length + 56,
  };
  return plotOf(theme, words, {
    legend: legendOf(
      theme,
      parts.map(({ name }) => name),
    ),
    grid: { left, top, width: words.width - left - 70, height: row * classNames.length },
    xAxis: valueAxis(theme, "samples", { minInterval: 1 }),
    yAxis: { ...nameAxis(theme, classNames), inverse: true },
    series: parts.map(({ name, counts }, n) => ({
      type: "bar",
      name,
      data: [...counts],
      barWidth: bar - 1,
      barGap: "8%",
      itemStyle: { color: theme.series[n % theme.series.length]! },
      label: {
        show: true,
        position: "right",
        color: theme.ink,
        fontSize: FONT_SIZE - 2,
        formatter: ({ value }) => whole(Number(value)),
      },
      emphasis: { disabled: true },
    })),
  });
}

function describe(parts: readonly ClassCounts[], names: readonly string[]): string {
  const sentences = parts.map(({ name, counts }) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    const range =
      least === most
        ? `${whole(most)} of each class`
        : `from ${whole(least)} of "${names[counts.indexOf(least)]}" to ${whole(most)} of "${names[counts.indexOf(most)]}"`;
    return `${name}: ${whole(total)} samples, ${range}.`;
  });
  return sentences.join(" ");
}
