/** Transposed convolution layer over NHWC images: learnt up-sampling. */
import { transposedConv2d as convolve, transposedGeometry, type TransposedOptions } from "../../kernels/index.ts";
import type { Pair } from "../../kernels/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { configOf, expectActivation, expectCount, expectRank, type Layer } from "../layer.ts";
import type { ConvLayerOptions } from "./conv2d.ts";

export interface TransposedConv2dOptions extends ConvLayerOptions {
  /** With explicit padding: rows and columns added at the bottom and right. Default: 0. */
  readonly outputPadding?: NonNullable<TransposedOptions["outputPadding"]>;
}

/**
 * `[height, width, in]` → `[height · stride, width · stride, filters]` with `same` padding; see the operation of this name for
 * the other sizes. Parameters: `kernel` `[size, size, filters, in]` and `bias` `[filters]`.
 */
export function transposedConv2d(filters: number, size: Pair, options: TransposedConv2dOptions = {}): Layer {
  const { activation, bias = true, initialiser = "glorotUniform", name } = options;
  const { stride = 1, padding = "valid", dilation = 1, outputPadding } = options;
  const window = { stride, padding, dilation, ...(outputPadding !== undefined && { outputPadding }) };
  return {
    kind: "transposedConv2d",
    name,
    config: configOf({ filters, size, ...options }),
    children: [],
    build(input, builder) {
      expectRank("transposedConv2d", input, 3, "[height, width, channels]");
      expectActivation("transposedConv2d", activation);
      expectCount("transposedConv2d", "filters", filters);
      const [vertical, horizontal] = transposedGeometry("transposedConv2d", [1, ...input], size, window);
      const taps = vertical.kernel * horizontal.kernel;
      const shape = [vertical.kernel, horizontal.kernel, filters, input[2]!];
      const fans = { fanIn: taps * input[2]!, fanOut: taps * filters };
      const kernel = builder.parameter("kernel", shape, initialiser, true, fans);
      const shift = bias ? builder.parameter("bias", [filters], "zeros") : null;
      return {
        output: [vertical.input, horizontal.input, filters],
        flops: 2 * vertical.output * horizontal.output * sizeOf(shape),
        call: (x) =>
          convolve(x, kernel.tensor, {
            ...window,
            ...(shift && { bias: shift.tensor }),
            ...(activation && { activation }),
          }),
      };
    },
  };
}
