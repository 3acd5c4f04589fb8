/** Published networks as tables: built for any size of picture and number of classes, described before they are built. */
export { describe, countsOf, type ArchitectureDescription, type LayerCounts } from "./describe.ts";
export { densenet121, densenet169, densenet201, type DenseNetOptions } from "./densenet.ts";
export { fastResnet, type FastResnetOptions } from "./fastResnet.ts";
export {
  denseHead,
  STUDY_NETWORKS,
  studyNetwork,
  type HeadStep,
  type StudyNetwork,
  type StudyNetworkName,
} from "./heads.ts";
export { estimateMemory, type MemoryEstimate, type MemoryOptions } from "./memory.ts";
export { mobilenetV2, type MobileNetV2Options } from "./mobilenetV2.ts";
export type { ArchitectureOptions, Convention } from "./network.ts";
export { resnet18, resnet34 } from "./resnet.ts";
export { resnet101V2, resnet152V2, resnet50V2 } from "./resnetV2.ts";
export { squeezenet } from "./squeezenet.ts";
export { vgg16, vgg19, type VggOptions } from "./vgg.ts";
export { wideResnet, type WideResnetOptions } from "./wideResnet.ts";
export {
  buildArchitecture,
  defaultInputOf,
  modelNames,
  pixelsFor,
  type BuildOptions,
  type ModelName,
  type OptionsOf,
} from "./zoo.ts";
