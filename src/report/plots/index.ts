/** Plots: pure functions from data to what echarts draws, in a page or as SVG and PNG. One file each. */
export { calibrationPlot } from "./calibrationPlot.ts";
export { classCountsPlot, type ClassCounts } from "./classCounts.ts";
export { classScoresPlot } from "./classScores.ts";
export { confidenceHistogram, type ConfidenceHistogramOptions } from "./confidenceHistogram.ts";
export { confusionPlot, type ConfusionPlotOptions } from "./confusionPlot.ts";
export { precisionRecallPlot, rocPlot, type CurveOptions, type Ranked } from "./curvePlots.ts";
export { foldPlot, type FoldPlotOptions, type FoldScores } from "./foldPlot.ts";
export { learningCurve, type LearningCurveOptions, type LearningPoint } from "./learningCurve.ts";
export { normalisationPlot, type NormalisationPlotOptions } from "./normalisationPlot.ts";
export { pixelPlot } from "./pixelPlot.ts";
export type { Plot, PlotOptions } from "./plot.ts";
export { renderPng, renderSvg, type PngOptions } from "./render.ts";
export { bestEpoch, trainingCurves, type BestEpoch, type TrainingCurvesOptions } from "./trainingCurves.ts";
