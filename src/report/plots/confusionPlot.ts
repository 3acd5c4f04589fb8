/** The confusion matrix as a map: a row for each true class, a column for each answer, as dense as the share of the row. */
import type { HeatmapSeriesOption, ScatterSeriesOption } from "echarts";
import { ShapeError } from "../../errors.ts";
import type { ConfusionMatrix } from "../../train/index.ts";
import { textExtent } from "../svg.ts";
import type { Theme } from "../theme.ts";
import { FONT_SIZE, nameAxis, nameRoom, percent, plotOf, themeOf, TITLE_HEIGHT, whole } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

export interface ConfusionPlotOptions extends PlotOptions {
  /** Of more classes than this, those that are mistaken most often are shown. Default: 40. */
  readonly most?: number;
}

const LARGEST_CELL = 110;
const SMALLEST_CELL = 18;
/** Cells that hold a count and a share. */
const ROOMY = 46;
/** Cells that hold a count. */
const SNUG = 30;
const SIDE = 620;

/** @throws {ShapeError} unless each class has a name. */
export function confusionPlot(
  confusion: ConfusionMatrix,
  classNames: readonly string[],
  options: ConfusionPlotOptions = {},
): Plot {
  if (classNames.length !== confusion.classes) {
    const expected = `${confusion.classes} names`;
    throw new ShapeError({ where: "confusionPlot", expected, got: String(classNames.length) });
  }
  const theme = themeOf(options);
  const shown = shownClasses(confusion, options.most ?? 40);
  const names = shown.map((k) => classNames[k]!);
  const cell = Math.min(LARGEST_CELL, Math.max(SMALLEST_CELL, Math.floor(SIDE / names.length)));
  const turned = Math.max(...names.map((name) => textExtent(name, FONT_SIZE))) > cell - 4;
  const [left, below] = [nameRoom(names) + 34, (turned ? nameRoom(names) : 22) + 30];
  const side = cell * names.length;
  const cut =
    shown.length < classNames.length ? `, the ${shown.length} of ${classNames.length} mistaken most often` : "";
  const words = {
    title: options.title ?? `Confusion matrix${cut}`,
    description: describe(confusion, classNames),
    width: Math.max(left + side + 20, 320),
    height: TITLE_HEIGHT + 8 + side + below,
  };
  const cells = cellsOf(theme, confusion, shown, cell);
  const rows = nameAxis(theme, names, "what it is");
  const columns = nameAxis(theme, names, "what it was taken for");
  return plotOf(theme, words, {
    grid: { left, top: TITLE_HEIGHT + 8, width: side, height: side },
    xAxis: {
      ...columns,
      axisLine: { show: false },
      nameGap: below - 18,
      axisLabel: { ...columns.axisLabel, rotate: turned ? 90 : 0 },
    },
    yAxis: { ...rows, axisLine: { show: false }, inverse: true, nameGap: left - 18 },
    // Colours are set cell by cell; echarts asks for this component all the same.
    visualMap: { show: false, min: 0, max: 1, seriesIndex: 0, inRange: {} },
    series: [
      { type: "heatmap", data: cells.map(({ cell: one }) => one), silent: true, emphasis: { disabled: true } },
      // Words of their own: those of a cell would be as faint as the cell.
      {
        type: "scatter",
        data: cells.flatMap(({ words: one }) => one ?? []),
        symbolSize: 0.01,
        itemStyle: { opacity: 1 },
        silent: true,
      },
    ],
  });
}

interface Cell {
  readonly cell: NonNullable<HeatmapSeriesOption["data"]>[number];
  readonly words: NonNullable<ScatterSeriesOption["data"]>[number] | null;
}

function cellsOf(
  { heat, surface, ink, line }: Theme,
  { classes, counts }: ConfusionMatrix,
  shown: readonly number[],
  size: number,
): Cell[] {
  const total = (row: number): number => counts.subarray(row * classes, (row + 1) * classes).reduce((a, b) => a + b, 0);
  return shown.flatMap((row, y) =>
    shown.map((column, x) => {
      const count = Math.round(counts[row * classes + column]!);
      const share = count === 0 ? 0 : count / total(row);
      const fill = count === 0 ? { color: surface } : { color: heat, opacity: 0.08 + 0.92 * share };
      const label = {
        show: true,
        formatter: size >= ROOMY ? `${count}\n${percent(share)}` : String(count),
        color: share > 0.75 ? surface : ink,
        fontSize: size >= ROOMY ? 12 : 11,
        lineHeight: 15,
      };
      return {
        cell: { value: [x, y, share], itemStyle: { ...fill, borderColor: line, borderWidth: 1 } },
        words: count > 0 && size >= SNUG ? { value: [x, y], label } : null,
      };
    }),
  );
}

/** All classes, or those with the most mistakes, in the order of their numbers. */
function shownClasses({ classes, counts }: ConfusionMatrix, most: number): number[] {
  const mistakes = new Float64Array(classes);
  counts.forEach((count, at) => {
    const [row, column] = [Math.floor(at / classes), at % classes];
    if (row === column) return;
    mistakes[row]! += count;
    mistakes[column]! += count;
  });
  const order = [...mistakes.keys()].sort((a, b) => mistakes[b]! - mistakes[a]! || a - b);
  return order.slice(0, most).sort((a, b) => a - b);
}

function describe({ classes, samples, counts }: ConfusionMatrix, names: readonly string[]): string {
  const wrong = counts.map((count, at) => (at % (classes + 1) === 0 ? 0 : count));
  const worst = wrong.indexOf(Math.max(...wrong));
  const mistake =
    wrong[worst] === 0
      ? "There is no mistake."
      : `Most often "${names[Math.floor(worst / classes)]}" was taken for "${names[worst % classes]}": ${whole(wrong[worst]!)} times.`;
  return `${whole(samples)} samples of ${classes} classes. ${mistake}`;
}
