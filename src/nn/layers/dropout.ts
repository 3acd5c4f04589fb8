/** Dropout layer: drops in training, does nothing otherwise. */
import { OptionError } from "../../errors.ts";
import { dropout as drop } from "../../kernels/index.ts";
import { configOf, type Layer } from "../layer.ts";

/** Zeroes each value with probability `rate` (0 ≤ rate < 1) while training and scales the others by 1 / (1 − rate). */
export function dropout(rate: number, options: { readonly name?: string } = {}): Layer {
  return {
    kind: "dropout",
    name: options.name,
    config: configOf({ rate, ...options }),
    children: [],
    build(input, builder) {
      if (!(rate >= 0 && rate < 1)) {
        throw new OptionError({ where: "dropout", expected: "a rate in [0, 1)", got: String(rate) });
      }
      const layer = builder.layerNumber();
      return {
        output: input,
        call: (x, { training, random }) => (training && rate > 0 ? drop(x, rate, random(layer)) : x),
      };
    },
  };
}
