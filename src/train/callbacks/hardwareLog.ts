/**
 * What training costs the machine: energy, power and memory of each epoch, as measured. What cannot be measured is
 * unknown and says why; nothing is estimated, and no rating of a data sheet stands in for a measurement.
 */
import { openGpuMeter, openProcessorMeter, peakResidentBytes } from "#hardware";
import type { Json } from "../../nn/index.ts";
import type { Callback, Training } from "../callback.ts";
import type { EnergyMeter, PlatformMeters } from "../hardware/platform.ts";

/** A value with where it comes from. */
export type Reading =
  | { readonly value: number; readonly source: `measured: ${string}` }
  | { readonly value: null; readonly source: `unknown: ${string}` };

/** Of a processor or a GPU as a whole, with whatever else ran on it meanwhile. */
export interface EnergyReadings {
  /** Watt hours. */
  readonly energy: Reading;
  /** Mean power, in watts. */
  readonly power: Reading;
}

export interface EpochHardware {
  /** From 0. */
  readonly epoch: number;
  /** Seconds that were measured over: the epoch with its validation. */
  readonly seconds: number;
  readonly processor: EnergyReadings;
  readonly gpu: EnergyReadings;
}

export interface HardwareSummary {
  readonly epochs: readonly EpochHardware[];
  /** Over all epochs. */
  readonly processor: EnergyReadings;
  readonly gpu: EnergyReadings;
  /** Greatest resident memory of the process, in bytes. */
  readonly residentBytes: Reading;
}

export interface HardwareLog extends Callback {
  /** What was measured so far; plain data. */
  readonly summary: HardwareSummary;
}

type Part = "processor" | "gpu";

interface Moment {
  readonly at: number;
  readonly joules: Readonly<Record<Part, number | string>>;
}

/**
 * Measures energy and power of every epoch: processors by RAPL, NVIDIA GPUs by nvidia-smi.
 * @param meters where readings come from. Default: what this platform has.
 */
export function hardwareLog(
  meters: PlatformMeters = { openGpuMeter, openProcessorMeter, peakResidentBytes },
): HardwareLog {
  let open: Record<Part, EnergyMeter | string> = {
    processor: "nothing was trained yet",
    gpu: "nothing was trained yet",
  };
  let epochs: EpochHardware[] = [];
  let began: Moment | null = null;

  const close = (): void => {
    for (const meter of Object.values(open)) if (typeof meter !== "string") meter.close();
  };
  const look = async (): Promise<Moment> => {
    const joules = async (meter: EnergyMeter | string) => (typeof meter === "string" ? meter : meter.joules());
    const [processor, gpu] = [await joules(open.processor), await joules(open.gpu)];
    return { at: performance.now(), joules: { processor, gpu } };
  };
  const between = (part: Part, before: Moment, after: Moment): EnergyReadings => {
    const [first, last, meter] = [before.joules[part], after.joules[part], open[part]];
    const reason = [first, last, meter].find((one) => typeof one === "string");
    if (reason !== undefined) return unknown(reason);
    return measured((last as number) - (first as number), (after.at - before.at) / 1000, (meter as EnergyMeter).name);
  };
  return {
    name: "hardwareLog",
    get summary() {
      return {
        epochs: [...epochs],
        processor: overAll(epochs, "processor", open),
        gpu: overAll(epochs, "gpu", open),
        residentBytes: residentReading(meters.peakResidentBytes()),
      };
    },
    async onBegin(_, { model }) {
      close();
      open = { processor: await meters.openProcessorMeter(), gpu: await gpuOf(model, meters) };
    },
    async onEpochBegin() {
      began = await look();
    },
    async onEpochEnd({ epoch }) {
      if (began === null) return;
      const [before, after] = [began, await look()];
      const seconds = (after.at - before.at) / 1000;
      const readings = { processor: between("processor", before, after), gpu: between("gpu", before, after) };
      epochs = [...epochs, { epoch, seconds, ...readings }];
    },
    onEnd: close,
    state: () => epochs as unknown as Json,
    resume: (state) => {
      epochs = [...(state as unknown as EpochHardware[])];
    },
  };
}

/** Where a software adapter computes, the energy of a GPU is not that of the training. */
async function gpuOf({ device }: Training["model"], meters: PlatformMeters): Promise<EnergyMeter | string> {
  if (device.isSoftware) return `${device.name} computes on the processor`;
  return meters.openGpuMeter(device.name);
}

function unknown(why: string): EnergyReadings {
  const reading: Reading = { value: null, source: `unknown: ${why}` };
  return { energy: reading, power: reading };
}

function residentReading(bytes: number | null): Reading {
  if (bytes === null) return { value: null, source: "unknown: a page cannot know its memory" };
  return { value: bytes, source: "measured: greatest resident set of this process" };
}

function measured(joules: number, seconds: number, by: string): EnergyReadings {
  const source = `measured: ${by}` as const;
  return { energy: { value: joules / 3600, source }, power: { value: joules / seconds, source } };
}

/** The sum of all epochs; one that is unknown makes it unknown. */
function overAll(epochs: readonly EpochHardware[], part: Part, open: Readonly<Record<Part, unknown>>): EnergyReadings {
  const first = epochs[0]?.[part];
  if (first === undefined) return unknown(typeof open[part] === "string" ? open[part] : "no epoch was done");
  const gap = epochs.find((epoch) => epoch[part].energy.value === null)?.[part];
  if (gap) return gap;
  const joules = epochs.reduce((sum, epoch) => sum + 3600 * epoch[part].energy.value!, 0);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  return measured(joules, seconds, first.energy.source.replace(/^measured: /, ""));
}
