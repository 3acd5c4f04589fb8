/** The meters that Node can read; see `PlatformMeters`, whose docstrings hold for the functions here. */
import { openNvidiaSmi } from "./nvidiaSmi.node.ts";
import type { EnergyMeter, PlatformMeters } from "./platform.ts";
import { openRapl } from "./rapl.node.ts";

export async function openProcessorMeter(): Promise<EnergyMeter | string> {
  return openRapl();
}

export async function openGpuMeter(adapterName: string): Promise<EnergyMeter | string> {
  return openNvidiaSmi(adapterName);
}

export function peakResidentBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

// Compile-time proof that this file shows the whole face.
void ({ openProcessorMeter, openGpuMeter, peakResidentBytes } satisfies PlatformMeters);
