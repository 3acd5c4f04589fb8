/** ROC and precision–recall curves, each class against all others. */
import type { LineSeriesOption } from "echarts";
import { ShapeError } from "../../errors.ts";
import { oneVsRestAreas, precisionRecallCurve, rocCurve, type ClassAreas } from "../../train/index.ts";
import { shortened, textExtent } from "../svg.ts";
import { fixed } from "../table.ts";
import type { Theme } from "../theme.ts";
import { FONT_SIZE, lineLook, plotOf, themeOf, TITLE_HEIGHT, valueAxis } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

/** What a classifier said of samples whose class is known. */
export interface Ranked {
  readonly truth: ArrayLike<number>;
  /** `[samples, classes]`, row-major: probabilities, or anything that ranks. */
  readonly scores: ArrayLike<number>;
  readonly classNames: readonly string[];
}

export interface CurveOptions extends PlotOptions {
  /** Of more classes than this, those with the smallest areas are shown. Default: 10. */
  readonly most?: number;
}

const SIDE = 380;
const LEFT = 58;
/** Points of a curve: its whole length, at most twice the side, in steps of less than two pixels. */
const POINTS = 400;
const LONGEST_NAME = 150;

type Points = readonly (readonly [x: number, y: number])[];

/** Receiver operating characteristics. Classes that have no curve, because all samples or none are theirs, are left out. */
export function rocPlot(ranked: Ranked, options: CurveOptions = {}): Plot {
  const areas = areasOf("rocPlot", ranked).rocAuc;
  const theme = themeOf(options);
  return curves(theme, ranked, areas, options, {
    title: "ROC curves",
    area: "area",
    axes: ["false positive rate", "true positive rate"],
    points: (truth, scores) => {
      const { falsePositiveRate, truePositiveRate } = rocCurve(truth, scores);
      return Array.from(falsePositiveRate, (x, at) => [x, truePositiveRate[at]!]);
    },
    steps: false,
    // What a coin reaches.
    chance: [
      [0, 0],
      [1, 1],
    ],
  });
}

/** Precision over recall. */
export function precisionRecallPlot(ranked: Ranked, options: CurveOptions = {}): Plot {
  const areas = areasOf("precisionRecallPlot", ranked).averagePrecision;
  const theme = themeOf(options);
  return curves(theme, ranked, areas, options, {
    title: "Precision–recall curves",
    area: "average precision",
    axes: ["recall", "precision"],
    points: (truth, scores) => {
      const { recall, precision } = precisionRecallCurve(truth, scores);
      return Array.from(recall, (x, at): [number, number] => [x, precision[at]!]).toReversed();
    },
    steps: true,
    chance: null,
  });
}

function areasOf(where: string, { truth, scores, classNames }: Ranked) {
  if (classNames.length < 2) {
    throw new ShapeError({ where, expected: "at least two classes", got: String(classNames.length) });
  }
  return oneVsRestAreas(truth, scores, classNames.length);
}

interface Kind {
  readonly title: string;
  /** What the number beside a name is. */
  readonly area: string;
  readonly axes: readonly [x: string, y: string];
  readonly points: (truth: ArrayLike<number>, scores: ArrayLike<number>) => Points;
  readonly steps: boolean;
  readonly chance: [number, number][] | null;
}

function curves(theme: Theme, ranked: Ranked, areas: ClassAreas, options: CurveOptions, kind: Kind): Plot {
  const { classNames } = ranked;
  const shown = shownClasses(areas, classNames.length, options.most ?? 10);
  const nameOf = (k: number): string => {
    const area = fixed(areas.perClass[k]!, 4);
    return `${shortened(classNames[k]!, LONGEST_NAME, FONT_SIZE)}  ${area}`;
  };
  const names = shown.map(nameOf);
  const room = Math.max(120, ...names.map((name) => textExtent(name, FONT_SIZE))) + 60;
  const some = classNames.length > 2 && shown.length < classNames.length ? `, the ${shown.length} lowest` : "";
  const words = {
    title: options.title ?? `${kind.title}${some}`,
    description: describe(areas, classNames, kind),
    width: LEFT + SIDE + 20 + room,
    height: TITLE_HEIGHT + SIDE + 64,
  };
  const line = (name: string, data: Points, n: number): LineSeriesOption => ({
    type: "line",
    name,
    data: data.map(([x, y]) => [x, y]),
    symbol: "none",
    ...(kind.steps ? { step: "end" as const } : {}),
    lineStyle: lineLook(theme, n),
    itemStyle: { color: lineLook(theme, n).color },
    emphasis: { disabled: true },
  });
  const chance: LineSeriesOption = {
    type: "line",
    data: kind.chance ?? [],
    symbol: "none",
    silent: true,
    lineStyle: { color: theme.muted, type: "dotted", width: 1 },
  };
  return plotOf(theme, words, {
    legend: {
      data: names,
      orient: "vertical",
      left: LEFT + SIDE + 16,
      top: TITLE_HEIGHT + 24,
      itemWidth: 34,
      itemStyle: { opacity: 0 },
      textStyle: { color: theme.ink, fontSize: FONT_SIZE },
    },
    grid: { left: LEFT, top: TITLE_HEIGHT + 8, width: SIDE, height: SIDE },
    xAxis: valueAxis(theme, kind.axes[0], { min: 0, max: 1 }),
    yAxis: valueAxis(theme, kind.axes[1], { min: 0, max: 1, nameGap: 36 }),
    series: [
      ...(kind.chance ? [chance] : []),
      ...shown.map((k, n) => {
        const own = Uint8Array.from(ranked.truth, (label) => (label === k ? 1 : 0));
        const column = Float64Array.from(own, (_, row) => ranked.scores[row * classNames.length + k]!);
        return line(names[n]!, thinned(kind.points(own, column)), n);
      }),
    ],
  });
}

/** Two classes have one curve between them; of many, the lowest are of interest. */
function shownClasses({ perClass }: ClassAreas, classes: number, most: number): number[] {
  if (classes === 2) return [1];
  const defined = [...perClass.keys()].filter((k) => !Number.isNaN(perClass[k]!));
  const lowest = defined.sort((a, b) => perClass[a]! - perClass[b]! || a - b).slice(0, most);
  return defined.length > most ? lowest : lowest.sort((a, b) => a - b);
}

/** At most so many points, evenly spread along the curve. */
function thinned(points: Points): Points {
  if (points.length <= POINTS) return points;
  const lengths = points.map(([x, y], at) => {
    const [px, py] = points[Math.max(0, at - 1)]!;
    return Math.abs(x - px) + Math.abs(y - py);
  });
  const step = lengths.reduce((sum, length) => sum + length, 0) / (POINTS - 2);
  let since = step;
  return points.filter((_, at) => {
    since += lengths[at]!;
    if (since < step && at < points.length - 1) return false;
    since = 0;
    return true;
  });
}

function describe({ macro, perClass, undefinedClasses }: ClassAreas, names: readonly string[], { area }: Kind): string {
  const defined = [...perClass.keys()].filter((k) => !Number.isNaN(perClass[k]!));
  const [lowest] = defined.sort((a, b) => perClass[a]! - perClass[b]!);
  const missing = undefinedClasses.map((k) => `"${names[k]}"`).join(", ");
  return [
    `Mean ${area} ${fixed(macro, 4)}.`,
    ...(lowest === undefined ? [] : [`Lowest: "${names[lowest]}" with ${fixed(perClass[lowest]!, 4)}.`]),
    ...(missing === "" ? [] : [`Without a curve: ${missing}.`]),
  ].join(" ");
}
