/** Layers as experiment files write them: records as in model files, with every option of every kind. */
import type { Initialiser, LayerRecord, PoolLayerOptions } from "../nn/index.ts";
import {
  choice,
  either,
  flag,
  list,
  named,
  number,
  object,
  only,
  optional,
  pair,
  positive,
  saying,
  share,
  text,
  whole,
  type Schema,
} from "./schema.ts";

/** A layer; `config` may be left out where nothing is to be said. */
export type LayerText = Omit<LayerRecord, "config" | "children"> & {
  readonly config?: LayerRecord["config"];
  readonly children?: readonly LayerText[];
};

const sides = pair(pair(whole(0)));
const window = named<number | readonly [number, number]>("window");
const padding = named<NonNullable<PoolLayerOptions["padding"]>>("padding");
const initialiser = named<Initialiser>("initialiser");
const fused = choice("relu", "relu6", "sigmoid", "tanh");
const activations = choice(
  "relu",
  "relu6",
  "leakyRelu",
  "sigmoid",
  "tanh",
  "softplus",
  "silu",
  "gelu",
  "geluExact",
  "softmax",
);
const scaled = ["glorotUniform", "glorotNormal", "heUniform", "heNormal", "lecunUniform", "lecunNormal"] as const;
const deviation = { mean: optional(number()), deviation: optional(positive) };

const name = optional(text);
const pooling = {
  size: window,
  stride: optional(window),
  padding: optional(padding),
  ceilMode: optional(flag),
  name,
};
const affine = { center: optional(flag), scale: optional(flag), epsilon: optional(positive) };
const weights = { bias: optional(flag), initialiser: optional(initialiser), activation: optional(fused) };

const convolution = {
  size: window,
  stride: optional(window),
  padding: optional(padding),
  dilation: optional(window),
  ...weights,
  name,
};

/** Options of each kind. */
const options = {
  activation: { kind: activations, slope: optional(positive), name },
  averagePool2d: { ...pooling, countPadding: optional(flag) },
  batchNorm: { ...affine, momentum: optional(share), unbiased: optional(flag), name },
  conv2d: { filters: whole(1), ...convolution, groups: optional(whole(1)) },
  depthwiseConv2d: { ...convolution, multiplier: optional(whole(1)) },
  dense: { units: whole(1), ...weights, name },
  dropout: { rate: share, name },
  flatten: { name },
  globalAveragePool2d: { name },
  globalMaxPool2d: { name },
  identity: { name },
  layerNorm: { ...affine, axes: optional(whole(1)), name },
  maxPool2d: pooling,
  reshape: { shape: list(number({ minimum: -1 })), name },
  resize2d: {
    size: pair(whole(1)),
    interpolation: optional(choice("nearest", "bilinear", "area")),
    convention: optional(choice("halfPixel", "asymmetric", "alignCorners")),
    antialias: optional(flag),
    name,
  },
  separableConv2d: { filters: whole(1), ...convolution, multiplier: optional(whole(1)) },
  spatialDropout2d: { rate: share, name },
  transposedConv2d: {
    filters: whole(1),
    ...convolution,
    outputPadding: optional(either(whole(0), pair(whole(0)))),
  },
  upSampling2d: { scale: window, interpolation: optional(choice("nearest", "bilinear")), name },
  zeroPad2d: { padding: either(whole(0), sides), name },
} as const;

/** Options of each kind that has layers inside. */
const branching = {
  add: { name },
  concat: { axis: optional(number()), name },
  multiply: { name },
  sequential: { name },
} as const;

const layer = named<LayerText>("layer");

const anyLayer = either(
  ...Object.entries(branching).map(([kind, config]) =>
    object({ kind: only(kind), config: optional(object(config)), children: list(layer) }),
  ),
  ...Object.entries(options).map(([kind, config]) => {
    const record = object(config);
    return object({ kind: only(kind), config: record.required ? record : optional(record) });
  }),
);

const anyInitialiser = either(
  choice(...scaled, "uniform", "normal", "truncatedNormal", "zeros", "ones"),
  object({ name: only("uniform"), min: optional(number()), max: optional(number()) }),
  object({ name: choice("normal", "truncatedNormal"), ...deviation }),
  object({ name: only("constant"), value: number() }),
) satisfies Schema<Initialiser>;

/** What a layer's description refers to. */
export const layerDefinitions = {
  layer: saying("A layer, as model files record it.", anyLayer),
  window: either(whole(1), pair(whole(1))),
  padding: either(choice("valid", "same"), whole(0), sides),
  initialiser: anyInitialiser,
} as const;

/** A layer's record as the network's own functions read it. */
export function layerRecord({ kind, config = {}, children }: LayerText): LayerRecord {
  return children ? { kind, config, children: children.map(layerRecord) } : { kind, config };
}
