/** A case of the bench: one computation, described for every engine. */
import { sizeOf, type Tensor } from "../src/tensor/index.ts";
import type { Loaded } from "./engine.ts";
import { loadTfjsOp, type Tf, type Tfjs, type TfTensor } from "./engines/tfjs.ts";
import { loadOp, type Trama } from "./engines/trama.ts";
import { inputValues, type InputSpec } from "./inputs.ts";
import type { Goal } from "./targets.ts";

export interface CaseFacts {
  readonly name: string;
  /** Arithmetic of one call by the textbook, whatever an engine makes of it. */
  readonly flops?: number;
  /** Bytes that one call must read and write at least; given where memory is the bound. */
  readonly bytes?: number;
  readonly goal?: Goal;
  /** Where it is run. Default: `always`; `full` is left out by `--quick`, `gpu` needs a real GPU. */
  readonly when?: "always" | "full" | "gpu";
  /** Greatest difference between two engines' results, as a share of the greatest value. Default: 1e-4. */
  readonly tolerance?: number;
}

export interface Case extends CaseFacts {
  trama(engine: Trama): Promise<Loaded>;
  /** `trama` lends initial values to networks. */
  tfjs(engine: Tfjs, trama: Trama): Promise<Loaded>;
}

export interface Suite {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** An operation in the words of both engines, over the same inputs. */
export interface OpSpec extends CaseFacts {
  readonly inputs: readonly InputSpec[];
  readonly op: (...inputs: Tensor[]) => Tensor;
  readonly peer: (tf: Tf, ...inputs: TfTensor[]) => TfTensor;
}

export function opCase({ inputs, op, peer, ...facts }: OpSpec): Case {
  const made = () => inputs.map(inputValues);
  return {
    ...facts,
    trama: async ({ device }) => loadOp(device, made(), op),
    tfjs: async (engine) => loadTfjsOp(engine, made(), peer),
  };
}

/** Bytes of f32 tensors of these shapes. */
export function bytesOf(...shapes: readonly (readonly number[])[]): number {
  return shapes.reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
}
