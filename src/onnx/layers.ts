/** Which ONNX nodes each kind of layer becomes. */
import { activation } from "./activations.ts";
import { batchNorm, layerNorm } from "./norms.ts";
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "./pooling.ts";
import { conv2d, dense, depthwiseConv2d, separableConv2d, transposedConv2d } from "./products.ts";
import { resize2d, upSampling2d } from "./resampling.ts";
import type { Translate } from "./scope.ts";
import { add, concat, flatten, multiply, nothing, reshape, sequential, zeroPad2d } from "./shapes.ts";

/** By the layer's kind. */
export const translations: Readonly<Record<string, Translate>> = {
  activation,
  add,
  averagePool2d,
  batchNorm,
  concat,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout: nothing,
  flatten,
  globalAveragePool2d,
  globalMaxPool2d,
  identity: nothing,
  layerNorm,
  maxPool2d,
  multiply,
  reshape,
  resize2d,
  separableConv2d,
  sequential,
  spatialDropout2d: nothing,
  transposedConv2d,
  upSampling2d,
  zeroPad2d,
};
