/** Metrics: pure functions over arrays of labels, decisions and scores, equal to scikit-learn's of the same names. */
export { balancedAccuracy, cohenKappa, matthewsCorrelation } from "./agreement.ts";
export { baselines, type Baselines } from "./baselines.ts";
export {
  calibration,
  confidenceCalibration,
  type Calibration,
  type CalibrationBin,
  type CalibrationOptions,
} from "./calibration.ts";
export {
  classificationMetrics,
  type Answers,
  type AveragedScores,
  type ClassificationMetrics,
  type ClassScores,
  type ScoreOptions,
  type Scores,
  type UndefinedScore,
  type ZeroDivision,
} from "./classification.ts";
export { accuracy, confusionMatrix, type ConfusionMatrix } from "./confusion.ts";
export {
  multiLabelAreas,
  oneVsRestAreas,
  precisionRecallCurve,
  rocCurve,
  type ClassAreas,
  type PrecisionRecallCurve,
  type RankingAreas,
  type RocCurve,
} from "./curves.ts";
export { landmarkDistance, meanLandmarks, type LandmarkDistance, type LandmarkOptions } from "./landmarks.ts";
export {
  frequencyScores,
  multiLabelMetrics,
  recallAtK,
  type LabelType,
  type MultiLabelMetrics,
  type TopKRecall,
  type TypeRecall,
} from "./multiLabel.ts";
export type { Answered, Metric, MetricName } from "./named.ts";
export { brierScore, logLoss } from "./probabilities.ts";
export { argMax, atThreshold, topKAccuracy } from "./topK.ts";
