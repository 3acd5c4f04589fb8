/** Explanations: which parts of a picture speak for a class, by three methods, and how to show them. */
export { gradCam, type GradCam, type GradCamOptions } from "./gradCam.ts";
export { occlusion, type Occlusion, type OcclusionOptions } from "./occlusion.ts";
export {
  integratedGradients,
  type IntegratedGradients,
  type IntegratedGradientsOptions,
} from "./integratedGradients.ts";
export type { ClassChoice, ExplainOptions, Explanation, Inputs } from "./subject.ts";
export {
  colourise,
  normaliseMap,
  overlay,
  upsample,
  type HeatMap,
  type NormaliseOptions,
  type OverlayOptions,
} from "./heatMap.ts";
