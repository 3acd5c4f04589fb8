/** Operations: one file each, with formula, forward and backward WGSL. All work on tensors of one device. */
export { adadeltaStep, type AdadeltaOptions } from "./adadelta.ts";
export { adagradStep, type AdagradOptions } from "./adagrad.ts";
export { adamStep, type AdamOptions } from "./adam.ts";
export { adamaxStep, type AdamaxOptions } from "./adamax.ts";
export { cast } from "./cast.ts";
export {
  batchNorm,
  batchNormInference,
  type BatchNormOptions,
  type ChannelStatistics,
  type MovingStatistics,
} from "./batchNorm.ts";
export { categoricalHinge } from "./categoricalHinge.ts";
export { concat } from "./concat.ts";
export { conv2d, type ConvOptions } from "./conv2d.ts";
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
export { argMax, argMin, max, min } from "./extremum.ts";
export { collectRows, gatherBatch, type BatchPlace, type ByteImages, type Normalisation } from "./gatherBatch.ts";
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
export type { Update, UpdateInputs, UpdateOptions } from "./flatUpdate.ts";
export { windowGeometry, type Direction, type PaddingOption, type Pair } from "./geometry.ts";
export { logSumExp } from "./logSumExp.ts";
export { layerNorm, type LayerNormOptions } from "./layerNorm.ts";
export type { LossOptions, LossReduction } from "./lossReduction.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export { nadamStep, type NadamOptions } from "./nadam.ts";
export { pad, slice, type Padding } from "./pad.ts";
export { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "./pool.ts";
export type { AveragePoolOptions, PoolOptions } from "./pool.ts";
export { checkNumber, range } from "./ranges.ts";
export { mean, sum } from "./reduce.ts";
export type { ReduceOptions } from "./reduction.ts";
export { reshape } from "./reshape.ts";
export { rmspropStep, type RmspropOptions } from "./rmsprop.ts";
export { rateAt, scheduleRate, type Schedule, type ScheduleInputs } from "./schedule.ts";
export { sgdStep, type SgdOptions } from "./sgd.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { softFBeta, type SoftFBetaOptions } from "./softFBeta.ts";
export { softmaxCrossEntropy, type CrossEntropyOptions } from "./softmaxCrossEntropy.ts";
export { advance, tally } from "./tally.ts";
export { transpose } from "./transpose.ts";
export { variance, type VarianceOptions } from "./variance.ts";
