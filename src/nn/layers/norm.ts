/** Normalisation layers. */
import { OptionError } from "../../errors.ts";
import { batchNorm as normalise, batchNormInference, layerNorm as normaliseLines } from "../../kernels/index.ts";
import { formatShape, sizeOf, type Shape, type Tensor } from "../../tensor/index.ts";
import { configOf, type Layer, type LayerBuilder } from "../layer.ts";

export interface NormOptions {
  /** Added to the variance. Default: 1e-3 (Keras); PyTorch's is 1e-5. */
  readonly epsilon?: number;
  /** Whether to learn a shift, `beta`. Default: true. */
  readonly center?: boolean;
  /** Whether to learn a scale, `gamma`. Default: true. */
  readonly scale?: boolean;
  readonly name?: string;
}

export interface BatchNormOptions extends NormOptions {
  /** Share of the moving statistics that a step keeps. Default: 0.99 (Keras); PyTorch's momentum 0.1 is 0.9 here. */
  readonly momentum?: number;
  /** Whether `moving_variance` follows Σ (x − μ)² / (n − 1) (PyTorch) instead of / n (Keras). Default: false. */
  readonly unbiased?: boolean;
}

/** The learnt scale and shift, or ones and zeros in their place. */
function affine(builder: LayerBuilder, shape: Shape, { scale = true, center = true }: NormOptions) {
  const gamma = scale ? builder.parameter("gamma", shape, "ones") : null;
  const beta = center ? builder.parameter("beta", shape, "zeros") : null;
  const filled = ({ device }: Tensor, value: number) =>
    device.tensor(new Float32Array(sizeOf(shape)).fill(value), shape);
  return {
    scaleFor: (x: Tensor) => gamma?.tensor ?? filled(x, 1),
    shiftFor: (x: Tensor) => beta?.tensor ?? filled(x, 0),
  };
}

/**
 * Batch normalisation of each channel (the last axis): by the batch's own statistics in training, by `moving_mean` and
 * `moving_variance` in inference, and in training too while `moving_mean` is frozen. Parameters: `gamma`, `beta`,
 * `moving_mean`, `moving_variance`, `[channels]` each.
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  const { epsilon = 1e-3, momentum = 0.99, unbiased = false, name } = options;
  return {
    kind: "batchNorm",
    name,
    config: configOf({ ...options }),
    children: [],
    build(input, builder) {
      const shape = input.slice(-1);
      const { scaleFor, shiftFor } = affine(builder, shape, options);
      const mean = builder.parameter("moving_mean", shape, "zeros", false);
      const variance = builder.parameter("moving_variance", shape, "ones", false);
      return {
        output: input,
        flops: 2 * sizeOf(input),
        call(x, { training }) {
          const [scale, shift] = [scaleFor(x), shiftFor(x)];
          const statistics = { mean: mean.tensor, variance: variance.tensor };
          if (!training || mean.frozen) return batchNormInference(x, scale, shift, statistics, { epsilon });
          return normalise(x, scale, shift, { epsilon, moving: { ...statistics, momentum, unbiased } });
        },
      };
    },
  };
}

export interface LayerNormOptions extends NormOptions {
  /** How many of the last axes make up a line. Default: 1. */
  readonly axes?: number;
}

/** Layer normalisation of each input over its last axes. Parameters: `gamma` and `beta`, of the shape of those axes. */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  const { epsilon = 1e-3, axes = 1, name } = options;
  return {
    kind: "layerNorm",
    name,
    config: configOf({ ...options }),
    children: [],
    build(input, builder) {
      if (!Number.isInteger(axes) || axes < 1 || axes > input.length) {
        const expected = `from 1 to ${input.length} axes of an input ${formatShape(input)}`;
        throw new OptionError({ where: "layerNorm", expected, got: String(axes) });
      }
      const { scaleFor, shiftFor } = affine(builder, input.slice(-axes), options);
      return {
        output: input,
        flops: 8 * sizeOf(input),
        call: (x) => normaliseLines(x, scaleFor(x), shiftFor(x), { epsilon }),
      };
    },
  };
}
