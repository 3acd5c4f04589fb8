/** A page may not know what it costs; see `PlatformMeters`. */
import type { PlatformMeters } from "./platform.ts";

export async function openProcessorMeter(): Promise<string> {
  return "a page cannot read the meters of its machine";
}

export async function openGpuMeter(): Promise<string> {
  return openProcessorMeter();
}

export function peakResidentBytes(): null {
  return null;
}

// Compile-time proof that this file shows the whole face.
void ({ openProcessorMeter, openGpuMeter, peakResidentBytes } satisfies PlatformMeters);
