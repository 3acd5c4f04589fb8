/** A case of the bench: one computation, described for Trama and for every peer that offers it. */
import { sizeOf, type Shape, type Tensor } from "../src/tensor/index.ts";
import type { Loaded } from "./engine.ts";
import { jaxGradients, loadJaxOp, type Jax, type JaxApi, type JaxArray } from "./engines/jax.ts";
import type { OnnxGraph, Value } from "./engines/onnxModel.ts";
import { loadOrtOp, type Ort } from "./engines/ort.ts";
import type { Peer } from "./engines/peers.ts";
import { flattened, type Results } from "./engines/results.ts";
import { loadTfjsOp, tfjsGradients, type Tf, type Tfjs, type TfTensor } from "./engines/tfjs.ts";
import { loadOp, withGradients, type Trama } from "./engines/trama.ts";
import { inputValues, type InputSpec } from "./inputs.ts";
import type { Layout } from "./layout.ts";
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
  /** What the adapter must offer for Trama to run it. Default: nothing. */
  readonly needs?: "shader-f16";
  /** Greatest difference between two engines' results, as a share of the greatest value. Default: 1e-4. */
  readonly tolerance?: number;
  /** What of the results must agree where engines draw random numbers of their own. Default: every element. */
  readonly summary?: (values: ArrayLike<number>) => ArrayLike<number>;
}

/** How peers do it; one that is left out does not offer it. `trama` lends initial values to networks. */
export interface PeerLoaders {
  readonly tfjs?: (engine: Tfjs, trama: Trama) => Promise<Loaded>;
  readonly ort?: (engine: Ort, trama: Trama) => Promise<Loaded>;
  readonly jax?: (engine: Jax, trama: Trama) => Promise<Loaded>;
  /** Trama itself in full precision, beside half precision. */
  readonly baseline?: (trama: Trama) => Promise<Loaded>;
}

export interface Case extends CaseFacts {
  readonly trama: (engine: Trama) => Promise<Loaded>;
  readonly peers: PeerLoaders;
}

export interface Suite {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** The case as a peer does it; null where the peer does not offer it. Throws why a peer that could not start is absent. */
export function loadPeer({ peers }: Case, peer: Peer, trama: Trama): Promise<Loaded> | null {
  switch (peer.library) {
    case "tfjs":
      return peers.tfjs?.(peer, trama) ?? null;
    case "ort":
      return peers.ort?.(peer, trama) ?? null;
    case "jax":
      return peers.jax?.(peer, trama) ?? null;
    case "trama":
      return peers.baseline?.(trama) ?? null;
    case "absent":
      return Promise.reject(peer.reason);
  }
}

/** An operation in the words of every engine that has it, over the same inputs. */
export interface OpSpec extends CaseFacts {
  readonly inputs: readonly InputSpec[];
  /** Of the results, for libraries that order axes in another way. */
  readonly layouts?: readonly (Layout | undefined)[];
  readonly trama: (...inputs: Tensor[]) => Results<Tensor>;
  readonly tfjs?: (tf: Tf, ...inputs: TfTensor[]) => Results<TfTensor>;
  readonly ort?: (graph: OnnxGraph, ...inputs: Value[]) => Results<Value>;
  readonly jax?: (jax: JaxApi, ...inputs: JaxArray[]) => Results<JaxArray>;
}

export function opCase({ inputs, layouts = [], trama, tfjs, ort, jax, ...facts }: OpSpec): Case {
  const made = () => inputs.map(inputValues);
  return {
    ...facts,
    trama: async ({ device }) => loadOp(device, made(), trama),
    peers: {
      ...(tfjs && { tfjs: async (engine) => loadTfjsOp(engine, made(), tfjs) }),
      ...(ort && { ort: async (engine) => loadOrtOp(engine, made(), { specs: inputs, layouts, op: ort }) }),
      ...(jax && { jax: async (engine) => loadJaxOp(engine, made(), { specs: inputs, layouts, op: jax }) }),
    },
  };
}

/** What a gradient needs beside the operation. */
export interface GradientFacts extends Partial<CaseFacts> {
  /** Shape of the operation's result, and so of the gradient that comes in. */
  readonly result: Shape;
  /** How many inputs, from the first on, get a gradient. Default: 1. */
  readonly variables?: number;
}

/** The operation and its gradient, as training runs both. Of the peers, onnxruntime-web knows no gradients. */
export function gradientCase(forward: OpSpec, { result, variables = 1, ...facts }: GradientFacts): Case {
  const { ort: _, name, inputs, layouts = [], trama, tfjs, jax, ...rest } = forward;
  const [layout] = layouts;
  const last = inputs.length;
  return opCase({
    ...rest,
    name: `${name} + gradient`,
    ...facts,
    inputs: [...inputs, { shape: result, ...(layout && { layout }) }],
    layouts: [layout, ...inputs.slice(0, variables).map((input) => input.layout)],
    trama: (...given) =>
      withGradients(() => single(trama(...given.slice(0, last))), given.slice(0, variables), given[last]!),
    ...(tfjs && {
      tfjs: (tf, ...given) => {
        const [learnt, rest_] = [given.slice(0, variables), given.slice(variables, last)];
        return tfjsGradients(tf, (...x) => single(tfjs(tf, ...x, ...rest_)), learnt, given[last]!);
      },
    }),
    ...(jax && {
      jax: (api, ...given) => {
        const [learnt, rest_] = [given.slice(0, variables), given.slice(variables, last)];
        return jaxGradients(api, (...x) => single(jax(api, ...x, ...rest_)), learnt, given[last]!);
      },
    }),
  });
}

function single<T>(results: Results<T>): T {
  const [first, ...others] = flattened(results);
  if (first === undefined || others.length > 0) throw new Error("a gradient is that of one result");
  return first;
}

/** Bytes of f32 tensors of these shapes. */
export function bytesOf(...shapes: readonly (readonly number[])[]): number {
  return shapes.reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
}
