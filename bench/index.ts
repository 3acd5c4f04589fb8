/** `npm run bench`: Trama against other engines on the same adapter, in one run. */
import { OptionError, TramaError } from "../src/errors.ts";
import { openDevice, type AdapterOptions, type Device } from "../src/tensor/index.ts";
import { copyBandwidth } from "./bandwidth.ts";
import type { Case, Suite } from "./case.ts";
import { baselineOf, startPeer, type Peer } from "./engines/peers.ts";
import { tramaEngine } from "./engines/trama.ts";
import type { Plan } from "./harness.ts";
import type { CaseResult } from "./measure.ts";
import { CONVNET, MLP, NORMED } from "./networks.ts";
import { parseOptions, type BenchOptions } from "./options.ts";
import { profileTable } from "./profile.ts";
import { headerOf, type Header } from "./report/header.ts";
import { checkWritable, recordsOf, writeRecords } from "./report/records.ts";
import { asMarkdown, asText, COLUMNS, extraLines, rowsOf } from "./report/table.ts";
import type { Surroundings } from "./report/verdicts.ts";
import { runSuites, type Listener } from "./run.ts";
import { MODELS } from "./suites/models.ts";
import { SUITES } from "./suites/index.ts";
import { adapterClass } from "./targets.ts";

const FULL: Plan = { rounds: 15, leastRounds: 5, budget: 30_000, sample: 30 };
const QUICK: Plan = { rounds: 5, leastRounds: 3, budget: 2_500, sample: 10 };
const PROFILE_ROUNDS = { full: 25, quick: 9 };

const PROFILED = [CONVNET, MLP, NORMED, ...MODELS];

/** As the shell counts a process that SIGINT ended. */
const INTERRUPTED = 130;

/** `device`: cases that it cannot run are left out; null for all cases. */
function chosenSuites({ quick, only }: BenchOptions, device: Device | null): Suite[] {
  const timely = ({ when = "always" }: Case) =>
    when === "always" || (when === "full" && !quick) || (when === "gpu" && !device?.isSoftware);
  const possible = ({ needs }: Case) => needs === undefined || !device || device.gpu.features.has(needs);
  const wanted = (suite: string, of: Case) =>
    timely(of) && possible(of) && (only === null || only.test(`${suite}: ${of.name}`));
  const chosen = SUITES.map(({ name, cases }) => ({ name, cases: cases.filter((each) => wanted(name, each)) })).filter(
    ({ cases }) => cases.length > 0,
  );
  if (chosen.length > 0) return chosen;
  throw new OptionError({
    where: "--only",
    expected: "a pattern that some case matches",
    got: String(only),
    advice: "see `npm run bench -- --list`",
  });
}

/** Aborts at the first Ctrl-C; the second one ends the process as usual. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => {
    console.error("\nStopping after this sample; once more to end at once.");
    controller.abort();
  });
  return controller.signal;
}

function say(header: Header): void {
  console.log(`${header.lines.join("\n")}\n`);
}

/** The targets' networks, or those that `--only` matches; in half precision too, where the adapter has it. */
async function profile(device: Device, { quick, only }: BenchOptions): Promise<void> {
  say(headerOf(device, []));
  const rounds = quick ? PROFILE_ROUNDS.quick : PROFILE_ROUNDS.full;
  const networks = only ? PROFILED.filter(({ name }) => only.test(name)) : [CONVNET, MLP];
  const precisions = device.gpu.features.has("shader-f16") ? (["f32", "mixed"] as const) : (["f32"] as const);
  for (const network of networks) {
    for (const precision of precisions) console.log(`${await profileTable(device, network, precision, rounds)}\n`);
  }
}

function printing(surroundings: Surroundings): Listener {
  return {
    onCase: (result) => console.log(`  ${result.trama ? "measured" : "FAILED  "}  ${result.of.name}`),
    onSuite(_, results) {
      if (results.length === 0) return;
      const rows = results.flatMap((result) => rowsOf(result, surroundings));
      console.log(`\n${[asText([COLUMNS, ...rows]), ...results.flatMap(extraLines)].join("\n")}\n`);
    },
  };
}

function printMarkdown(header: Header, results: readonly CaseResult[], surroundings: Surroundings): void {
  const rows = results.flatMap((result) => rowsOf(result, surroundings));
  const facts = header.lines.map((line) => `- ${line.replace(/ {2,}/, ": ")}`);
  console.log(
    [...facts, "", asMarkdown(rows), "", ...results.flatMap(extraLines).map((line) => `- ${line}`)].join("\n"),
  );
}

/** Says what came of it; a case that failed makes the exit code 1, an interruption 130. */
function conclude(results: readonly CaseResult[], signal: AbortSignal): void {
  const failed = results.filter(({ error }) => error !== null);
  const interrupted = signal.aborted ? ", interrupted" : "";
  console.log(`${results.length} cases measured, ${failed.length} failed${interrupted}`);
  for (const { of, error } of failed) console.error(`${of.name}: ${error}`);
  if (failed.length > 0) process.exitCode = 1;
  else if (signal.aborted) process.exitCode = INTERRUPTED;
}

async function bench(device: Device, options: BenchOptions, adapterOptions: AdapterOptions): Promise<void> {
  const adapter = adapterClass(device);
  const suites = chosenSuites(options, device);
  const signal = interruptible();
  const plan = options.quick ? QUICK : FULL;
  const trama = tramaEngine(device);
  const peers: Peer[] = [baselineOf(trama)];
  for (const name of options.against) peers.push(await startPeer(name, device, adapterOptions));
  const header = headerOf(device, peers);
  say(header);
  const surroundings = { adapter, bandwidth: adapter === "gpu" ? await copyBandwidth(device, plan) : null };
  const results = await runSuites(suites, { trama, peers, plan, signal }, printing(surroundings));
  if (options.markdown) printMarkdown(header, results, surroundings);
  if (options.json !== null) {
    writeRecords(
      options.json,
      results.flatMap((result) => recordsOf(result, trama, header, surroundings)),
    );
  }
  conclude(results, signal);
}

function list(options: BenchOptions): void {
  const mark = ({ when = "always" }: Case) => (when === "always" ? "" : ` (${when})`);
  const names = chosenSuites(options, null).flatMap(({ name, cases }) =>
    cases.map((each) => `${name}: ${each.name}${mark(each)}`),
  );
  console.log(names.join("\n"));
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) return;
  if (options.list) return list(options);
  if (options.json !== null) checkWritable(options.json);
  const adapterOptions = options.adapter === null ? {} : { adapter: options.adapter };
  const device = await openDevice(adapterOptions);
  try {
    await (options.profile ? profile(device, options) : bench(device, options, adapterOptions));
  } finally {
    await device.close();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof TramaError)) throw error;
  console.error(error.message);
  process.exitCode = error.name === "OptionError" ? 2 : 1;
}
