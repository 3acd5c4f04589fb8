/** `trama doctor`: what this machine offers, what is chosen and why, and how to get better. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { adviseOn, chooseAdapter, listAdapters } from "#gpu";
import { DeviceError } from "../errors.ts";
import type { AdapterCandidate } from "../tensor/index.ts";
import { VERSION } from "../weights/index.ts";
import { withAdapterOption, withOutputOptions, type AdapterOption } from "./options.ts";
import { perform } from "./perform.ts";
import type { OutputOptions, Terminal } from "./terminal.ts";
import { count, labelled, listed, memorySize } from "./text.ts";

/** Limits that decide which models fit and which kernels run, in words. */
const LIMITS: readonly (readonly [name: string, label: string, inWords: (value: number) => string])[] = [
  ["maxBufferSize", "buffer", memorySize],
  ["maxStorageBufferBindingSize", "binding", memorySize],
  ["maxComputeWorkgroupStorageSize", "workgroup memory", memorySize],
  ["maxComputeInvocationsPerWorkgroup", "invocations a workgroup", count],
  ["maxComputeWorkgroupsPerDimension", "workgroups a dimension", count],
  ["maxStorageBuffersPerShaderStage", "storage buffers a stage", count],
];

/** Features that Trama's kernels make use of. */
const USED = new Set([
  "shader-f16",
  "subgroups",
  "subgroup-size-control",
  "timestamp-query",
  "chromium-experimental-subgroup-matrix",
]);

export function addDoctor(program: Command): void {
  const command = program
    .command("doctor")
    .description("list every adapter of this machine, which one is chosen and why, and how to get a better one");
  withOutputOptions(withAdapterOption(command))
    .addHelpText(
      "after",
      "\n--verbose lists all features and limits. The exit code is 1 when there is no adapter to choose.",
    )
    .action((options: AdapterOption & OutputOptions) => perform(options, (terminal) => doctor(options, terminal)));
}

async function doctor({ adapter }: AdapterOption, terminal: Terminal): Promise<void> {
  const adapters = await listAdapters();
  const choice = await choose(adapter);
  const advice = adviseOn(adapters);
  const versions = {
    trama: VERSION,
    node: process.versions.node,
    webgpu: versionOf("webgpu"),
    sharp: versionOf("sharp"),
  };
  const machine = { platform: process.platform, architecture: process.arch, cores: availableParallelism() };
  const chosen = choice instanceof DeviceError ? null : { name: choice.name, reason: choice.reason };
  terminal.event("doctor", { versions, machine, adapters, chosen, advice });
  terminal.say(
    terminal.bold(`Trama ${VERSION}`) +
      ` · Node ${versions.node} · webgpu ${versions.webgpu ?? "not installed"} · sharp ${versions.sharp ?? "not installed"}` +
      ` · ${machine.platform} ${machine.architecture}, ${machine.cores} cores`,
  );
  for (const one of adapters) {
    terminal.say("", ...describe(one, one.name === chosen?.name ? chosen.reason : undefined, terminal));
  }
  terminal.say(
    "",
    terminal.bold(advice.length === 0 ? "Nothing to install: better would be a GPU only." : "For a better adapter:"),
  );
  terminal.say(...advice.flatMap((hint) => labelled("  •", hint, terminal.width, 4)));
  if (choice instanceof DeviceError) throw choice;
  terminal.result(
    "",
    `Chosen: ${choice.name} (${choice.kind === "gpu" ? "GPU" : "software adapter"}): ${choice.reason}`,
  );
}

/** The choice is the library's own; that there is none is a finding, to be shown with all others. */
async function choose(adapter: string | undefined): Promise<Awaited<ReturnType<typeof chooseAdapter>> | DeviceError> {
  try {
    return await chooseAdapter(adapter === undefined ? {} : { adapter });
  } catch (error) {
    if (error instanceof DeviceError) return error;
    throw error;
  }
}

function describe(one: AdapterCandidate, reason: string | undefined, terminal: Terminal): string[] {
  const { name, kind, source, driver, subgroupSize, unfit } = one;
  const line = (label: string, text: string): string[] =>
    labelled(`    ${terminal.dim(label)}`, text, terminal.width, 16);
  const mark = reason === undefined ? "○" : terminal.good("●");
  const state = reason === undefined ? "" : ` · ${terminal.good("chosen")}`;
  return [
    `${mark} ${terminal.bold(name)} · ${kind === "gpu" ? "GPU" : "software adapter"}${state}`,
    ...(reason === undefined ? [] : line("because", reason)),
    ...(unfit === undefined ? [] : line("unfit", `${unfit}: taken only when asked for by name`)),
    ...line("source", source),
    ...line("driver", driver || "unnamed"),
    ...line("subgroups", subgroupSize === 0 ? "none of a fixed size" : `${subgroupSize} lanes`),
    ...line("features", featuresOf(one, terminal.verbose)),
    ...line("limits", limitsOf(one, terminal.verbose)),
  ];
}

function featuresOf({ features }: AdapterCandidate, all: boolean): string {
  const shown = all ? features : features.filter((feature) => USED.has(feature));
  const hidden = features.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`${hidden} more that Trama does not use`] : [])].join(", ") || "none";
}

function limitsOf({ limits }: AdapterCandidate, all: boolean): string {
  if (all) {
    return Object.entries(limits)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
  }
  const known = LIMITS.filter(([name]) => limits[name] !== undefined);
  return listed(known.map(([name, label, inWords]) => `${label} ${inWords(limits[name] ?? 0)}`));
}

/** The version of an installed package, without loading it; null where there is none. */
function versionOf(name: string): string | null {
  // Not `require("name/package.json")`: packages may hide that file from importers.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const manifest = folders.map((folder) => join(folder, name, "package.json")).find((path) => existsSync(path));
  if (manifest === undefined) return null;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
