/**
 * Trama: a deep-learning engine whose every operation is a hand-written WGSL kernel.
 *
 * This is the face for users: devices, layers, training, data. Single operations are in `trama/ops`.
 */
export * from "./errors.ts";
export { compile, Device, holding, keep, openDevice, scope, Tensor, valueAndGradients } from "./tensor/index.ts";
export type {
  AdapterCandidate,
  DeviceOptions,
  Dtype,
  MemoryCounters,
  Program,
  Shape,
  TensorSpec,
} from "./tensor/index.ts";
export { normalisationFor } from "./kernels/index.ts";
export type { Augmentation, MixOptions, Normalisation } from "./kernels/index.ts";
export * from "./nn/index.ts";
export * from "./train/index.ts";
export {
  arrayDataset,
  generatorDataset,
  imageDataset,
  loadFashionMnist,
  selectImages,
  stratifiedSplit,
  syntheticGarments,
  takeImages,
} from "./data/index.ts";
export type {
  ArrayDataset,
  FashionMnist,
  FashionMnistOptions,
  GeneratorDataset,
  ImageBatch,
  ImageDataset,
  ImageStream,
  SampleBatch,
} from "./data/index.ts";
export {
  describeModel,
  load,
  loadBytes,
  loadWeights,
  loadWeightsBytes,
  openWeights,
  save,
  saveBytes,
  VERSION,
} from "./weights/index.ts";
export type { LoadReport, LoadWeightsOptions, ModelDescription, SaveOptions, WeightsFile } from "./weights/index.ts";
