/** Occlusion against covering by hand; integrated gradients against their axioms. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import { integratedGradients, occlusion } from "../../src/explain/index.ts";
import {
  activation,
  averagePool2d,
  batchNorm,
  build,
  conv2d,
  dense,
  flatten,
  maxPool2d,
  sequential,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import type { Shape } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import { forAll, seed, values } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("occlusion and integrated gradients");

function modelOf(layer: Layer, input: Shape, from: number): Model {
  const model = build(device, layer, { input });
  model.parameters.forEach(({ shape, tensor, trainable }, k) => {
    const range = trainable ? { min: -0.5, max: 0.7 } : { min: 0.5, max: 1.5 };
    device.write(tensor, Float32Array.from(values(shape, from + k, range).data));
  });
  return model;
}

const network = (classes: number): Layer =>
  sequential([conv2d(4, 3, { padding: "same", activation: "relu" }), maxPool2d(2), flatten(), dense(classes)]);

/** The model's outputs for one input, layer by layer and without a program. */
async function scoresOf(model: Model, x: Float32Array<ArrayBuffer>): Promise<number[]> {
  const random = () => assert.unreachable("no layer draws");
  const y = model.call(device.tensor(x, [1, ...model.input]), { training: false, random: random as never });
  return Array.from(await y.read());
}

async function refused(run: () => Promise<unknown>, kind: new (...a: never[]) => Error, words: RegExp): Promise<void> {
  const error: unknown = await run().then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.instance(error, kind);
  assert.match((error as Error).message, words);
}

const patches = fc.record({
  height: fc.integer({ min: 3, max: 7 }),
  width: fc.integer({ min: 3, max: 7 }),
  channels: fc.integer({ min: 1, max: 2 }),
  side: fc.integer({ min: 1, max: 4 }),
  step: fc.integer({ min: 1, max: 4 }),
  fill: fc.constantFrom(undefined, 0, -0.5),
  seed,
});

tests("each pixel has the mean fall of the score over the patches that cover it", async () => {
  await forAll(
    patches,
    async ({ height, width, channels, side, step, fill, seed: from }) => {
      const size = Math.min(side, height, width);
      const stride = Math.min(step, size);
      const model = modelOf(network(3), [height, width, channels], from);
      const x = Float32Array.from(values([height, width, channels], from + 9).data);
      const options = { size, stride, class: 2, batchSize: 5, ...(fill === undefined ? {} : { fill }) };
      const [result] = await occlusion(model, x, options);
      const whole = (await scoresOf(model, x))[2]!;
      const sums = new Float64Array(height * width);
      const counts = new Float64Array(height * width);
      for (const { top, left, drop } of result!.patches) {
        const covered = x.map((value, at) => {
          const pixel = Math.floor(at / channels);
          const [row, column] = [Math.floor(pixel / width), pixel % width];
          const inside = row >= top && row < top + size && column >= left && column < left + size;
          if (inside) {
            sums[pixel]! += drop / channels;
            counts[pixel]! += 1 / channels;
          }
          return inside ? (fill ?? borderMedian(x, [height, width, channels], at % channels)) : value;
        });
        const want = whole - (await scoresOf(model, covered))[2]!;
        assert.ok(Math.abs(drop - want) < 1e-4, `patch at ${top}, ${left}: ${drop}, not ${want}`);
      }
      assert.ok(counts.every((count) => count > 0.5), "every pixel is covered"); // prettier-ignore
      const corners = result!.patches.map(({ top, left }) => `${top},${left}`);
      assert.is(new Set(corners).size, corners.length, "no patch twice");
      const mean = nd([height, width], sums.map((sum, at) => sum / counts[at]!)); // prettier-ignore
      assertClose(result!.map.values, mean, { name: "map", terms: 16 });
    },
    8,
  );
});

/** Of the lower middle one of the outermost pixels' values, by sorting them. */
function borderMedian(x: Float32Array, [height, width, channels]: readonly [number, number, number], channel: number) {
  const border: number[] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (row % (height - 1) !== 0 && column % (width - 1) !== 0) continue;
      border.push(x[(row * width + column) * channels + channel]!);
    }
  }
  return border.sort((a, b) => a - b)[Math.floor((border.length - 1) / 2)]!;
}

tests("occlusion fills pixels with pixels, and by default covers all of a picture of any size", async () => {
  const normalisation = { mean: 100, std: 50 };
  const model = build(device, network(2), { input: [9, 15, 1], normalisation });
  const pixels = Uint8Array.from({ length: 135 }, (_, k) => (k * 61) % 256);
  const [byBytes] = await occlusion(model, pixels, { fill: 255 });
  const [byFloats] = await occlusion(
    model,
    Float32Array.from(pixels, (p) => (p - 100) / 50),
    { fill: 3.1 },
  );
  assert.is(byBytes!.patches[0]!.size, 2);
  assert.ok(byBytes!.map.values.every(Number.isFinite));
  assertClose(byBytes!.map.values, nd([9, 15], byFloats!.map.values), { name: "map", atol: 1e-5 });
});

tests("occlusion refuses patches that do not fit, and inputs that are no pictures", async () => {
  const model = build(device, network(2), { input: [6, 8, 1] });
  const x = new Uint8Array(48);
  await refused(() => occlusion(model, x, { size: 7 }), OptionError, /size: a whole number from 1 to 6, got 7/);
  await refused(() => occlusion(model, x, { size: 3, stride: 4 }), OptionError, /stride: a whole number from 1 to 3/);
  await refused(() => occlusion(model, x, { fill: Number.NaN }), OptionError, /fill/);
  const flat = build(device, dense(2), { input: [4] });
  await refused(() => occlusion(flat, new Float32Array(4)), ShapeError, /a model for pictures/);
});

const smooth = sequential([
  conv2d(5, 3, { activation: "tanh" }),
  batchNorm(),
  averagePool2d(2),
  activation("gelu"),
  flatten(),
  dense(4),
]);

tests("completeness: attributions add up to the score's distance from the baseline's, to 1 %", async () => {
  for (const [name, layer] of Object.entries({ smooth, ReLU: network(4) })) {
    const input = [8, 8, 2];
    const model = modelOf(layer, input, 40);
    const x = values([2, ...input], 5);
    const baseline = Float32Array.from(values(input, 6).data);
    const results = await integratedGradients(model, Float32Array.from(x.data), { baseline, class: 3, steps: 256 });
    for (const [n, result] of results.entries()) {
      const own = Float32Array.from(x.data.slice(n * 128, (n + 1) * 128));
      const [score, from] = [(await scoresOf(model, own))[3]!, (await scoresOf(model, baseline))[3]!];
      assert.ok(Math.abs(score - from) > 0.05, "there is something to share out");
      const total = result.attributions.reduce((sum, value) => sum + value, 0);
      assert.ok(Math.abs(total - (score - from)) <= 0.01 * Math.abs(score - from), `${name}: ${total}`);
      assert.ok(Math.abs(result.sum - total) < 1e-5);
      assert.ok(Math.abs(result.baselineScore - from) < 1e-4);
      assert.ok(result.incompleteness <= 0.01);
      const channelSums = Array.from(
        { length: 64 },
        (_, p) => result.attributions[2 * p]! + result.attributions[2 * p + 1]!,
      );
      assertClose(result.map.values, nd([8, 8], channelSums), { name: "map" });
    }
  }
});

tests("more steps make the error smaller, and it is reported", async () => {
  const model = modelOf(smooth, [8, 8, 1], 11);
  const x = Float32Array.from(values([8, 8, 1], 3, { min: -2, max: 2 }).data);
  const errorWith = async (steps: number) =>
    (await integratedGradients(model, x, { steps, class: 0 }))[0]!.incompleteness;
  const [few, many] = [await errorWith(2), await errorWith(40)];
  assert.ok(few > 1e-3 && many < few / 10, `${few} with 2 steps, ${many} with 40`);
});

tests("of a linear model each value's attribution is its weight times its distance from the baseline", async () => {
  const model = modelOf(dense(3), [7], 2);
  const kernel = values([7, 3], 2, { min: -0.5, max: 0.7 });
  const x = Float32Array.from(values([7], 4).data);
  const [result] = await integratedGradients(model, x, { baseline: 0.25, steps: 1, class: 1 });
  const want = Array.from(x, (value, i) => (value - 0.25) * kernel.data[i * 3 + 1]!);
  assertClose(result!.attributions, nd([7], want), { name: "attributions" });
  assert.equal([result!.map.height, result!.map.width], [1, 7]);
});

tests("values that equal the baseline, and values that the model does not see, get nothing", async () => {
  const model = modelOf(network(2), [5, 5, 1], 7); // pooling drops the last row and column, which "same" lets in by the filter
  const x = Uint8Array.from({ length: 25 }, (_, k) => (k % 3 === 0 ? 0 : 200));
  const [result] = await integratedGradients(model, x);
  result!.attributions.forEach((value, k) => k % 3 === 0 && assert.is(Math.abs(value), 0));
  assert.ok(result!.attributions.some((value) => value !== 0));
});

tests("integrated gradients refuse baselines and steps that make no sense", async () => {
  const model = build(device, network(2), { input: [4, 4, 1] });
  const x = new Uint8Array(16);
  await refused(() => integratedGradients(model, x, { steps: 0 }), OptionError, /steps/);
  await refused(() => integratedGradients(model, x, { baseline: Infinity }), OptionError, /baseline: a finite number/);
  await refused(
    () => integratedGradients(model, x, { baseline: new Float32Array(16) }),
    ShapeError,
    /one Uint8Array of \[4, 4, 1\], got Float32Array/,
  );
});

tests.run();
