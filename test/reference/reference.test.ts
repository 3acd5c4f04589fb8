/**
 * The references are checked by what does not share their code: numbers worked out by hand or published, and central
 * differences for every gradient, over generated shapes.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assertClose, ulpDistance } from "./compare.ts";
import * as conv from "./conv.ts";
import * as elementwise from "./elementwise.ts";
import { finiteDifferences } from "./finite-differences.ts";
import * as generate from "./generate.ts";
import { forAll } from "./generate.ts";
import * as matmul from "./matmul.ts";
import { dot, map, nd, scalar, size, type Nd } from "./nd.ts";
import * as norm from "./norm.ts";
import * as optimizers from "./optimizers.ts";
import * as pool from "./pool.ts";
import * as reduce from "./reduce.ts";
import * as shapes from "./shape.ts";
import * as softmax from "./softmax.ts";

const small = { maxSize: 60, maxRank: 3 };

/** Compares each gradient of a scalar function with central differences. */
function checkScalar(
  name: string,
  drawn: unknown,
  f: (inputs: readonly Nd[]) => number,
  inputs: readonly Nd[],
  gradients: readonly Nd[],
): void {
  gradients.forEach((gradient, which) => {
    const numeric = finiteDifferences(f, inputs, which);
    assert.equal(gradient.shape, inputs[which]!.shape, `${name}: shape of gradient ${which}`);
    assertClose(gradient.data, numeric, { name: `${name}, gradient ${which}`, case: drawn, rtol: 1e-6, atol: 2e-7 });
  });
}

/** Compares each gradient of y = f(inputs), contracted with a random dy, with central differences. */
function check(
  name: string,
  drawn: { readonly seed: number },
  f: (inputs: readonly Nd[]) => Nd,
  inputs: readonly Nd[],
  gradients: (dy: Nd) => readonly Nd[],
): void {
  const dy = generate.values(f(inputs).shape, drawn.seed + 1);
  checkScalar(name, drawn, (moved) => dot(dy, f(moved)), inputs, gradients(dy));
}

// Elementwise

test("erf and erfc match published values", () => {
  // Abramowitz & Stegun, tables 7.1 and 7.3, extended to 16 digits.
  const known: [number, number][] = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
  ];
  for (const [x, want] of known) {
    assert.ok(Math.abs(elementwise.erf(x) - want) < 3e-16, `erf(${x}) = ${elementwise.erf(x)}`);
    assert.ok(Math.abs(elementwise.erf(-x) + want) < 3e-16);
  }
  const tails: [number, number][] = [
    [5, 1.5374597944280349e-12],
    [10, 2.088487583762545e-45],
    [-3, 1.9999779095030015],
  ];
  for (const [x, want] of tails) {
    assert.ok(Math.abs(elementwise.erfc(x) / want - 1) < 1e-14, `erfc(${x}) = ${elementwise.erfc(x)}`);
  }
  assert.ok(Math.abs(elementwise.erf(2 - 1e-15) - elementwise.erf(2)) < 1e-15, "the two branches meet");
});

test("activations at points worked out by hand", () => {
  const { unary } = elementwise;
  const close = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-14, `${got} is not ${want}`);
  close(unary.sigmoid.f(0), 0.5);
  close(unary.sigmoid.f(-800), 0);
  close(unary.silu.f(Math.log(3)), 0.75 * Math.log(3));
  close(unary.softplus.f(0), Math.LN2);
  close(unary.softplus.f(800), 800);
  close(unary.gelu.f(1), 0.8413447460685429); // Φ(1)
  close(unary.geluTanh.f(1), 0.5 * (1 + Math.tanh(0.7978845608028654 * 1.044715)));
  assert.equal(
    [unary.relu.f(-2), unary.relu.f(3), unary.relu6.f(7), unary.relu6.f(-1), unary.relu6.f(4)],
    [0, 3, 6, 0, 4],
  );
  assert.equal([elementwise.leakyRelu(0.1).f(-2), elementwise.elu(2).f(-Math.LN2)], [-0.2, -1]);
  assert.equal(
    [unary.relu.df(0), unary.relu6.df(0), unary.relu6.df(6), unary.abs.df(0), elementwise.leakyRelu(0.1).df(0)],
    [0, 0, 0, 0, 0.1],
  );
});

const unaryCases: Record<string, { op: elementwise.Unary; values?: generate.ValueOptions }> = {
  ...Object.fromEntries(
    Object.entries(elementwise.unary).map(([name, op]) => [name, { op, values: { min: -4, max: 8, avoid: [0, 6] } }]),
  ),
  log: { op: elementwise.unary.log, values: { min: 0.1, max: 5 } },
  sqrt: { op: elementwise.unary.sqrt, values: { min: 0.1, max: 5 } },
  exp: { op: elementwise.unary.exp, values: { min: -3, max: 2 } },
  leakyRelu: { op: elementwise.leakyRelu(0.2), values: { min: -3, max: 3, avoid: [0] } },
  elu: { op: elementwise.elu(1.5), values: { min: -3, max: 3, avoid: [0] } },
};

for (const [name, { op, values }] of Object.entries(unaryCases)) {
  test(`${name}: gradient`, async () => {
    await forAll(
      fc.record({ shape: generate.shape(small), seed: generate.seed }),
      (drawn) => {
        const x = generate.values(drawn.shape, drawn.seed, values);
        check(
          name,
          drawn,
          ([v]) => elementwise.applyUnary(op, v!),
          [x],
          (dy) => [elementwise.unaryGrad(op, x, dy)],
        );
      },
      10,
    );
  });
}

for (const [name, op] of Object.entries(elementwise.binary) as [
  keyof typeof elementwise.binary,
  elementwise.Binary,
][]) {
  test(`${name}: gradients under broadcasting`, async () => {
    await forAll(fc.record({ pair: generate.broadcastPair(small), seed: generate.seed }), (drawn) => {
      const [shapeA, shapeB] = drawn.pair;
      // One set of distinct values for both, so that maximum and minimum meet no tie.
      const all = generate.values([size(shapeA) + size(shapeB)], drawn.seed, { min: 0.3, max: 2, distinct: true });
      const a = nd(shapeA, all.data.slice(0, size(shapeA)));
      const b = nd(shapeB, all.data.slice(size(shapeA)));
      check(
        name,
        drawn,
        ([u, v]) => elementwise.applyBinary(op, u!, v!),
        [a, b],
        (dy) => {
          const { da, db } = elementwise.binaryGrad(op, a, b, dy);
          return [da, db];
        },
      );
    });
  });
}

test("broadcasting by hand", () => {
  const a = nd([2, 1], [10, 20]);
  const b = nd([3], [1, 2, 3]);
  assert.equal(elementwise.applyBinary(elementwise.binary.add, a, b), nd([2, 3], [11, 12, 13, 21, 22, 23]));
  assert.equal(elementwise.sumTo(nd([2, 3], [1, 2, 3, 4, 5, 6]), [2, 1]), nd([2, 1], [6, 15]));
  assert.equal(elementwise.sumTo(nd([2, 3], [1, 2, 3, 4, 5, 6]), [3]), nd([3], [5, 7, 9]));
  assert.equal(elementwise.sumTo(nd([2, 3], [1, 2, 3, 4, 5, 6]), []), scalar(21));
  assert.throws(() => elementwise.broadcastShape([2, 3], [2]), /do not broadcast/);
});

test("a tie of maximum or minimum goes to the first operand", () => {
  const x = nd([2], [1, 5]);
  const dy = nd([2], [3, 4]);
  for (const op of [elementwise.binary.maximum, elementwise.binary.minimum]) {
    assert.equal(elementwise.binaryGrad(op, x, x, dy), { da: dy, db: nd([2], [0, 0]) });
  }
});

test("pow at the edges", () => {
  const { pow } = elementwise.binary;
  assert.equal([pow.f(-2, 3), pow.da(-2, 3), pow.db(-2, 3)], [-8, 12, 0]);
  assert.equal([pow.f(0, 0), pow.da(0, 0), pow.db(0, 2)], [1, 0, 0]);
});

// Reductions

for (const name of ["sum", "mean", "max", "min"] as const) {
  test(`${name}: gradient over any axes`, async () => {
    await forAll(generate.reduceCase(small), (drawn) => {
      const x = generate.values(drawn.shape, drawn.seed, { distinct: true });
      check(
        name,
        drawn,
        ([v]) => reduce[name](v!, drawn),
        [x],
        (dy) => {
          if (name === "sum") return [reduce.sumGrad(x.shape, dy, drawn)];
          if (name === "mean") return [reduce.meanGrad(x.shape, dy, drawn)];
          return [name === "max" ? reduce.maxGrad(x, dy, drawn) : reduce.minGrad(x, dy, drawn)];
        },
      );
    });
  });
}

test("reductions by hand", () => {
  const x = nd([2, 3], [1, 5, 5, 7, 0, 7]);
  assert.equal(reduce.sum(x), scalar(25));
  assert.equal(reduce.sum(x, { axes: [0] }), nd([3], [8, 5, 12]));
  assert.equal(reduce.mean(x, { axes: [-1], keepDims: true }), nd([2, 1], [11 / 3, 14 / 3]));
  assert.equal(reduce.max(x, { axes: [1] }), nd([2], [5, 7]));
  assert.equal(reduce.min(x, { axes: [0, 1], keepDims: true }), nd([1, 1], [0]));
  assert.equal(reduce.argMax(x), nd([2], [1, 0]));
  assert.equal(reduce.argMax(x, 0, true), nd([1, 3], [1, 0, 1]));
  assert.equal(reduce.argMin(x, -1), nd([2], [0, 1]));
  assert.equal(reduce.maxGrad(x, nd([2], [3, 4]), { axes: [1] }), nd([2, 3], [0, 3, 0, 4, 0, 0]));
});

// Matrix products

test("matmul: gradients with transposes, batches, bias and activation", async () => {
  await forAll(generate.matmulCase({ maxWork: 150 }), (drawn) => {
    const a = generate.values(drawn.a, drawn.seed);
    const b = generate.values(drawn.b, drawn.seed + 2);
    const bias = generate.values(drawn.y.slice(-1), drawn.seed + 3);
    const options = (v: Nd): matmul.MatmulOptions => ({
      transposeA: drawn.transposeA,
      transposeB: drawn.transposeB,
      bias: drawn.bias ? v : undefined,
      activation: drawn.bias ? elementwise.unary.tanh : undefined,
    });
    assert.equal(matmul.matmul(a, b, options(bias)).shape, drawn.y);
    check(
      "matmul",
      drawn,
      ([u, v, w]) => matmul.matmul(u!, v!, options(w!)),
      [a, b, bias],
      (dy) => {
        const { da, db, dbias } = matmul.matmulGrad(a, b, dy, options(bias));
        return drawn.bias ? [da, db, dbias] : [da, db];
      },
    );
  });
});

test("matmul by hand", () => {
  const a = nd([2, 3], [1, 2, 3, 4, 5, 6]);
  const b = nd([3, 2], [1, 0, -1, 2, 0, 1]);
  const want = nd([2, 2], [-1, 7, -1, 16]);
  assert.equal(matmul.matmul(a, b), want);
  assert.equal(matmul.matmul(shapes.transpose(a), b, { transposeA: true }), want);
  assert.equal(matmul.matmul(a, shapes.transpose(b), { transposeB: true }), want);
  assert.equal(
    matmul.matmul(a, b, { bias: nd([2], [0, -10]), activation: elementwise.unary.relu }),
    nd([2, 2], [0, 0, 0, 6]),
  );
  assert.equal(matmul.matmul(nd([2, 1, 1], [2, 3]), nd([1, 2], [5, 7])), nd([2, 1, 2], [10, 14, 15, 21]));
});

// Convolutions

test("conv2d: gradients with strides, dilation, padding and groups", async () => {
  await forAll(generate.convCase({ maxWork: 300 }), (drawn) => {
    const x = generate.values(drawn.x, drawn.seed);
    const filter = generate.values(drawn.filter, drawn.seed + 2);
    const bias = generate.values(drawn.y.slice(-1), drawn.seed + 3);
    const options = (v: Nd): conv.ConvOptions => ({
      ...drawn,
      bias: drawn.bias ? v : undefined,
      activation: drawn.bias ? elementwise.unary.sigmoid : undefined,
    });
    assert.equal(conv.conv2d(x, filter, options(bias)).shape, drawn.y);
    check(
      "conv2d",
      drawn,
      ([u, v, w]) => conv.conv2d(u!, v!, options(w!)),
      [x, filter, bias],
      (dy) => {
        const { dx, dfilter, dbias } = conv.conv2dGrad(x, filter, dy, options(bias));
        return drawn.bias ? [dx, dfilter, dbias] : [dx, dfilter];
      },
    );
  });
});

test("depthwiseConv2d: gradients", async () => {
  await forAll(generate.convCase({ maxWork: 300, kind: "depthwise" }), (drawn) => {
    const { stride, dilation, padding } = drawn;
    const x = generate.values(drawn.x, drawn.seed);
    const filter = generate.values(drawn.filter, drawn.seed + 2);
    const bias = generate.values(drawn.y.slice(-1), drawn.seed + 3);
    assert.equal(conv.depthwiseConv2d(x, filter, { stride, dilation, padding }).shape, drawn.y);
    check(
      "depthwiseConv2d",
      drawn,
      ([u, v, w]) => conv.depthwiseConv2d(u!, v!, { stride, dilation, padding, bias: w }),
      [x, filter, bias],
      (dy) => {
        const { dx, dfilter, dbias } = conv.depthwiseConv2dGrad(x, filter, dy, { stride, dilation, padding, bias });
        return [dx, dfilter, dbias];
      },
    );
  });
});

test("transposedConv2d: gradients, and it is the adjoint of conv2d", async () => {
  await forAll(generate.transposedConvCase({ maxWork: 300 }), (drawn) => {
    const x = generate.values(drawn.x, drawn.seed);
    const filter = generate.values(drawn.filter, drawn.seed + 2);
    const bias = generate.values(drawn.y.slice(-1), drawn.seed + 3);
    const { stride, dilation, padding, groups, outputPadding } = drawn;
    const geometry = { stride, dilation, padding, groups, outputPadding };
    assert.equal(conv.transposedConv2d(x, filter, geometry).shape, drawn.y);
    check(
      "transposedConv2d",
      drawn,
      ([u, v, w]) => conv.transposedConv2d(u!, v!, { ...geometry, bias: w }),
      [x, filter, bias],
      (dy) => {
        const { dx, dfilter, dbias } = conv.transposedConv2dGrad(x, filter, dy, { ...geometry, bias });
        return [dx, dfilter, dbias];
      },
    );
    // ⟨conv(u), x⟩ = ⟨u, transposed(x)⟩ wherever output padding does not add a window.
    const u = generate.values(drawn.y, drawn.seed + 4);
    const back = conv.conv2d(u, filter, { stride, dilation, padding, groups });
    if (size(back.shape) !== size(x.shape)) return;
    const left = dot(back, x);
    const right = dot(u, conv.transposedConv2d(x, filter, geometry));
    assert.ok(Math.abs(left - right) < 1e-10, `${left} ≠ ${right} for ${JSON.stringify(drawn)}`);
  });
});

test("convolutions by hand", () => {
  const x = nd([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const filter = nd([2, 2, 1, 1], [1, 0, 0, -1]);
  assert.equal(conv.conv2d(x, filter), nd([1, 2, 2, 1], [-4, -4, -4, -4]));
  // TensorFlow's "same" pads an even filter below and to the right only.
  const same = conv.resolvePadding("same", [3, 3], [2, 2]);
  assert.equal(same, { top: 0, bottom: 1, left: 0, right: 1 });
  assert.equal(conv.conv2d(x, filter, { padding: same }), nd([1, 3, 3, 1], [-4, -4, 3, -4, -4, 6, 7, 8, 9]));
  assert.equal(conv.conv2d(x, filter, { dilation: [2, 2] }), nd([1, 1, 1, 1], [-8]));
  // Two groups: the first output sees channel 0, the second channel 1.
  const two = nd([1, 1, 1, 2], [3, 5]);
  assert.equal(conv.conv2d(two, nd([1, 1, 1, 2], [10, 100]), { groups: 2 }), nd([1, 1, 1, 2], [30, 500]));
  // Depth multiplier 2: outputs c·2 + m.
  assert.equal(conv.depthwiseConv2d(two, nd([1, 1, 2, 2], [1, 2, 10, 20])), nd([1, 1, 1, 4], [3, 6, 50, 100]));
  // A stride of 2 spreads the filter's copies apart.
  const spread = conv.transposedConv2d(nd([1, 1, 2, 1], [1, 10]), nd([1, 2, 1, 1], [3, 4]), { stride: [1, 2] });
  assert.equal(spread, nd([1, 1, 4, 1], [3, 4, 30, 40]));
});

test("padding modes by hand", () => {
  assert.equal(conv.resolvePadding("same", [224, 7], [7, 3], [2, 2]), { top: 2, bottom: 3, left: 1, right: 1 });
  assert.equal(conv.resolvePadding("same", [5, 5], [1, 1], [3, 3]), conv.noPadding);
  assert.equal(conv.resolvePadding("valid", [5, 5], [3, 3]), conv.noPadding);
  assert.equal(conv.resolveTransposedPadding("same", [3, 3], [2, 1]), {
    padding: { top: 0, bottom: 1, left: 1, right: 1 },
    outputPadding: [0, 0],
  });
  assert.equal(conv.resolveTransposedPadding("valid", [1, 3], [2, 2]), {
    padding: conv.noPadding,
    outputPadding: [1, 0],
  });
});

// Pooling

test("maxPool and averagePool: gradients", async () => {
  await forAll(generate.poolCase({ maxWork: 150 }), (drawn) => {
    const x = generate.values(drawn.x, drawn.seed, { distinct: true });
    assert.equal(pool.maxPool(x, drawn).shape, drawn.y);
    check(
      "maxPool",
      drawn,
      ([v]) => pool.maxPool(v!, drawn),
      [x],
      (dy) => [pool.maxPoolGrad(x, dy, drawn)],
    );
    check(
      "averagePool",
      drawn,
      ([v]) => pool.averagePool(v!, drawn),
      [x],
      (dy) => [pool.averagePoolGrad(x.shape, dy, drawn)],
    );
  });
});

test("global pools: gradients", async () => {
  await forAll(
    fc.record({
      shape: generate.shape({ minRank: 4, maxRank: 4, maxSize: 60 }),
      keepDims: fc.boolean(),
      seed: generate.seed,
    }),
    (drawn) => {
      const { keepDims } = drawn;
      const x = generate.values(drawn.shape, drawn.seed, { distinct: true });
      check(
        "globalMaxPool",
        drawn,
        ([v]) => pool.globalMaxPool(v!, keepDims),
        [x],
        (dy) => [pool.globalMaxPoolGrad(x, dy, keepDims)],
      );
      check(
        "globalAveragePool",
        drawn,
        ([v]) => pool.globalAveragePool(v!, keepDims),
        [x],
        (dy) => [pool.globalAveragePoolGrad(x.shape, dy, keepDims)],
      );
    },
  );
});

test("pooling by hand", () => {
  const x = nd([1, 3, 3, 1], [-1, -2, -3, -4, -4, -6, -7, -8, -9]);
  const square = { size: [2, 2], stride: [1, 1] } as const;
  assert.equal(pool.maxPool(x, square), nd([1, 2, 2, 1], [-1, -2, -4, -4]));
  assert.equal(
    pool.maxPoolGrad(x, nd([1, 2, 2, 1], [1, 2, 3, 4]), square),
    nd([1, 3, 3, 1], [1, 2, 0, 3, 4, 0, 0, 0, 0]),
  );
  // Padding never wins, though all is negative; divisors count the real elements, or all but ceil mode's extra.
  const padding = { top: 1, bottom: 0, left: 1, right: 0 };
  assert.equal(pool.maxPool(x, { size: [2, 2], padding }), nd([1, 2, 2, 1], [-1, -2, -4, -4]));
  assert.equal(pool.averagePool(x, { size: [2, 2], padding }), nd([1, 2, 2, 1], [-1, -2.5, -5.5, -6.75]));
  assert.equal(
    pool.averagePool(x, { size: [2, 2], padding, countPadding: true }),
    nd([1, 2, 2, 1], [-0.25, -1.25, -2.75, -6.75]),
  );
  const extra = pool.ceilExtra([3, 3], { size: [2, 2] });
  assert.equal(extra, [1, 1]);
  assert.equal(
    pool.averagePool(x, { size: [2, 2], extra, countPadding: true }),
    nd([1, 2, 2, 1], [-2.75, -4.5, -7.5, -9]),
  );
  // No window may start in the padding: 3 + 1 + 1 with stride 3 and size 2 stays at two windows, 2 + 1 + 1 at one.
  assert.equal(
    pool.ceilExtra([3, 2], { size: [2, 2], stride: [3, 3], padding: { top: 1, bottom: 1, left: 1, right: 1 } }),
    [0, 0],
  );
  // All equal: the first in row order receives everything.
  assert.equal(pool.globalMaxPoolGrad(nd([1, 2, 2, 1], [5, 5, 5, 5]), nd([1, 1], [7])), nd([1, 2, 2, 1], [7, 0, 0, 0]));
});

// Softmax and losses

test("softmax and logSoftmax: gradients over any axis", async () => {
  await forAll(generate.axisCase(small), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed, { min: -3, max: 3 });
    check(
      "softmax",
      drawn,
      ([v]) => softmax.softmax(v!, drawn.axis),
      [x],
      (dy) => [softmax.softmaxGrad(x, dy, drawn.axis)],
    );
    check(
      "logSoftmax",
      drawn,
      ([v]) => softmax.logSoftmax(v!, drawn.axis),
      [x],
      (dy) => [softmax.logSoftmaxGrad(x, dy, drawn.axis)],
    );
  });
});

test("softmaxCrossEntropy: gradient with smoothing and weights", async () => {
  const options = fc.record({
    shape: generate.shape({ minRank: 2, maxRank: 2, maxSize: 60 }),
    smoothing: fc.constantFrom(0, 0.1),
    classWeights: fc.boolean(),
    sampleWeights: fc.boolean(),
    divideBy: fc.constantFrom("rows" as const, "weights" as const),
    seed: generate.seed,
  });
  await forAll(options, (drawn) => {
    const [rows, classes] = drawn.shape as [number, number];
    const logits = generate.values(drawn.shape, drawn.seed, { min: -3, max: 3 });
    const labels = generate.labels(rows, classes, drawn.seed);
    const weights = (count: number): Float64Array =>
      generate.values([count], drawn.seed + 2, { min: 0.5, max: 2 }).data;
    const how: softmax.CrossEntropyOptions = {
      smoothing: drawn.smoothing,
      divideBy: drawn.divideBy,
      classWeights: drawn.classWeights ? weights(classes) : undefined,
      sampleWeights: drawn.sampleWeights ? weights(rows) : undefined,
    };
    checkScalar(
      "softmaxCrossEntropy",
      drawn,
      ([v]) => softmax.softmaxCrossEntropy(v!, labels, how).loss,
      [logits],
      [softmax.softmaxCrossEntropyGrad(logits, labels, how)],
    );
  });
});

test("bceWithLogits and meanSquaredError: gradients", async () => {
  await forAll(
    fc.record({ shape: generate.shape(small), positiveWeight: fc.constantFrom(1, 2.5), seed: generate.seed }),
    (drawn) => {
      const x = generate.values(drawn.shape, drawn.seed, { min: -4, max: 4 });
      const targets = generate.values(drawn.shape, drawn.seed + 2, { min: 0 });
      checkScalar(
        "bceWithLogits",
        drawn,
        ([v]) => softmax.bceWithLogits(v!, targets, drawn),
        [x],
        [softmax.bceWithLogitsGrad(x, targets, drawn)],
      );
      checkScalar(
        "meanSquaredError",
        drawn,
        ([v]) => softmax.meanSquaredError(v!, targets),
        [x],
        [softmax.meanSquaredErrorGrad(x, targets)],
      );
    },
  );
});

test("softmax and losses by hand", () => {
  const third = { name: "softmax", rtol: 1e-14, atol: 1e-15 };
  assertClose(softmax.softmax(nd([1, 3], [1000, 1000, 1000])).data, nd([1, 3], [1 / 3, 1 / 3, 1 / 3]), third);
  assertClose(softmax.softmax(nd([2, 1], [0, Math.log(3)]), 0).data, nd([2, 1], [0.25, 0.75]), third);
  const logits = nd([2, 2], [0, Math.log(3), 0, 0]);
  const near = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-14, `${got} is not ${want}`);
  const plain = softmax.softmaxCrossEntropy(logits, [1, 0]);
  near(plain.loss, (Math.log(4 / 3) + Math.LN2) / 2);
  near(plain.rows.data[0]!, Math.log(4 / 3));
  const weighted = { classWeights: [3, 1], sampleWeights: [1, 2] };
  near(softmax.softmaxCrossEntropy(logits, [1, 0], weighted).loss, (Math.log(4 / 3) + 6 * Math.LN2) / 2);
  near(
    softmax.softmaxCrossEntropy(logits, [1, 0], { ...weighted, divideBy: "weights" }).loss,
    (Math.log(4 / 3) + 6 * Math.LN2) / 7,
  );
  near(
    softmax.softmaxCrossEntropy(nd([1, 2], [0, Math.log(3)]), [1], { smoothing: 0.2 }).loss,
    0.9 * Math.log(4 / 3) + 0.1 * Math.log(4),
  );
  assert.throws(() => softmax.softmaxCrossEntropy(logits, [1, 2]), /label 2 of row 1/);
  near(softmax.bceWithLogits(nd([2], [0, 1000]), nd([2], [1, 1])), Math.LN2 / 2);
  near(softmax.bceWithLogits(nd([1], [0]), nd([1], [1]), { positiveWeight: 3 }), 3 * Math.LN2);
  near(softmax.meanSquaredError(nd([2], [1, 3]), nd([2], [0, 1])), 2.5);
});

// Shapes

test("reshape, transpose, slice, pad: gradients", async () => {
  await forAll(generate.transposeCase(small), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    check(
      "reshape",
      drawn,
      ([v]) => shapes.reshape(v!, [size(drawn.shape)]),
      [x],
      (dy) => [shapes.reshapeGrad(x.shape, dy)],
    );
    check(
      "transpose",
      drawn,
      ([v]) => shapes.transpose(v!, drawn.permutation),
      [x],
      (dy) => [shapes.transposeGrad(dy, drawn.permutation)],
    );
  });
  await forAll(generate.sliceCase(small), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    check(
      "slice",
      drawn,
      ([v]) => shapes.slice(v!, drawn.begin, drawn.extent),
      [x],
      (dy) => [shapes.sliceGrad(x.shape, dy, drawn.begin)],
    );
  });
  await forAll(generate.padCase(small), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    check(
      "pad",
      drawn,
      ([v]) => shapes.pad(v!, drawn.paddings, 0.5),
      [x],
      (dy) => [shapes.padGrad(x.shape, dy, drawn.paddings)],
    );
  });
});

test("concat and gather: gradients", async () => {
  await forAll(generate.concatCase(small), (drawn) => {
    const xs = drawn.shapes.map((shape, i) => generate.values(shape, drawn.seed + 2 + i));
    check(
      "concat",
      drawn,
      (inputs) => shapes.concat(inputs, drawn.axis),
      xs,
      (dy) => shapes.concatGrad(drawn.shapes, dy, drawn.axis),
    );
  });
  await forAll(fc.record({ shape: generate.shape(small), count: generate.extent(9), seed: generate.seed }), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    const rows = generate.labels(drawn.count, drawn.shape[0]!, drawn.seed);
    check(
      "gather",
      drawn,
      ([v]) => shapes.gather(v!, rows),
      [x],
      (dy) => [shapes.gatherGrad(x.shape, dy, rows)],
    );
  });
});

test("shapes by hand", () => {
  const x = nd([2, 3], [1, 2, 3, 4, 5, 6]);
  assert.equal(shapes.transpose(x), nd([3, 2], [1, 4, 2, 5, 3, 6]));
  assert.equal(shapes.transpose(nd([1, 2, 3], x.data), [2, 0, 1]), nd([3, 1, 2], [1, 4, 2, 5, 3, 6]));
  assert.equal(shapes.slice(x, [0, 1], [2, 2]), nd([2, 2], [2, 3, 5, 6]));
  assert.equal(
    shapes.pad(
      x,
      [
        [1, 0],
        [0, 1],
      ],
      9,
    ),
    nd([3, 4], [9, 9, 9, 9, 1, 2, 3, 9, 4, 5, 6, 9]),
  );
  assert.equal(shapes.concat([x, nd([2, 1], [7, 8])], -1), nd([2, 4], [1, 2, 3, 7, 4, 5, 6, 8]));
  assert.equal(shapes.gather(x, [1, 1, 0]), nd([3, 3], [4, 5, 6, 4, 5, 6, 1, 2, 3]));
  assert.equal(shapes.gatherGrad([2, 1], nd([3, 1], [1, 2, 4]), [1, 1, 0]), nd([2, 1], [4, 3]));
  assert.equal(shapes.oneHot([2, 0], 3), nd([2, 3], [0, 0, 1, 1, 0, 0]));
  assert.throws(() => shapes.slice(x, [0, 2], [2, 2]), /leaves/);
});

// Normalisation

test("batchNorm and layerNorm: gradients", async () => {
  await forAll(generate.axisCase({ minRank: 2, maxRank: 4, maxSize: 60 }), (drawn) => {
    const x = generate.values(drawn.shape, drawn.seed);
    const channels = drawn.shape.slice(-1);
    const gamma = generate.values(channels, drawn.seed + 2, { min: 0.5, max: 2 });
    const beta = generate.values(channels, drawn.seed + 3);
    const gradients = ({ dx, dgamma, dbeta }: norm.NormGradients): Nd[] => [dx, dgamma, dbeta];
    const inputs = [x, gamma, beta];
    check(
      "batchNorm",
      drawn,
      ([u, v, w]) => norm.batchNorm(u!, v!, w!, 0.01).y,
      inputs,
      (dy) => gradients(norm.batchNormGrad(x, gamma, dy, 0.01)),
    );
    const mean = generate.values(channels, drawn.seed + 4);
    const variance = generate.values(channels, drawn.seed + 5, { min: 0.2, max: 2 });
    check(
      "batchNormInference",
      drawn,
      ([u, v, w]) => norm.batchNormInference(u!, v!, w!, mean, variance),
      inputs,
      (dy) => gradients(norm.batchNormInferenceGrad(x, gamma, mean, variance, dy)),
    );
    const row = drawn.shape.slice(drawn.axis < 0 ? drawn.axis : -1);
    const gains = generate.values(row, drawn.seed + 2, { min: 0.5, max: 2 });
    const shifts = generate.values(row, drawn.seed + 3);
    check(
      "layerNorm",
      drawn,
      ([u, v, w]) => norm.layerNorm(u!, v!, w!, 0.01).y,
      [x, gains, shifts],
      (dy) => gradients(norm.layerNormGrad(x, gains, dy, 0.01)),
    );
  });
});

test("normalisation by hand", () => {
  const x = nd([2, 2], [1, 10, 3, 10]);
  const { y, mean, variance } = norm.batchNorm(x, nd([2], [2, 1]), nd([2], [5, 7]), 0);
  assert.equal([mean, variance], [nd([2], [2, 10]), nd([2], [1, 0])]);
  assert.equal([y.data[0], y.data[2]], [3, 7]);
  assert.equal(norm.layerNorm(nd([1, 2], [1, 3]), nd([2], [2, 1]), nd([2], [5, 7]), 0).y, nd([1, 2], [3, 8]));
  const running = { mean: nd([1], [4]), variance: nd([1], [8]) };
  const batch = { mean: nd([1], [2]), variance: nd([1], [3]) };
  const keras = norm.runningUpdate(running, batch, 4, 0.75, "keras");
  assert.equal([keras.mean.data[0], keras.variance.data[0]], [3.5, 6.75]);
  const pytorch = norm.runningUpdate(running, batch, 4, 0.25, "pytorch");
  assert.equal([pytorch.mean.data[0], pytorch.variance.data[0]], [3.5, 7]);
});

// Optimisers

test("optimisers by hand: two steps from p = 1 with g = 2, then g = 1", () => {
  const g1 = Float64Array.of(2);
  const g2 = Float64Array.of(1);
  const zero = Float64Array.of(0);
  const one = Float64Array.of(1);
  const near = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-14, `${got} is not ${want}`);
  const twice = <S extends { readonly p: Float64Array }>(step: (state: S, g: Float64Array) => S, start: S): number =>
    step(step(start, g1), g2).p[0]!;

  const sgd: optimizers.SgdState = { p: one, velocity: zero };
  near(
    twice((s, g) => optimizers.sgd(s, g, { learningRate: 0.1 }), sgd),
    1 - 0.2 - 0.1,
  );
  near(
    twice((s, g) => optimizers.sgd(s, g, { learningRate: 0.1, momentum: 0.5 }), sgd),
    1 - 0.2 - 0.1 * 2,
  );
  near(
    twice((s, g) => optimizers.sgd(s, g, { learningRate: 0.1, momentum: 0.5, nesterov: true }), sgd),
    1 - 0.1 * 3 - 0.1 * 2,
  );
  near(
    twice((s, g) => optimizers.sgd(s, g, { learningRate: 0.1, weightDecay: 0.5 }), sgd),
    0.75 - 0.1 * (1 + 0.375),
  );

  // β₁ = β₂ = ½: m̂ = 2, v̂ = 4 after the first step; m = 1, v = 1.5, both over ¾, after the second.
  const start: optimizers.AdamState = { p: one, m: zero, v: zero, step: 0 };
  const half = { learningRate: 0.1, beta1: 0.5, beta2: 0.5, epsilon: 0 };
  near(
    twice((s, g) => optimizers.adam(s, g, half), start),
    1 - 0.1 - (0.1 * (4 / 3)) / Math.sqrt(2),
  );
  near(
    twice((s, g) => optimizers.adam(s, g, { ...half, epsilonHat: true }), start),
    1 - 0.1 - (0.1 * (4 / 3)) / Math.sqrt(2),
  );
  near(optimizers.adam(start, g1, { ...half, epsilon: 2 }).p[0]!, 1 - 0.1 * (2 / 4));
  near(
    optimizers.adam(start, g1, { ...half, epsilon: 2, epsilonHat: true }).p[0]!,
    1 - (0.1 * Math.SQRT2) / (Math.SQRT2 + 2),
  );
  near(optimizers.adam(start, zero, { ...half, weightDecay: 4 }).p[0]!, 1 - 0.1);
  near(
    twice((s, g) => optimizers.adamW(s, g, { ...half, weightDecay: 1 }), start),
    (0.9 - 0.1) * 0.9 - (0.1 * (4 / 3)) / Math.sqrt(2),
  );

  // ρ = ¾: v = 1 after the first step, 1 after the second.
  const rms: optimizers.RmspropState = { p: one, v: zero, velocity: zero };
  near(
    twice((s, g) => optimizers.rmsprop(s, g, { learningRate: 0.1, rho: 0.75, epsilon: 0 }), rms),
    1 - 0.2 - 0.1,
  );
  near(
    twice((s, g) => optimizers.rmsprop(s, g, { learningRate: 0.1, rho: 0.75, epsilon: 0, momentum: 0.5 }), rms),
    1 - 0.2 - 0.1 * 2,
  );
  near(optimizers.rmsprop(rms, g1, { learningRate: 0.1, rho: 0.75, epsilon: 3 }).p[0]!, 1 - 0.1);
  near(optimizers.rmsprop(rms, g1, { learningRate: 0.1, rho: 0.75, epsilon: 3, epsilonInside: false }).p[0]!, 1 - 0.05);

  near(
    twice((s, g) => optimizers.rmsprop(s, g, { learningRate: 0.1, rho: 0.75, epsilon: 0, centered: true }), rms),
    1 - 0.2 / Math.sqrt(1 - 0.5 ** 2) - 0.1 / Math.sqrt(1 - 0.625 ** 2),
  );

  // v = 2 remains the greatest.
  near(
    twice((s, g) => optimizers.adam(s, g, { ...half, amsgrad: true }), start),
    1 - 0.1 - (0.1 * (4 / 3)) / Math.sqrt(8 / 3),
  );
  // ψ = 0 keeps μ at ¼.
  near(
    twice((s, g) => optimizers.nadam(s, g, { ...half, momentumDecay: 0 }), { ...start, product: 1 }),
    1 - (0.1 * (4 / 15 + 2)) / 2 - (0.1 * (16 / 63 + 4 / 5)) / Math.sqrt(2),
  );
  near(
    twice<optimizers.AdamaxState>((s, g) => optimizers.adamax(s, g, half), { p: one, m: zero, n: zero, step: 0 }),
    1 - 0.1 - 0.1 / 0.75,
  );
  near(
    twice<optimizers.AdagradState>((s, g) => optimizers.adagrad(s, g, { learningRate: 0.1, initial: 5, epsilon: 0 }), {
      p: one,
      s: zero,
    }),
    1 - 0.2 / 3 - 0.1 / Math.sqrt(10),
  );
  near(
    twice<optimizers.AdadeltaState>((s, g) => optimizers.adadelta(s, g, { learningRate: 1, rho: 0.5, epsilon: 1 }), {
      p: one,
      v: zero,
      d: zero,
    }),
    1 - 2 / Math.sqrt(3) - Math.sqrt(5 / 3 / 2.5),
  );

  assert.equal(optimizers.clipByValue(Float64Array.of(2, -3, 1), 1.5), Float64Array.of(1.5, -1.5, 1));
  const { clipped, norm: length } = optimizers.clipByGlobalNorm([Float64Array.of(3), Float64Array.of(0, 4)], 1);
  near(length, 5);
  assert.equal(
    clipped.map((g) => [...g].map((value) => Math.round(value * 10))),
    [[6], [0, 8]],
  );
  assert.equal(optimizers.clipByGlobalNorm([g1], 3).clipped, [g1]);
});

// The tools themselves

test("generated geometries stay within their bounds", async () => {
  const limit = 20_000;
  await forAll(
    generate.convCase({ maxWork: limit }),
    ({ y, filter }) => {
      assert.ok(y.every((e) => e >= 1));
      assert.ok(size(y) * size(filter.slice(0, 3)) <= limit);
    },
    500,
  );
  await forAll(
    generate.convCase({ maxWork: limit, kind: "depthwise" }),
    ({ y, filter }) => {
      assert.ok(y.every((e) => e >= 1));
      assert.ok(size(y) * size(filter.slice(0, 2)) <= limit);
    },
    500,
  );
  await forAll(
    generate.transposedConvCase({ maxWork: limit }),
    ({ x, y, filter }) => {
      assert.ok(y.every((e) => e >= 1));
      assert.ok(size(x) * size(filter.slice(0, 3)) <= limit);
    },
    500,
  );
  await forAll(
    generate.poolCase({ maxWork: limit }),
    ({ x, y, ...options }) => {
      assert.ok(y.every((e) => e >= 1));
      assert.ok(size(y) * size(options.size) + size(x) <= limit);
      pool.maxPool(generate.values(x, 1), options);
    },
    500,
  );
  await forAll(generate.matmulCase({ maxWork: limit }), ({ y, k }) => assert.ok(size(y) * k <= limit), 500);
});

test("values are seeded float32s, distinct or tied as asked", () => {
  const distinct = generate.values([1000], 7, { distinct: true });
  assert.equal(distinct, generate.values([1000], 7, { distinct: true }));
  assert.not.equal(distinct, generate.values([1000], 8, { distinct: true }));
  assert.is(new Set(distinct.data).size, 1000);
  assert.equal(map(distinct, Math.fround), distinct);
  assert.is(new Set(generate.tiedValues([1000], 7).data).size, 3);
  const away = generate.values([1000], 7, { avoid: [0] });
  assert.ok(away.data.every((value) => value >= -1 && value <= 1 && Math.abs(value) > 0.0099));
});

test("assertClose names the worst element and allows what float32 sums need", () => {
  const want = nd([2, 2], [1, 2, 3, 4]);
  assertClose([1, 2, 3, 4], want, { name: "op" });
  assert.throws(
    () => assertClose([1, 2.5, 3, 5], want, { name: "op", case: { seed: 3 } }),
    (error: Error) =>
      /^op \{"seed":3\}: element \[1, 1\] of \[2, 2\]: got 5, want 4; .* 2 of 4 elements are off$/.test(error.message),
  );
  assert.throws(() => assertClose([1, 2, 3], want, { name: "op" }), /expected 4 elements/);
  assert.throws(() => assertClose([1, 2, 3, Number.NaN], want, { name: "op" }), /got NaN/);
  assertClose([Number.NaN, Infinity, Infinity], nd([3], [Number.NaN, Infinity, 1e39]), { name: "op" });
  assert.throws(() => assertClose([Infinity], nd([1], [-Infinity]), { name: "op" }), /got Infinity/);
  // 1e4 − 1e4 + ε in float32: hopeless by relative error, fine by the magnitude of its terms.
  const cancelled = nd([1], [1e-5]);
  assert.throws(() => assertClose([2e-4], cancelled, { name: "op" }));
  assertClose([2e-4], cancelled, { name: "op", magnitude: nd([1], [2e4]), terms: 3 });
  assertClose([1 + 3e-5], nd([1], [1]), { name: "op", terms: 10_000 });
  assert.throws(() => assertClose([1 + 3e-5], nd([1], [1]), { name: "op" }));
  assert.is(ulpDistance(1, 1 + 2 ** -23), 1);
  assert.is(ulpDistance(-(2 ** -149), 2 ** -149), 2);
});

test("central differences of a cubic", () => {
  const f = ([a, b]: readonly Nd[]): number =>
    dot(
      map(a!, (v) => v ** 3),
      b!,
    );
  const x = nd([2], [1, 2]);
  const y = nd([2], [3, 5]);
  assertClose(finiteDifferences(f, [x, y], 0).data, nd([2], [9, 60]), { name: "d/dx", rtol: 1e-8 });
  assertClose(finiteDifferences(f, [x, y], 1).data, nd([2], [1, 8]), { name: "d/dy", rtol: 1e-8 });
});

test.run();
