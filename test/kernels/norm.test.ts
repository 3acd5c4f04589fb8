/** Batch and layer normalisation: values, gradients, statistics that follow, and what `compile` makes of them. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { add, batchNorm, batchNormInference, conv2d, layerNorm, mul, relu, sum } from "../../src/kernels/index.ts";
import { BINDING_ALIGNMENT, compile, Tensor, valueAndGradients, type Program } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { absolute, map, nd, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/norm.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type Drawn } from "./check.ts";

const tests = deviceSuite("normalisation");

interface Case extends Drawn {
  readonly epsilon: number;
}

const epsilon = fc.constantFrom(1e-3, 1e-5, 0.1);

/** Batches whose channels vary: two rows or more, and not all alike. */
const batches = generate
  .shape({ minRank: 2, maxRank: 4, maxSize: 4000 })
  .filter((shape) => shape.slice(0, -1).reduce((rows, extent) => rows * extent, 1) > 3);

const argumentsOf = (shape: readonly number[], parameters: readonly number[], seed: number): readonly Nd[] => [
  generate.values(shape, seed, { min: -2, max: 3 }),
  generate.values(parameters, seed + 1, { min: 0.5, max: 1.5 }),
  generate.values(parameters, seed + 2),
];

const gradientsOf = ({ dx, dgamma, dbeta }: reference.NormGradients): readonly Nd[] => [dx, dgamma, dbeta];

/** Σ|terms|: a result's terms are of its own size, and parameter gradients sum numbers of less than one over rows. */
const massOf = (x: Nd, gamma: Nd, dy: Nd, y: Nd): readonly [Nd, Nd, Nd, Nd] => {
  const rows = x.data.length / gamma.data.length;
  const ones = map(gamma, () => rows);
  return [absolute(y), map(dy, () => 4), ones, ones];
};

checkOp<Case>(tests, "batchNorm", {
  cases: fc.record({ shape: batches, epsilon, seed: generate.seed }),
  numRuns: 20,
  heavy: true,
  arguments: ({ shape, seed }) => argumentsOf(shape, shape.slice(-1), seed),
  op: ([x, scale, shift], { epsilon: e }) => batchNorm(x!, scale!, shift!, { epsilon: e }),
  reference: ([x, gamma, beta], { epsilon: e }) => reference.batchNorm(x!, gamma!, beta!, e).y,
  gradients: ([x, gamma], dy, { epsilon: e }) => gradientsOf(reference.batchNormGrad(x!, gamma!, dy, e)),
  magnitudes: ([x, gamma, beta], dy, { epsilon: e }) =>
    massOf(x!, gamma!, dy, reference.batchNorm(x!, gamma!, beta!, e).y),
  terms: ({ shape }) => shape.slice(0, -1).reduce((rows, extent) => rows * extent, 1),
  atol: 1e-5,
});

const statisticsFor = (shape: readonly number[], seed: number): readonly [mean: Nd, variance: Nd] => [
  generate.values(shape.slice(-1), seed + 5),
  generate.values(shape.slice(-1), seed + 6, { min: 0.2, max: 2 }),
];

checkOp<Case>(tests, "batchNormInference", {
  cases: fc.record({ shape: batches, epsilon, seed: generate.seed }),
  numRuns: 15,
  arguments: ({ shape, seed }) => argumentsOf(shape, shape.slice(-1), seed),
  op([x, scale, shift], { shape, seed, epsilon: e }, on) {
    const [mean, variance] = statisticsFor(shape, seed).map((each) => on.tensor(Float32Array.from(each.data)));
    return batchNormInference(x!, scale!, shift!, { mean: mean!, variance: variance! }, { epsilon: e });
  },
  reference: ([x, gamma, beta], { shape, seed, epsilon: e }) =>
    reference.batchNormInference(x!, gamma!, beta!, ...statisticsFor(shape, seed), e),
  gradients: ([x, gamma], dy, { shape, seed, epsilon: e }) =>
    gradientsOf(reference.batchNormInferenceGrad(x!, gamma!, ...statisticsFor(shape, seed), dy, e)),
  magnitudes: ([x, gamma], dy) =>
    massOf(
      x!,
      gamma!,
      dy,
      map(x!, () => 8),
    ),
  terms: ({ shape }) => shape.slice(0, -1).reduce((rows, extent) => rows * extent, 1),
});

interface LineCase extends Case {
  readonly axes: number;
}

const lineShapes = fc.oneof(
  generate.shape({ minRank: 2, maxRank: 4, maxSize: 3000 }).filter((shape) => shape.at(-1)! > 3),
  fc.constantFrom([5, 64], [3, 100], [2, 3, 1000], [7, 4, 17], [70, 8, 8]), // lines for workgroups
);

checkOp<LineCase>(tests, "layerNorm", {
  cases: fc.record({ shape: lineShapes, axes: fc.constantFrom(1, 1, 2), epsilon, seed: generate.seed }),
  numRuns: 20,
  heavy: true,
  arguments: ({ shape, axes, seed }) => argumentsOf(shape, shape.slice(-axes), seed),
  op: ([x, scale, shift], { epsilon: e }) => layerNorm(x!, scale!, shift!, { epsilon: e }),
  reference: ([x, gamma, beta], { epsilon: e }) => reference.layerNorm(x!, gamma!, beta!, e).y,
  gradients: ([x, gamma], dy, { epsilon: e }) => gradientsOf(reference.layerNormGrad(x!, gamma!, dy, e)),
  magnitudes: ([x, gamma, beta], dy, { epsilon: e }) =>
    massOf(x!, gamma!, dy, reference.layerNorm(x!, gamma!, beta!, e).y),
  terms: ({ shape }) => shape[0]! * 64,
  atol: 1e-5,
});

const upload = (x: Nd): Tensor => device.tensor(Float32Array.from(x.data), x.shape);
const vector = (channels: number, value: number): Tensor => device.tensor(new Float32Array(channels).fill(value));

tests("a mean far from zero costs the variance no precision, and 10⁵ rows add up", async () => {
  const channels = 4;
  const shape = [100_000, channels];
  const spread = generate.values(shape, 3, { min: -1, max: 1 });
  for (const centre of [0, 100, 3000]) {
    const x = map(spread, (value) => Math.fround(value + centre));
    // The first row of all lies far off: whoever sums about it alone loses the variance of the others.
    for (let c = 0; c < channels; c++) x.data[c] = centre / 2;
    const [mean, variance] = [vector(channels, 0), vector(channels, 0)];
    batchNorm(upload(x), vector(channels, 1), vector(channels, 0), { moving: { mean, variance, momentum: 0 } });
    const want = reference.batchNorm(x, nd([channels], [1, 1, 1, 1]), nd([channels], [0, 0, 0, 0]));
    assertClose(await mean.read(), want.mean, { name: `mean about ${centre}`, rtol: 1e-6 });
    assertClose(await variance.read(), want.variance, { name: `variance about ${centre}`, rtol: 1e-4 });
  }
});

tests("moving statistics follow those of the batches, as Keras and as PyTorch have them", async () => {
  const shape = [3, 5, 7, 6];
  const count = 105;
  for (const convention of ["keras", "pytorch"] as const) {
    const momentum = convention === "keras" ? 0.99 : 0.1;
    const kept = { momentum: convention === "keras" ? momentum : 1 - momentum, unbiased: convention === "pytorch" };
    const moving = { mean: vector(6, 0), variance: vector(6, 1), ...kept };
    let want: reference.RunningStatistics = {
      mean: nd([6], new Float64Array(6)),
      variance: nd([6], new Float64Array(6).fill(1)),
    };
    for (let step = 0; step < 6; step++) {
      const x = generate.values(shape, step, { min: -1, max: 2 + step });
      batchNorm(upload(x), vector(6, 1), vector(6, 0), { moving });
      const batch = reference.batchNorm(x, nd([6], new Float64Array(6).fill(1)), nd([6], new Float64Array(6)));
      want = reference.runningUpdate(want, batch, count, momentum, convention);
    }
    assertClose(await moving.mean.read(), want.mean, { name: `${convention}: mean` });
    assertClose(await moving.variance.read(), want.variance, { name: `${convention}: variance` });
  }
});

tests("a batch of one row has variance 0, biased or not", async () => {
  const [mean, variance] = [vector(3, 0), vector(3, 1)];
  const x = device.tensor([1, 2, 3], [1, 3]);
  const y = batchNorm(x, vector(3, 2), vector(3, 5), { moving: { mean, variance, momentum: 0.5, unbiased: true } });
  assert.equal(Array.from(await y.read()), [5, 5, 5]);
  assert.equal(Array.from(await mean.read()), [0.5, 1, 1.5]);
  assert.equal(Array.from(await variance.read()), [0.5, 0.5, 0.5]);
});

tests("a channel that never varies is normalised to its shift, and passes no gradient on", async () => {
  const x = device.tensor(new Float32Array(2000).fill(1234.567), [500, 4]);
  const [scale, shift] = [vector(4, 3), vector(4, 0.25)];
  const r = upload(generate.values([500, 4], 9));
  const made: Tensor[] = [];
  const { gradients } = valueAndGradients(() => {
    made.push(batchNorm(x, scale, shift));
    return sum(mul(made[0]!, r));
  }, [scale, shift]);
  const [y, dscale] = await device.readMany([...made, ...gradients]);
  assert.ok(y!.every((value) => value === 0.25));
  assert.ok(dscale!.every((value) => value === 0));
});

tests("moving statistics may lie in the same buffer as scale and shift", async () => {
  const flat = device.zeros([256]);
  const part = (k: number) => new Tensor(device, [4], "f32", flat.storage, k * BINDING_ALIGNMENT);
  const [scale, shift, mean, variance] = [part(0), part(1), part(2), part(3)] as const;
  device.write(scale, Float32Array.of(1, 1, 1, 1));
  batchNorm(upload(generate.values([10, 4], 1)), scale, shift, { moving: { mean, variance } });
  await device.idle();
  assert.ok((await variance.read()).every((value) => value > 0));
});

/** `conv2d + relu`, one line a kernel. */
const kernelsOf = (program: Program<unknown>): string[] =>
  program.kernels().map(({ name, fused }) => [name.replace(/\.(subgroup|tiled|moving)$/, ""), ...fused].join(" + "));

tests("in inference a convolution, its batch norm, residual and ReLU are one kernel", async () => {
  const [x, w] = [upload(generate.values([2, 6, 6, 8], 1)), upload(generate.values([3, 3, 8, 8], 2))];
  const [scale, shift, mean, variance] = [1, 0.5, 0.1, 2].map((value) => vector(8, value));
  const program = await compile(device, [], () => {
    const y = batchNormInference(conv2d(x, w, { padding: "same" }), scale!, shift!, {
      mean: mean!,
      variance: variance!,
    });
    return relu(add(y, x));
  });
  assert.equal(kernelsOf(program), ["batchNorm.fold", "contraction + affine + add + relu"]);
  program.dispose();
});

tests("in training ReLU and residual ride on the normalising pass", async () => {
  const x = upload(generate.values([2, 6, 6, 8], 1));
  const [scale, shift, mean, variance] = [1, 0.5, 0, 1].map((value) => vector(8, value));
  const program = await compile(device, [], () =>
    relu(add(batchNorm(x, scale!, shift!, { moving: { mean: mean!, variance: variance! } }), x)),
  );
  assert.equal(kernelsOf(program), ["batchNorm.moments", "batchNorm.statistics", "batchNorm + add + relu"]);
  program.dispose();
});

tests("what cannot be normalised is refused by name", () => {
  const [x, four, three] = [upload(generate.values([5, 4], 1)), vector(4, 1), vector(3, 1)];
  assert.throws(() => batchNorm(x, three, four), /batchNorm: expected scale of shape \[4\], got \[3\]/);
  assert.throws(
    () => batchNorm(x, four, four, { moving: { mean: four, variance: three } }),
    /expected moving variance of shape \[4\]/,
  );
  assert.throws(() => batchNorm(four, four, four), /rank 2 or more/);
  assert.throws(() => batchNorm(x, four, four, { epsilon: 0 }), /a positive epsilon/);
  assert.throws(
    () => batchNorm(x, four, four, { moving: { mean: four, variance: four, momentum: 2 } }),
    /a momentum from 0 to 1/,
  );
  assert.throws(() => batchNormInference(x, four, four, { mean: three, variance: four }), /expected mean of shape/);
  assert.throws(() => layerNorm(x, three, three), /layerNorm: expected scale and shift of one shape/);
  assert.throws(() => layerNorm(x, four, three), /layerNorm: expected scale and shift of one shape/);
  assert.throws(() => layerNorm(x, four, four, { epsilon: -1 }), /a positive epsilon/);
});

tests.run();
