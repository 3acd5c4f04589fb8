/** Weights in files: those of other programs, and models saved as such. */
export { describeModel, load, loadBytes, save, saveBytes } from "./modelFile.ts";
export type { ModelDescription, SaveOptions } from "./modelFile.ts";
export type { ModelRecord } from "./modelRecord.ts";
export { loadWeights, loadWeightsBytes, type LoadReport, type LoadWeightsOptions } from "./loadWeights.ts";
export type { Allowance, FileInfo, FitOptions, FitReport, NameMapping, Reshaped } from "./weights.ts";
export { openWeights } from "./openWeights.ts";
export type { WeightsFile, WeightsFormat } from "./weightsFile.ts";
export type { ByteSource, ReadProgress, StreamOptions } from "./byteStream.ts";
export {
  keras,
  kerasApplications,
  torch,
  torchvision,
  type Convention,
  type NameMap,
  type NameRule,
} from "./names/index.ts";
export { closest } from "./nearNames.ts";
export { matchInOrder } from "./inOrder.ts";
export type { StridedView } from "./strided.ts";
export { encodeSafetensors, parseSafetensors, type SafetensorsFile } from "./safetensors.ts";
export {
  deviceValuesOf,
  floatsOf,
  valuesOf,
  type StoredDtype,
  type StoredTensor,
  type StoredValues,
  type TensorInfo,
} from "./dtypes.ts";
export { VERSION } from "./version.ts";
