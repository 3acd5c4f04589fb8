/** How well each class is recognised, and how well guessing would do: shown by everything that evaluates. */
import { labelStatistics, type ImageDataset } from "../data/index.ts";
import type { Terminal } from "./terminal.ts";
import { count, score, table } from "./text.ts";

export interface Recall {
  readonly name: string;
  readonly images: number;
  /** Null for a class without images. */
  readonly recall: number | null;
  /** What images of this class are mistaken for most often. */
  readonly mistakenFor: { readonly name: string; readonly images: number } | null;
}

/** @param confusion images of the row's class that were taken for the column's. */
export function recallsIn(confusion: readonly (readonly number[])[], classNames: readonly string[]): Recall[] {
  return confusion.map((row, label) => {
    const images = row.reduce((sum, times) => sum + times, 0);
    const others = row.map((times, guess) => (guess === label ? 0 : times));
    const worst = Math.max(...others);
    const guess = others.indexOf(worst);
    return {
      name: classNames[label] ?? String(label),
      images,
      recall: images === 0 ? null : row[label]! / images,
      mistakenFor: worst === 0 ? null : { name: classNames[guess] ?? String(guess), images: worst },
    };
  });
}

export function showRecalls(classes: readonly Recall[], terminal: Terminal): void {
  const rows = classes.map(({ name, images: total, recall, mistakenFor }) => [
    name,
    count(total),
    recall === null ? "–" : score(recall),
    mistakenFor === null ? "" : `${mistakenFor.name} (${count(mistakenFor.images)})`,
  ]);
  const [head = "", ...lines] = table([["class", "images", "recall", "most often mistaken for"], ...rows], "lrrl");
  terminal.say("", terminal.bold(head), ...lines, "");
}

/** Says what always giving one answer would score, and whether the model does better. */
export function showBaseline(accuracy: number, images: ImageDataset, terminal: Terminal): void {
  const { majorityShare, majorityClass } = labelStatistics(images);
  terminal.say(
    `Baseline accuracy: ${score(majorityShare)} (always answering "${images.classNames[majorityClass] ?? ""}")`,
  );
  if (accuracy <= majorityShare) {
    terminal.notice("The model is no better than the baseline: it has learnt nothing of use.");
  }
}
