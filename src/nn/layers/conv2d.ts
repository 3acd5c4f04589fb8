/** Two-dimensional convolution layer over NHWC images. */
import { OptionError } from "../../errors.ts";
import {
  conv2d as convolve,
  windowGeometry,
  type FusedActivation,
  type PaddingOption,
  type Pair,
} from "../../kernels/index.ts";
import type { Initialiser } from "../initialisers.ts";
import { configOf, expectActivation, expectRank, type Layer } from "../layer.ts";

export interface Conv2dOptions {
  /** Default: 1. */
  readonly stride?: Pair;
  /** Default: `valid`. */
  readonly padding?: PaddingOption;
  /** Default: 1. */
  readonly dilation?: Pair;
  /** Applied to the result. Default: none. */
  readonly activation?: FusedActivation;
  /** Default: true. */
  readonly bias?: boolean;
  /** Of the filters; the bias begins at zero. Default: `glorotUniform`. */
  readonly initialiser?: Initialiser;
  readonly name?: string;
}

/**
 * `[height, width, in]` → `[height′, width′, filters]`, with filters of `size` (a number or `[height, width]`).
 * Parameters: `kernel` `[size, size, in, filters]` and `bias` `[filters]`.
 */
export function conv2d(filters: number, size: Pair, options: Conv2dOptions = {}): Layer {
  const {
    activation,
    bias = true,
    initialiser = "glorotUniform",
    name,
    stride = 1,
    padding = "valid",
    dilation = 1,
  } = options;
  return {
    kind: "conv2d",
    name,
    config: configOf({ filters, size, ...options }),
    children: [],
    build(input, builder) {
      expectRank("conv2d", input, 3, "[height, width, channels]");
      expectActivation("conv2d", activation);
      if (!Number.isInteger(filters) || filters < 1) {
        throw new OptionError({
          where: "conv2d",
          expected: "a positive whole number of filters",
          got: String(filters),
        });
      }
      const [vertical, horizontal] = windowGeometry("conv2d", [1, ...input], size, { stride, padding, dilation });
      const shape = [vertical.kernel, horizontal.kernel, input[2]!, filters];
      const kernel = builder.parameter("kernel", shape, initialiser);
      const shift = bias ? builder.parameter("bias", [filters], "zeros") : null;
      const output = [vertical.output, horizontal.output, filters];
      return {
        output,
        flops: 2 * vertical.output * horizontal.output * shape.reduce((product, extent) => product * extent, 1),
        call: (x) =>
          convolve(x, kernel.tensor, {
            stride,
            padding,
            dilation,
            ...(shift ? { bias: shift.tensor } : {}),
            ...(activation ? { activation } : {}),
          }),
      };
    },
  };
}
