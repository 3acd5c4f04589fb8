/** What a measurement is worth nothing without: adapter, driver, versions, cores, and how busy the machine was. */
import { availableParallelism, cpus, loadavg } from "node:os";
import type { Device } from "../../src/tensor/index.ts";
import { BASELINE, type Engine } from "../engine.ts";
import { VERSIONS } from "../versions.ts";

export interface Header {
  readonly adapter: string;
  readonly driver: string;
  readonly date: string;
  /** One line each. */
  readonly lines: readonly string[];
}

/** Load, as a share of the cores, above which the machine had other work to do when the bench began. */
const BUSY = 0.4;

/** Adapter and driver in words, and what can be said of every machine. */
export function machineLines(
  adapter: string,
  driver: string,
  peers: readonly Pick<Engine, "name" | "version">[],
): Pick<Header, "date" | "lines"> {
  const cores = availableParallelism();
  const load = loadavg()[0]!;
  const busy = load > BUSY * cores ? ": the machine is busy, so these figures are preliminary" : "";
  const { node, trama, webgpu } = VERSIONS;
  const others = peers.filter(({ name }) => name !== BASELINE);
  const date = new Date().toISOString();
  return {
    date,
    lines: [
      `adapter   ${adapter}`,
      `driver    ${driver}`,
      `cores     ${cores} of ${cpus()[0]?.model ?? "unknown"}, load ${load.toFixed(1)}${busy}`,
      `versions  node ${node}, trama ${trama}, webgpu ${webgpu}`,
      `against   ${others.map(({ name, version }) => `${name} ${version}`).join(", ") || "nothing"}`,
      `date      ${date}`,
    ],
  };
}

export function headerOf({ adapter, variant }: Device, peers: readonly Engine[]): Header {
  const { name, driver, kind, reason, source } = adapter;
  const where = `${name}, a ${kind === "gpu" ? "GPU" : "software adapter"} (${reason})`;
  const through = `${driver || "unknown"}, from ${source}; kernels of the ${variant} family`;
  return { adapter: name, driver, ...machineLines(where, through, peers) };
}
