/** Reports: scores and comparisons beside trivial baselines, plots, pictures, summaries of models, and what a run left behind. */
export {
  classificationReport,
  multiLabelReport,
  type ClassificationReport,
  type Report,
  type ReportOptions,
} from "./classification.ts";
export {
  comparedBaseline,
  comparedModel,
  compareModels,
  comparisonTable,
  type ComparedModel,
  type ComparedRow,
  type Comparison,
  type ComparisonLayout,
  type ComparisonOptions,
  type Costs,
} from "./comparison.ts";
export { confusionAsText, mistakeTable } from "./confusion.ts";
export {
  classTable,
  reportAsCsv,
  reportAsJson,
  reportAsMarkdown,
  reportAsText,
  scoreTable,
  type Layout,
} from "./formats.ts";
export { modelDot } from "./model/dot.ts";
export { plotModel, type PlotModelOptions } from "./model/plot.ts";
export { modelTotals, summary, summaryTable, type ModelTotals } from "./model/summary.ts";
export type { DescribedModel, DescribedParameter } from "./model/tree.ts";
export { pictureGrid, type GridOptions, type Tile } from "./pictures/grid.ts";
export { pixelView, type PixelViewOptions } from "./pictures/pixels.ts";
export {
  answerTile,
  averageTiles,
  byConfidence,
  pictureAt,
  sampleTiles,
  shadesOf,
  type Answers,
} from "./pictures/tiles.ts";
export * from "./plots/index.ts";
export { parseRun, readRun, runFileOf, writeRun } from "./run/file.ts";
export { runAsHtml, type HtmlOptions } from "./run/html.ts";
export { comparedRun, judgeRun, powerOf, type JudgedRun } from "./run/judged.ts";
export { runAsJson, runAsMarkdown } from "./run/markdown.ts";
export {
  recordRun,
  type FinishedRun,
  type RunAdapter,
  type RunData,
  type RunModel,
  type RunPictures,
  type RunRecord,
  type RunTest,
  type StoredTile,
  type TestedRun,
} from "./run/record.ts";
export { themes, themeStyle, type Theme, type ThemeName } from "./theme.ts";
export { landmarkTable, recallTable } from "./labels.ts";
export { belowBaseline, type Judged, type JudgedLabels, type Score, type TrivialScore } from "./scores.ts";
export { csvTable, fixed, markdownTable, pad, textTable, textWidth, type Column, type Table } from "./table.ts";
