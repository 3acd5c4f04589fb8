/** Operations: one file each, with formula, forward and backward WGSL. All work on tensors of one device. */
export { accumulate } from "./accumulate.ts";
export { adadeltaStep, type AdadeltaOptions } from "./adadelta.ts";
export { adagradStep, type AdagradOptions } from "./adagrad.ts";
export { adamStep, type AdamOptions } from "./adam.ts";
export { adamaxStep, type AdamaxOptions } from "./adamax.ts";
export type { Augmentation, DrawRange, EraseArea, EraseSize } from "./augmentation.ts";
export { broadcastTo, tile } from "./broadcastTo.ts";
export type { BatchPlace, ByteImages } from "./byteImages.ts";
export { cast } from "./cast.ts";
export {
  batchNorm,
  batchNormInference,
  type BatchNormOptions,
  type ChannelStatistics,
  type MovingStatistics,
} from "./batchNorm.ts";
export { categoricalHinge } from "./categoricalHinge.ts";
export { clamp } from "./clamp.ts";
export { equal, greater, greaterEqual, less, lessEqual, notEqual, select } from "./compare.ts";
export { concat } from "./concat.ts";
export { conv2d, type ConvOptions } from "./conv2d.ts";
export { depthwiseConv2d, type DepthwiseConvOptions } from "./depthwiseConv2d.ts";
export { dropout, spatialDropout, type RandomKey } from "./dropout.ts";
export {
  abs,
  add,
  div,
  exp,
  gelu,
  geluExact,
  leakyRelu,
  log,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  relu,
  relu6,
  sigmoid,
  silu,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
  type FusedActivation,
} from "./elementwise.ts";
export {
  hinge,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  sigmoidCrossEntropy,
  squaredHinge,
  type HuberOptions,
  type SigmoidCrossEntropyOptions,
} from "./elementLosses.ts";
export { argMax, argMin, max, min } from "./extremum.ts";
export { flip } from "./flip.ts";
export type { Update, UpdateInputs, UpdateOptions } from "./flatUpdate.ts";
export { gather } from "./gather.ts";
export { batchOf, collectRows, type BatchLook } from "./gatherBatch.ts";
export type { FloatRows } from "./gatherRows.ts";
export {
  checkGroups,
  transposedGeometry,
  windowGeometry,
  type Direction,
  type PaddingOption,
  type Pair,
  type TransposedOptions,
} from "./geometry.ts";
export { logSumExp } from "./logSumExp.ts";
export { layerNorm, type LayerNormOptions } from "./layerNorm.ts";
export { clipFactor, gradientNorm } from "./gradientNorm.ts";
export type { LossOptions, LossReduction } from "./lossReduction.ts";
export { lossScaleStep, type LossScaleOptions, type LossScaleState } from "./lossScale.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export { drawMixing, mixImages, mixLabels, type Mixing, type MixOptions } from "./mix.ts";
export { emaStep } from "./movingAverage.ts";
export { nadamStep, type NadamOptions } from "./nadam.ts";
export {
  channelNormalisation,
  checkNormalisation,
  isNormalisation,
  normalisationFor,
  NORMALISATIONS,
  type Normalisation,
  type ScaleShift,
  type Standardisation,
} from "./normalisation.ts";
export { oneHot, type OneHotOptions } from "./oneHot.ts";
export { pad, slice, type Padding } from "./pad.ts";
export { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "./pool.ts";
export type { AveragePoolOptions, PoolOptions } from "./pool.ts";
export { checkNumber, range } from "./ranges.ts";
export { mean, sum } from "./reduce.ts";
export type { ReduceOptions } from "./reduction.ts";
export { resizeArea, resizeBilinear, type ResizeBilinearOptions } from "./resample.ts";
export type { ResizeConvention } from "./resizeGeometry.ts";
export { resizeNearest, type ResizeNearestOptions } from "./resizeNearest.ts";
export { reshape } from "./reshape.ts";
export { rmspropStep, type RmspropOptions } from "./rmsprop.ts";
export { rateAt, scheduleRate, type Schedule, type ScheduleInputs } from "./schedule.ts";
export { sgdStep, type SgdOptions } from "./sgd.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { softFBeta, type SoftFBetaOptions } from "./softFBeta.ts";
export { softmaxCrossEntropy, type CrossEntropyOptions } from "./softmaxCrossEntropy.ts";
export { split, stack } from "./split.ts";
export { advance, tally } from "./tally.ts";
export { topK, type TopK } from "./topK.ts";
export { transpose } from "./transpose.ts";
export { transposedConv2d, type TransposedConvOptions } from "./transposedConv2d.ts";
export { variance, type VarianceOptions } from "./variance.ts";
