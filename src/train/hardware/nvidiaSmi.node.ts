/** Energy of an NVIDIA GPU: the power that `nvidia-smi` samples, integrated over time by trapezoids. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { EnergyMeter } from "./platform.ts";

/** The driver itself renews its value about ten times a second. */
const MS_BETWEEN_SAMPLES = 200;
/** A driver that sleeps takes seconds to wake up. */
const PATIENCE_MS = 10_000;
/** A sample that is older says nothing of now. */
const STALE_MS = 3_000;

interface Sample {
  readonly at: number;
  readonly watts: number;
}

/** The meter of the one GPU that `adapterName` means; or why there is none. */
export async function openNvidiaSmi(adapterName: string, command = "nvidia-smi"): Promise<EnergyMeter | string> {
  const child = spawn(
    command,
    ["--query-gpu=index,name,power.draw", "--format=csv,noheader,nounits", `--loop-ms=${MS_BETWEEN_SAMPLES}`],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const gpus = new Map<string, Gpu>();
  let ended: string | null = null;
  const firstRound = new Promise<void>((resolve) => {
    const end = (reason: string): void => {
      ended ??= reason;
      resolve();
    };
    child.on("error", () => end("there is no nvidia-smi"));
    child.on("exit", () => end("nvidia-smi has ended"));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [index = "", name = "", watts = ""] = line.split(",").map((part) => part.trim());
      // The first GPU comes again when each has been named once.
      if (gpus.has(index)) resolve();
      const gpu = gpus.get(index) ?? new Gpu(name);
      gpus.set(index, gpu);
      gpu.add({ at: performance.now(), watts: Number.parseFloat(watts) });
    });
    setTimeout(() => (gpus.size === 0 ? end("nvidia-smi does not answer") : resolve()), PATIENCE_MS).unref();
  });
  await firstRound;
  letGo(child);
  const gpu = ended ?? theOne([...gpus.values()], adapterName);
  if (typeof gpu === "string") {
    child.kill();
    return gpu;
  }
  return {
    name: `nvidia-smi, ${gpu.name}`,
    joules: async () => ended ?? gpu.joules(),
    close: () => child.kill(),
  };
}

class Gpu {
  readonly name: string;
  #latest: Sample | null = null;
  #joules = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** `[N/A]` and the like are not a number. */
  get tellsPower(): boolean {
    return this.#latest !== null && !Number.isNaN(this.#latest.watts);
  }

  add(sample: Sample): void {
    if (this.#latest) {
      this.#joules += ((this.#latest.watts + sample.watts) / 2) * ((sample.at - this.#latest.at) / 1000);
    }
    this.#latest = sample;
  }

  /** Until now: since the last sample, its power. */
  joules(): number | string {
    const { at, watts } = this.#latest!;
    const age = performance.now() - at;
    if (Number.isNaN(this.#joules)) return "nvidia-smi left out a sample";
    return age > STALE_MS ? "nvidia-smi has stopped answering" : this.#joules + watts * (age / 1000);
  }
}

/** With two GPUs of one name nobody can say which of them computes. */
function theOne(gpus: readonly Gpu[], adapterName: string): Gpu | string {
  const named = gpus.filter(({ name }) => name !== "" && (adapterName.includes(name) || name.includes(adapterName)));
  const [gpu] = named;
  if (gpu === undefined) return `nvidia-smi knows no ${adapterName}`;
  if (named.length > 1) return `${named.length} GPUs are called ${gpu.name}`;
  return gpu.tellsPower ? gpu : `nvidia-smi does not tell the power of ${gpu.name}`;
}

/** A process that is done should not be kept alive by its meter. */
function letGo(child: ChildProcessByStdio<null, Readable, null>): void {
  child.unref();
  (child.stdout as Socket).unref();
}
