/** Ctrl-C: the first one asks to stop, the second one ends the process at once. */
import { TramaError } from "../errors.ts";
import type { Terminal } from "./terminal.ts";

/** The user stopped a command before it had anything to keep. */
export class InterruptedError extends TramaError {
  override readonly name = "InterruptedError";
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What a command says when it is stopped. */
export interface Stopping {
  readonly notice: string;
  /** Reason of the signal. */
  readonly reason: () => InterruptedError;
}

const TRAINING: Stopping = {
  notice: "Stopping after the current step; once more ends at once, without saving.",
  reason: interrupted,
};

/** Runs `body` with a signal that the first Ctrl-C, or a polite `kill`, aborts. */
export async function stoppable<T>(
  terminal: Terminal,
  body: (signal: AbortSignal) => Promise<T>,
  { notice, reason }: Stopping = TRAINING,
): Promise<T> {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      // With our handler gone the signal kills as it always does: no exit handlers run while the GPU still works.
      release();
      process.kill(process.pid, signal);
      return;
    }
    if (process.stdout.isTTY) process.stdout.write("\n");
    terminal.notice(notice);
    controller.abort(reason());
  };
  const release = (): void => {
    for (const signal of SIGNALS) process.off(signal, stop);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await body(controller.signal);
  } finally {
    release();
  }
}

export function interrupted(): InterruptedError {
  return new InterruptedError({
    where: "train",
    expected: "to be left running",
    got: "an interruption before the first step was done; nothing was learnt, and nothing was saved",
  });
}
