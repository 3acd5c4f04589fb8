/** `npm run bench`: Trama against other engines on the same adapter, in one run. */
import { TramaError } from "../src/errors.ts";
import { openDevice, type AdapterOptions, type Device } from "../src/tensor/index.ts";
import { copyBandwidth } from "./bandwidth.ts";
import type { Case } from "./case.ts";
import { chosenSuites, planFor } from "./choice.ts";
import { measureInChromium } from "./chromium.ts";
import { baselineOf, startPeer, type Peer } from "./engines/peers.ts";
import { tramaEngine } from "./engines/trama.ts";
import { CONVNET, MLP, NORMED } from "./networks.ts";
import { parseOptions, type BenchOptions } from "./options.ts";
import { profileTable } from "./profile.ts";
import { headerOf, type Header } from "./report/header.ts";
import { conclude, printCase, printHeader, printMarkdown, printTable } from "./report/print.ts";
import { checkWritable, recordsOf, writeRecords } from "./report/records.ts";
import type { Surroundings } from "./report/verdicts.ts";
import type { CaseResult } from "./measure.ts";
import { runSuites } from "./run.ts";
import { MODELS } from "./suites/models.ts";
import { adapterClass } from "./targets.ts";
import { VERSIONS } from "./versions.ts";

const PROFILE_ROUNDS = { full: 25, quick: 9 };

const PROFILED = [CONVNET, MLP, NORMED, ...MODELS];

/** Aborts at the first Ctrl-C; the second one ends the process as usual. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => {
    console.error("\nStopping after this sample; once more to end at once.");
    controller.abort();
  });
  return controller.signal;
}

/** The targets' networks, or those that `--only` matches; in half precision too, where the adapter has it. */
async function profile(device: Device, { quick, only }: BenchOptions): Promise<void> {
  printHeader(headerOf(device, []));
  const rounds = quick ? PROFILE_ROUNDS.quick : PROFILE_ROUNDS.full;
  const networks = only ? PROFILED.filter(({ name }) => only.test(name)) : [CONVNET, MLP];
  const precisions = device.gpu.features.has("shader-f16") ? (["f32", "mixed"] as const) : (["f32"] as const);
  for (const network of networks) {
    for (const precision of precisions) console.log(`${await profileTable(device, network, precision, rounds)}\n`);
  }
}

/** Writes what was asked for, and sets the exit code. */
function report(
  results: readonly CaseResult[],
  header: Header,
  surroundings: Surroundings,
  { markdown, json }: BenchOptions,
  interrupted: boolean,
): void {
  if (markdown) printMarkdown(header, results, surroundings);
  if (json !== null) {
    const records = results.flatMap((result) => recordsOf(result, VERSIONS.trama, header, surroundings));
    writeRecords(json, records);
  }
  process.exitCode = conclude(results, interrupted);
}

async function bench(device: Device, options: BenchOptions, adapterOptions: AdapterOptions): Promise<void> {
  const adapter = adapterClass(device);
  const suites = chosenSuites(options, device);
  const signal = interruptible();
  const plan = planFor(options);
  const trama = tramaEngine(device);
  const peers: Peer[] = [baselineOf(trama)];
  for (const name of options.against) peers.push(await startPeer(name, device, adapterOptions));
  const header = headerOf(device, peers);
  printHeader(header);
  const surroundings = { adapter, bandwidth: adapter === "gpu" ? await copyBandwidth(device, plan) : null };
  const results = await runSuites(
    suites,
    { trama, peers, plan, signal },
    { onCase: printCase, onSuite: (_, ofSuite) => printTable(ofSuite, surroundings) },
  );
  report(results, header, surroundings, options, signal.aborted);
}

async function inChromium(options: BenchOptions): Promise<void> {
  const signal = interruptible();
  const { results, header, surroundings } = await measureInChromium(options, signal, {
    onHeader: printHeader,
    onCase: printCase,
    onSuite: printTable,
  });
  report(results, header, surroundings, options, signal.aborted);
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
  if (options.chromium) return inChromium(options);
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
