/** A run's test, taken apart again: answers, scores, costs. */
import type { Reading } from "../../train/index.ts";
import { classificationReport, type ClassificationReport } from "../classification.ts";
import { comparedModel, type ComparedModel } from "../comparison.ts";
import { modelTotals } from "../model/summary.ts";
import type { Judged } from "../scores.ts";
import { unpack } from "./packed.ts";
import type { RunRecord } from "./record.ts";

export interface JudgedRun extends Judged {
  /** The probability of each answer. */
  readonly confidence: ArrayLike<number>;
  /** Samples whose probabilities were kept, all of them unless there were very many. */
  readonly ranked: Required<Judged>;
  readonly report: ClassificationReport;
}

/** Answers on the test images and what they are worth; null where nothing was tested. */
export function judgeRun({ test, data, name }: RunRecord): JudgedRun | null {
  if (test === null) return null;
  const where = `run "${name}"`;
  const [truth, predicted] = [unpack(test.truth, where), unpack(test.predicted, where)];
  const kept = unpack(test.probabilities, where);
  const rows = Array.from(truth.keys()).filter((row) => row % test.step === 0);
  const outputs = kept.length / rows.length;
  const classes = Math.max(outputs, data.classNames.length);
  const classNames = Array.from({ length: classes }, (_, k) => data.classNames[k] ?? String(k));
  const probabilities = widened(kept, outputs, classNames.length);
  const ranked = {
    truth: Uint32Array.from(rows, (row) => truth[row]!),
    predicted: Uint32Array.from(rows, (row) => predicted[row]!),
    classNames,
    probabilities,
  };
  return {
    truth,
    predicted,
    classNames,
    confidence: unpack(test.confidence, where),
    ranked,
    report: reportOn({ truth, predicted, classNames }, ranked),
  };
}

/** Columns of zeros for classes that the model has no output for. */
function widened(values: ArrayLike<number>, columns: number, wanted: number): ArrayLike<number> {
  if (columns === wanted) return values;
  const wide = new Float32Array((values.length / columns) * wanted);
  for (let at = 0; at < values.length; at++) wide[Math.floor(at / columns) * wanted + (at % columns)] = values[at]!;
  return wide;
}

/** Where not all probabilities were kept, scores by probability are those of the samples that have theirs. */
function reportOn(all: Judged, ranked: Required<Judged>): ClassificationReport {
  const [count, kept] = [all.truth.length, ranked.truth.length];
  if (count === kept) return classificationReport({ ...all, probabilities: ranked.probabilities });
  const [whole, part] = [classificationReport(all), classificationReport(ranked)];
  const known = new Set(whole.scores.map(({ metric }) => metric));
  const more = part.scores.filter(({ metric }) => !known.has(metric));
  const note = `scores by probability are of ${kept} of the ${count} test images, whose probabilities were kept`;
  return { ...whole, scores: [...whole.scores, ...more], warnings: [...whole.warnings, note] };
}

/** A run as a row of a comparison; null where nothing was tested. */
export function comparedRun(run: RunRecord, { report }: JudgedRun): ComparedModel {
  return comparedModel(run.name, report, {
    parameters: modelTotals(run.model).parameters,
    bytes: run.model.bytes,
    trainSeconds: run.training.seconds,
    inferenceSeconds: run.test?.seconds ?? null,
    watts: powerOf(run).value,
  });
}

/** Mean power of what computed: the GPU, or the processor under a software adapter. */
export function powerOf({
  adapter,
  hardware,
}: Pick<RunRecord, "hardware"> & { readonly adapter: Pick<RunRecord["adapter"], "kind"> }): Reading {
  if (hardware === null) return { value: null, source: "unknown: nothing was measured" };
  return (adapter.kind === "gpu" ? hardware.gpu : hardware.processor).power;
}
