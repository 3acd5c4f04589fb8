/**
 * The kernels against TensorFlow.js on its CPU backend: an implementation that shares nothing with ours, neither code nor
 * reading of the formulas.
 */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import * as assert from "uvu/assert";
import {
  argMax,
  argMin,
  averagePool2d,
  batchNorm,
  batchNormInference,
  conv2d,
  depthwiseConv2d,
  gather,
  layerNorm,
  matmul,
  maxPool2d,
  mul,
  oneHot,
  resizeBilinear,
  resizeNearest,
  softmaxCrossEntropy,
  sum,
  transposedConv2d,
  topK,
} from "../../src/kernels/index.ts";
import { valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { nd, type Nd } from "../reference/nd.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("kernels and TensorFlow.js");

tests.before(async () => {
  tf.env().set("PROD", true); // no console advertisement for the native backend
  await tf.setBackend("cpu");
});

/** Compares y = f(inputs) and the gradients of Σ y·r, r random. */
async function same(
  name: string,
  drawn: { readonly seed: number },
  inputs: readonly Nd[],
  ours: (tensors: readonly Tensor[]) => Tensor,
  theirs: (tensors: readonly tf.Tensor[]) => tf.Tensor,
): Promise<void> {
  const [shape, ...wanted] = tf.tidy(() => {
    const tensors = inputs.map((x) => tf.tensor(Float32Array.from(x.data), [...x.shape]));
    const y = theirs(tensors);
    const r = tf.tensor(Float32Array.from(generate.values(y.shape, drawn.seed + 50).data), y.shape);
    const gradients = tf.grads((...moved: tf.Tensor[]) => theirs(moved))(tensors, r);
    return [y.shape, y.dataSync(), ...gradients.map((gradient) => gradient.dataSync())] as const;
  }) as [number[], ...Float32Array[]];
  const got = await readFrom(device, () => {
    const variables = inputs.map((x) => device.tensor(Float32Array.from(x.data), x.shape));
    const r = device.tensor(Float32Array.from(generate.values(shape, drawn.seed + 50).data), shape);
    const made: Tensor[] = [];
    const { gradients } = valueAndGradients(() => {
      made.push(ours(variables));
      return sum(mul(made[0]!, r));
    }, variables);
    assert.equal(made[0]!.shape, shape, name);
    return [...made, ...gradients];
  });
  wanted.forEach((values, k) =>
    assertClose(got[k]!, nd([values.length], values), {
      name: `${name}, ${k === 0 ? "value" : `gradient ${k - 1}`}`,
      case: drawn,
      terms: 400,
      atol: 2e-6,
    }),
  );
}

const window = {
  batch: fc.constantFrom(1, 2),
  image: fc.tuple(fc.constantFrom(5, 8, 9), fc.constantFrom(5, 6, 10)),
  channels: fc.constantFrom(1, 3, 4),
  size: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(2, 3, 5)),
  stride: fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2)),
  padding: fc.constantFrom("same" as const, "valid" as const),
  seed: generate.seed,
};

tests("conv2d", async () => {
  const cases = fc.record({ ...window, filters: fc.constantFrom(1, 5, 8) });
  await generate.forAll(cases, (drawn) => {
    const { batch, image, channels, size, filters, stride, padding, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels], seed), generate.values([...size, channels, filters], seed + 1)];
    return same("conv2d", drawn, inputs,
      ([x, w]) => conv2d(x!, w!, { stride, padding }),
      ([x, w]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding));
  }, 15); // prettier-ignore
});

tests("depthwiseConv2d", async () => {
  const cases = fc.record({
    ...window,
    size: fc.constantFrom<[number, number]>([3, 3], [2, 5]),
    stride: fc.constantFrom(1, 2), // TensorFlow.js knows no others here
    multiplier: fc.constantFrom(1, 1, 2),
  });
  await generate.forAll(cases, (drawn) => {
    const { batch, image, channels, size, multiplier, stride, padding, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels], seed), generate.values([...size, channels, multiplier], seed + 1)];
    return same("depthwiseConv2d", drawn, inputs,
      ([x, w]) => depthwiseConv2d(x!, w!, { stride, padding }),
      ([x, w]) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding));
  }, 10); // prettier-ignore
});

tests("transposedConv2d", async () => {
  const cases = fc.record({ ...window, filters: fc.constantFrom(1, 5, 8) });
  await generate.forAll(cases, (drawn) => {
    const { batch, image, channels, size, filters, stride, padding, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels], seed), generate.values([...size, filters, channels], seed + 1)];
    // TensorFlow.js takes the output's size as it is told: here Keras' rule for "same" and "valid".
    const [height, width] = ([0, 1] as const).map((axis) =>
      image[axis] * stride[axis] + (padding === "same" ? 0 : Math.max(0, size[axis] - stride[axis]))) as [number, number];
    return same("transposedConv2d", drawn, inputs,
      ([x, w]) => transposedConv2d(x!, w!, { stride, padding }),
      ([x, w]) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [batch, height, width, filters], stride, padding));
  }, 15); // prettier-ignore
});

tests("maxPool2d and averagePool2d", async () => {
  await generate.forAll(fc.record(window), async (drawn) => {
    const { batch, image, channels, size, stride, padding, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels], seed, { distinct: true })];
    await same("maxPool2d", drawn, inputs, ([x]) => maxPool2d(x!, drawn), ([x]) => tf.maxPool(x as tf.Tensor4D, size, stride, padding));
    // TensorFlow.js divides the gradient of a window at the edge by the whole window's size, so only "valid" compares.
    const inside = { size, stride };
    await same("averagePool2d", drawn, inputs, ([x]) => averagePool2d(x!, inside), ([x]) => tf.avgPool(x as tf.Tensor4D, size, stride, "valid"));
  }, 15); // prettier-ignore
});

tests("matmul", async () => {
  const extent = fc.constantFrom(1, 5, 8, 33);
  const cases = fc.record({
    m: extent,
    k: extent,
    n: extent,
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    seed: generate.seed,
  });
  await generate.forAll(cases, (drawn) => {
    const { m, k, n, transposeA, transposeB, seed } = drawn;
    const inputs = [generate.values(transposeA ? [k, m] : [m, k], seed), generate.values(transposeB ? [n, k] : [k, n], seed + 1)];
    return same("matmul", drawn, inputs, ([a, b]) => matmul(a!, b!, drawn), ([a, b]) => tf.matMul(a!, b!, transposeA, transposeB));
  }, 15); // prettier-ignore
});

tests("matmul, batched", async () => {
  const cases = fc.record({
    batch: fc.constantFrom([3], [2, 3]), // where axes broadcast, TensorFlow.js has no gradient
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    seed: generate.seed,
  });
  await generate.forAll(cases, (drawn) => {
    const { batch, transposeA, transposeB, seed } = drawn;
    const inputs = [generate.values([...batch, ...(transposeA ? [5, 8] : [8, 5])], seed), generate.values([...batch, ...(transposeB ? [4, 5] : [5, 4])], seed + 1)];
    return same("matmul", drawn, inputs, ([a, b]) => matmul(a!, b!, drawn), ([a, b]) => tf.matMul(a!, b!, transposeA, transposeB));
  }, 15); // prettier-ignore
});

tests("softmaxCrossEntropy", async () => {
  const cases = fc.record({
    rows: fc.constantFrom(1, 7, 32),
    classes: fc.constantFrom(2, 10, 33),
    seed: generate.seed,
  });
  await generate.forAll(cases, (drawn) => {
    const { rows, classes, seed } = drawn;
    const labels = generate.labels(rows, classes, seed + 1);
    return same("softmaxCrossEntropy", drawn, [generate.values([rows, classes], seed, { min: -6, max: 6 })],
      ([logits]) => softmaxCrossEntropy(logits!, device.tensor(Uint32Array.from(labels))),
      ([logits]) => tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d(labels, "int32"), classes), logits!));
  }, 15); // prettier-ignore
});

const batches = fc.record({
  batch: fc.constantFrom(2, 3),
  image: fc.tuple(fc.constantFrom(1, 5, 8), fc.constantFrom(2, 6)),
  channels: fc.constantFrom(1, 3, 4, 8, 33),
  seed: generate.seed,
});

const parameters = (channels: number, seed: number): readonly Nd[] => [
  generate.values([channels], seed + 1, { min: 0.5, max: 1.5 }),
  generate.values([channels], seed + 2),
];

tests("batchNorm in training and inference", async () => {
  await generate.forAll(batches, async (drawn) => {
    const { batch, image, channels, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels], seed, { min: -2, max: 3 }), ...parameters(channels, seed)];
    const [mean, variance] = [generate.values([channels], seed + 3), generate.values([channels], seed + 4, { min: 0.2, max: 2 })];
    const theirs = (x: tf.Tensor, m: tf.Tensor, v: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) =>
      tf.batchNorm(x, m, v, shift, scale, 1e-3);
    await same("batchNorm", drawn, inputs, ([x, scale, shift]) => batchNorm(x!, scale!, shift!), ([x, scale, shift]) => {
      const moments = tf.moments(x!, [0, 1, 2]);
      return theirs(x!, moments.mean, moments.variance, scale!, shift!);
    });
    const given = [mean, variance].map(({ data }) => Float32Array.from(data));
    await same("batchNormInference", drawn, inputs,
      ([x, scale, shift]) => batchNormInference(x!, scale!, shift!, { mean: device.tensor(given[0]!), variance: device.tensor(given[1]!) }),
      ([x, scale, shift]) => theirs(x!, tf.tensor1d(given[0]!), tf.tensor1d(given[1]!), scale!, shift!));
  }, 12); // prettier-ignore
});

tests("layerNorm", async () => {
  await generate.forAll(batches, (drawn) => {
    const { batch, image, channels, seed } = drawn;
    const inputs = [generate.values([batch, ...image, channels + 3], seed, { min: -2, max: 3 }), ...parameters(channels + 3, seed)];
    return same("layerNorm", drawn, inputs, ([x, scale, shift]) => layerNorm(x!, scale!, shift!), ([x, scale, shift]) => {
      const { mean, variance } = tf.moments(x!, -1, true);
      return x!.sub(mean).div(variance.add(1e-3).sqrt()).mul(scale!).add(shift!);
    });
  }, 12); // prettier-ignore
});

/** Square images, because TensorFlow.js' gradient confuses height and width. */
const resizes = fc.record({
  x: fc
    .tuple(fc.constantFrom(1, 2), fc.constantFrom(2, 3, 5, 8), fc.constantFrom(1, 3, 4))
    .map(([batch, side, channels]) => [batch, side, side, channels] as [number, number, number, number]),
  size: fc.tuple(fc.constantFrom(2, 3, 4, 8), fc.constantFrom(2, 5, 11)),
  seed: generate.seed,
});

const conventions = { alignCorners: [true, false], asymmetric: [false, false], halfPixel: [false, true] } as const;

tests("resizeBilinear and resizeNearest", async () => {
  await generate.forAll(resizes, async (drawn) => {
    const { x, size, seed } = drawn;
    const inputs = [generate.values(x, seed)];
    const target: [number, number] = [...size];
    for (const convention of ["alignCorners", "asymmetric"] as const) {
      await same(`resizeBilinear, ${convention}`, drawn, inputs, ([image]) => resizeBilinear(image!, size, { convention }),
        ([image]) => tf.image.resizeBilinear(image as tf.Tensor4D, target, convention === "alignCorners"));
    }
    // Of these it has no gradients that could be compared with: none for half pixels, and NaN for nearest.
    for (const convention of ["alignCorners", "asymmetric", "halfPixel"] as const) {
      const image = tf.tensor4d(Float32Array.from(inputs[0]!.data), x);
      const wanted = [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor].map((op) => op(image, target, ...conventions[convention]));
      const got = await readFrom(device, () => {
        const tensor = device.tensor(Float32Array.from(inputs[0]!.data), x);
        return [resizeBilinear(tensor, size, { convention }), resizeNearest(tensor, size, { convention })];
      });
      wanted.forEach((y, k) => assertClose(got[k]!, nd(y.shape, y.dataSync()), { name: convention, case: drawn, atol: 2e-6 }));
    }
  }, 15); // prettier-ignore
});

tests("gather", async () => {
  const cases = fc.record({
    shape: fc.tuple(fc.constantFrom(2, 7), fc.constantFrom(3, 4), fc.constantFrom(1, 4, 5)),
    axis: fc.constantFrom(0, 1, 2),
    count: fc.constantFrom(1, 6, 20),
    seed: generate.seed,
  });
  await generate.forAll(cases, (drawn) => {
    const { shape, axis, count, seed } = drawn;
    const rows = generate.labels(count, shape[axis], seed + 1);
    return same("gather", drawn, [generate.values(shape, seed)],
      ([x]) => gather(x!, device.tensor(Uint32Array.from(rows)), axis),
      ([x]) => tf.gather(x!, tf.tensor1d(rows, "int32"), axis));
  }, 15); // prettier-ignore
});

tests("topK, argMax, argMin and oneHot", async () => {
  const cases = fc.record({
    lines: fc.constantFrom(1, 9),
    n: fc.constantFrom(3, 10, 100),
    k: fc.constantFrom(1, 3),
    seed: generate.seed,
  });
  await generate.forAll(cases, async ({ lines, n, k, seed }) => {
    for (const x of [generate.values([lines, n], seed), generate.tiedValues([lines, n], seed, 7)]) {
      const theirs = tf.tidy(() => {
        const tensor = tf.tensor2d(Float32Array.from(x.data), [lines, n]);
        const best = tf.topk(tensor, k);
        const hot = tf.oneHot(best.indices.flatten().toInt(), n, 5, -1);
        const found = [best.values, best.indices, tensor.argMax(1), tensor.argMin(1), tensor.argMax(0), hot];
        return found.map((each) => Array.from(each.dataSync()));
      });
      const ours = await readFrom(device, () => {
        const tensor = device.tensor(Float32Array.from(x.data), [lines, n]);
        const { values, indices } = topK(tensor, k);
        const hot = oneHot(indices, n, { on: 5, off: -1 });
        return [values, indices, argMax(tensor), argMin(tensor), argMax(tensor, 0), hot];
      });
      ours.forEach((values, which) => assert.equal(Array.from(values), theirs[which], `result ${which}`));
    }
  }, 15); // prettier-ignore
});

tests.run();
