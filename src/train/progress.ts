/** A Keras-like progress line on a terminal; elsewhere, one plain line an epoch. */
import type { Callback, EpochResult, StepInfo } from "./callbacks.ts";

/** Where lines go; `process.stdout` fits. */
export interface ProgressOutput {
  write(text: string): unknown;
  /** Whether the last line can be written over. */
  readonly isTTY?: boolean;
}

export interface ProgressOptions {
  /** Default: `console.log`, a line at a time. */
  readonly output?: ProgressOutput;
}

const BAR = 20;

/** Callback that shows each epoch as it goes: steps, time, loss, accuracy, then those of validation. */
export function progress(options: ProgressOptions = {}): Callback {
  const { output = { write: (text: string) => console.log(text.replace(/\n$/, "")) } } = options;
  let epochs = 0;
  return {
    onBegin: (info) => {
      epochs = info.epochs;
    },
    onStep: (info) => {
      if (output.isTTY === true) output.write(`\r\x1b[K${heading(info.epoch, epochs)} ${running(info)}`);
    },
    onEpochEnd: (result) => {
      output.write(`${output.isTTY === true ? "\r\x1b[K" : ""}${heading(result.epoch, epochs)} ${finished(result)}\n`);
    },
  };
}

function heading(epoch: number, epochs: number): string {
  return `Epoch ${String(epoch + 1).padStart(String(epochs).length)}/${epochs}`;
}

function running({ step, steps, loss, accuracy, seconds }: StepInfo): string {
  const filled = Math.floor((BAR * step) / steps);
  const bar = `${"━".repeat(filled)}${"─".repeat(BAR - filled)}`;
  const each = (1000 * seconds) / step;
  const left = ((steps - step) * each) / 1000;
  return `${bar} ${step}/${steps} · ${left.toFixed(0)} s left · ${each.toFixed(1)} ms/step · ${scores(loss, accuracy)}`;
}

function finished({ seconds, loss, accuracy, validation }: EpochResult): string {
  const judged = validation ? ` · validation ${scores(validation.loss, validation.accuracy)}` : "";
  return `· ${seconds.toFixed(1)} s · ${scores(loss, accuracy)}${judged}`;
}

function scores(loss: number, accuracy: number): string {
  return `loss ${loss.toFixed(4)} · accuracy ${accuracy.toFixed(4)}`;
}
