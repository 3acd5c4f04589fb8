/** Activations as layers of their own. */
import { OptionError } from "../../errors.ts";
import {
  gelu,
  geluExact,
  leakyRelu,
  relu,
  relu6,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "../../kernels/index.ts";
import { configOf, type Layer } from "../layer.ts";

const functions = { relu, relu6, leakyRelu, sigmoid, tanh, softplus, silu, gelu, geluExact, softmax } as const;

export type ActivationName = keyof typeof functions;

export interface ActivationOptions {
  /** Of `leakyRelu`, in (0, 1]. Default: 0.01, as in PyTorch; Keras has 0.3. */
  readonly slope?: number;
  readonly name?: string;
}

/** Applies a function element by element (`softmax`: along the last axis). */
export function activation(kind: ActivationName, options: ActivationOptions = {}): Layer {
  const { slope, name = kind } = options;
  if (!Object.hasOwn(functions, kind)) {
    throw new OptionError({ where: "activation", expected: `one of ${Object.keys(functions).join(", ")}`, got: kind });
  }
  if (slope !== undefined && (kind !== "leakyRelu" || !(slope > 0 && slope <= 1))) {
    throw new OptionError({ where: kind, expected: "a slope in (0, 1], of leakyRelu only", got: String(slope) });
  }
  const apply = functions[kind];
  return {
    kind: "activation",
    name,
    config: configOf({ kind, ...options }),
    children: [],
    build: (input) => ({ output: input, call: (x) => (kind === "leakyRelu" ? leakyRelu(x, slope) : apply(x)) }),
  };
}
