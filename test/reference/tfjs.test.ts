/**
 * The references against TensorFlow.js on its CPU backend: an independent implementation of the same conventions.
 * Central differences show that a gradient belongs to its forward function; this shows that the function is the right one.
 */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { test } from "uvu";
import { assertClose } from "./compare.ts";
import * as conv from "./conv.ts";
import * as elementwise from "./elementwise.ts";
import * as generate from "./generate.ts";
import * as matmul from "./matmul.ts";
import { absolute, nd, scalar, size, type Nd } from "./nd.ts";
import * as norm from "./norm.ts";
import * as optimizers from "./optimizers.ts";
import * as pool from "./pool.ts";
import * as reduce from "./reduce.ts";
import * as shapes from "./shape.ts";
import * as softmax from "./softmax.ts";

const limits = { maxSize: 500 };

async function forAll<T>(arbitrary: fc.Arbitrary<T>, check: (drawn: T) => void, numRuns = 30): Promise<void> {
  await generate.forAll(arbitrary, (drawn) => tf.tidy(() => check(drawn)), numRuns);
}

const tensor = <R extends tf.Rank>(x: Nd): tf.Tensor<R> =>
  tf.tensor<R>(Float32Array.from(x.data), [...x.shape] as tf.ShapeMap[R]);

/** Compares a TensorFlow.js result with a reference, elements and shape. */
function same(name: string, drawn: unknown, got: tf.Tensor, want: Nd, magnitude?: Nd): void {
  if (got.shape.join() !== want.shape.join()) {
    throw new Error(`${name}: shape [${got.shape.join()}], reference [${want.shape.join()}]`);
  }
  assertClose(got.dataSync(), want, {
    name,
    case: drawn,
    atol: 2e-6,
    ...(magnitude === undefined ? {} : { magnitude, terms: 64 }),
  });
}

/** Also compares the gradients of Σ y·dy. */
function sameGradients(
  name: string,
  drawn: unknown,
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: readonly Nd[],
  dy: Nd,
  want: readonly Nd[],
): void {
  const gradients = tf.grads(f)(
    inputs.map((x) => tensor(x)),
    tensor(dy),
  );
  want.forEach((gradient, i) =>
    assertClose(gradients[i]!.dataSync(), gradient, { name: `${name}, gradient ${i}`, case: drawn, atol: 1e-5 }),
  );
}

test("elementwise", async () => {
  const { unary, binary } = elementwise;
  const plain = ["neg", "exp", "log", "sqrt", "square", "abs", "relu", "relu6", "sigmoid", "tanh", "softplus"] as const;
  await forAll(
    fc.record({ shape: generate.shape(limits), seed: generate.seed }),
    (drawn) => {
      const x = generate.values(drawn.shape, drawn.seed, { min: -8, max: 8, avoid: [0] });
      const dy = generate.values(drawn.shape, drawn.seed + 1);
      for (const name of plain) {
        const positive = name === "log" || name === "sqrt" ? absolute(x) : x;
        same(name, drawn, tf[name](tensor(positive)), elementwise.applyUnary(unary[name], positive));
        sameGradients(name, drawn, (v) => tf[name](v), [positive], dy, [
          elementwise.unaryGrad(unary[name], positive, dy),
        ]);
      }
      same("erf", drawn, tf.erf(tensor(x)), elementwise.applyUnary({ f: elementwise.erf, df: () => 0 }, x));
      same("leakyRelu", drawn, tf.leakyRelu(tensor(x), 0.3), elementwise.applyUnary(elementwise.leakyRelu(0.3), x));
      same("elu", drawn, tf.elu(tensor(x)), elementwise.applyUnary(elementwise.elu(1), x));
    },
    10,
  );
  const names = ["add", "sub", "mul", "div", "maximum", "minimum", "pow"] as const;
  await forAll(fc.record({ pair: generate.broadcastPair(limits), seed: generate.seed }), (drawn) => {
    const a = generate.values(drawn.pair[0], drawn.seed, { min: 0.5, max: 2 });
    const b = generate.values(drawn.pair[1], drawn.seed + 1, { min: 0.5, max: 2 });
    for (const name of names) {
      const want = elementwise.applyBinary(binary[name], a, b);
      same(name, drawn, tf[name](tensor(a), tensor(b)), want);
      // TensorFlow.js does not sum the gradients of these two over broadcast axes.
      if ((name === "maximum" || name === "minimum") && drawn.pair[0].join() !== drawn.pair[1].join()) continue;
      const dy = generate.values(want.shape, drawn.seed + 2);
      const { da, db } = elementwise.binaryGrad(binary[name], a, b, dy);
      sameGradients(name, drawn, (u, v) => tf[name](u, v), [a, b], dy, [da, db]);
    }
  });
});

test("reductions", async () => {
  await forAll(generate.reduceCase(limits), (drawn) => {
    const { axes, keepDims } = drawn;
    const x = generate.values(drawn.shape, drawn.seed, { distinct: true });
    for (const name of ["sum", "mean", "max", "min"] as const) {
      same(name, drawn, tf[name](tensor(x), axes, keepDims), reduce[name](x, { axes, keepDims }));
    }
    const tied = generate.tiedValues(drawn.shape, drawn.seed);
    same("argMax", drawn, tf.argMax(tensor(tied), axes[0]), reduce.argMax(tied, axes[0]));
    same("argMin", drawn, tf.argMin(tensor(tied), axes[0]), reduce.argMin(tied, axes[0]));
  });
});

/** TensorFlow.js broadcasts batches by counting them modulo, which is wrong unless one side has a single batch. */
function broadcastsPlainly({ a, b }: generate.MatmulCase): boolean {
  const [batchA, batchB] = [a.slice(0, -2), b.slice(0, -2)];
  return size(batchA) === 1 || size(batchB) === 1 || batchA.join() === batchB.join();
}

test("matmul", async () => {
  await forAll(generate.matmulCase({ maxWork: 20_000 }).filter(broadcastsPlainly), (drawn) => {
    const a = generate.values(drawn.a, drawn.seed);
    const b = generate.values(drawn.b, drawn.seed + 1);
    const { transposeA, transposeB } = drawn;
    const options = { transposeA, transposeB };
    const got = tf.matMul(tensor(a), tensor(b), transposeA, transposeB);
    same("matmul", drawn, got, matmul.matmul(a, b, options), matmul.matmul(absolute(a), absolute(b), options));
  });
});

/** TensorFlow.js takes one padding mode or number a call, so the image is padded beforehand. */
function padded(x: tf.Tensor, { top, bottom, left, right }: conv.Padding): tf.Tensor4D {
  return tf.pad(x as tf.Tensor4D, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** TensorFlow.js refuses to convolve with both a stride and a dilation; it also has no gradient for the latter. */
function refuses({ stride, dilation }: generate.ConvCase): boolean {
  return Math.max(...stride) > 1 && Math.max(...dilation) > 1;
}

test("conv2d and depthwiseConv2d, with gradients", async () => {
  await forAll(
    generate.convCase({ maxWork: 20_000, kind: "plain" }).filter((drawn) => !refuses(drawn)),
    (drawn) => {
      const x = generate.values(drawn.x, drawn.seed);
      const filter = generate.values(drawn.filter, drawn.seed + 1);
      const { stride, dilation, padding } = drawn;
      const geometry = { stride, dilation, padding };
      const f = (u?: tf.Tensor, v?: tf.Tensor): tf.Tensor =>
        tf.conv2d(padded(u!, padding), v as tf.Tensor4D, [...stride], "valid", "NHWC", [...dilation]);
      same(
        "conv2d",
        drawn,
        f(tensor(x), tensor(filter)),
        conv.conv2d(x, filter, geometry),
        conv.conv2d(absolute(x), absolute(filter), geometry),
      );
      if (Math.max(...dilation) > 1) return;
      const dy = generate.values(drawn.y, drawn.seed + 2);
      const { dx, dfilter } = conv.conv2dGrad(x, filter, dy, geometry);
      sameGradients("conv2d", drawn, f, [x, filter], dy, [dx, dfilter]);
    },
  );
  await forAll(
    generate.convCase({ maxWork: 20_000, kind: "depthwise" }).filter((drawn) => !refuses(drawn)),
    (drawn) => {
      const x = generate.values(drawn.x, drawn.seed);
      const filter = generate.values(drawn.filter, drawn.seed + 1);
      const { stride, dilation, padding } = drawn;
      const got = tf.depthwiseConv2d(
        padded(tensor(x), padding),
        tensor<tf.Rank.R4>(filter),
        [...stride],
        "valid",
        "NHWC",
        [...dilation],
      );
      same("depthwiseConv2d", drawn, got, conv.depthwiseConv2d(x, filter, { stride, dilation, padding }));
    },
  );
});

test('the resolution of "same" for convolutions, their transposes and pools', async () => {
  const draws = fc.record({
    image: fc.tuple(generate.extent(17), generate.extent(17)),
    kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    seed: generate.seed,
  });
  await forAll(
    draws,
    (drawn) => {
      const { image, kernel, stride, seed } = drawn;
      const x = generate.values([2, ...image, 3], seed, { distinct: true });
      const padding = conv.resolvePadding("same", image, kernel, stride);
      const filter = generate.values([...kernel, 3, 2], seed + 1);
      same(
        "conv2d",
        drawn,
        tf.conv2d(tensor<tf.Rank.R4>(x), tensor<tf.Rank.R4>(filter), stride, "same"),
        conv.conv2d(x, filter, { stride, padding }),
        conv.conv2d(absolute(x), absolute(filter), { stride, padding }),
      );

      const options = { size: kernel, stride, padding };
      same("maxPool", drawn, tf.maxPool(tensor<tf.Rank.R4>(x), kernel, stride, "same"), pool.maxPool(x, options));
      same(
        "averagePool",
        drawn,
        tf.avgPool(tensor<tf.Rank.R4>(x), kernel, stride, "same"),
        pool.averagePool(x, options),
      );
      const dy = generate.values(pool.poolShape(x.shape, options), seed + 2);
      sameGradients("maxPool", drawn, (v) => tf.maxPool(v as tf.Tensor4D, kernel, stride, "same"), [x], dy, [
        pool.maxPoolGrad(x, dy, options),
      ]);

      // Keras' extents: size·stride for "same", size·stride + max(kernel − stride, 0) for "valid".
      const up = generate.values([...kernel, 2, 3], seed + 3);
      for (const mode of ["same", "valid"] as const) {
        const out = image.map(
          (e, axis) => e * stride[axis]! + (mode === "same" ? 0 : Math.max(kernel[axis]! - stride[axis]!, 0)),
        );
        const want = conv.transposedConv2d(x, up, { stride, ...conv.resolveTransposedPadding(mode, kernel, stride) });
        const got = tf.conv2dTranspose(
          tensor<tf.Rank.R4>(x),
          tensor<tf.Rank.R4>(up),
          [2, out[0]!, out[1]!, 2],
          stride,
          mode,
        );
        same(`transposedConv2d ${mode}`, drawn, got, want);
      }
    },
    60,
  );
});

test("softmax and losses", async () => {
  // TensorFlow.js has no one-hot vectors of length 1.
  const atLeastTwo = generate.shape({ minRank: 2, maxRank: 2, maxSize: 500 }).filter((shape) => shape[1]! >= 2);
  await forAll(fc.record({ shape: atLeastTwo, seed: generate.seed }), (drawn) => {
    const [rows, classes] = drawn.shape as [number, number];
    const x = generate.values(drawn.shape, drawn.seed, { min: -5, max: 5 });
    same("softmax", drawn, tf.softmax(tensor(x)), softmax.softmax(x));
    same("logSoftmax", drawn, tf.logSoftmax(tensor(x)), softmax.logSoftmax(x));
    const labels = generate.labels(rows, classes, drawn.seed);
    const hot = tf.oneHot(tf.tensor1d(labels, "int32"), classes);
    same("oneHot", drawn, hot, shapes.oneHot(labels, classes));
    for (const smoothing of [0, 0.1]) {
      const { loss } = softmax.softmaxCrossEntropy(x, labels, { smoothing });
      same("softmaxCrossEntropy", drawn, tf.losses.softmaxCrossEntropy(hot, tensor(x), 1, smoothing), scalar(loss));
    }
    const targets = generate.values(drawn.shape, drawn.seed + 1, { min: 0 });
    same(
      "bceWithLogits",
      drawn,
      tf.losses.sigmoidCrossEntropy(tensor(targets), tensor(x)),
      scalar(softmax.bceWithLogits(x, targets)),
    );
    same(
      "meanSquaredError",
      drawn,
      tf.losses.meanSquaredError(tensor(targets), tensor(x)),
      scalar(softmax.meanSquaredError(x, targets)),
    );
  });
});

test("shapes", async () => {
  await forAll(generate.transposeCase(limits), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    same("transpose", drawn, tf.transpose(tensor(x), drawn.permutation), shapes.transpose(x, drawn.permutation));
    const rows = generate.labels(5, drawn.shape[0]!, drawn.seed);
    same("gather", drawn, tf.gather(tensor(x), tf.tensor1d(rows, "int32")), shapes.gather(x, rows));
  });
  await forAll(generate.sliceCase(limits), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    same("slice", drawn, tf.slice(tensor(x), drawn.begin, drawn.extent), shapes.slice(x, drawn.begin, drawn.extent));
  });
  await forAll(generate.padCase(limits), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    same(
      "pad",
      drawn,
      tf.pad(
        tensor(x),
        drawn.paddings.map(([before, after]): [number, number] => [before, after]),
        0.5,
      ),
      shapes.pad(x, drawn.paddings, 0.5),
    );
  });
  await forAll(generate.concatCase(limits), (drawn) => {
    const xs = drawn.shapes.map((shape, i) => generate.values(shape, drawn.seed + i));
    same(
      "concat",
      drawn,
      tf.concat(
        xs.map((x) => tensor(x)),
        drawn.axis,
      ),
      shapes.concat(xs, drawn.axis),
    );
  });
});

test("normalisation", async () => {
  await forAll(
    fc.record({ shape: generate.shape({ minRank: 4, maxRank: 4, maxSize: 500 }), seed: generate.seed }),
    (drawn) => {
      const x = generate.values(drawn.shape, drawn.seed);
      const channels = drawn.shape.slice(-1);
      const [gamma, beta, mean] = [1, 2, 3].map((k) => generate.values(channels, drawn.seed + k)) as [Nd, Nd, Nd];
      const variance = generate.values(channels, drawn.seed + 4, { min: 0.2, max: 2 });
      const got = tf.batchNorm(
        tensor(x),
        tensor<tf.Rank.R1>(mean),
        tensor<tf.Rank.R1>(variance),
        tensor<tf.Rank.R1>(beta),
        tensor<tf.Rank.R1>(gamma),
        1e-3,
      );
      same("batchNormInference", drawn, got, norm.batchNormInference(x, gamma, beta, mean, variance));
      const moments = tf.moments(tensor(x), [0, 1, 2]);
      const batch = norm.batchNorm(x, gamma, beta);
      same("batch mean", drawn, moments.mean, batch.mean);
      same("batch variance", drawn, moments.variance, batch.variance);
      const layer = tf.layers.layerNormalization({ gammaInitializer: "ones" });
      const ones = nd(channels, new Float64Array(channels[0]!).fill(1));
      const zeros = nd(channels, new Float64Array(channels[0]!));
      same("layerNorm", drawn, layer.apply(tensor(x)) as tf.Tensor, norm.layerNorm(x, ones, zeros).y);
    },
    15,
  );
});

test("optimisers, twenty steps each", () => {
  const start = generate.values([9], 1);
  const gradients = Array.from({ length: 20 }, (_, t) => generate.values([9], 2 + t));
  const follow = (name: string, optimizer: tf.Optimizer, want: Float64Array): void => {
    const variable = tf.variable(tensor(start));
    for (const g of gradients) optimizer.applyGradients({ [variable.name]: tensor(g) });
    assertClose(variable.dataSync(), nd([9], want), { name, atol: 5e-6 });
    variable.dispose();
    optimizer.dispose();
  };
  const run = <S extends { readonly p: Float64Array }>(
    first: S,
    step: (state: S, g: Float64Array) => S,
  ): Float64Array => gradients.reduce((state, g) => step(state, g.data), first).p;
  const zero = new Float64Array(9);
  const sgd: optimizers.SgdState = { p: start.data, velocity: zero };
  const adam: optimizers.AdamState = { p: start.data, m: zero, v: zero, step: 0 };
  const rms: optimizers.RmspropState = { p: start.data, v: zero, velocity: zero };
  follow(
    "sgd",
    tf.train.sgd(0.05),
    run(sgd, (s, g) => optimizers.sgd(s, g, { learningRate: 0.05 })),
  );
  follow(
    "momentum",
    tf.train.momentum(0.05, 0.9),
    run(sgd, (s, g) => optimizers.sgd(s, g, { learningRate: 0.05, momentum: 0.9 })),
  );
  follow(
    "nesterov",
    tf.train.momentum(0.05, 0.9, true),
    run(sgd, (s, g) => optimizers.sgd(s, g, { learningRate: 0.05, momentum: 0.9, nesterov: true })),
  );
  follow(
    "adam",
    tf.train.adam(0.01, 0.9, 0.99, 1e-4),
    run(adam, (s, g) => optimizers.adam(s, g, { learningRate: 0.01, beta2: 0.99, epsilon: 1e-4 })),
  );
  follow(
    "rmsprop",
    tf.train.rmsprop(0.01, 0.9, 0.5, 1e-4),
    run(rms, (s, g) => optimizers.rmsprop(s, g, { learningRate: 0.01, momentum: 0.5, epsilon: 1e-4 })),
  );
  // Not its centred RMSprop, which takes ε away, nor its Adadelta, which divides by the mean before g² has joined it.
  follow(
    "adagrad",
    tf.train.adagrad(0.1, 0.2),
    run<optimizers.AdagradState>({ p: start.data, s: zero }, (s, g) =>
      optimizers.adagrad(s, g, { learningRate: 0.1, initial: 0.2 }),
    ),
  );
  follow(
    "adamax",
    tf.train.adamax(0.01, 0.9, 0.99, 1e-4),
    run<optimizers.AdamaxState>({ p: start.data, m: zero, n: zero, step: 0 }, (s, g) =>
      optimizers.adamax(s, g, { learningRate: 0.01, beta2: 0.99, epsilon: 1e-4 }),
    ),
  );
});

test.before(async () => {
  tf.env().set("PROD", true); // no console advertisement for the native backend
  await tf.setBackend("cpu");
});

test.run();
