/** Layer functions, and the table by which model files find them. */
import { FormatError } from "../../errors.ts";
import type { Json, Layer } from "../layer.ts";
import { activation } from "./activation.ts";
import { add, concat, identity, multiply } from "./combine.ts";
import { conv2d } from "./conv2d.ts";
import { dense } from "./dense.ts";
import { depthwiseConv2d, separableConv2d } from "./depthwiseConv2d.ts";
import { dropout, spatialDropout2d } from "./dropout.ts";
import { batchNorm, layerNorm } from "./norm.ts";
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "./pooling.ts";
import { resize2d, upSampling2d } from "./resampling.ts";
import { sequential } from "./sequential.ts";
import { flatten, reshape, zeroPad2d } from "./shape.ts";
import { transposedConv2d } from "./transposedConv2d.ts";

export { activation, averagePool2d, conv2d, dense, dropout, flatten, globalAveragePool2d, maxPool2d, sequential };
export { add, batchNorm, concat, globalMaxPool2d, identity, layerNorm, multiply, reshape, spatialDropout2d, zeroPad2d };
export { depthwiseConv2d, resize2d, separableConv2d, transposedConv2d, upSampling2d };
export type { ActivationName, ActivationOptions } from "./activation.ts";
export type { BranchesOptions, ConcatOptions } from "./combine.ts";
export type { Conv2dOptions, ConvLayerOptions } from "./conv2d.ts";
export type { DenseOptions } from "./dense.ts";
export type { DepthwiseConv2dOptions } from "./depthwiseConv2d.ts";
export type { BatchNormOptions, LayerNormOptions, NormOptions } from "./norm.ts";
export type { PoolLayerOptions } from "./pooling.ts";
export type { ResizeOptions, UpSamplingOptions } from "./resampling.ts";
export type { ZeroPadding } from "./shape.ts";
export type { TransposedConv2dOptions } from "./transposedConv2d.ts";

/** A layer as it is written to a file. */
export interface LayerRecord {
  readonly kind: string;
  readonly config: Readonly<Record<string, Json>>;
  readonly children?: readonly LayerRecord[];
}

export function recordOf({ kind, config, children }: Layer): LayerRecord {
  return children.length > 0 ? { kind, config, children: children.map(recordOf) } : { kind, config };
}

// A record's config is what the layer's function was given, so it is handed back untyped; the function checks it.
type Maker = (config: never, children: readonly Layer[]) => Layer;

const makers: Readonly<Record<string, Maker>> = {
  activation: ({ kind, ...options }: { kind: never }) => activation(kind, options),
  add: (options, children) => add(children, options),
  averagePool2d: ({ size, ...options }: { size: never }) => averagePool2d(size, options),
  batchNorm: (options) => batchNorm(options),
  concat: (options, children) => concat(children, options),
  conv2d: ({ filters, size, ...options }: { filters: never; size: never }) => conv2d(filters, size, options),
  dense: ({ units, ...options }: { units: never }) => dense(units, options),
  depthwiseConv2d: ({ size, ...options }: { size: never }) => depthwiseConv2d(size, options),
  dropout: ({ rate, ...options }: { rate: never }) => dropout(rate, options),
  flatten: (options) => flatten(options),
  globalAveragePool2d: (options) => globalAveragePool2d(options),
  globalMaxPool2d: (options) => globalMaxPool2d(options),
  identity: (options) => identity(options),
  layerNorm: (options) => layerNorm(options),
  maxPool2d: ({ size, ...options }: { size: never }) => maxPool2d(size, options),
  multiply: (options, children) => multiply(children, options),
  reshape: ({ shape, ...options }: { shape: never }) => reshape(shape, options),
  resize2d: ({ size, ...options }: { size: never }) => resize2d(size, options),
  separableConv2d: ({ filters, size, ...options }: { filters: never; size: never }) =>
    separableConv2d(filters, size, options),
  sequential: (options, children) => sequential(children, options),
  spatialDropout2d: ({ rate, ...options }: { rate: never }) => spatialDropout2d(rate, options),
  transposedConv2d: ({ filters, size, ...options }: { filters: never; size: never }) =>
    transposedConv2d(filters, size, options),
  upSampling2d: ({ scale, ...options }: { scale: never }) => upSampling2d(scale, options),
  zeroPad2d: ({ padding, ...options }: { padding: never }) => zeroPad2d(padding, options),
};

/** Makes the layers of a record again. Throws `FormatError` for a kind that this version does not know. */
export function layerFrom(record: LayerRecord, where: string): Layer {
  const make = Object.hasOwn(makers, record.kind) ? makers[record.kind] : undefined;
  if (!make) {
    throw new FormatError({
      where,
      expected: `layers of the kinds ${Object.keys(makers).join(", ")}`,
      got: JSON.stringify(record.kind),
      advice: "the file may come from a newer version",
    });
  }
  return make(
    record.config as never,
    (record.children ?? []).map((child) => layerFrom(child, where)),
  );
}
