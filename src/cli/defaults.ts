/** How much `trama train` does when it is not told: enough to learn well, and no more than a coffee's time. */
import type { Device } from "../tensor/index.ts";

export interface TrainingSize {
  /** Training images to take, validation included; all that there are when undefined. */
  readonly images?: number;
  readonly epochs: number;
  /** Why less is done than on a better adapter, in a sentence. */
  readonly reduced?: string;
}

/** Seconds measured for an epoch of all images on two cores: lavapipe about 20, SwiftShader about 300. */
export function defaultSize({ isSoftware, name }: Device): TrainingSize {
  if (!isSoftware) return { epochs: 12 };
  if (/llvmpipe|lavapipe/i.test(name)) return { epochs: 5 };
  const reduced = "this adapter is about ten times slower than lavapipe: `trama doctor` says how to get a faster one";
  return { images: 6_000, epochs: 3, reduced };
}
