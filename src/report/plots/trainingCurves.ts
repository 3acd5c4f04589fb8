/** Loss, accuracy and, where it changes, the learning rate of every epoch, with the best epoch marked. */
import type { LineSeriesOption, TitleComponentOption } from "echarts";
import type { EpochResult } from "../../train/index.ts";
import { fixed } from "../table.ts";
import type { Theme } from "../theme.ts";
import {
  FONT_SIZE,
  titleOf,
  legendOf,
  LEGEND_HEIGHT,
  plotOf,
  requireData,
  themeOf,
  TITLE_HEIGHT,
  valueAxis,
} from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

export interface BestEpoch {
  /** From 0. */
  readonly epoch: number;
  readonly by: "validation loss" | "training loss";
  readonly value: number;
}

/** The epoch of least validation loss, or of least training loss where there was no validation; null without epochs. */
export function bestEpoch(history: readonly EpochResult[]): BestEpoch | null {
  const by = history.some(({ validation }) => validation !== null) ? "validation loss" : "training loss";
  const valueOf = ({ loss, validation }: EpochResult): number =>
    by === "training loss" ? loss : (validation?.loss ?? Infinity);
  const [best] = [...history].sort((a, b) => valueOf(a) - valueOf(b) || a.epoch - b.epoch);
  return best === undefined ? null : { epoch: best.epoch, by, value: valueOf(best) };
}

export interface TrainingCurvesOptions extends PlotOptions {
  /** The epoch to mark, from 0; null for none. Default: `bestEpoch`. */
  readonly best?: number | null;
}

const PANEL = { width: 430, height: 280 };
const LEFT = 62;
const TRAINING = "training";
const VALIDATION = "validation";
const RATE = "learning rate";

const fourDigits = (value: number): string => fixed(value, 4);

interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Panel {
  /** Name of the axis, with its unit. */
  readonly name: string;
  readonly lines: readonly { readonly name: string; readonly value: (of: EpochResult) => number | null }[];
  readonly axis?: Parameters<typeof valueAxis>[2];
  readonly show: (value: number) => string;
}

/** @throws {DataError} without epochs. */
export function trainingCurves(history: readonly EpochResult[], options: TrainingCurvesOptions = {}): Plot {
  requireData("trainingCurves", history, "epoch");
  const theme = themeOf(options);
  const found = bestEpoch(history)!;
  const best = options.best === undefined ? found.epoch : options.best;
  const panels = panelsOf(history);
  const rows = Math.ceil(panels.length / 2);
  const top = TITLE_HEIGHT + LEGEND_HEIGHT;
  const places = panels.map((_, at) => ({
    left: LEFT + (at % 2) * (PANEL.width + 20),
    top: top + 24 + Math.floor(at / 2) * PANEL.height,
    width: PANEL.width - LEFT,
    height: PANEL.height - 76,
  }));
  const words = {
    title: options.title ?? "Training",
    description: describe(history, found),
    width: 2 * PANEL.width + 40,
    height: top + rows * PANEL.height,
  };
  const names = history.some(({ validation }) => validation) ? [TRAINING, VALIDATION] : [TRAINING];
  const marked = history.find(({ epoch }) => epoch === best);
  const captions = panels.flatMap(({ lines, show }, at) => {
    const value = marked && lines.at(-1)!.value(marked);
    if (typeof value !== "number") return [];
    return [captionOf(theme, `best epoch ${best! + 1}: ${show(value)}`, places[at]!)];
  });
  return plotOf(theme, words, {
    title: [titleOf(theme, words), ...captions],
    legend: legendOf(theme, names),
    grid: places,
    xAxis: panels.map((_, gridIndex) => epochAxis(theme, history, gridIndex)),
    yAxis: panels.map(({ name, axis }, gridIndex) =>
      valueAxis(theme, name, { gridIndex, scale: true, nameGap: 44, ...axis }),
    ),
    series: panels.flatMap((panel, at) => seriesOf(theme, panel, at, history, best)),
  });
}

function panelsOf(history: readonly EpochResult[]): Panel[] {
  const validated = history.some(({ validation }) => validation);
  const pair = (metric: "loss" | "accuracy"): Panel["lines"] => [
    { name: TRAINING, value: (epoch) => epoch[metric] },
    ...(validated ? [{ name: VALIDATION, value: (epoch: EpochResult) => epoch.validation?.[metric] ?? null }] : []),
  ];
  const rates = new Set(history.map(({ learningRate }) => learningRate));
  const rate: Panel = {
    name: RATE,
    lines: [{ name: RATE, value: ({ learningRate }) => learningRate }],
    axis: { min: 0, axisLabel: { formatter: (value) => (value === 0 ? "0" : value.toExponential()) } },
    show: (value) => value.toPrecision(3),
  };
  const metrics = new Set(history.flatMap(({ validation }) => Object.keys(validation?.metrics ?? {})));
  return [
    { name: "loss (nats)", lines: pair("loss"), show: fourDigits },
    { name: "accuracy", lines: pair("accuracy"), axis: { max: 1 }, show: fourDigits },
    ...Array.from(metrics, (name): Panel => {
      const value = ({ validation }: EpochResult): number | null => validation?.metrics?.[name] ?? null;
      return { name, lines: [{ name: VALIDATION, value }], show: fourDigits };
    }),
    ...(rates.size > 1 ? [rate] : []),
  ];
}

/** Words above the right end of a panel. */
function captionOf({ muted }: Theme, text: string, place: Place): TitleComponentOption {
  return {
    text,
    left: place.left + place.width,
    top: place.top - 20,
    padding: 0,
    textAlign: "right",
    textStyle: { color: muted, fontSize: FONT_SIZE, fontWeight: "normal" },
  };
}

function epochAxis(theme: Theme, history: readonly EpochResult[], gridIndex: number) {
  const { ink, muted, line } = theme;
  return {
    type: "category" as const,
    gridIndex,
    data: history.map(({ epoch }) => String(epoch + 1)),
    boundaryGap: history.length === 1,
    name: "epoch",
    nameLocation: "middle" as const,
    nameGap: 26,
    nameTextStyle: { color: ink },
    axisLine: { lineStyle: { color: muted }, onZero: false },
    axisTick: { lineStyle: { color: muted }, alignWithLabel: true },
    axisLabel: { color: ink, hideOverlap: true },
    splitLine: { lineStyle: { color: line } },
  };
}

function seriesOf(theme: Theme, panel: Panel, at: number, history: readonly EpochResult[], best: number | null) {
  const marked = history.findIndex(({ epoch }) => epoch === best);
  return panel.lines.map(({ name, value }, n): LineSeriesOption => {
    const judged = panel.lines.length - 1 === n;
    const color = theme.series[[TRAINING, VALIDATION, RATE].indexOf(name)]!;
    const isSolid = name !== VALIDATION;
    return {
      type: "line",
      name,
      xAxisIndex: at,
      yAxisIndex: at,
      data: history.map(value),
      symbol: isSolid ? "circle" : "rect",
      symbolSize: history.length > 40 ? 0 : 6,
      showSymbol: history.length <= 40,
      lineStyle: { color, width: 2, type: isSolid ? "solid" : "dashed" },
      itemStyle: { color },
      emphasis: { disabled: true },
      ...(judged && marked >= 0 ? bestMark(theme, color, value(history[marked]!), marked) : {}),
    };
  });
}

/** A line at the best epoch, and a point at the value there; what they say stands above the panel. */
function bestMark(
  { muted, surface }: Theme,
  color: string,
  value: number | null,
  index: number,
): Pick<LineSeriesOption, "markLine" | "markPoint"> {
  if (value === null) return {};
  const still = { silent: true, animation: false } as const;
  return {
    markLine: {
      ...still,
      symbol: "none",
      lineStyle: { color: muted, type: "dotted", width: 1.5 },
      label: { show: false },
      data: [{ xAxis: index }],
    },
    markPoint: {
      ...still,
      symbol: "diamond",
      symbolSize: 13,
      itemStyle: { color, borderColor: surface, borderWidth: 1.5 },
      label: { show: false },
      data: [{ name: "best", coord: [index, value] }],
    },
  };
}

function describe(history: readonly EpochResult[], { epoch, by, value }: BestEpoch): string {
  const last = history.at(-1)!;
  const judged = last.validation
    ? `, validation ${fixed(last.validation.loss, 4)} and ${fixed(last.validation.accuracy, 4)}`
    : "";
  return [
    `Curves over ${history.length} ${history.length === 1 ? "epoch" : "epochs"}.`,
    `Last epoch: loss ${fixed(last.loss, 4)}, accuracy ${fixed(last.accuracy, 4)}${judged}.`,
    `Best by ${by}: epoch ${epoch + 1} with ${fixed(value, 4)}.`,
  ].join(" ");
}
