/** Every kind of layer, in any order, gives the same in onnxruntime as in Trama. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import type { PaddingOption, Pair } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import { layerFrom } from "../../src/nn/layers/index.ts";
import { translations } from "../../src/onnx/layers.ts";
import type { Shape } from "../../src/tensor/index.ts";
import { forAll, seed } from "../reference/generate.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { assertSameInOnnx, fillParameters } from "./onnxruntime.ts";

const tests = deviceSuite("layers in onnx");

const one = <T extends readonly unknown[]>(...choices: T) =>
  fc.constantFrom<T[number]>(...(choices as unknown as T[number][]));
const pair = (most: number): fc.Arbitrary<Pair> =>
  fc.oneof(
    fc.integer({ min: 1, max: most }),
    fc.tuple(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: most })),
  );
const side = fc.nat({ max: 2 });
const padding: fc.Arbitrary<PaddingOption> = fc.oneof(
  one("valid" as const),
  one("same" as const, "same" as const),
  side,
  fc.tuple(fc.tuple(side, side), fc.tuple(side, side)),
);
const fused = one(undefined, "relu", "relu6", "sigmoid", "tanh");
const filters = fc.integer({ min: 1, max: 6 });
const convolution = { stride: pair(3), padding, dilation: pair(2), activation: fused, bias: fc.boolean() };

/** Windows that each see a real pixel: padding is smaller than they are. */
const small = fc.nat({ max: 1 });
const pooling = {
  size: fc.tuple(fc.integer({ min: 2, max: 3 }), fc.integer({ min: 2, max: 3 })),
  stride: fc.option(pair(3), { nil: undefined }),
  padding: fc.oneof(
    one("valid" as const),
    one("same" as const),
    fc.tuple(fc.tuple(small, small), fc.tuple(small, small)),
  ),
  ceilMode: fc.boolean(),
};

/** Options as a caller writes them: what is undefined is left out. */
const options = (drawn: object): never =>
  Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)) as never;

const activations = [
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
] as const;

/** Layers from images to images. */
const kinds: Readonly<Record<string, fc.Arbitrary<nn.Layer>>> = {
  activation: fc
    .record({ kind: one(...activations), slope: fc.constantFrom(0.25, 0.01) })
    .map(({ kind, slope }) => nn.activation(kind, kind === "leakyRelu" ? { slope } : {})),
  add: fc.record({ filters }).map(() => nn.add([nn.identity(), nn.zeroPad2d(0), nn.activation("tanh")])),
  averagePool2d: fc
    .record({ ...pooling, countPadding: fc.boolean() })
    .map(({ size, ...rest }) => nn.averagePool2d(size, options(rest))),
  batchNorm: fc
    .record({ epsilon: one(1e-3, 0.1), center: fc.boolean(), scale: fc.boolean() })
    .map((drawn) => nn.batchNorm(drawn)),
  concat: fc
    .record({ axis: one(undefined, -1, 0, 1, 2, -2) })
    .map((drawn) => nn.concat([nn.identity(), nn.activation("relu"), nn.identity()], options(drawn))),
  conv2d: fc
    .record({ filters, size: pair(3), ...convolution })
    .map(({ filters: count, size, ...rest }) => nn.conv2d(count, size, options(rest))),
  depthwiseConv2d: fc
    .record({ size: pair(3), multiplier: one(1, 2), ...convolution })
    .map(({ size, ...rest }) => nn.depthwiseConv2d(size, options(rest))),
  dropout: one(nn.dropout(0.5)),
  identity: one(nn.identity()),
  layerNorm: fc
    .record({ axes: one(1, 2, 3), epsilon: one(1e-3, 0.1), center: fc.boolean(), scale: fc.boolean() })
    .map((drawn) => nn.layerNorm(drawn)),
  maxPool2d: fc.record(pooling).map(({ size, ...rest }) => nn.maxPool2d(size, options(rest))),
  multiply: filters.map(() =>
    nn.multiply([
      nn.identity(),
      nn.sequential([nn.globalAveragePool2d(), nn.activation("sigmoid"), nn.reshape([1, 1, -1])]),
    ]),
  ),
  resize2d: fc
    .record({
      size: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      how: one(
        { interpolation: "nearest", convention: "halfPixel" },
        { interpolation: "nearest", convention: "alignCorners" },
        { interpolation: "nearest", convention: "asymmetric" },
        { convention: "halfPixel" },
        { convention: "alignCorners" },
        { convention: "asymmetric" },
        { antialias: true },
        { interpolation: "area" },
      ),
    })
    .map(({ size, how }) => nn.resize2d(size, how as nn.ResizeOptions)),
  separableConv2d: fc
    .record({ filters, size: pair(3), multiplier: one(1, 2), ...convolution })
    .map(({ filters: count, size, ...rest }) => nn.separableConv2d(count, size, options(rest))),
  sequential: filters.map((count) => nn.sequential([nn.sequential([nn.conv2d(count, 1)]), nn.conv2d(2, 1)])),
  spatialDropout2d: one(nn.spatialDropout2d(0.5)),
  transposedConv2d: fc
    .record({ filters, size: pair(3), ...convolution })
    .map(({ filters: count, size, ...rest }) => nn.transposedConv2d(count, size, options(rest))),
  upSampling2d: fc
    .record({ scale: pair(3), interpolation: one("nearest" as const, "bilinear" as const) })
    .map(({ scale, ...rest }) => nn.upSampling2d(scale, rest)),
  zeroPad2d: fc.oneof(side, fc.tuple(fc.tuple(side, side), fc.tuple(side, side))).map((drawn) => nn.zeroPad2d(drawn)),
};

/** Layers from images to vectors. */
const ends: Readonly<Record<string, fc.Arbitrary<nn.Layer>>> = {
  flatten: one(nn.flatten()),
  globalAveragePool2d: one(nn.globalAveragePool2d()),
  globalMaxPool2d: one(nn.globalMaxPool2d()),
  reshape: one(nn.reshape([-1])),
};

const image = fc.record({
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  channels: fc.integer({ min: 1, max: 5 }),
});
const layout = one("nchw" as const, "nhwc" as const);
const batch = fc.integer({ min: 1, max: 3 });

/** The layers of a list that can follow each other, up to a size that is quickly computed. */
function fitting(layers: readonly nn.Layer[], input: Shape): nn.Layer[] {
  const kept: nn.Layer[] = [];
  for (const layer of layers) {
    try {
      const { output } = nn.outlineOf(nn.sequential([...kept, layer]), input);
      if (output.reduce((size, extent) => size * extent, 1) <= 4000) kept.push(layer);
    } catch {
      // It does not fit: the next one may.
    }
  }
  return kept;
}

async function check(layers: readonly nn.Layer[], input: Shape, from: number, how: object): Promise<void> {
  const model = nn.build(device, nn.sequential(layers), { input });
  fillParameters(model, from);
  const what = JSON.stringify({ input, layers: layers.map(({ kind, config }) => [kind, config]) });
  await assertSameInOnnx(model, { ...how, seed: from, what });
}

tests("every kind of layer has a translation, and a test", () => {
  let known: string[] = [];
  try {
    layerFrom({ kind: "?", config: {} }, "test");
  } catch (error) {
    known = (error as nn.Layer & { expected: string }).expected.replace(/^.*kinds /, "").split(", ");
  }
  assert.ok(known.length > 20);
  assert.equal(Object.keys(translations).sort(), known.toSorted());
  assert.equal([...Object.keys(kinds), ...Object.keys(ends), "dense"].sort(), known.toSorted());
});

for (const [kind, layer] of Object.entries(kinds)) {
  tests(`${kind}, alone`, async () => {
    await forAll(
      fc.record({ image, layer, layout, batch, seed }),
      async ({ image: { height, width, channels }, layer: drawn, seed: from, ...how }) => {
        // An image that fits the layer: windows may be larger than those that are drawn.
        const input = [height, width, channels];
        while (fitting([drawn], input).length === 0 && input[0]! < 20) [0, 1].forEach((axis) => (input[axis]! += 1));
        await check([drawn], input, from, how);
      },
      kind.includes("Pool") || kind.includes("onv") || kind === "resize2d" || kind === "activation" ? 8 : 3,
    );
  });
}

tests("groups of convolutions", async () => {
  for (const groups of [2, 3]) {
    await check([nn.conv2d(6 * groups, 3, { groups, stride: [2, 1] })], [6, 5, 2 * groups], groups, {});
  }
});

tests("transposed convolutions with output padding", async () => {
  const layer = nn.transposedConv2d(3, 3, { stride: 2, padding: 1, outputPadding: 1 });
  await check([layer], [4, 5, 2], 1, {});
});

tests("zeros before a maximum stay zeros, whatever optimisers make of them", async () => {
  const negative = nn.sequential([nn.activation("softplus"), nn.layerNorm({ scale: false })]); // some below 0
  for (const layout of ["nchw", "nhwc"]) {
    await check([nn.zeroPad2d(1), nn.maxPool2d(3, { stride: 2 })], [7, 8, 3], 1, { layout });
    await check([negative, nn.zeroPad2d(1), nn.dropout(0.5), nn.maxPool2d(2)], [6, 6, 3], 1, { layout });
  }
});

tests("counted padding, and windows beyond it", async () => {
  for (const padding of [
    1,
    "same",
    [
      [0, 1],
      [1, 0],
    ],
  ] as const) {
    // prettier-ignore
    for (const ceilMode of [false, true]) {
      await check([nn.averagePool2d(3, { stride: 2, padding, ceilMode, countPadding: true })], [6, 5, 2], 1, {});
    }
  }
});

tests("ends and dense layers behind any chain", async () => {
  const anyLayer = fc.oneof(...Object.values(kinds));
  const anyEnd = fc.oneof(...Object.values(ends));
  await forAll(
    fc.record({
      image,
      body: fc.array(anyLayer, { maxLength: 6 }),
      end: anyEnd,
      activation: fused,
      layout,
      batch,
      seed,
    }),
    async ({ image: { height, width, channels }, body, end, activation, seed: from, ...how }) => {
      const input = [height, width, channels];
      const head = [
        end,
        nn.dense(7, options({ activation })),
        nn.batchNorm(),
        nn.layerNorm(),
        nn.dense(3, { bias: false }),
      ];
      await check([...fitting(body, input), ...head], input, from, how);
    },
    15,
  );
});

tests("values of one, two and four axes", async () => {
  await check([nn.dense(5), nn.activation("softmax")], [6], 1, {});
  await check(
    [nn.batchNorm(), nn.activation("softmax"), nn.concat([nn.identity(), nn.activation("relu")]), nn.flatten()],
    [4, 3],
    2,
    {},
  );
  await check(
    [nn.reshape([2, 3, 2, 2]), nn.batchNorm(), nn.concat([nn.identity(), nn.identity()], { axis: 1 })],
    [4, 6],
    3,
    {},
  );
  const gated = nn.multiply([nn.conv2d(4, 1), nn.sequential([nn.flatten(), nn.dense(4), nn.reshape([1, 1, 4])])]);
  await check([gated, nn.reshape([-1, 4]), nn.layerNorm({ axes: 2 }), nn.flatten()], [3, 5, 2], 4, {});
});

tests.run();
