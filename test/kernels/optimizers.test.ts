import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError } from "../../src/errors.ts";
import { advance, type UpdateInputs } from "../../src/kernels/index.ts";
import * as nn from "../../src/nn/index.ts";
import { compile, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { forAll } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import * as reference from "../reference/optimizers.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("optimisers");
const STEPS = 24;

type Vector = Float64Array;
type Slots = Record<string, Tensor>;

/** The reference's side: parameters and slots, in the order of the optimiser's own. */
interface Followed<O> {
  readonly begin: (p: Vector) => { readonly p: Vector };
  readonly step: (state: never, g: Vector, options: O & { learningRate: number }) => { readonly p: Vector };
  readonly slots: (state: never, optimizer: nn.Optimizer) => readonly Vector[];
}

interface Case {
  readonly size: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
  readonly clipValue: number | undefined;
  readonly seed: number;
}

const common = {
  size: fc.constantFrom(4, 8, 252, 1028),
  learningRate: fc.constantFrom(0.25, 0.01).map(Math.fround),
  weightDecay: fc.constantFrom(0, 0.01),
  decoupled: fc.boolean(),
  clipValue: fc.constantFrom(undefined, 0.5),
  seed: generate.seed,
};

const slotsOf = (optimizer: nn.Optimizer, size: number): Slots =>
  Object.fromEntries(optimizer.slots.map((slot) => [slot, device.zeros([size])]));

/** Follows the reference over some steps, run eagerly and as one compiled program; state lives on the GPU. */
function follow<O extends object>(
  name: string,
  make: (options: O) => nn.Optimizer,
  options: { readonly [K in keyof O]: fc.Arbitrary<O[K]> },
  { begin, step, slots }: Followed<O>,
): void {
  tests(name, async () => {
    const cases = fc.record({ drawn: fc.record(common), own: fc.record(options) });
    await forAll(cases, async ({ drawn, own }) => {
      const { size, learningRate, weightDecay, decoupled, clipValue, seed } = drawn;
      const optimizer = make({ ...own, learningRate, weightDecay, decoupled, ...(clipValue ? { clipValue } : {}) });
      const start = generate.values([size], seed);
      const gradients = Array.from({ length: STEPS }, (_, t) => generate.values([size], seed + 1 + t));
      let state = begin(start.data);
      for (const { data } of gradients) {
        const clipped = clipValue ? reference.clipByValue(data, clipValue) : data;
        const { p } = state;
        const g = decoupled ? clipped : clipped.map((value, i) => value + weightDecay * p[i]!);
        const before = decoupled ? reference.decayed(p, learningRate, weightDecay) : p;
        state = step({ ...state, p: before } as never, g, { ...own, learningRate });
      }
      const wanted = [state.p, ...slots(state as never, optimizer)];
      for (const compiled of [false, true]) {
        const read = await trained(optimizer, drawn, gradients.map(({ data }) => data), compiled);
        assert.is(read.length, wanted.length);
        wanted.forEach((values, k) =>
          assertClose(read[k]!, nd([size], values), {
            name: `${name}: ${k === 0 ? "parameters" : optimizer.slots[k - 1]}`,
            case: { drawn, own, compiled },
            rtol: 2e-6,
            atol: 1e-6 + (k === 0 ? 2e-7 * STEPS * learningRate : 0),
          }),
        );
      }
    }, 12); // prettier-ignore
  });
}

async function trained(
  optimizer: nn.Optimizer,
  { size, learningRate, seed }: Case,
  gradients: Vector[],
  compiled: boolean,
) {
  const parameters = device.tensor(Float32Array.from(generate.values([size], seed).data));
  const slots = slotsOf(optimizer, size);
  const rate = device.tensor([learningRate]);
  const step = device.zeros([1], "u32");
  const once = (g: Tensor): void => {
    optimizer.step(parameters, slots, { gradients: g, rate, step });
    advance(step);
  };
  const program = compiled ? await compile(device, [{ shape: [size] }], once) : null;
  for (const g of gradients) {
    const values = Float32Array.from(g);
    if (program) program.run([values]);
    else once(device.tensor(values));
  }
  program?.dispose();
  return device.readMany([parameters, ...Object.values(slots)]);
}

const zeros = (p: Vector): Vector => new Float64Array(p.length);
const beta = {
  beta1: fc.constantFrom(0.9, 0.5),
  beta2: fc.constantFrom(0.999, 0.9),
  epsilon: fc.constantFrom(1e-7, 1e-3),
};

follow<{ momentum: number; nesterov: boolean }>(
  "sgd",
  nn.sgd,
  { momentum: fc.constantFrom(0, 0.9), nesterov: fc.boolean() },
  {
    begin: (p): reference.SgdState => ({ p, velocity: zeros(p) }),
    step: reference.sgd,
    slots: ({ velocity }: reference.SgdState, { slots }) => (slots.length === 0 ? [] : [velocity]),
  },
);

follow<{ beta1: number; beta2: number; epsilon: number; amsgrad: boolean }>(
  "adam",
  nn.adam,
  { ...beta, amsgrad: fc.boolean() },
  {
    begin: (p): reference.AdamState => ({ p, m: zeros(p), v: zeros(p), step: 0 }),
    step: reference.adam,
    slots: ({ m, v, greatest }: reference.AdamState, { slots }) => (slots.length === 2 ? [m, v] : [m, v, greatest!]),
  },
);

follow<{ beta1: number; beta2: number; epsilon: number; momentumDecay: number }>(
  "nadam",
  nn.nadam,
  { ...beta, momentumDecay: fc.constantFrom(0.004, 1) },
  {
    begin: (p): reference.NadamState => ({ p, m: zeros(p), v: zeros(p), step: 0, product: 1 }),
    step: reference.nadam,
    slots: ({ m, v }: reference.NadamState) => [m, v],
  },
);

follow<{ beta1: number; beta2: number; epsilon: number }>("adamax", nn.adamax, beta, {
  begin: (p): reference.AdamaxState => ({ p, m: zeros(p), n: zeros(p), step: 0 }),
  step: reference.adamax,
  slots: ({ m, n }: reference.AdamaxState) => [m, n],
});

follow<{ rho: number; momentum: number; epsilon: number; centered: boolean }>(
  "rmsprop",
  nn.rmsprop,
  {
    rho: fc.constantFrom(0.9, 0.5),
    momentum: fc.constantFrom(0, 0.5),
    epsilon: fc.constantFrom(1e-3, 1e-2), // where v − m² is nearly 0, only ε keeps its rounding errors small
    centered: fc.boolean(),
  },
  {
    begin: (p): reference.RmspropState => ({ p, v: zeros(p), velocity: zeros(p) }),
    step: reference.rmsprop,
    slots: ({ v, m, velocity }: reference.RmspropState, { slots }) =>
      slots.map((slot) => ({ square: v, mean: m!, velocity })[slot]!),
  },
);

follow<{ initial: number; epsilon: number }>(
  "adagrad",
  nn.adagrad,
  { initial: fc.constantFrom(0, 0.1), epsilon: fc.constantFrom(1e-7, 1e-3) },
  {
    begin: (p): reference.AdagradState => ({ p, s: zeros(p) }),
    step: reference.adagrad,
    slots: ({ s }: reference.AdagradState) => [s],
  },
);

follow<{ rho: number; epsilon: number }>(
  "adadelta",
  nn.adadelta,
  { rho: fc.constantFrom(0.95, 0.5), epsilon: fc.constantFrom(1e-7, 1e-3) },
  {
    begin: (p): reference.AdadeltaState => ({ p, v: zeros(p), d: zeros(p) }),
    step: reference.adadelta,
    slots: ({ v, d }: reference.AdadeltaState) => [v, d],
  },
);

tests("bias corrections are exact at every step", async () => {
  // A constant gradient is its own corrected mean, and its square that of the squares: every step is of length `rate`.
  for (const [name, optimizer] of Object.entries({ adam: nn.adam({ epsilon: 1e-12 }), adamax: nn.adamax({ epsilon: 1e-12 }) })) {
    for (const first of [0, 9, 99, 999, 99_999]) {
      const parameters = device.zeros([4]);
      const slots = slotsOf(optimizer, 4);
      const gradients = device.tensor([2, -2, 0.5, -0.125]);
      const [mean, other] = [1 - 0.9 ** first, optimizer.name === "adam" ? 1 - 0.999 ** first : 1];
      const power = optimizer.name === "adam" ? 2 : 1;
      const g = [2, -2, 0.5, -0.125];
      device.write(slots["mean"]!, Float32Array.from(g, (value) => value * mean));
      if (first > 0) {
        device.write(slots[optimizer.slots[1]!]!, Float32Array.from(g, (value) => Math.abs(value) ** power * other));
      }
      const step = device.tensor(Uint32Array.of(first));
      optimizer.step(parameters, slots, { gradients, rate: device.tensor([1]), step });
      assertClose(await parameters.read(), nd([4], [-1, 1, -1, 1]), { name, case: { first }, rtol: 5e-7, atol: 0 });
    }
  }
}); // prettier-ignore

const everyOne: readonly nn.Optimizer[] = [
  nn.sgd(),
  nn.sgd({ momentum: 0.9 }),
  nn.adam(),
  nn.adam({ amsgrad: true }),
  nn.adamW(),
  nn.nadam(),
  nn.adamax(),
  nn.rmsprop({ momentum: 0.5, centered: true }),
  nn.adagrad(),
  nn.adadelta(),
];

tests("a gradient scale multiplies, and at 0 nothing moves, whatever the gradients hold", async () => {
  const size = 16;
  const run = async (optimizer: nn.Optimizer, gradients: Float32Array<ArrayBuffer>, scale: number | null) => {
    const parameters = device.tensor(Float32Array.from(generate.values([size], 3).data));
    const slots = Object.fromEntries(
      optimizer.slots.map((slot, k) => [slot, device.tensor(Float32Array.from(generate.values([size], 4 + k, { min: 0.5 }).data))]),
    );
    const inputs: UpdateInputs = {
      gradients: device.tensor(gradients),
      rate: device.tensor([0.1]),
      step: device.tensor(Uint32Array.of(4)),
      ...(scale === null ? {} : { gradientScale: device.tensor([scale]) }),
    };
    const tensors = [parameters, ...Object.values(slots)];
    const before = await device.readMany(tensors);
    optimizer.step(parameters, slots, inputs);
    return { before, after: await device.readMany(tensors) };
  };
  const plain = Float32Array.from(generate.values([size], 9).data);
  const broken = plain.map((value, i) => (i % 3 === 0 ? NaN : i % 3 === 1 ? Infinity : value));
  for (const optimizer of everyOne) {
    const wanted = await run(optimizer, plain, null);
    assert.not.equal(wanted.after, wanted.before, optimizer.name);
    const loud = plain.map((value) => value * 1024);
    assert.equal((await run(optimizer, loud, 1 / 1024)).after, wanted.after, optimizer.name);
    const skipped = await run(optimizer, broken, 0);
    assert.equal(skipped.after, skipped.before, optimizer.name);
  }
}); // prettier-ignore

tests("the same steps as TensorFlow.js, where it defines them alike", async () => {
  tf.env().set("PROD", true); // no console advertisement for the native backend
  await tf.setBackend("cpu");
  const size = 12;
  const start = generate.values([size], 1);
  const gradients = Array.from({ length: 20 }, (_, t) => Float32Array.from(generate.values([size], 2 + t).data));
  const pairs: readonly (readonly [nn.Optimizer, tf.Optimizer])[] = [
    [nn.sgd({ learningRate: 0.05 }), tf.train.sgd(0.05)],
    [nn.sgd({ learningRate: 0.05, momentum: 0.9 }), tf.train.momentum(0.05, 0.9)],
    [nn.sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true }), tf.train.momentum(0.05, 0.9, true)],
    [nn.adam({ learningRate: 0.01 }), tf.train.adam(0.01)],
    [nn.rmsprop({ learningRate: 0.01, momentum: 0.5, epsilon: 1e-4 }), tf.train.rmsprop(0.01, 0.9, 0.5, 1e-4)],
    [nn.adagrad({ learningRate: 0.1 }), tf.train.adagrad(0.1)],
    [nn.adamax({ learningRate: 0.01 }), tf.train.adamax(0.01)],
  ];
  for (const [ours, theirs] of pairs) {
    const variable = tf.variable(tf.tensor(Float32Array.from(start.data)));
    for (const g of gradients) theirs.applyGradients({ [variable.name]: tf.tensor(g) });
    const parameters = device.tensor(Float32Array.from(start.data));
    const slots = slotsOf(ours, size);
    const [rate, step] = [device.tensor([ours.learningRate as number]), device.zeros([1], "u32")];
    for (const g of gradients) {
      ours.step(parameters, slots, { gradients: device.tensor(g), rate, step });
      advance(step);
    }
    const want = Float64Array.from(variable.dataSync());
    assertClose(await parameters.read(), nd([size], want), { name: ours.name, atol: 5e-6 });
    variable.dispose();
    theirs.dispose();
  }
});

tests("options that make no sense are refused by name, before anything runs", () => {
  // prettier-ignore
  const refusals: readonly (readonly [() => unknown, string])[] = [
    [() => nn.adam({ learningRate: 0 }), "adam: expected a positive number as learning rate, got 0"],
    [() => nn.adam({ beta1: 1 }), "adam: expected a number in [0, 1) as beta1, got 1"],
    [() => nn.adamW({ weightDecay: -1 }), "adam: expected a number ≥ 0 as weightDecay, got -1"],
    [() => nn.rmsprop({ epsilon: 0 }), "rmsprop: expected a positive number as epsilon, got 0"],
    [() => nn.sgd({ clipValue: Infinity }), "sgd: expected a positive number as clipValue, got Infinity"],
    [() => nn.sgd({ nesterov: 1 as never }), "sgd: expected true or false as nesterov, got 1"],
    [() => nn.adagrad({ rho: 0.9 } as never), "adagrad: expected options among initial, epsilon, weightDecay, decoupled, clipValue, got rho"],
  ];
  for (const [call, message] of refusals) {
    try {
      call();
    } catch (error) {
      assert.instance(error, OptionError);
      assert.is((error as OptionError).message, message);
      continue;
    }
    assert.unreachable(message);
  }
});

tests.run();
