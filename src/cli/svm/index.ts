/** `trama svm`: the classical baseline, HOG features and support vector machines, on the CPU. */
import type { Command } from "commander";
import { addSvmEvaluate } from "./evaluate.ts";
import { addSvmGrid } from "./grid.ts";
import { addSvmPredict } from "./predict.ts";
import { addSvmTrain } from "./train.ts";

export function addSvm(program: Command): void {
  const svm = program.command("svm").description("the classical baseline: HOG features and an SVM, on the CPU");
  for (const add of [addSvmTrain, addSvmGrid, addSvmEvaluate, addSvmPredict]) add(svm);
}
