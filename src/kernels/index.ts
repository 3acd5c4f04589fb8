/** Operations: one file each, with formula, forward and backward WGSL. All work on tensors of one device. */
export { adamStep, type AdamOptions, type UpdateInputs } from "./adam.ts";
export { cast } from "./cast.ts";
export { concat } from "./concat.ts";
export { conv2d, type ConvOptions } from "./conv2d.ts";
export { dropout, type RandomKey } from "./dropout.ts";
export {
  abs,
  add,
  div,
  exp,
  gelu,
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
export { windowGeometry, type Direction, type PaddingOption, type Pair } from "./geometry.ts";
export { logSumExp } from "./logSumExp.ts";
export { matmul, type MatmulOptions } from "./matmul.ts";
export { pad, slice, type Padding } from "./pad.ts";
export { averagePool2d, maxPool2d, type AveragePoolOptions, type PoolOptions } from "./pool.ts";
export { mean, sum } from "./reduce.ts";
export type { ReduceOptions } from "./reduction.ts";
export { reshape } from "./reshape.ts";
export { sgdStep, type SgdOptions } from "./sgd.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export { softmaxCrossEntropy } from "./softmaxCrossEntropy.ts";
export { advance, tally } from "./tally.ts";
export { transpose } from "./transpose.ts";
export { variance, type VarianceOptions } from "./variance.ts";
