/** Whether confidence keeps its word: the share that is right over what was said, and how many samples said so. */
import type { Calibration } from "../../train/index.ts";
import { fixed } from "../table.ts";
import { LEGEND_HEIGHT, legendOf, plotOf, requireData, themeOf, TITLE_HEIGHT, valueAxis, whole } from "./parts.ts";
import type { Plot, PlotOptions } from "./plot.ts";

const LEFT = 62;
const SIDE = 340;
const COUNTS = 110;

/** @param calibration as `confidenceCalibration` or `calibration` gives it. */
export function calibrationPlot(calibration: Calibration, options: PlotOptions = {}): Plot {
  const { bins, expectedError, maximumError } = calibration;
  requireData("calibrationPlot", bins, "bin");
  const theme = themeOf(options);
  const top = TITLE_HEIGHT + LEGEND_HEIGHT + 4;
  const samples = bins.reduce((sum, bin) => sum + bin.samples, 0);
  const words = {
    title: options.title ?? "Calibration",
    description: `Expected calibration error ${fixed(expectedError, 4)}, greatest gap ${fixed(maximumError, 4)}, over ${whole(samples)} samples in ${bins.length} bins.`,
    width: LEFT + SIDE + 30,
    height: top + SIDE + 44 + COUNTS + 50,
  };
  const [model, ideal] = ["the model", "perfectly calibrated"];
  const places = [
    { left: LEFT, top, width: SIDE, height: SIDE },
    { left: LEFT, top: top + SIDE + 44, width: SIDE, height: COUNTS },
  ];
  return plotOf(theme, words, {
    legend: legendOf(theme, [model, ideal]),
    grid: places,
    xAxis: [
      valueAxis(theme, "", { gridIndex: 0, min: 0, max: 1 }),
      valueAxis(theme, "confidence, as predicted", { gridIndex: 1, min: 0, max: 1, containShape: false }),
    ],
    yAxis: [
      valueAxis(theme, "share that is right", { gridIndex: 0, min: 0, max: 1, nameGap: 40 }),
      valueAxis(theme, "share of samples", { gridIndex: 1, min: 0, max: 1, nameGap: 40, interval: 0.5 }),
    ],
    series: [
      {
        type: "line",
        name: ideal,
        data: [
          [0, 0],
          [1, 1],
        ],
        symbol: "none",
        silent: true,
        lineStyle: { color: theme.muted, type: "dotted", width: 1.5 },
        itemStyle: { color: theme.muted },
      },
      {
        type: "line",
        name: model,
        data: bins.map(({ meanProbability, frequency }) => [meanProbability, frequency]),
        symbol: "circle",
        symbolSize: 8,
        lineStyle: { color: theme.series[0]!, width: 2 },
        itemStyle: { color: theme.series[0]! },
        emphasis: { disabled: true },
      },
      {
        type: "bar",
        xAxisIndex: 1,
        yAxisIndex: 1,
        data: bins.map(({ lower, upper, samples: count }) => [(lower + upper) / 2, count / samples]),
        barWidth: Math.max(2, SIDE * (bins[0]!.upper - bins[0]!.lower) - 2),
        itemStyle: { color: theme.series[0]! },
        emphasis: { disabled: true },
      },
    ],
  });
}
