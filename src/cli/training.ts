/** What everything that trains from the command line shares: how it is shown, and how its model is kept. */
import { stat } from "node:fs/promises";
import { NumericError } from "../errors.ts";
import type { ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import { summary as summaryOf } from "../report/index.ts";
import { progress, type Callback, type TrainingResult } from "../train/index.ts";
import { save } from "../weights/index.ts";
import type { Terminal } from "./terminal.ts";

/** The model's layers, one a line, and what they amount to. */
export function summary(model: Model, terminal: Terminal): string[] {
  const [head = "", ...lines] = summaryOf(model);
  return [terminal.bold(head), ...lines];
}

/** Shows how training goes: a line that moves on, or an event for each epoch. */
export function callbacksFor(terminal: Terminal): Callback[] {
  const events: Callback = {
    onEpochEnd: ({ epoch, ...rest }) => terminal.event("epoch", { epoch: epoch + 1, ...rest }),
  };
  return terminal.showsProgress ? [progress({ output: process.stdout })] : [events];
}

export type Settled = { readonly ok: true; readonly bytes: number } | { readonly ok: false; readonly error: unknown };

export function settled(attempt: Promise<number>): Promise<Settled> {
  return attempt.then(
    (bytes) => ({ ok: true, bytes }),
    (error: unknown) => ({ ok: false, error }),
  );
}

/** Saves the model; returns the size of its file. */
export async function keepModel(
  model: Model,
  out: string,
  { origin, count: images }: ImageDataset,
  { history, steps }: TrainingResult,
): Promise<number> {
  const notes = { data: origin, images: String(images), epochs: String(history.length), steps: String(steps) };
  await save(model, out, { notes });
  return (await stat(out)).size;
}

export function diverged(message: string): NumericError {
  return new NumericError({ where: "train", expected: "a finite loss", got: message });
}

/** Says what is doubtful, a line each. */
export function warn(doubts: readonly string[], terminal: Terminal): void {
  for (const doubt of doubts) terminal.notice(`Warning: ${doubt.replace(/\.$/, "")}.`);
}
