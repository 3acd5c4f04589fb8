/** Weights in files: safetensors, and models saved as such. */
export { describeModel, load, loadBytes, loadWeights, loadWeightsBytes, save, saveBytes } from "./modelFile.ts";
export type { ModelDescription, SaveOptions } from "./modelFile.ts";
export type { ModelRecord } from "./modelRecord.ts";
export { encodeSafetensors, parseSafetensors, type SafetensorsFile } from "./safetensors.ts";
export { floatsOf, valuesOf, type StoredDtype, type StoredTensor, type StoredValues } from "./dtypes.ts";
export { VERSION } from "./version.ts";
