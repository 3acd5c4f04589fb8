/** Pooling layers over NHWC images. */
import {
  averagePool2d as average,
  globalAveragePool2d as globalAverage,
  globalMaxPool2d as globalMaximum,
  maxPool2d as maximum,
  windowGeometry,
} from "../../kernels/index.ts";
import type { AveragePoolOptions, PaddingOption, Pair, PoolOptions } from "../../kernels/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { configOf, expectRank, type Layer } from "../layer.ts";

export interface PoolLayerOptions {
  /** Default: the window size. */
  readonly stride?: Pair;
  /** Default: `valid`. */
  readonly padding?: PaddingOption;
  /** Whether a last window may be cut at the edge, as in PyTorch. Default: false. */
  readonly ceilMode?: boolean;
  readonly name?: string;
}

function pooling(
  kind: string,
  size: Pair,
  options: PoolLayerOptions & { readonly countPadding?: boolean },
  pool: (x: Tensor, options: AveragePoolOptions & PoolOptions) => Tensor,
): Layer {
  const { stride = size, padding = "valid", ceilMode = false, countPadding = false, name } = options;
  return {
    kind,
    name,
    config: configOf({ size, ...options }),
    children: [],
    build(input) {
      expectRank(kind, input, 3, "[height, width, channels]");
      const [vertical, horizontal] = windowGeometry(kind, [1, ...input], size, { stride, padding, ceilMode });
      return {
        output: [vertical.output, horizontal.output, input[2]!],
        call: (x) => pool(x, { size, stride, padding, ceilMode, countPadding }),
      };
    },
  };
}

/** Greatest value of each window of `size` (a number or `[height, width]`): `[h, w, c]` → `[h′, w′, c]`. */
export function maxPool2d(size: Pair, options: PoolLayerOptions = {}): Layer {
  return pooling("maxPool2d", size, options, maximum);
}

/** Mean of each window of `size`. `countPadding`: whether padding counts as zeros (default: not at all). */
export function averagePool2d(size: Pair, options: PoolLayerOptions & { readonly countPadding?: boolean } = {}): Layer {
  return pooling("averagePool2d", size, options, average);
}

function globalPooling(kind: string, options: { readonly name?: string }, pool: (x: Tensor) => Tensor): Layer {
  return {
    kind,
    name: options.name,
    config: configOf({ ...options }),
    children: [],
    build(input) {
      expectRank(kind, input, 3, "[height, width, channels]");
      return { output: [input[2]!], call: pool };
    },
  };
}

/** Greatest value over all pixels: `[height, width, channels]` → `[channels]`. */
export function globalMaxPool2d(options: { readonly name?: string } = {}): Layer {
  return globalPooling("globalMaxPool2d", options, globalMaximum);
}

/** Mean over all pixels: `[height, width, channels]` → `[channels]`. */
export function globalAveragePool2d(options: { readonly name?: string } = {}): Layer {
  return globalPooling("globalAveragePool2d", options, globalAverage);
}
