/** Either kind of machine behind one face. */
import { OptionError } from "../../errors.ts";
import type { Features } from "../features.ts";
import type { LinearModel } from "../linear/linearModel.ts";
import { linearPredict } from "../linear/predict.ts";
import { type LinearOptions, trainLinear } from "../linear/train.ts";
import { svcPredict } from "../svc/predict.ts";
import type { SvcModel } from "../svc/svcModel.ts";
import { type SvcOptions, trainSvc, type TrainWork } from "../svc/train.ts";
import type { LongWork } from "../workers/job.ts";

/** Options of a machine; plain data, so that a grid can list them and a file can keep them. */
export type Classifier =
  ({ readonly type: "svc" } & SvcOptions) | ({ readonly type: "linear" } & Omit<LinearOptions, "warmStart">);

export type ClassifierModel = SvcModel | LinearModel;

export async function trainClassifier(
  features: Features,
  labels: ArrayLike<number>,
  classifier: Classifier,
  work: TrainWork = {},
): Promise<ClassifierModel> {
  if (classifier.type === "svc") return trainSvc(features, labels, classifier, work);
  if (classifier.type === "linear") return trainLinear(features, labels, classifier, work);
  throw new OptionError({
    where: "svm",
    expected: "a classifier of type svc or linear",
    got: JSON.stringify(classifier),
  });
}

/** The label of each sample. */
export async function predictLabels(
  model: ClassifierModel,
  features: Features,
  work: LongWork = {},
): Promise<Int32Array> {
  return model.type === "svc" ? svcPredict(model, features, work) : linearPredict(model, features);
}

/** Distinct support vectors, where the model has any (a linear machine: the most of any of its problems). */
export function supportVectorCount(model: ClassifierModel): number {
  return model.type === "svc"
    ? model.supportIndices.length
    : Math.max(...model.problems.map(({ supportVectors }) => supportVectors));
}
