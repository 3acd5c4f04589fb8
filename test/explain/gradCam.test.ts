/** Grad-CAM against equations 1 and 2 in float64, for both layers of a small network; and what it refuses. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import { gradCam } from "../../src/explain/index.ts";
import {
  add,
  build,
  conv2d,
  dense,
  flatten,
  globalAveragePool2d,
  identity,
  maxPool2d,
  sequential,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import { assertClose } from "../reference/compare.ts";
import { conv2d as convolve, conv2dGrad, resolvePadding } from "../reference/conv.ts";
import { unary } from "../reference/elementwise.ts";
import { forAll, seed, values } from "../reference/generate.ts";
import { matmul, matmulGrad } from "../reference/matmul.ts";
import { map, nd, size, type Nd } from "../reference/nd.ts";
import { maxPool, maxPoolGrad } from "../reference/pool.ts";
import { mean, sum } from "../reference/reduce.ts";
import { oneHot } from "../reference/shape.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("grad-cam");

/** conv → ReLU → conv → ReLU → max pool → dense */
function network(filters: number, classes: number): Layer {
  const layers = [
    conv2d(filters, 3, { padding: "same", activation: "relu" }),
    sequential([conv2d(5, 2, { activation: "relu", name: "inner" })], { name: "block" }),
    maxPool2d(2),
    flatten(),
    dense(classes),
  ];
  return sequential(layers);
}

/** Gives every parameter random values, and returns them by name. */
function fillParameters(model: Model, from: number): Map<string, Nd> {
  return new Map(
    model.parameters.map(({ name, shape, tensor }, k) => {
      const filled = values(shape, from + k, { min: -0.6, max: 0.8 });
      device.write(tensor, Float32Array.from(filled.data));
      return [name, filled];
    }),
  );
}

/** Both layers' maps for a batch, each input's class being `chosen[n]`. */
function reference(x: Nd, weights: ReadonlyMap<string, Nd>, chosen: readonly number[]) {
  const of = (name: string): Nd => weights.get(name)!;
  const [kernel, bias] = [of("conv2d/kernel"), of("conv2d/bias")];
  const same = { padding: resolvePadding("same", [x.shape[1]!, x.shape[2]!], [3, 3]), bias, activation: unary.relu };
  const inner = { bias: of("block/inner/bias"), activation: unary.relu };
  const first = convolve(x, kernel, same);
  const second = convolve(first, of("block/inner/kernel"), inner);
  const small = maxPool(second, { size: [2, 2] });
  const features = nd([x.shape[0]!, size(small.shape.slice(1))], small.data);
  const scores = matmul(features, of("dense/kernel"), { bias: of("dense/bias") });
  const one = oneHot(chosen, scores.shape[1]!);
  const { da } = matmulGrad(features, of("dense/kernel"), one);
  const dSecond = maxPoolGrad(second, nd(small.shape, da.data), { size: [2, 2] });
  const { dx: dFirst } = conv2dGrad(first, of("block/inner/kernel"), dSecond, inner);
  return { scores, maps: { conv2d: weighed(first, dFirst), "block/inner": weighed(second, dSecond) } };
}

function weighed(activations: Nd, gradient: Nd): Nd {
  const alpha = mean(gradient, { axes: [1, 2] });
  const [, height = 1, width = 1, channels = 1] = activations.shape;
  const terms = map(activations, (value, at) => {
    const image = Math.floor(at / (height * width * channels));
    return value * alpha.data[image * channels + (at % channels)]!;
  });
  return map(sum(terms, { axes: [3] }), (value) => Math.max(value, 0));
}

const cases = fc.record({
  height: fc.integer({ min: 4, max: 9 }),
  width: fc.integer({ min: 4, max: 9 }),
  channels: fc.integer({ min: 1, max: 3 }),
  filters: fc.integer({ min: 1, max: 5 }),
  classes: fc.integer({ min: 2, max: 6 }),
  count: fc.integer({ min: 1, max: 5 }),
  seed,
});

tests("the map is the ReLU of the activations, weighed by the mean gradients", async () => {
  await forAll(
    cases,
    async ({ height, width, channels, filters, classes, count, seed: from }) => {
      const model = build(device, network(filters, classes), { input: [height, width, channels] });
      const weights = fillParameters(model, from);
      const x = values([count, height, width, channels], from + 50);
      const inputs = Float32Array.from(x.data);
      for (const layer of ["conv2d", "block/inner"] as const) {
        const cams = await gradCam(model, inputs, { layer, batchSize: 2 });
        const { scores, maps } = reference(x, weights, cams.map((cam) => cam.class)); // prettier-ignore
        const got = cams.flatMap((cam) => [...cam.map.values]);
        assertClose(got, maps[layer], { name: layer, terms: 200 });
        cams.forEach((cam, n) => {
          const row = scores.data.slice(n * classes, (n + 1) * classes);
          const total = row.reduce((mass, score) => mass + Math.exp(score), 0);
          assert.ok(cam.score >= Math.max(...row) - 1e-4, "by default the class that scores most");
          assert.ok(Math.abs(cam.score - row[cam.class]!) < 1e-4);
          assert.ok(Math.abs(cam.probability - Math.exp(row[cam.class]!) / total) < 1e-4);
          assert.equal([cam.map.height, cam.map.width], maps[layer].shape.slice(1));
        });
      }
    },
    12,
  );
});

tests("any class can be explained, by number or by name", async () => {
  const model = build(device, network(3, 3), { input: [6, 6, 1], classNames: ["a", "b", "c"] });
  const weights = fillParameters(model, 9);
  const x = values([2, 6, 6, 1], 8);
  const inputs = Float32Array.from(x.data);
  const { maps } = reference(x, weights, [1, 1]);
  const byNumber = await gradCam(model, inputs, { class: 1, layer: "conv2d" });
  assertClose(byNumber.flatMap((cam) => [...cam.map.values]), maps.conv2d, { name: "class 1", terms: 200 }); // prettier-ignore
  assert.equal(await gradCam(model, inputs, { class: "b", layer: "conv2d" }), byNumber);
});

tests("pixels are normalised as the model wants them", async () => {
  const normalisation = { mean: [10, 200, 30], std: [50, 60, 70], order: "bgr" } as const;
  const model = build(device, network(4, 3), { input: [5, 5, 3], normalisation });
  const pixels = Uint8Array.from({ length: 75 }, (_, k) => (k * 37) % 256);
  const seen = Float32Array.from(pixels, (_, at) => {
    const channel = at % 3;
    return (pixels[at - channel + 2 - channel]! - normalisation.mean[channel]!) / normalisation.std[channel]!;
  });
  const [fromBytes, fromFloats] = [await gradCam(model, pixels), await gradCam(model, seen)];
  assertClose(fromBytes[0]!.map.values, nd([16], fromFloats[0]!.map.values), { name: "map" });
});

tests("pictures of another size are brought to the model's, and grey ones to its colours", async () => {
  const model = build(device, network(4, 3), { input: [8, 6, 3], resize: { mode: "nearest" } });
  const grey = Uint8Array.from({ length: 2 * 12 }, (_, k) => k * 10); // two of 4×3
  const large = Uint8Array.from({ length: 2 * 8 * 6 * 3 }, (_, at) => {
    const pixel = Math.floor(at / 3);
    const [image, row, column] = [Math.floor(pixel / 48), Math.floor((pixel % 48) / 6), pixel % 6];
    return grey[image * 12 + Math.floor(row / 2) * 3 + Math.floor(column / 2)]!;
  });
  const [got, want] = [await gradCam(model, grey, { shape: [4, 3, 1] }), await gradCam(model, large)];
  assert.is(got.length, 2);
  got.forEach((cam, k) =>
    assertClose(cam.map.values, nd([cam.map.values.length], want[k]!.map.values), { name: "map" }),
  );
});

tests("by default the last layer that still knows places, poolings aside", async () => {
  const layerOf = async (layers: readonly Layer[]): Promise<string> => {
    const model = build(device, sequential([...layers, flatten(), dense(2)]), { input: [8, 8, 1] });
    return (await gradCam(model, new Uint8Array(64).fill(9)))[0]!.layer;
  };
  const block = (name: string) => sequential([conv2d(2, 3, { padding: "same" }), maxPool2d(2)], { name });
  assert.is(await layerOf([block("first"), block("second")]), "second/conv2d");
  const residual = add([identity(), conv2d(2, 3, { padding: "same" })], { name: "sum" });
  assert.is(await layerOf([conv2d(2, 3), residual, globalAveragePool2d()]), "sum");
  assert.is(await layerOf([conv2d(2, 3), conv2d(4, 6, { name: "one_place" })]), "conv2d");
});

tests("what there is not is refused, with what there is", async () => {
  const model = build(device, network(2, 3), { input: [6, 6, 1], classNames: ["a", "b", "c"] });
  const image = new Uint8Array(36);
  const refusal = async (run: () => Promise<unknown>, kind: typeof OptionError | typeof ShapeError, words: RegExp) => {
    const error: unknown = await run().then(
      () => null,
      (reason: unknown) => reason,
    );
    assert.instance(error, kind);
    assert.match((error as Error).message, words);
  };
  await refusal(
    () => gradCam(model, image, { layer: "dense" }),
    OptionError,
    /conv2d, block\/inner, block, maxPool2d, got "dense"/,
  );
  await refusal(() => gradCam(model, image, { class: "d" }), OptionError, /from 0 to 2, or one of a, b, c, got "d"/);
  await refusal(() => gradCam(model, image, { class: 3 }), OptionError, /class from 0 to 2/);
  await refusal(() => gradCam(model, image, { batchSize: 0 }), OptionError, /batchSize/);
  await refusal(() => gradCam(model, new Uint8Array(35)), ShapeError, /\[6, 6, 1\].* got 35 values/);
  const flat = build(device, dense(3), { input: [4] });
  await refusal(() => gradCam(flat, new Float32Array(4)), OptionError, /a layer that makes feature maps/);
  const headless = build(device, conv2d(2, 3), { input: [6, 6, 1] });
  await refusal(() => gradCam(headless, image), ShapeError, /one output for each class/);
});

tests.run();
