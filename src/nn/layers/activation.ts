/** Activations as layers of their own. */
import { OptionError } from "../../errors.ts";
import { gelu, relu, relu6, sigmoid, silu, softmax, softplus, tanh } from "../../kernels/index.ts";
import { configOf, type Layer } from "../layer.ts";

const functions = { relu, relu6, sigmoid, tanh, softplus, silu, gelu, softmax } as const;

export type ActivationName = keyof typeof functions;

/** Applies a function element by element (`softmax`: along the last axis). */
export function activation(kind: ActivationName, options: { readonly name?: string } = {}): Layer {
  const apply = Object.hasOwn(functions, kind) ? functions[kind] : undefined;
  if (!apply) {
    throw new OptionError({ where: "activation", expected: `one of ${Object.keys(functions).join(", ")}`, got: kind });
  }
  return {
    kind: "activation",
    name: options.name ?? kind,
    config: configOf({ kind, ...options }),
    children: [],
    build: (input) => ({ output: input, call: (x) => apply(x) }),
  };
}
