/** A Keras-like progress line on a terminal; elsewhere, one plain line an epoch. */
import type { Callback, EpochResult, RunInfo, StepInfo } from "./callback.ts";
import type { Evaluation } from "./evaluate.ts";

/** Where lines go; `process.stdout` fits. */
export interface ProgressOutput {
  write(text: string): unknown;
  /** Whether the last line can be written over. */
  readonly isTTY?: boolean;
  /** Width of the terminal. Default: 80. */
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Default: `console.log`, a line at a time. */
  readonly output?: ProgressOutput;
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 12;
/** Milliseconds between two drawings of the line: faster than this nobody reads. */
const REDRAW_MS = 80;
/** For terminals that do not know their width, or say 0. */
const DEFAULT_COLUMNS = 80;
const CLEAR = "\r\x1b[K";

/** Callback that shows each epoch as it goes: steps, time, loss, accuracy, then those of validation. */
export function progress(options: ProgressOptions = {}): Callback {
  const { output = { write: (text: string) => console.log(text.replace(/\n$/, "")) } } = options;
  const live = output.isTTY === true;
  let run: Pick<RunInfo, "epochs" | "stepsPerEpoch"> = { epochs: 1, stepsPerEpoch: 1 };
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    onBegin: (info) => {
      run = info;
    },
    onStep: (info) => {
      const now = performance.now();
      if (!live || (now - drawn < REDRAW_MS && info.step < info.steps)) return;
      drawn = now;
      output.write(CLEAR + running(heading(info.epoch, run.epochs), info, output.columns || DEFAULT_COLUMNS));
    },
    onEpochEnd: (result) => {
      output.write(`${live ? CLEAR : ""}${heading(result.epoch, run.epochs)} ${finished(result, run.stepsPerEpoch)}\n`);
    },
  };
}

function heading(epoch: number, epochs: number): string {
  return `Epoch ${String(epoch + 1).padStart(String(epochs).length)}/${epochs}`;
}

/** The bar takes what the text leaves; a line that wraps could not be drawn over, so words go before the bar does. */
function running(head: string, { step, steps, loss, accuracy, seconds }: StepInfo, columns: number): string {
  const each = seconds / step;
  const place = `${String(step).padStart(String(steps).length)}/${steps}`;
  const left = `${((steps - step) * each).toFixed(0)} s left`;
  const tails = [
    [place, left, `${(1000 * each).toFixed(1)} ms/step`, scores(loss, accuracy)],
    [place, left, scores(loss, accuracy)],
    [place, left, `loss ${loss.toFixed(3)}`],
    [place],
  ].map((words) => words.join(" · "));
  const room = (tail: string) => columns - head.length - tail.length - 3;
  const tail = tails.find((text) => room(text) >= SHORTEST_BAR) ?? place;
  return `${head} ${bar(step / steps, Math.min(LONGEST_BAR, room(tail)))} ${tail}`;
}

function bar(share: number, length: number): string {
  const filled = Math.max(0, Math.floor(share * length));
  return `${"━".repeat(filled)}\x1b[2m${"─".repeat(Math.max(0, length - filled))}\x1b[0m`;
}

function finished({ steps, seconds, loss, accuracy, validation }: EpochResult, stepsPerEpoch: number): string {
  const cut = steps < stepsPerEpoch ? ` · stopped after step ${steps} of ${stepsPerEpoch}` : "";
  const judged = validation ? ` · validation ${scores(validation.loss, validation.accuracy)}${others(validation)}` : "";
  return `· ${seconds.toFixed(1)} s${cut} · ${scores(loss, accuracy)}${judged}`;
}

function others({ metrics = {} }: Evaluation): string {
  return Object.entries(metrics)
    .map(([name, value]) => ` · ${name} ${value.toFixed(4)}`)
    .join("");
}

function scores(loss: number, accuracy: number): string {
  return `loss ${loss.toFixed(4)} · accuracy ${accuracy.toFixed(4)}`;
}
