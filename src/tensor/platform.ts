/**
 * What differs between Node and a page, and nothing else: how an adapter is found and how one waits for it.
 * `package.json` maps `#gpu` to `gpu.node.ts` or `gpu.browser.ts`; both export exactly these functions.
 */

import type { MatrixShape } from "./matrixUnit.ts";

/** A software adapter runs kernels on the CPU; the engine chooses kernel variants and defaults by it, and says so. */
export type AdapterKind = "gpu" | "software";

/** One adapter that this machine offers. */
export interface AdapterCandidate {
  /** Human name, such as `NVIDIA H200` or `llvmpipe (Mesa 25.0.7, LLVM 15.0.6)`. */
  readonly name: string;
  readonly kind: AdapterKind;
  /** Where it comes from: `system Vulkan driver`, `@sparticuz/chromium`, `browser`. */
  readonly source: string;
  /** The driver in its own words; empty where a browser hides it. */
  readonly driver: string;
  /** Lanes of a subgroup where all subgroups have the same number; 0 where that varies or subgroups are not offered. */
  readonly subgroupSize: number;
  /** Products of small matrices that its subgroups compute together; none where it has no matrix units. */
  readonly matrixShapes: readonly MatrixShape[];
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Why this adapter is chosen only by name, such as a driver too old; absent on a sound one. */
  readonly unfit?: string;
}

/** An adapter ready to give a device, and why it was chosen. */
export interface ChosenAdapter extends AdapterCandidate {
  readonly adapter: GPUAdapter;
  /** One clause, such as `the only GPU here` or `asked for as "swiftshader"`. */
  readonly reason: string;
}

export interface AdapterOptions {
  /**
   * `gpu`, `software`, `lavapipe`, `swiftshader`, or part of an adapter's name, whatever the case.
   * Default: `TRAMA_ADAPTER` in Node, else the best there is.
   */
  readonly adapter?: string;
}

/** The face that both platform files show. */
export interface Platform {
  /** The best adapter, or the one asked for by name. Throws `DeviceError` that lists what there is and what to install. */
  chooseAdapter(options?: AdapterOptions): Promise<ChosenAdapter>;
  /** Every adapter of this machine, best first, for `trama doctor`. */
  listAdapters(): Promise<readonly AdapterCandidate[]>;
  /** What to install or change to get a better adapter than these, one imperative sentence each; none when all is well. */
  adviseOn(candidates: readonly AdapterCandidate[]): readonly string[];
  /**
   * Awaits `promise`. On a software adapter in Node the thread is parked between polls, because Dawn's binding
   * otherwise spins on a core that the adapter needs.
   */
  waitFor<T>(promise: Promise<T>, kind: AdapterKind): Promise<T>;
}
