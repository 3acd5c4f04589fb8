#!/usr/bin/env node
/** The command line. Each subcommand is a file of its own; this one puts them together. */
import { Command, CommanderError } from "commander";
import { VERSION } from "../weights/index.ts";
import { addData } from "./data/index.ts";
import { addDoctor } from "./doctor.ts";
import { addEvaluate } from "./evaluate.ts";
import { addExplain } from "./explain.ts";
import { addExport } from "./export.ts";
import { EXIT } from "./perform.ts";
import { addPredict } from "./predict.ts";
import { addReport } from "./report.ts";
import { addSvm } from "./svm/index.ts";
import { tolerateClosedPipes } from "./terminal.ts";
import { addTrain } from "./train.ts";

const MORE = `
Environment:
  TRAMA_ADAPTER   adapter to use, as --adapter says it
  TRAMA_DATA      folder of the four Fashion-MNIST files
  TRAMA_CACHE     folder of downloads (default: $XDG_CACHE_HOME/trama or ~/.cache/trama)
  NO_COLOR        any value: no colours

Exit codes: 0 fine, 1 failed, 2 wrong usage.`;

function commandLine(): Command {
  const program = new Command("trama")
    .description("Deep learning on WebGPU: every operation is a hand-written kernel.")
    .version(VERSION, "-V, --version", "print the version")
    .showHelpAfterError("(add --help to see what there is)")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "trama: ")) })
    .exitOverride()
    .addHelpText("after", MORE);
  // Subcommands inherit the settings above when they are made, so this comes last.
  const commands = [addTrain, addEvaluate, addReport, addPredict, addExplain, addExport, addSvm, addData, addDoctor];
  for (const add of commands) add(program);
  return program;
}

/** Commander throws for help and version too, with the exit code that it would have used. */
async function main(): Promise<void> {
  tolerateClosedPipes();
  try {
    await commandLine().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.fine : EXIT.usage;
  }
}

await main();
