/** Reports: scores and comparisons as tables of text, Markdown, CSV and JSON, each beside a trivial baseline. */
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
export { landmarkTable, recallTable } from "./labels.ts";
export { belowBaseline, type Judged, type JudgedLabels, type Score, type TrivialScore } from "./scores.ts";
export { csvTable, fixed, markdownTable, pad, textTable, textWidth, type Column, type Table } from "./table.ts";
