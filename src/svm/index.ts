/**
 * The classical baseline: histograms of oriented gradients and support vector machines, on the CPU alone.
 *
 *   const model = await trainPipeline(images, labels, { classifier: { type: "svc", kernel: { type: "rbf" }, C: 10 } });
 *   const { accuracy } = await evaluatePipeline(model, testImages, testLabels);
 */
export { applyScaler, fitScaler, invertScaler, type Scaler } from "./scaler.ts";
export { type ClassWeight } from "./labels.ts";
export { type FeatureMatrix, type Features, type NdarrayLike } from "./features.ts";
export { hog, hogBlocks, hogLength, type ImageBatch } from "./hog/hog.ts";
export { hogPicture, type HogPicture } from "./hog/picture.ts";
export {
  type BlockNorm,
  type Extent,
  hogGeometry,
  type HogGeometry,
  type HogOptions,
  hogSettings,
  type HogSettings,
} from "./hog/options.ts";
export { type Gamma, type Kernel, type KernelSettings } from "./kernel/kernels.ts";
export { type LinearModel, type LinearProblemSummary } from "./linear/linearModel.ts";
export { type LinearLoss } from "./linear/problem.ts";
export { linearDecisions, linearPredict } from "./linear/predict.ts";
export { type LinearOptions, trainLinear } from "./linear/train.ts";
export {
  type Classifier,
  type ClassifierModel,
  predictLabels,
  supportVectorCount,
  trainClassifier,
} from "./pipeline/classifier.ts";
export { compareLabels, type Evaluation, evaluatePipeline } from "./pipeline/evaluate.ts";
export {
  type Candidate,
  combinations,
  gridCandidates,
  type GridOptions,
  type GridResult,
  type GridRow,
  gridSearch,
  type GridSpace,
  type GridState,
  type GridWork,
} from "./pipeline/grid.ts";
export { type FoldScore, type Validation } from "./pipeline/gridJob.ts";
export { gridHeatMap, gridTable, type HeatMap } from "./pipeline/gridReport.ts";
export {
  defaultClassifier,
  defaultFeatures,
  extractFeatures,
  type FeatureOptions,
  featureSettings,
  type FeatureSettings,
  pipelineFeatures,
  type PipelineOptions,
  predictPipeline,
  type SvmPipeline,
  trainPipeline,
} from "./pipeline/pipeline.ts";
export {
  fromTensors,
  type NamedTensor,
  type PipelineConfig,
  type SavedPipeline,
  toTensors,
} from "./pipeline/tensors.ts";
export { labelsFromDecisions, svcDecisions, svcPredict, svcProbabilities } from "./svc/predict.ts";
export { type ProblemSummary, type Sigmoid, type SvcModel, totalObjective } from "./svc/svcModel.ts";
export { type SvcOptions, trainSvc, type TrainWork } from "./svc/train.ts";
export { type Fold, stratifiedFolds, stratifiedSplit } from "./split.ts";
export { type LongWork, type Progress } from "./workers/job.ts";
