/** Convolution layers that keep channels apart: depthwise, and separable, which mixes them one pixel at a time after that. */
import { conv2d, depthwiseConv2d as convolve, windowGeometry } from "../../kernels/index.ts";
import type { Pair } from "../../kernels/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { configOf, expectActivation, expectCount, expectRank, type Layer, type LayerBuilder } from "../layer.ts";
import type { Parameter } from "../layer.ts";
import type { ConvLayerOptions } from "./conv2d.ts";

export interface DepthwiseConv2dOptions extends ConvLayerOptions {
  /** Filters of each channel. Default: 1. */
  readonly multiplier?: number;
}

/** Declares the depthwise filters, and says what comes out of them. */
function depthwiseFilters(
  kind: string,
  input: readonly number[],
  builder: LayerBuilder,
  size: Pair,
  options: DepthwiseConv2dOptions,
): { kernel: Parameter; output: readonly [number, number, number]; flops: number } {
  const { multiplier = 1, initialiser = "glorotUniform", stride = 1, padding = "valid", dilation = 1 } = options;
  expectRank(kind, input, 3, "[height, width, channels]");
  expectActivation(kind, options.activation);
  expectCount(kind, "filters a channel", multiplier);
  const [vertical, horizontal] = windowGeometry(kind, [1, ...input], size, { stride, padding, dilation });
  const window = vertical.kernel * horizontal.kernel;
  const shape = [vertical.kernel, horizontal.kernel, input[2]!, multiplier];
  const fans = { fanIn: window, fanOut: window * multiplier };
  const kernel = builder.parameter("depthwise_kernel", shape, initialiser, true, fans);
  const flops = 2 * vertical.output * horizontal.output * sizeOf(shape);
  return { kernel, output: [vertical.output, horizontal.output, input[2]! * multiplier], flops };
}

/**
 * `[height, width, in]` → `[height′, width′, in · multiplier]`, with filters of `size` for each channel.
 * Parameters: `depthwise_kernel` `[size, size, in, multiplier]` and `bias` `[in · multiplier]`.
 */
export function depthwiseConv2d(size: Pair, options: DepthwiseConv2dOptions = {}): Layer {
  const { activation, bias = true, name, stride = 1, padding = "valid", dilation = 1 } = options;
  return {
    kind: "depthwiseConv2d",
    name,
    config: configOf({ size, ...options }),
    children: [],
    build(input, builder) {
      const { kernel, output, flops } = depthwiseFilters("depthwiseConv2d", input, builder, size, options);
      const shift = bias ? builder.parameter("bias", output.slice(2), "zeros") : null;
      const finish = { ...(activation && { activation }) };
      return {
        output,
        flops,
        call: (x) =>
          convolve(x, kernel.tensor, { stride, padding, dilation, ...(shift && { bias: shift.tensor }), ...finish }),
      };
    },
  };
}

/**
 * `[height, width, in]` → `[height′, width′, filters]`: a depthwise convolution of `size`, then one of a single pixel across
 * channels, with bias and activation. Parameters: `depthwise_kernel` `[size, size, in, multiplier]`, `pointwise_kernel`
 * `[1, 1, in · multiplier, filters]` and `bias` `[filters]`.
 */
export function separableConv2d(filters: number, size: Pair, options: DepthwiseConv2dOptions = {}): Layer {
  const { activation, bias = true, initialiser = "glorotUniform", name } = options;
  const { stride = 1, padding = "valid", dilation = 1 } = options;
  return {
    kind: "separableConv2d",
    name,
    config: configOf({ filters, size, ...options }),
    children: [],
    build(input, builder) {
      expectCount("separableConv2d", "filters", filters);
      const depthwise = depthwiseFilters("separableConv2d", input, builder, size, options);
      const [height, width, channels] = depthwise.output;
      const pointwise = builder.parameter("pointwise_kernel", [1, 1, channels, filters], initialiser);
      const shift = bias ? builder.parameter("bias", [filters], "zeros") : null;
      const finish = { ...(activation && { activation }) };
      return {
        output: [height, width, filters],
        flops: depthwise.flops + 2 * height * width * channels * filters,
        call: (x) =>
          conv2d(convolve(x, depthwise.kernel.tensor, { stride, padding, dilation }), pointwise.tensor, {
            ...(shift && { bias: shift.tensor }),
            ...finish,
          }),
      };
    },
  };
}
