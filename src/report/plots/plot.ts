/** What every plot is: an option object of echarts, which draws it in a page and as SVG, and words about it. */

import type { ThemeName } from "../theme.ts";

export interface PlotOptions {
  /** Default: "light". */
  readonly theme?: ThemeName;
  /** Default: what the plot shows. */
  readonly title?: string;
}

export interface Plot {
  /** What is shown; it stands in the picture. */
  readonly title: string;
  /** What it tells, for those who cannot see it. */
  readonly description: string;
  /** In pixels of CSS, at which nothing overlaps. */
  readonly width: number;
  readonly height: number;
  /** For echarts: `chart.setOption(plot.option)`. Plain data, but for formatters of labels. */
  readonly option: Readonly<Record<string, unknown>>;
}
