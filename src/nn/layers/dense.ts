/** Fully connected layer: y = f(x·W + b). */
import { matmul, type FusedActivation } from "../../kernels/index.ts";
import type { Initialiser } from "../initialisers.ts";
import { configOf, expectActivation, expectCount, expectRank, type Layer } from "../layer.ts";

export interface DenseOptions {
  /** Applied to the result. Default: none. */
  readonly activation?: FusedActivation;
  /** Default: true. */
  readonly bias?: boolean;
  /** Of the weights; the bias begins at zero. Default: `glorotUniform`. */
  readonly initialiser?: Initialiser;
  readonly name?: string;
}

/** `[in]` → `[units]`. Parameters: `kernel` `[in, units]` and `bias` `[units]`. */
export function dense(units: number, options: DenseOptions = {}): Layer {
  const { activation, bias = true, initialiser = "glorotUniform", name } = options;
  return {
    kind: "dense",
    name,
    config: configOf({ units, ...options }),
    children: [],
    build(input, builder) {
      expectRank("dense", input, 1, "[features] (flatten images first)");
      expectActivation("dense", activation);
      expectCount("dense", "units", units);
      const kernel = builder.parameter("kernel", [input[0]!, units], initialiser);
      const shift = bias ? builder.parameter("bias", [units], "zeros") : null;
      return {
        output: [units],
        flops: 2 * input[0]! * units,
        call: (x) =>
          matmul(x, kernel.tensor, { ...(shift ? { bias: shift.tensor } : {}), ...(activation ? { activation } : {}) }),
      };
    },
  };
}
