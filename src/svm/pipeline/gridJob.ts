/** One candidate on one fold: train on the rest, score on the fold. */
import type { FeatureMatrix } from "../features.ts";
import { takeRows } from "../features.ts";
import { applyScaler, fitScaler } from "../scaler.ts";
import { stratifiedFolds, stratifiedSplit, type Fold } from "../split.ts";
import type { Job } from "../workers/job.ts";
import { type Classifier, predictLabels, supportVectorCount, trainClassifier } from "./classifier.ts";

/** Several folds, each sample tested once; or a single part held out, which costs less. */
export type Validation = { readonly folds: number } | { readonly holdOut: number };

export interface GridJobInput {
  readonly columns: number;
  readonly scale: boolean;
  readonly classifier: Classifier;
  readonly validation: Validation;
  readonly fold: number;
  readonly seed: number;
}

/** What one training taught about a candidate. */
export interface FoldScore {
  readonly accuracy: number;
  readonly trainSeconds: number;
  readonly predictSeconds: number;
  readonly supportVectors: number;
  readonly warnings: readonly string[];
}

export const foldCount = (validation: Validation): number => ("folds" in validation ? validation.folds : 1);

/** The samples of one fold. The same seed gives the same folds for every candidate, so that scores compare. */
export function foldOf(codes: Int32Array, validation: Validation, fold: number, seed: number): Fold {
  if ("holdOut" in validation) return stratifiedSplit(codes, validation.holdOut, seed);
  return stratifiedFolds(codes, validation.folds, seed)[fold] as Fold;
}

/** Shared arrays: `features` and `codes`. Everything that learns, the scaler included, sees only the training part. */
export const gridJob: Job<GridJobInput, FoldScore> = {
  name: "grid",
  async run({ columns, scale, classifier, validation, fold, seed }, shared, context) {
    const codes = shared["codes"] as Int32Array;
    const features: FeatureMatrix = { data: shared["features"] as Float32Array, rows: codes.length, columns };
    const { train, test } = foldOf(codes, validation, fold, seed);
    const [trainPart, testPart] = [takeRows(features, train), takeRows(features, test)];
    const scaler = scale ? fitScaler(trainPart) : undefined;
    const scaled = (part: FeatureMatrix): FeatureMatrix => (scaler === undefined ? part : applyScaler(scaler, part));

    const warnings: string[] = [];
    const work = {
      workers: 1,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
      onWarning: (message: string) => void warnings.push(message),
      onProgress: ({ done, total, detail }: { done: number; total: number; detail: string }) =>
        context.progress((0.9 * done) / total, detail),
    };
    const begun = performance.now();
    const model = await trainClassifier(
      scaled(trainPart),
      train.map((i) => codes[i] as number),
      classifier,
      work,
    );
    const trained = performance.now();
    const predicted = await predictLabels(model, scaled(testPart), { workers: 1 });
    const hits = predicted.reduce((sum, code, i) => sum + Number(code === codes[test[i] as number]), 0);
    return {
      accuracy: hits / test.length,
      trainSeconds: (trained - begun) / 1000,
      predictSeconds: (performance.now() - trained) / 1000,
      supportVectors: supportVectorCount(model),
      warnings,
    };
  },
};
