/** The other engines, started by name. Libraries are loaded only when they are asked for. */
import type { AdapterOptions, Device } from "../../src/tensor/index.ts";
import { BASELINE, type Engine, type PeerName } from "../engine.ts";
import { jaxEngine, type Jax } from "./jax.ts";
import { ortEngine, type Ort } from "./ort.ts";
import { tfjsEngine, type Tfjs } from "./tfjs.ts";
import type { Trama } from "./trama.ts";

/** A library that could not start: it stays in the table, with what it said. */
export interface Absent extends Engine {
  readonly library: "absent";
  readonly reason: Error;
}

/** Trama itself, as what a case in half precision is measured against. */
export interface Baseline extends Engine {
  readonly library: "trama";
}

export type Peer = Tfjs | Ort | Jax | Baseline | Absent;

export async function startPeer(name: PeerName, device: Device, options: AdapterOptions): Promise<Peer> {
  try {
    switch (name) {
      case "tfjs-webgpu":
      case "tfjs-wasm":
        return await tfjsEngine(name, device, options);
      case "onnxruntime-web":
      case "onnxruntime-webgpu":
        return await ortEngine(name, device, options);
      case "jax-js":
        return await jaxEngine(device, options);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause : new Error(String(cause));
    return { library: "absent", reason, name, version: "–", enter: idle, sync: idle };
  }
}

const idle = async (): Promise<void> => undefined;

export function baselineOf({ version, enter, sync }: Trama): Baseline {
  return { library: "trama", name: BASELINE, version, enter, sync };
}
