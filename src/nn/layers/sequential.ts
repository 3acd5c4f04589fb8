/** Layers one after the other. */
import type { Shape } from "../../tensor/index.ts";
import { configOf, type BuiltStep, type Layer } from "../layer.ts";

/** The output of each layer is the input of the next. Itself a layer, so that blocks nest. */
export function sequential(layers: readonly Layer[], options: { readonly name?: string } = {}): Layer {
  return {
    kind: "sequential",
    name: options.name,
    config: configOf({ ...options }),
    children: layers,
    build(input, builder) {
      const built: BuiltStep[] = [];
      let shape: Shape = input;
      for (const layer of layers) {
        const next = builder.build(layer, shape);
        built.push(next);
        shape = next.output;
      }
      return {
        output: shape,
        call: (x, context) => built.reduce((value, { call }) => call(value, context), x),
        steps: built.flatMap((step) => step.steps ?? [step]),
      };
    },
  };
}
