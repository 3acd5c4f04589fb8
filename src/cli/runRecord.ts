/** What a run leaves beside its model, for `trama report`. */
import { stat } from "node:fs/promises";
import type { ImageDataset } from "../data/index.ts";
import type { Json, Model } from "../nn/index.ts";
import { recordRun, runFileOf, writeRun, type RunRecord } from "../report/index.ts";
import {
  predict,
  type DataInMemory,
  type Evaluation,
  type HardwareLog,
  type Predictions,
  type TrainingResult,
} from "../train/index.ts";

export interface RunEnd {
  readonly model: Model;
  /** The model's file, and its size. */
  readonly out: string;
  readonly bytes: number;
  readonly configuration: Readonly<Record<string, Json>>;
  readonly training: ImageDataset;
  readonly validation: ImageDataset | null;
  readonly test: ImageDataset;
  readonly result: TrainingResult;
  readonly evaluation: Evaluation;
  /** What each test image was taken for. Default: the model is asked. */
  readonly answers?: TimedAnswers;
  readonly hardware: HardwareLog;
}

export interface TimedAnswers {
  readonly predictions: Predictions;
  /** From images to answers, compiling included. */
  readonly seconds: number;
}

/** Predicts test samples; where these are features, the time that they took counts as well. */
export async function answersOf({ model, test, features = null }: AskedModel): Promise<TimedAnswers> {
  const began = performance.now();
  const predictions = await predict(model, test);
  const seconds = (performance.now() - began) / 1000 + (features?.testSeconds ?? 0);
  return { predictions, seconds };
}

interface AskedModel {
  readonly model: Model;
  readonly test: DataInMemory;
  readonly features?: { readonly testSeconds: number } | null;
}

/** Writes all of a run down. Returns the file's size. */
export async function keepRun(run: RunEnd): Promise<number> {
  const { model, out, bytes, test, evaluation, hardware, answers, ...rest } = run;
  const { predictions, seconds } = answers ?? (await answersOf({ model, test }));
  const file = runFileOf(out);
  const record: RunRecord = recordRun({
    ...rest,
    name: nameOf(out),
    model,
    file: { path: out, bytes },
    seed: model.seed,
    test: { images: test, evaluation, predictions, seconds },
    hardware: hardware.summary,
  });
  await writeRun(file, record);
  return (await stat(file)).size;
}

function nameOf(model: string): string {
  return model.replace(/^.*[/\\]/, "").replace(/\.safetensors$/, "");
}
