/**
 * Energy of processors by RAPL (Running Average Power Limit), as Linux shows it: counters of microjoules that begin anew at
 * a known end (Documentation/power/powercap). They count whole packages, whoever computes on them.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { EnergyMeter } from "./platform.ts";

const POWERCAP = "/sys/class/powercap";

/** At 400 W the smallest counters, of 65 kJ, come round in under three minutes. */
const SECONDS_BETWEEN_READINGS = 30;

interface Counter {
  readonly path: string;
  /** Where it begins anew, in microjoules. */
  readonly range: number;
  latest: number;
}

/** The meter of all packages below `folder`; or why there is none. */
export async function openRapl(folder = POWERCAP): Promise<EnergyMeter | string> {
  // `intel-rapl:0` is a package, of AMD's too; `intel-rapl:0:1` is a part of one.
  const domains = (await readdir(folder).catch((): string[] => [])).filter((name) => /^intel-rapl:\d+$/.test(name));
  if (domains.length === 0) return "this machine shows no RAPL counters";
  const counters: Counter[] = [];
  try {
    for (const domain of domains) {
      const path = join(folder, domain);
      // `psys` holds the packages, and would count them twice.
      if (!(await textOf(join(path, "name"))).startsWith("package")) continue;
      counters.push({ path, range: await numberIn(path, "max_energy_range_uj"), latest: await energyOf(path) });
    }
  } catch (error) {
    const denied = (error as NodeJS.ErrnoException).code === "EACCES";
    return denied ? "RAPL counters are for root only here" : "RAPL counters cannot be read";
  }
  return counters.length === 0 ? "RAPL counts no processor package" : meterOf(counters);
}

function meterOf(counters: readonly Counter[]): EnergyMeter {
  let microjoules = 0;
  const advance = async (): Promise<number | string> => {
    try {
      for (const counter of counters) {
        const now = await energyOf(counter.path);
        microjoules += (now < counter.latest ? counter.range : 0) + now - counter.latest;
        counter.latest = now;
      }
      return microjoules / 1e6;
    } catch {
      return "RAPL counters can no longer be read";
    }
  };
  // One reading after the other: two at once would count the same joules twice.
  let reading: Promise<number | string> = Promise.resolve(0);
  const joules = (): Promise<number | string> => (reading = reading.then(advance));
  const timer = setInterval(() => void joules(), SECONDS_BETWEEN_READINGS * 1000);
  timer.unref();
  const packages = counters.length === 1 ? "the processor package" : `${counters.length} processor packages`;
  return { name: `RAPL, ${packages}`, joules, close: () => clearInterval(timer) };
}

const energyOf = (path: string) => numberIn(path, "energy_uj");

async function numberIn(path: string, name: string): Promise<number> {
  const value = Number.parseInt(await textOf(join(path, name)), 10);
  if (Number.isNaN(value)) throw new Error(`${name} is no number`);
  return value;
}

async function textOf(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trim();
}
