/** Options that several commands share, and the values that options take. */
import { InvalidArgumentError, Option, type Command } from "commander";
import type { OutputOptions } from "./terminal.ts";

export interface DataOptions {
  readonly data?: string;
  readonly synthetic?: boolean;
}

export interface AdapterOption {
  readonly adapter?: string;
}

export type CommonOptions = OutputOptions & DataOptions & AdapterOption;

export const JSON_LINES = "print one JSON object a line on stdout, and nothing else there";

/** @param json in the place of `--json`, for a command that gives it a meaning more. */
export function withOutputOptions(command: Command, json = new Option("--json", JSON_LINES)): Command {
  return command
    .addOption(json)
    .option("--verbose", "print details, and the stack of an error")
    .addOption(new Option("--quiet", "print the result only").conflicts("verbose"));
}

export function withDataOptions(command: Command): Command {
  return command
    .option(
      "--data <dir>",
      "folder of the four Fashion-MNIST files, gz or plain (default: TRAMA_DATA, else cache, else network)",
    )
    .addOption(new Option("--synthetic", "use garments that Trama draws, instead of Fashion-MNIST").conflicts("data"));
}

export function withAdapterOption(command: Command): Command {
  return command.option(
    "--adapter <name>",
    "gpu, software, lavapipe, swiftshader, or part of a name (default: TRAMA_ADAPTER, else the best there is)",
  );
}

/** A file whose name ends in `extension`: what does not was meant to be something else, and would be overwritten. */
export function fileNamed(extension: string): (text: string) => string {
  return (text) => {
    if (text.endsWith(extension)) return text;
    throw new InvalidArgumentError(`Expected the name of a file that ends in ${extension}.`);
  };
}

/** Whole numbers of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

/** A share of the whole: 0.05, or 0 for none. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a share from 0 up to, but not including, 1.");
}
