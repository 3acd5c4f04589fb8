/** Training, evaluation and prediction. */
export type { Callback, EpochResult, RunInfo, StepInfo, StopReason, TrainingResult } from "./callbacks.ts";
export { evaluate, predict, type BatchOptions, type Evaluation, type Predictions } from "./evaluate.ts";
export { fit, type FitOptions } from "./fit.ts";
export { progress, type ProgressOptions, type ProgressOutput } from "./progress.ts";
