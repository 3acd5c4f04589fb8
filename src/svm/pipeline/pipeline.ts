/**
 * From pictures to labels: features (HOG at one or several scales, or plain pixels), a scaler if wanted, a machine.
 *
 * Why one object: features extracted with other settings than in training give nonsense without an error. A pipeline
 * keeps settings, scaler and machine together, from training through the saved file to prediction.
 */
import { ShapeError } from "../../errors.ts";
import type { FeatureMatrix } from "../features.ts";
import { checkImages, hog, type ImageBatch } from "../hog/hog.ts";
import { type HogOptions, hogSettings, type HogSettings } from "../hog/options.ts";
import { applyScaler, fitScaler, type Scaler } from "../scaler.ts";
import type { TrainWork } from "../svc/train.ts";
import type { LongWork } from "../workers/job.ts";
import { sharedFloats } from "../workers/pool.ts";
import { type Classifier, type ClassifierModel, predictLabels, trainClassifier } from "./classifier.ts";

/** HOG at one scale, at several (their features one after another), or the pixels divided by 255. */
export type FeatureOptions = HogOptions | readonly HogOptions[] | "pixels";
export type FeatureSettings = readonly HogSettings[] | "pixels";

export interface PipelineOptions {
  /** Default: HOG with 9 orientations, 4×4 cells, 2×2 blocks (1,296 features of a 28×28 picture). */
  readonly features?: FeatureOptions;
  /** Standard scaling of the features. Default false. */
  readonly scale?: boolean;
  /** Default: RBF, C 10, γ "scale". */
  readonly classifier?: Classifier;
}

export interface SvmPipeline {
  readonly type: "svm-pipeline";
  /** The pictures that it takes. */
  readonly image: { readonly height: number; readonly width: number; readonly channels: number };
  readonly features: FeatureSettings;
  readonly scaler?: Scaler;
  readonly classifier: ClassifierModel;
  /** As trained, for reports. */
  readonly options: PipelineOptions;
}

export const defaultFeatures: HogOptions = { orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 };
export const defaultClassifier: Classifier = { type: "svc", kernel: { type: "rbf", gamma: "scale" }, C: 10 };

export function featureSettings(options: FeatureOptions): FeatureSettings {
  if (options === "pixels") return options;
  return (Array.isArray(options) ? (options as readonly HogOptions[]) : [options as HogOptions]).map(hogSettings);
}

/** The unscaled features of a batch. */
export async function extractFeatures(
  images: ImageBatch,
  settings: FeatureSettings,
  work: LongWork = {},
): Promise<FeatureMatrix> {
  if (settings !== "pixels") return hog(images, settings, work);
  checkImages(images, []);
  const data = sharedFloats(images.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (images.data[i] as number) / 255;
  return { data, rows: images.count, columns: data.length / images.count };
}

/** Trains features, scaler and machine on pictures with whole-number labels. Errors are those of `hog` and of the machine. */
export async function trainPipeline(
  images: ImageBatch,
  labels: ArrayLike<number>,
  options: PipelineOptions = {},
  work: TrainWork = {},
): Promise<SvmPipeline> {
  const features = featureSettings(options.features ?? defaultFeatures);
  const raw = await extractFeatures(images, features, work);
  const scaler = options.scale === true ? fitScaler(raw) : undefined;
  const matrix = scaler === undefined ? raw : applyScaler(scaler, raw);
  const classifier = await trainClassifier(matrix, labels, options.classifier ?? defaultClassifier, work);
  const { height, width, channels = 1 } = images;
  return {
    type: "svm-pipeline",
    image: { height, width, channels },
    features,
    ...(scaler === undefined ? {} : { scaler }),
    classifier,
    options,
  };
}

/** The features that the machine sees, scaled where the pipeline scales. Throws `ShapeError` for pictures of another size. */
export async function pipelineFeatures(
  { image, features, scaler }: SvmPipeline,
  images: ImageBatch,
  work: LongWork = {},
): Promise<FeatureMatrix> {
  const got = [images.height, images.width, images.channels ?? 1];
  if (got[0] !== image.height || got[1] !== image.width || got[2] !== image.channels) {
    throw new ShapeError({
      where: "svm predict",
      expected: `pictures of ${image.height}×${image.width}×${image.channels}, as in training`,
      got: got.join("×"),
      advice: "resize the pictures first",
    });
  }
  const raw = await extractFeatures(images, features, work);
  return scaler === undefined ? raw : applyScaler(scaler, raw);
}

/** The label of each picture. */
export async function predictPipeline(
  pipeline: SvmPipeline,
  images: ImageBatch,
  work: LongWork = {},
): Promise<Int32Array> {
  return predictLabels(pipeline.classifier, await pipelineFeatures(pipeline, images, work), work);
}
