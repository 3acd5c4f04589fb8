/** Parts that plots have in common: titles, axes, legends. */
import type { EChartsOption, TitleComponentOption, XAXisComponentOption, YAXisComponentOption } from "echarts";
import { DataError } from "../../errors.ts";
import { FONTS, shortened, textExtent } from "../svg.ts";
import { themes, type Theme } from "../theme.ts";
import type { Plot, PlotOptions } from "./plot.ts";

export const FONT_SIZE = 12;
/** Room above everything else for the title, and for a legend below it. */
export const TITLE_HEIGHT = 32;
export const LEGEND_HEIGHT = 24;
/** Names of classes are cut where they would take more. */
const LONGEST_NAME = 170;

export function themeOf({ theme = "light" }: PlotOptions): Theme {
  return themes[theme];
}

/** Completes an option with what all plots share. */
export function plotOf(theme: Theme, words: Omit<Plot, "option">, option: EChartsOption): Plot {
  const common: EChartsOption = {
    animation: false,
    backgroundColor: theme.surface,
    color: [...theme.series],
    textStyle: { fontFamily: FONTS, fontSize: FONT_SIZE, color: theme.ink },
    title: titleOf(theme, words),
    tooltip: {
      backgroundColor: theme.surface,
      borderColor: theme.line,
      textStyle: { color: theme.ink, fontSize: FONT_SIZE },
    },
  };
  return { ...words, option: { ...common, ...option } };
}

export function titleOf({ ink }: Theme, { title, width }: Pick<Plot, "title" | "width">): TitleComponentOption {
  return {
    text: shortened(title, width - 20, 15),
    left: 8,
    top: 6,
    padding: 0,
    textStyle: { color: ink, fontSize: 15, fontWeight: "bold" },
  };
}

/** A legend in one row below the title. */
export function legendOf(theme: Theme, names: readonly string[], itemWidth = 28): NonNullable<EChartsOption["legend"]> {
  return {
    data: [...names],
    left: 4,
    top: TITLE_HEIGHT - 4,
    padding: [2, 4],
    itemGap: 18,
    itemWidth,
    inactiveColor: theme.muted,
    textStyle: { color: theme.ink, fontSize: FONT_SIZE },
  };
}

type AnyAxis<Type> = Extract<XAXisComponentOption, { type?: Type }> & Extract<YAXisComponentOption, { type?: Type }>;
type ValueAxis = AnyAxis<"value">;
type LogAxis = AnyAxis<"log">;
type NameAxis = AnyAxis<"category">;

function axisLook({ ink, muted, line }: Theme) {
  return {
    nameLocation: "middle",
    nameTextStyle: { color: ink, fontSize: FONT_SIZE },
    axisLine: { show: true, lineStyle: { color: muted } },
    axisTick: { show: true, lineStyle: { color: muted } },
    axisLabel: { color: ink, fontSize: FONT_SIZE },
    splitLine: { lineStyle: { color: line } },
  } as const;
}

/** An axis of numbers; its name says the unit. */
export function valueAxis(theme: Theme, name: string, more: Partial<ValueAxis> = {}): ValueAxis {
  const look = axisLook(theme);
  return { type: "value", name, nameGap: 30, ...look, ...more, axisLabel: { ...look.axisLabel, ...more.axisLabel } };
}

/** An axis of numbers above 0, by powers of ten. */
export function logAxis(theme: Theme, name: string, min: number): LogAxis {
  return { ...axisLook(theme), type: "log", name, nameGap: 50, min };
}

/** An axis of names. */
export function nameAxis(theme: Theme, names: readonly string[], name = "", width = LONGEST_NAME): NameAxis {
  const look = axisLook(theme);
  return {
    ...look,
    type: "category",
    name,
    nameGap: 30,
    data: names.map((one) => shortened(one, width, FONT_SIZE)),
    axisTick: { show: false },
    axisLabel: { ...look.axisLabel, interval: 0 },
    splitLine: { show: false },
  };
}

/** Room for the longest of these names beside an axis. */
export function nameRoom(names: readonly string[], longest = LONGEST_NAME): number {
  return Math.min(longest, Math.max(...names.map((name) => textExtent(name, FONT_SIZE)))) + 14;
}

/** Kinds of dashes, for more lines than there are colours. */
const DASHES = ["solid", "dashed", "dotted"] as const;

interface LineLook {
  readonly color: string;
  readonly type: "solid" | "dashed" | "dotted";
  readonly width: number;
}

/** Colour and dash of the nth line. */
export function lineLook({ series }: Theme, n: number): LineLook {
  const type = DASHES[Math.floor(n / series.length) % DASHES.length]!;
  return { color: series[n % series.length]!, type, width: 2 };
}

/** @throws {DataError} when there is nothing to show. */
export function requireData(where: string, items: ArrayLike<unknown>, what: string): void {
  if (items.length > 0) return;
  throw new DataError({ where, expected: `at least one ${what}`, got: "none" });
}

/** `10,000` */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `97.3 %`, with as few decimals as tell it apart from 0 and 100. */
export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}
