/** Two-dimensional convolution layer over NHWC images. */
import { checkGroups, conv2d as convolve, windowGeometry, type FusedActivation } from "../../kernels/index.ts";
import type { PaddingOption, Pair } from "../../kernels/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { Initialiser } from "../initialisers.ts";
import { configOf, expectActivation, expectCount, expectRank, type Layer } from "../layer.ts";

/** What every convolution layer may be told. */
export interface ConvLayerOptions {
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

export interface Conv2dOptions extends ConvLayerOptions {
  /** Parts of the channels that are convolved apart; divides `in` and `filters`. Default: 1. */
  readonly groups?: number;
}

/**
 * `[height, width, in]` → `[height′, width′, filters]`, with filters of `size` (a number or `[height, width]`).
 * Parameters: `kernel` `[size, size, in / groups, filters]` and `bias` `[filters]`.
 */
export function conv2d(filters: number, size: Pair, options: Conv2dOptions = {}): Layer {
  const { activation, bias = true, initialiser = "glorotUniform", name } = options;
  const { stride = 1, padding = "valid", dilation = 1, groups = 1 } = options;
  return {
    kind: "conv2d",
    name,
    config: configOf({ filters, size, ...options }),
    children: [],
    build(input, builder) {
      expectRank("conv2d", input, 3, "[height, width, channels]");
      expectActivation("conv2d", activation);
      expectCount("conv2d", "filters", filters);
      checkGroups("conv2d", groups, input[2]!);
      checkGroups("conv2d", groups, filters);
      const [vertical, horizontal] = windowGeometry("conv2d", [1, ...input], size, { stride, padding, dilation });
      const window = vertical.kernel * horizontal.kernel;
      const shape = [vertical.kernel, horizontal.kernel, input[2]! / groups, filters];
      const fans = { fanIn: (window * input[2]!) / groups, fanOut: (window * filters) / groups };
      const kernel = builder.parameter("kernel", shape, initialiser, true, fans);
      const shift = bias ? builder.parameter("bias", [filters], "zeros") : null;
      return {
        output: [vertical.output, horizontal.output, filters],
        flops: 2 * vertical.output * horizontal.output * sizeOf(shape),
        call: (x) =>
          convolve(x, kernel.tensor, {
            stride,
            padding,
            dilation,
            groups,
            ...(shift && { bias: shift.tensor }),
            ...(activation && { activation }),
          }),
      };
    },
  };
}
