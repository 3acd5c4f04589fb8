/** What everything that trains from the command line shares: how it is shown, and how its model is kept. */
import { stat } from "node:fs/promises";
import { NumericError } from "../errors.ts";
import type { ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import { progress, type Callback, type TrainingResult } from "../train/index.ts";
import { save } from "../weights/index.ts";
import type { Terminal } from "./terminal.ts";
import { count, table } from "./text.ts";

/** The model's layers, one a line. */
export function summary({ summaries, size }: Model, terminal: Terminal): string[] {
  const rows = summaries.map(({ name, depth, output, parameters }) => [
    "  ".repeat(depth) + name,
    output.join(" × "),
    count(parameters),
  ]);
  const lines = table([["Layer", "Output", "Parameters"], ...rows, ["", "in all", count(size)]], "llr");
  return lines.map((line, at) => (at === 0 || at === lines.length - 1 ? terminal.bold(line) : line));
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
