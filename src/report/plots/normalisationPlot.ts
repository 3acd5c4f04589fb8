/** An image and all pixels of a data set, before and after the normalisation that a model applies to them. */
import type { TitleComponentOption } from "echarts";
import { histogramStatistics, imageLength, type ImageDataset } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { channelNormalisation, type Normalisation } from "../../kernels/index.ts";
import { fixed } from "../table.ts";
import { themes, type Theme } from "../theme.ts";
import {
  FONT_SIZE,
  LEGEND_HEIGHT,
  legendOf,
  logAxis,
  nameAxis,
  plotOf,
  themeOf,
  TITLE_HEIGHT,
  titleOf,
  valueAxis,
} from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

export interface NormalisationPlotOptions extends PlotOptions {
  /** Which image is shown. Default: 0. */
  readonly index?: number;
}

const LEFT = 76;
const COLUMN = 340;
const SIDE = 196;
const BAR = { gap: 14, width: 14, steps: 49, labelled: 12 };
const HISTOGRAM = { gap: 56, width: 250, height: 150, below: 56 };
/** Larger images are shown by some of their pixels. */
const MOST = 64;

/** Colours of what is seen, the same in every theme; they are opaque, because echarts lets cells overlap. */
const [BLACK, WHITE, ABOVE, BELOW] = ["#000000", "#ffffff", themes.light.series[0]!, themes.light.series[1]!];

/** One side of the comparison. */
interface Look {
  readonly caption: string;
  readonly axis: string;
  /** The value that a pixel 0…255 of a channel of the source becomes. */
  value(pixel: number, channel: number): number;
  readonly low: number;
  readonly high: number;
  /** The colour of a value. */
  paint(value: number): string;
  readonly digits: number;
}

/**
 * Above, one image (of colours, the mean of its channels) with bars that say what its shades mean; below, how often each value
 * occurs. Values above 0 and below it have colours of their own.
 * @throws {OptionError} for an index that is none, or a normalisation that does not fit the images.
 */
export function normalisationPlot(
  dataset: Pick<ImageDataset, "images" | "shape" | "count">,
  normalisation: Normalisation,
  options: NormalisationPlotOptions = {},
): Plot {
  const { index = 0 } = options;
  if (!Number.isInteger(index) || index < 0 || index >= dataset.count) {
    const expected = `an image from 0 to ${dataset.count - 1}`;
    throw new OptionError({ where: "normalisationPlot", expected, got: String(index) });
  }
  const theme = themeOf(options);
  const histograms = channelHistograms(dataset);
  const looks = looksOf(normalisation, dataset.shape[2]);
  const names = channelNames(dataset.shape[2]);
  const [blue, red, green] = theme.series as [string, string, string];
  const colours = names.length === 3 ? [red, green, blue] : theme.series;
  const top = TITLE_HEIGHT + (names.length > 1 ? LEGEND_HEIGHT : 0) + 26;
  const below = top + SIDE + HISTOGRAM.gap;
  const totals = looks.map((look) => momentsOf(histograms, look));
  const words = {
    title: options.title ?? "Before and after normalisation",
    description: looks.map(({ axis }, at) => `${axis}: ${inWords(totals[at]!)}.`).join(" "),
    width: LEFT + 2 * COLUMN - 60,
    height: below + HISTOGRAM.height + HISTOGRAM.below,
  };
  const panels = looks.map((look, at) => panelOf(theme, look, at, dataset, index, top));
  const places = looks.map((_, at) => ({
    left: LEFT + at * COLUMN,
    top: below,
    width: HISTOGRAM.width,
    height: HISTOGRAM.height,
  }));
  const shares = histograms.map((histogram) => {
    const total = histogram.reduce((sum, count) => sum + count, 0);
    return Array.from(histogram, (count) => (100 * count) / total);
  });
  const least = Math.min(...shares.flat().filter((share) => share > 0));
  const captions = looks.flatMap(({ caption }, at) => [
    captionOf(theme, caption, LEFT + at * COLUMN, top - 20),
    captionOf(theme, inWords(totals[at]!), LEFT + at * COLUMN, below - 20),
  ]);
  return plotOf(theme, words, {
    title: [titleOf(theme, words), ...captions],
    ...(names.length > 1 ? { legend: legendOf(theme, names) } : {}),
    grid: [...panels.flatMap(({ grid }) => grid), ...places],
    xAxis: [
      ...panels.flatMap(({ xAxis }) => xAxis),
      ...looks.map(({ axis, low, high }, at) =>
        valueAxis(
          theme,
          axis,
          at === 0 ? { gridIndex: 4, min: low, max: high, interval: 51 } : { gridIndex: 5, scale: true },
        ),
      ),
    ],
    yAxis: [
      ...panels.flatMap(({ yAxis }) => yAxis),
      ...looks.map((_, at) => ({
        ...logAxis(theme, at === 0 ? "share of pixels (%)" : "", 10 ** Math.floor(Math.log10(least))),
        gridIndex: 4 + at,
        axisLine: { onZero: false, lineStyle: { color: theme.muted } },
      })),
    ],
    // Colours are set cell by cell; echarts asks for this component all the same.
    visualMap: { show: false, min: 0, max: 1, seriesIndex: [0, 1, 2, 3], inRange: {} },
    series: [
      ...panels.flatMap(({ series }) => series),
      ...looks.flatMap((look, at) =>
        shares.map((counts, channel) => ({
          type: "line" as const,
          name: names[channel]!,
          xAxisIndex: 4 + at,
          yAxisIndex: 4 + at,
          step: "middle" as const,
          data: counts.map((share, pixel) => [look.value(pixel, channel), share > 0 ? share : null]),
          symbol: "none",
          lineStyle: { color: colours[channel]!, width: 1.5 },
          itemStyle: { color: colours[channel]! },
          emphasis: { disabled: true },
        })),
      ),
    ],
  });
}

function looksOf(normalisation: Normalisation, channels: number): [before: Look, after: Look] {
  const { scale, shift, reversed } = channelNormalisation("normalisationPlot", normalisation, channels);
  const leaving = (channel: number): number => (reversed ? channels - 1 - channel : channel);
  const value = (pixel: number, channel: number): number =>
    (pixel / 255) * scale[leaving(channel)]! + shift[leaving(channel)]!;
  const ends = scale.flatMap((_, channel) => [value(0, channel), value(255, channel)]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const strongest = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return [
    {
      caption: "before: pixels",
      axis: "pixel value",
      value: (pixel) => pixel,
      low: 0,
      high: 255,
      paint: (pixel) => blend(BLACK, WHITE, pixel / 255),
      digits: 0,
    },
    {
      caption: "after: what the first layer sees",
      axis: "value after normalisation",
      value,
      low,
      high,
      paint: (one) => blend(WHITE, one < 0 ? BELOW : ABOVE, Math.abs(one) / strongest),
      digits: strongest >= 10 ? 0 : 2,
    },
  ];
}

/** An image and the bar beside it: two grids with their axes, cell by cell. */
function panelOf(
  theme: Theme,
  look: Look,
  at: number,
  { images, shape: [height, width, channels] }: Pick<ImageDataset, "images" | "shape">,
  index: number,
  top: number,
) {
  const every = Math.ceil(Math.max(height, width) / MOST);
  const [rows, columns] = [Math.ceil(height / every), Math.ceil(width / every)];
  const cell = Math.floor(SIDE / Math.max(rows, columns));
  const start = index * height * width * channels;
  const meanAt = (place: number): number => {
    const row = Math.floor(place / columns) * every;
    const begin = start + (row * width + (place % columns) * every) * channels;
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += look.value(images[begin + channel]!, channel);
    return sum / channels;
  };
  const cellOf = (x: number, y: number, value: number) => ({
    value: [x, y, 0],
    itemStyle: { color: look.paint(value) },
  });
  const step = (k: number): number => look.low + ((look.high - look.low) * k) / (BAR.steps - 1);
  const hidden = (gridIndex: number, count: number) => ({
    ...nameAxis(
      theme,
      Array.from({ length: count }, (_, k) => String(k)),
    ),
    gridIndex,
    show: false,
  });
  const labels = Array.from({ length: BAR.steps }, (_, k) => fixed(step(k), look.digits));
  const isLabelled = (k: number): boolean => k % BAR.labelled === 0 || k === BAR.steps - 1;
  const scaleAxis = nameAxis(theme, labels);
  const left = LEFT + at * COLUMN;
  return {
    grid: [
      { left, top, width: cell * columns, height: cell * rows },
      { left: left + SIDE + BAR.gap, top, width: BAR.width, height: SIDE },
    ],
    xAxis: [hidden(2 * at, columns), hidden(2 * at + 1, 1)],
    yAxis: [
      { ...hidden(2 * at, rows), inverse: true },
      {
        ...scaleAxis,
        gridIndex: 2 * at + 1,
        position: "right" as const,
        axisLine: { show: false },
        axisLabel: { ...scaleAxis.axisLabel, interval: isLabelled },
      },
    ],
    series: [
      Array.from({ length: rows * columns }, (_, k) => cellOf(k % columns, Math.floor(k / columns), meanAt(k))),
      labels.map((_, k) => cellOf(0, k, step(k))),
    ].map((data, part) => ({
      type: "heatmap" as const,
      xAxisIndex: 2 * at + part,
      yAxisIndex: 2 * at + part,
      data,
      silent: true,
      emphasis: { disabled: true },
    })),
  };
}

/** A colour on the way from one to another, at `share` of it. */
function blend(one: string, other: string, share: number): string {
  const part = (colour: string, at: number): number => Number.parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(part(one, at) + share * (part(other, at) - part(one, at))));
  return `rgb(${mixed.join()})`;
}

/** How often each pixel value occurs, channel by channel. */
function channelHistograms({ images, shape }: Pick<ImageDataset, "images" | "shape" | "count">): Float64Array[] {
  const channels = shape[2];
  const histograms = Array.from({ length: channels }, () => new Float64Array(256));
  const length = Math.floor(images.length / imageLength(shape)) * imageLength(shape);
  for (let at = 0; at < length; at++) histograms[at % channels]![images[at]!]! += 1;
  return histograms;
}

interface Moments {
  readonly mean: number;
  readonly std: number;
}

/** Over all channels: a normalisation is a line in each, so that means and variances follow from those of the pixels. */
function momentsOf(histograms: readonly Float64Array[], look: Look): Moments {
  const parts = histograms.map((histogram, channel) => {
    const { mean, std } = histogramStatistics(histogram);
    const slope = look.value(1, channel) - look.value(0, channel);
    return { mean: look.value(0, channel) + slope * mean, variance: (slope * std) ** 2 };
  });
  const mean = parts.reduce((sum, part) => sum + part.mean, 0) / parts.length;
  const variance = parts.reduce((sum, part) => sum + part.variance + (part.mean - mean) ** 2, 0) / parts.length;
  return { mean, std: Math.sqrt(variance) };
}

function inWords({ mean, std }: Moments): string {
  const digits = Math.abs(mean) + std >= 10 ? 1 : 3;
  return `mean ${fixed(mean, digits)}, standard deviation ${fixed(std, digits)}`;
}

function channelNames(channels: number): string[] {
  if (channels === 3) return ["red", "green", "blue"];
  return Array.from({ length: channels }, (_, k) => `channel ${k}`);
}

function captionOf({ muted }: Theme, text: string, left: number, top: number): TitleComponentOption {
  return { text, left, top, padding: 0, textStyle: { color: muted, fontSize: FONT_SIZE, fontWeight: "normal" } };
}
