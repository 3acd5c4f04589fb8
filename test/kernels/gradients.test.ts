/** What happens to gradients between the backward pass and the optimiser, and to parameters after it. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import {
  accumulate,
  advance,
  clipFactor,
  emaStep,
  gradientNorm,
  lossScaleStep,
  type LossScaleState,
} from "../../src/kernels/index.ts";
import { adam } from "../../src/nn/index.ts";
import { compile, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import * as reference from "../reference/optimizers.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("gradient tools");

const flat = (size: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(generate.values([size], seed).data);

tests("the norm over several buffers and its clip factor, eager and compiled, always the same bits", async () => {
  const cases = fc.record({
    sizes: fc.array(fc.constantFrom(4, 64, 252, 2052, 70_000, 1001), { minLength: 1, maxLength: 4 }),
    limit: fc.constantFrom(0.1, 10, 1000),
    seed: generate.seed,
  });
  await generate.forAll(cases, async (drawn) => {
    const { sizes, limit, seed } = drawn;
    const arrays = sizes.map((size, k) => flat(size, seed + k));
    const both = (buffers: readonly Tensor[]): Tensor[] => {
      const norm = gradientNorm(buffers);
      return [norm, clipFactor(norm, limit)];
    };
    const [norm, factor] = await readFrom(device, () => both(arrays.map((values) => device.tensor(values))));
    const vectors = arrays.map((values) => Float64Array.from(values));
    const want = reference.clipByGlobalNorm(vectors, limit);
    assertClose(norm!, nd([1], [want.norm]), { name: "norm", case: drawn, rtol: 1e-6 });
    assertClose(factor!, nd([1], [Math.min(1, limit / want.norm)]), { name: "factor", case: drawn, rtol: 1e-6 });
    const program = await compile(device, sizes.map((size) => ({ shape: [size] })), (...buffers: Tensor[]) => both(buffers));
    for (let again = 0; again < 2; again++) {
      program.run(arrays);
      assert.equal(await device.readMany(program.outputs), [norm, factor]);
    }
    program.dispose();
  }, 15); // prettier-ignore
});

tests("one infinity or NaN, wherever it stands, makes the factor 0", async () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const place of [0, 5000, 9_999]) {
      const g = flat(10_000, 1);
      g[place] = bad;
      const norm = gradientNorm([device.tensor(flat(8, 2)), device.tensor(g)]);
      assert.is(await clipFactor(norm, 5).item(), 0);
      assert.is(await clipFactor(norm).item(), 0);
    }
  }
  const good = gradientNorm([device.tensor([3, 0, 0, 4])]);
  assert.is(await clipFactor(good).item(), 1);
  assert.is(await clipFactor(device.tensor([0]), 1).item(), 1);
});

const newState = (scale: number): LossScaleState => ({
  scale: device.tensor([scale]),
  goodSteps: device.zeros([1], "u32"),
  updates: device.zeros([1], "u32"),
});

tests("a loss scale halves at an overflow and doubles after good steps, within its bounds", async () => {
  const cases = fc.record({
    start: fc.constantFrom(1, 2, 1024, 2 ** 23),
    growthInterval: fc.constantFrom(1, 3, 5),
    maxNorm: fc.constantFrom(undefined, 2),
    overflows: fc.array(fc.constantFrom(false, false, false, true), { minLength: 12, maxLength: 12 }),
  });
  await generate.forAll(cases, async ({ start, growthInterval, maxNorm, overflows }) => {
    const state = newState(start);
    const norm = device.zeros([1]);
    const options = { growthInterval, ...(maxNorm === undefined ? {} : { maxNorm }) };
    const program = await compile(device, [], () => lossScaleStep(state, norm, options));
    let [scale, good, updates] = [start, 0, 0];
    for (const [at, overflow] of overflows.entries()) {
      const length = [0.5, 2, 8][at % 3]!; // of the gradients without the scale
      device.write(norm, Float32Array.of(overflow ? (at % 2 ? NaN : Infinity) : length * scale));
      program.run([]);
      const { gradientScale, step } = program.outputs;
      const factor = overflow ? 0 : Math.min(1, (maxNorm ?? Infinity) / length) / scale;
      const before = updates;
      if (overflow) {
        [scale, good] = [Math.max(1, scale / 2), 0];
      } else {
        updates++;
        if (++good === growthInterval) [scale, good] = [Math.min(2 ** 24, scale * 2), 0];
      }
      const read = await device.readMany([gradientScale, step, state.scale, state.goodSteps, state.updates]);
      assert.equal(read.map(([value]) => value), [factor, before, scale, good, updates], `step ${at}`);
    }
    program.dispose();
  }, 15); // prettier-ignore
});

tests("steps that overflow leave no trace: training goes on as if they had never been", async () => {
  const size = 8;
  const state = newState(2 ** 16);
  const optimizer = adam({ learningRate: 0.05 });
  const parameters = device.tensor(flat(size, 1));
  const slots = { mean: device.zeros([size]), square: device.zeros([size]) };
  const rate = device.tensor([0.05]);
  const program = await compile(device, [{ shape: [size] }], (gradients) => {
    const inputs = lossScaleStep(state, gradientNorm([gradients]), { maxNorm: 1, growthInterval: 4 });
    optimizer.step(parameters, slots, { gradients, rate, ...inputs });
  });
  const start = { p: Float64Array.from(flat(size, 1)), m: new Float64Array(size), v: new Float64Array(size), step: 0 };
  let want: reference.AdamState = start;
  for (let t = 0; t < 20; t++) {
    const g = flat(size, 100 + t);
    const scale = await state.scale.item();
    const scaled = g.map((value) => value * scale);
    if (t % 5 < 2) scaled[t % size] = t % 2 ? Infinity : NaN;
    program.run([scaled]);
    if (t % 5 < 2) continue;
    const { clipped } = reference.clipByGlobalNorm([Float64Array.from(g)], 1);
    want = reference.adam(want, clipped[0]!, { learningRate: 0.05 });
  }
  assertClose(await parameters.read(), nd([size], want.p), { name: "parameters", rtol: 2e-6, atol: 2e-6 });
  assert.is(await state.updates.item(), 12);
  program.dispose();
});

tests("a moving average forgets quickly at first, then as slowly as asked", async () => {
  const size = 12;
  for (const decay of [0.999, 0.5]) {
    const average = device.tensor(flat(size, 1));
    const step = device.zeros([1], "u32");
    let want = Float64Array.from(flat(size, 1));
    for (let t = 0; t < 30; t++) {
      const p = flat(size, 10 + t);
      const d = Math.min(decay, (1 + t) / (10 + t));
      want = want.map((value, i) => d * value + (1 - d) * p[i]!);
      emaStep(average, device.tensor(p), decay, step);
      advance(step);
    }
    assertClose(await average.read(), nd([size], want), { name: `decay ${decay}` });
  }
});

tests("gradients of several batches add up, from the first on", async () => {
  const size = 8;
  const [told, found] = [device.tensor(flat(size, 9)), device.tensor(new Float32Array(size).fill(NaN))];
  const batches = [1, 2, 3].map((seed) => flat(size, seed));
  for (const [at, g] of batches.entries()) {
    accumulate(told, device.tensor(g), at === 0);
    accumulate(found, device.tensor(g), device.tensor(Uint32Array.of(at === 0 ? 1 : 0)));
  }
  const want = batches[0]!.map((value, i) => Math.fround(Math.fround(value + batches[1]![i]!) + batches[2]![i]!));
  assert.equal(await told.read(), want);
  assert.equal(await found.read(), want);
});

tests("what makes no sense is refused", () => {
  const g = device.zeros([8]);
  assert.throws(() => gradientNorm([]), (error: Error) => error instanceof ShapeError);
  assert.throws(() => clipFactor(device.zeros([1]), 0), (error: Error) => error instanceof OptionError && error.message === "clipFactor: expected a positive number as limit, got 0");
  assert.throws(() => emaStep(g, g, 1, device.zeros([1], "u32")), (error: Error) => error.message === "emaStep: expected a number in [0, 1) as decay, got 1");
  assert.throws(() => accumulate(g, device.zeros([4]), true), (error: Error) => error.message === "accumulate: expected 4 values in sum, got [8]");
  assert.throws(() => lossScaleStep(newState(1), device.zeros([1]), { growthInterval: 0 }), /growthInterval/);
}); // prettier-ignore

tests.run();
