/** Training, evaluation and prediction. */
export type {
  Callback,
  EpochResult,
  RunInfo,
  Snapshot,
  StepInfo,
  StopReason,
  Training,
  TrainingResult,
} from "./callback.ts";
export * from "./callbacks/index.ts";
export {
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  writeCheckpoint,
  type Checkpoint,
  type CheckpointRecord,
} from "./checkpoint.ts";
export type { MetricChoice } from "./chosenMetrics.ts";
export type { DataInMemory, DataSource } from "./dataSource.ts";
export {
  evaluate,
  predict,
  type BatchOptions,
  type EvaluateOptions,
  type Evaluation,
  type Predictions,
  type PredictOptions,
} from "./evaluate.ts";
export { featuresDoubt, featuresOf, type Features, type FeatureSettings, type FeaturesOptions } from "./features.ts";
export { fit, type FitOptions } from "./fit.ts";
export {
  baselineDoubt,
  divergenceDoubt,
  laggingDoubt,
  leakDoubt,
  leakDoubts,
  monitorDoubt,
  testDoubt,
  type NamedPart,
} from "./guards.ts";
export * from "./metrics/index.ts";
export { progress, type ProgressOptions, type ProgressOutput } from "./progress.ts";
