/**
 * What differs between Node and a page where the machine's meters are concerned, and nothing else. `package.json` maps
 * `#hardware` to `meters.node.ts` or `meters.browser.ts`; both export exactly the functions of `PlatformMeters`.
 */

/** A count of energy that only grows. */
export interface EnergyMeter {
  /** What is read, and whose energy it is: "nvidia-smi, NVIDIA H200". */
  readonly name: string;
  /** Joules since some moment in the past; or, in words, why nothing is known. */
  joules(): Promise<number | string>;
  close(): void;
}

export interface PlatformMeters {
  /** The meter of all processor packages; or, in words, why there is none. */
  openProcessorMeter(): Promise<EnergyMeter | string>;
  /** The meter of the GPU that an adapter's name means; or, in words, why there is none. */
  openGpuMeter(adapterName: string): Promise<EnergyMeter | string>;
  /** Greatest resident memory of this process so far, in bytes; null where it cannot be known. */
  peakResidentBytes(): number | null;
}
