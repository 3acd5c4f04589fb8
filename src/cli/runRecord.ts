/** What a run leaves beside its model, for `trama report`. */
import { stat } from "node:fs/promises";
import type { ImageDataset } from "../data/index.ts";
import type { Json, Model } from "../nn/index.ts";
import { recordRun, runFileOf, writeRun, type RunRecord } from "../report/index.ts";
import { predict, type Evaluation, type HardwareLog, type TrainingResult } from "../train/index.ts";

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
  readonly hardware: HardwareLog;
}

/** Predicts the test images once more, for what each was taken for, and writes it all down. Returns the file's size. */
export async function keepRun(run: RunEnd): Promise<number> {
  const { model, out, bytes, test, evaluation, hardware, ...rest } = run;
  const began = performance.now();
  const predictions = await predict(model, test.images);
  const seconds = (performance.now() - began) / 1000;
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
