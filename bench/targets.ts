/** What we aim at, by kind of adapter. A target that is missed stays in the table as missed. */
import type { Device } from "../src/tensor/index.ts";
import { BASELINE, type RivalName } from "./engine.ts";

export type AdapterClass = "lavapipe" | "swiftshader" | "gpu";

export function adapterClass({ isSoftware, name }: Device): AdapterClass {
  if (!isSoftware) return "gpu";
  return /swiftshader/i.test(name) ? "swiftshader" : "lavapipe";
}

export type Goal =
  | "convNetStep"
  | "mlpStep"
  | "prediction"
  | "mixedStep"
  | "zoo"
  | "matmul"
  | "convolution"
  | "convolutionForward"
  | "filterGradient"
  | "batchNorm"
  | "largeBatchNorm"
  | "light"
  | "largeMatmul"
  | "largeHalfMatmul"
  | "largeLight";

export type Target =
  /** So many times faster than the peer. */
  | { readonly kind: "ratio"; readonly peer: RivalName; readonly least: number }
  /** So many GFLOP/s. */
  | { readonly kind: "gflops"; readonly least: number }
  /** This share of the bandwidth of a plain copy. */
  | { readonly kind: "bandwidth"; readonly least: number };

const webgpu = (least: number): Target => ({ kind: "ratio", peer: "tfjs-webgpu", least });
const wasm = (least: number): Target => ({ kind: "ratio", peer: "tfjs-wasm", least });

const jax = (least: number): Target => ({ kind: "ratio", peer: "jax-js", least });
const fullPrecision = (least: number): Target => ({ kind: "ratio", peer: BASELINE, least });
const ofCopying = (least: number): Target => ({ kind: "bandwidth", least });

const TARGETS: Readonly<Record<Goal, Readonly<Record<AdapterClass, readonly Target[]>>>> = {
  convNetStep: { lavapipe: [webgpu(25), jax(10)], swiftshader: [webgpu(18)], gpu: [webgpu(10)] },
  mlpStep: { lavapipe: [webgpu(8), wasm(4)], swiftshader: [webgpu(10)], gpu: [webgpu(10)] },
  mixedStep: { lavapipe: [], swiftshader: [], gpu: [fullPrecision(1.3)] },
  prediction: { lavapipe: [webgpu(15), wasm(1)], swiftshader: [webgpu(10)], gpu: [webgpu(5)] },
  zoo: { lavapipe: [webgpu(6)], swiftshader: [], gpu: [] },
  matmul: { lavapipe: [webgpu(9), wasm(1.2)], swiftshader: [webgpu(10)], gpu: [] },
  largeMatmul: { lavapipe: [], swiftshader: [], gpu: [{ kind: "gflops", least: 30_000 }] },
  largeHalfMatmul: { lavapipe: [], swiftshader: [], gpu: [{ kind: "gflops", least: 150_000 }] },
  convolution: { lavapipe: [webgpu(8)], swiftshader: [webgpu(9)], gpu: [webgpu(4)] },
  convolutionForward: { lavapipe: [webgpu(8), wasm(1)], swiftshader: [webgpu(9)], gpu: [webgpu(4)] },
  filterGradient: { lavapipe: [webgpu(40)], swiftshader: [webgpu(40)], gpu: [webgpu(20)] },
  batchNorm: { lavapipe: [webgpu(40)], swiftshader: [webgpu(40)], gpu: [] },
  largeBatchNorm: { lavapipe: [], swiftshader: [], gpu: [ofCopying(0.8)] },
  light: { lavapipe: [webgpu(6)], swiftshader: [webgpu(9)], gpu: [] },
  largeLight: { lavapipe: [], swiftshader: [], gpu: [ofCopying(0.7)] },
};

export function targetsOf(goal: Goal | undefined, adapter: AdapterClass): readonly Target[] {
  return goal ? TARGETS[goal][adapter] : [];
}

/** First training step, compile included, and peak GPU memory: at most this share of tfjs-webgpu's. */
export const MOST_OF_PEER = 0.5;
