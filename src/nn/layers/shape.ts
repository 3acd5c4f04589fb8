/** Layers that change nothing but the shape. */
import { reshape } from "../../kernels/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { configOf, type Layer } from "../layer.ts";

/** Any shape → `[features]`. */
export function flatten(options: { readonly name?: string } = {}): Layer {
  return {
    kind: "flatten",
    name: options.name,
    config: configOf({ ...options }),
    children: [],
    build(input) {
      const output = [sizeOf(input)];
      return { output, call: (x) => reshape(x, [x.shape[0]!, ...output]) };
    },
  };
}
