/** Models: layers, initial values, optimisers. */
export type { Fans, Initialiser, InitialiserName } from "./initialisers.ts";
export type {
  BuiltLayer,
  BuiltStep,
  CallContext,
  Json,
  Layer,
  LayerBuilder,
  LayerConfig,
  LayerSummary,
  Parameter,
  TappedLayer,
} from "./layer.ts";
export * from "./layers/index.ts";
export {
  build,
  learnableRanges,
  Model,
  outlineOf,
  parametersOf,
  viewsOf,
  type ModelOptions,
  type Outline,
  type Resize,
  type ParameterChunk,
} from "./model.ts";
export { freeze, unfreeze, type FreezeOptions, type FreezeReport, type LayerSelection } from "./freeze.ts";
export { splitFrozen, unsplittable, type SplitModel } from "./split.ts";
export {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamW,
  nadam,
  rmsprop,
  sgd,
  type Optimizer,
  type WithRate,
} from "./optimizers.ts";
export { rateAt, type Schedule } from "../kernels/index.ts";
export * from "./losses.ts";
