/** The command line. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { OptionError } from "../src/errors.ts";
import { PEERS, type PeerName } from "./engine.ts";

export interface BenchOptions {
  readonly quick: boolean;
  readonly only: RegExp | null;
  readonly list: boolean;
  readonly profile: boolean;
  readonly markdown: boolean;
  readonly json: string | null;
  readonly against: readonly PeerName[];
  readonly adapter: string | null;
  /** In headless Chromium instead of Node. */
  readonly chromium: boolean;
}

function peersFrom(text: string): PeerName[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const peer = PEERS.find((each) => each === name.trim());
    if (peer) return peer;
    throw new InvalidArgumentError(`Peers are ${PEERS.join(", ")}, or none.`);
  });
}

function patternFrom(text: string): RegExp {
  try {
    return new RegExp(text, "i");
  } catch {
    throw new InvalidArgumentError("It is not a regular expression.");
  }
}

/** Parses arguments. Throws `OptionError` for a wrong one; null after `--help`. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const command = new Command("npm run bench --")
    .description("Measures Trama against other engines on one adapter, in one process, in turn.")
    .option("--quick", "fewer rounds and smaller cases: under 4 minutes on lavapipe", false)
    .option("--only <pattern>", "cases whose suite or name matches this regular expression", patternFrom)
    .option("--against <peers>", `comma-separated: ${PEERS.join(", ")}; or none`, peersFrom, [PEERS[0]])
    .option("--adapter <name>", "gpu, lavapipe, swiftshader, or part of an adapter's name")
    .option("--chromium", "in a page of headless Chromium, on its software adapter", false)
    .option("--json <file>", "also write one record for each case and engine to this file")
    .option("--markdown", "print the results as Markdown tables too", false)
    .option("--profile", "time each kernel of the training steps instead", false)
    .option("--list", "name the cases and end", false)
    .configureOutput({ writeErr: () => undefined }) // what is wrong is said once, by our error
    .exitOverride();
  try {
    command.parse([...args], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) return null;
    throw new OptionError(
      { where: "bench", expected: "options as in --help", got: cause.message.replace(/^error: /, "") },
      { cause },
    );
  }
  const {
    only = null,
    json = null,
    adapter = null,
    ...rest
  } = command.opts<
    Omit<BenchOptions, "only" | "json" | "adapter"> & { only?: RegExp; json?: string; adapter?: string }
  >();
  return { ...rest, only, json, adapter };
}
