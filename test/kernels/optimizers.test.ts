import fc from "fast-check";
import { adamStep, advance, sgdStep, type AdamOptions, type SgdOptions } from "../../src/kernels/index.ts";
import { compile, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { forAll } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import * as reference from "../reference/optimizers.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("optimisers");
const STEPS = 12;

interface Case {
  readonly size: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly seed: number;
}

const cases = {
  size: fc.constantFrom(4, 8, 252, 1028),
  learningRate: fc.constantFrom(0.5, 0.01).map(Math.fround),
  weightDecay: fc.constantFrom(0, 0.01),
  seed: generate.seed,
};

type Update = (parameters: Tensor, state: Tensor[], inputs: { gradients: Tensor; rate: Tensor; step: Tensor }) => void;

/** Follows the reference over some steps, run eagerly and as one compiled program; state lives on the GPU. */
async function follow(
  name: string,
  drawn: Case,
  states: number,
  update: Update,
  want: (gradients: Float64Array[]) => Float64Array[],
): Promise<void> {
  const { size, learningRate, seed } = drawn;
  const start = generate.values([size], seed);
  const gradients = Array.from({ length: STEPS }, (_, t) => generate.values([size], seed + 1 + t));
  const wanted = want([start.data, ...gradients.map(({ data }) => data)]);
  for (const compiled of [false, true]) {
    const parameters = device.tensor(Float32Array.from(start.data));
    const state = Array.from({ length: states }, () => device.zeros([size]));
    const rate = device.tensor([learningRate]);
    const step = device.zeros([1], "u32");
    const once = (g: Tensor): void => {
      update(parameters, state, { gradients: g, rate, step });
      advance(step);
    };
    const program = compiled ? await compile(device, [{ shape: [size] }], once) : null;
    for (const g of gradients) {
      const values = Float32Array.from(g.data);
      if (program) program.run([values]);
      else once(device.tensor(values));
    }
    const read = await device.readMany([parameters, ...state]);
    wanted.forEach((values, k) =>
      assertClose(read[k]!, nd([size], values), {
        name: `${name} ${k === 0 ? "parameters" : `state ${k}`}`,
        case: { ...drawn, compiled },
        rtol: 2e-5,
        // Adam's corrections 1 − βᵗ have lost digits, so a step of about the learning rate is right to some 1e-5 of it.
        atol: 2e-6 + (k === 0 ? 4e-5 * STEPS * learningRate : 0),
      }),
    );
  }
}

tests("sgd: momentum, Nesterov, weight decay", async () => {
  const drawn = fc.record({ ...cases, momentum: fc.constantFrom(0, 0.9), nesterov: fc.boolean() });
  await forAll(drawn, (one) => {
    const options: SgdOptions = { momentum: one.momentum, nesterov: one.nesterov, weightDecay: one.weightDecay };
    const update: Update = (parameters, [velocity], inputs) => sgdStep(parameters, { velocity: velocity! }, inputs, options);
    return follow("sgd", one, 1, update, ([p, ...gradients]) => {
      const start: reference.SgdState = { p: p!, velocity: new Float64Array(one.size) };
      const end = gradients.reduce((state, g) => reference.sgd(state, g, one), start);
      return [end.p, end.velocity];
    });
  }, 12); // prettier-ignore
});

tests("adam: decay rates, epsilon, weight decay", async () => {
  const drawn = fc.record({
    ...cases,
    beta1: fc.constantFrom(0.9, 0.5),
    beta2: fc.constantFrom(0.999, 0.9),
    epsilon: fc.constantFrom(1e-7, 1e-3),
  });
  await forAll(drawn, (one) => {
    const options: AdamOptions = { beta1: one.beta1, beta2: one.beta2, epsilon: one.epsilon, weightDecay: one.weightDecay };
    const update: Update = (parameters, [mean, square], inputs) => adamStep(parameters, { mean: mean!, square: square! }, inputs, options);
    return follow("adam", one, 2, update, ([p, ...gradients]) => {
      const zero = new Float64Array(one.size);
      const start: reference.AdamState = { p: p!, m: zero, v: zero, step: 0 };
      const end = gradients.reduce((state, g) => reference.adam(state, g, one), start);
      return [end.p, end.m, end.v];
    });
  }, 12); // prettier-ignore
});

tests.run();
