/** Runs a command to its end, whatever that is: errors in one line, and the exit code that belongs to them. */
import { OptionError, TramaError } from "../errors.ts";
import { Terminal, type OutputOptions } from "./terminal.ts";

export const EXIT = { fine: 0, failed: 1, usage: 2 } as const;

/** Something was left out, and has been said; the command went on, but did not do all that was asked. */
export class Incomplete extends Error {}

/** Runs `body`, and sets the exit code. The process then ends by itself, when the last handle is closed. */
export async function perform(options: OutputOptions, body: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = new Terminal(options);
  try {
    await body(terminal);
  } catch (error) {
    process.exitCode = error instanceof OptionError ? EXIT.usage : EXIT.failed;
    if (!(error instanceof Incomplete)) report(error, terminal);
  }
}

function report(error: unknown, terminal: Terminal): void {
  const message = inWords(error);
  const kind = error instanceof Error ? error.name : "Error";
  process.stderr.write(`trama: ${message}\n`);
  if (terminal.verbose) process.stderr.write(`${stackOf(error)}\n`);
  terminal.event("error", { kind, message });
}

/** A refusal explains itself; anything else is a fault of ours, and says how to tell us. */
function inWords(error: unknown): string {
  if (error instanceof TramaError) return oneLine(error.message);
  const message = error instanceof Error ? error.message : String(error);
  return `an internal fault: ${oneLine(message)}; run it again with --verbose and report what it prints`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " · ");
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
