/** Dropout layers: they drop in training and do nothing otherwise. */
import { OptionError } from "../../errors.ts";
import { dropout as drop, spatialDropout } from "../../kernels/index.ts";
import { configOf, expectRank, type Layer } from "../layer.ts";

function dropping(kind: string, rate: number, options: { readonly name?: string }, apply: typeof drop): Layer {
  return {
    kind,
    name: options.name,
    config: configOf({ rate, ...options }),
    children: [],
    build(input, builder) {
      if (!(rate >= 0 && rate < 1)) {
        throw new OptionError({ where: kind, expected: "a rate in [0, 1)", got: String(rate) });
      }
      const layer = builder.layerNumber();
      return {
        output: input,
        call: (x, { training, random }) => (training && rate > 0 ? apply(x, rate, random(layer)) : x),
      };
    },
  };
}

/** Zeroes each value with probability `rate` (0 ≤ rate < 1) while training and scales the others by 1 / (1 − rate). */
export function dropout(rate: number, options: { readonly name?: string } = {}): Layer {
  return dropping("dropout", rate, options, drop);
}

/** Dropout of whole channels of an image, `[height, width, channels]` (Tompson et al. 2015). */
export function spatialDropout2d(rate: number, options: { readonly name?: string } = {}): Layer {
  const layer = dropping("spatialDropout2d", rate, options, spatialDropout);
  return {
    ...layer,
    build(input, builder) {
      expectRank("spatialDropout2d", input, 3, "[height, width, channels]");
      return layer.build(input, builder);
    },
  };
}
