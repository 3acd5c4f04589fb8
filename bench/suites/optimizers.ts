/** One step of an optimiser over flat parameters, and what else is done to all parameters at once. */
import {
  accumulate,
  adadeltaStep,
  adagradStep,
  adamaxStep,
  adamStep,
  advance,
  clipFactor,
  emaStep,
  gradientNorm,
  lossScaleStep,
  mul,
  nadamStep,
  rmspropStep,
  scheduleRate,
  sgdStep,
  tally,
  type Update,
  type UpdateOptions,
} from "../../src/kernels/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { bytesOf, opCase, type Case, type CaseFacts, type Suite } from "../case.ts";
import type { Contender, Loaded } from "../engine.ts";
import { adam, loadJaxUpdate, type JaxApi, type JaxArray } from "../engines/jax.ts";
import { loadTensor, type Tf, type Tfjs } from "../engines/tfjs.ts";
import { loadUpdate, type Trama } from "../engines/trama.ts";
import { inputValues, type InputSpec, type InputValues } from "../inputs.ts";

/** Large, so that a wrong step shows beside parameters in [−1, 1). */
const RATE = 0.1;

const MILLION = 1_000_000;

const made = (...specs: readonly InputSpec[]): InputValues[] => specs.map(inputValues);

type TfOptimizer = ReturnType<Tf["train"]["adam"]>;

/** From parameters, gradient and whatever else lasts from step to step: the same, one step later. */
type JaxStep = (jax: JaxApi, state: readonly JaxArray[], gradient: JaxArray) => JaxArray[];

interface OptimizerSpec<O> {
  readonly step: Update<O>;
  readonly options?: O;
  readonly tfjs?: (tf: Tf) => Pick<TfOptimizer, "applyGradients" | "dispose">;
  readonly jax?: JaxStep;
}

function loadOptimizer<O extends UpdateOptions>(
  { device }: Trama,
  size: number,
  { step, options = {} as O }: OptimizerSpec<O>,
): Loaded {
  const slots = step.slots(options);
  const shape = [size];
  const inputs = made({ shape }, { shape }, ...slots.map(() => ({ shape, kind: "zeros" }) as const));
  const state = { rate: Float32Array.of(RATE), step: new Uint32Array(1) };
  const all = [...inputs, { shape: [1], values: state.rate }, { shape: [1], values: state.step }];
  return loadUpdate(device, all, (parameters, gradients, ...others) => {
    const [rate, count] = others.slice(slots.length);
    const kept = Object.fromEntries(slots.map((name, index) => [name, others[index]!]));
    step(parameters, kept, { gradients: gradients, rate: rate!, step: count! }, options);
    advance(count!);
  });
}

function loadTfjsOptimizer(engine: Tfjs, size: number, make: NonNullable<OptimizerSpec<never>["tfjs"]>): Loaded {
  const { tf } = engine;
  const [start, slope] = made({ shape: [size] }, { shape: [size] });
  const parameters = tf.variable(loadTensor(engine, start!));
  const tensor = loadTensor(engine, slope!);
  const optimizer = make(tf);
  return {
    start: async (): Promise<Contender> => ({
      run(times) {
        for (let turn = 0; turn < times; turn++) optimizer.applyGradients([{ name: parameters.name, tensor }]);
      },
      values: async () => [await parameters.data()],
      dispose() {
        optimizer.dispose();
        tf.dispose([parameters, tensor]);
      },
    }),
  };
}

/** jax-js has no optimisers in its core: these are written as its users write them. Slots beside parameters begin at 0. */
function jaxState(size: number, slots: number, counted: boolean): InputValues[] {
  const shape = [size];
  const zeros = Array.from({ length: slots }, () => ({ shape, kind: "zeros" }) as const);
  return made({ shape }, ...zeros, ...(counted ? [{ shape: [1], kind: "zeros" } as const] : []));
}

const jaxSgd: JaxStep = ({ numpy }, [p], g) => [numpy.subtract(p!, numpy.multiply(g, RATE))];

const jaxMomentum: JaxStep = ({ numpy }, [p, v], g) => {
  const velocity = numpy.add(numpy.multiply(v!, 0.9), g);
  return [numpy.subtract(p!, numpy.multiply(velocity.ref, RATE)), velocity];
};

const jaxAdam: JaxStep = (jax, [p, m, v, t], g) => {
  const count = jax.numpy.add(t!, 1);
  const { parameter, mean, square } = adam(jax, { parameter: p!, mean: m!, square: v! }, g, count.ref, RATE);
  return [parameter, mean, square, count];
};

const JAX_SLOTS = new Map<JaxStep, readonly [slots: number, counted: boolean]>([
  [jaxSgd, [0, false]],
  [jaxMomentum, [1, false]],
  [jaxAdam, [2, true]],
]);

function optimizerCase<O extends UpdateOptions>(
  name: string,
  spec: OptimizerSpec<O>,
  facts: Partial<CaseFacts> = {},
  size = MILLION,
): Case {
  const { step, options = {} as O, tfjs, jax } = spec;
  const slots = step.slots(options).length;
  return {
    name: `${name}, ${size / MILLION} M parameters`,
    // Reads the gradient, the parameters and the optimiser's buffers; writes the latter two.
    bytes: (3 + 2 * slots) * bytesOf([size]),
    // 1 − β in single precision is off by 5e-5 for the peers.
    tolerance: 2e-4,
    when: "full",
    ...facts,
    trama: async (engine) => loadOptimizer(engine, size, spec),
    peers: {
      ...(tfjs && { tfjs: async (engine) => loadTfjsOptimizer(engine, size, tfjs) }),
      ...(jax && {
        jax: async (engine) => {
          const state = jaxState(size, ...JAX_SLOTS.get(jax)!);
          const [, gradient] = made({ shape: [size] }, { shape: [size] });
          return loadJaxUpdate(engine, state, [gradient!], (api, now, [g]) => jax(api, now, g!));
        },
      }),
    },
  };
}

const plainAdam = { step: adamStep, tfjs: (tf: Tf) => tf.train.adam(RATE), jax: jaxAdam };

/** A million terms added one by one, as some do, lose the fourth digit. */
const SUMMED = 1e-3;

/** Work on whole buffers by operations that are no optimisers. */
function norms(): Case[] {
  const shape = [MILLION];
  const norm = (buffers: readonly number[]) =>
    opCase({
      name: `gradient norm, 1 M in ${buffers.length} buffer${buffers.length > 1 ? "s" : ""}`,
      bytes: bytesOf(shape),
      tolerance: SUMMED,
      inputs: buffers.map((size) => ({ shape: [size] })),
      trama: (...gradients) => gradientNorm(gradients),
      tfjs: (tf, ...gradients) => tf.sqrt(gradients.map((g) => tf.sum(tf.square(g))).reduce((a, b) => tf.add(a, b))),
      ...(buffers.length === 1 && {
        ort: (graph, g) => graph.node("ReduceL2", [g], { keepdims: 0 }),
        jax: ({ numpy }, g) => numpy.sqrt(numpy.sum(numpy.square(g))),
      }),
    });
  return [
    norm([MILLION]),
    { ...norm([288, 32, 18_432, 64, 204_800, 128, 776_128, 128]), when: "full" },
    opCase({
      name: "clip by global norm, 1 M",
      bytes: bytesOf(shape, shape, shape),
      tolerance: SUMMED,
      when: "full",
      inputs: [{ shape }],
      // Trama's optimisers take the factor as it is; here it is applied, so that all compute the same.
      trama: (g) => mul(g, clipFactor(gradientNorm([g]), 1)),
      tfjs: (tf, g) => tf.mul(g, tf.minimum(1, tf.div(1, tf.norm(g)))),
      jax: ({ numpy }, g) => {
        const length = numpy.sqrt(numpy.sum(numpy.square(g.ref)));
        return numpy.multiply(g, numpy.minimum(1, numpy.reciprocal(length)));
      },
    }),
  ];
}

function movingAverage(): Case {
  const [shape, decay] = [[MILLION], 0.999];
  return {
    name: "moving average of 1 M parameters",
    bytes: 3 * bytesOf(shape),
    trama: async ({ device }) =>
      loadUpdate(device, made({ shape }, { shape }, { shape: [1], kind: "counter" }), (average, parameters, step) =>
        emaStep(average, parameters, decay, step),
      ),
    peers: {
      tfjs: async (engine) => {
        const [average, parameters] = made({ shape }, { shape });
        return loadTfjsAssign(engine, [average!, parameters!], (tf, a, p) => tf.add(a, tf.mul(tf.sub(p, a), FIRST)));
      },
      jax: async (engine) => {
        const [average, parameters] = made({ shape }, { shape });
        return loadJaxUpdate(engine, [average!], [parameters!], ({ numpy }, [a], [p]) => [
          numpy.add(a!.ref, numpy.multiply(numpy.subtract(p!, a!), FIRST)),
        ]);
      },
    },
  };
}

/** What the average of step 0 takes over, by its warm-up: 9 / 10. */
const FIRST = 0.9;

function accumulation(): Case {
  const shape = [MILLION];
  return {
    name: "accumulation of 1 M gradients",
    bytes: 3 * bytesOf(shape),
    when: "full",
    trama: async ({ device }) =>
      loadUpdate(device, made({ shape }, { shape }), (sum, gradients) => accumulate(sum, gradients, false)),
    peers: {
      tfjs: async (engine) => {
        const [sum, gradients] = made({ shape }, { shape });
        return loadTfjsAssign(engine, [sum!, gradients!], (tf, s, g) => tf.add(s, g));
      },
      jax: async (engine) => {
        const [sum, gradients] = made({ shape }, { shape });
        return loadJaxUpdate(engine, [sum!], [gradients!], ({ numpy }, [s], [g]) => [numpy.add(s!, g!)]);
      },
    },
  };
}

type TfTensor = ReturnType<Tf["tensor"]>;

/** The first of two tensors becomes a function of both. */
function loadTfjsAssign(
  engine: Tfjs,
  [changed, other]: readonly [InputValues, InputValues],
  next: (tf: Tf, changed: TfTensor, other: TfTensor) => TfTensor,
): Loaded {
  const { tf } = engine;
  const variable = tf.variable(loadTensor(engine, changed));
  const tensor = loadTensor(engine, other);
  return {
    start: async (): Promise<Contender> => ({
      run(times) {
        for (let turn = 0; turn < times; turn++) tf.tidy(() => variable.assign(next(tf, variable, tensor)));
      },
      values: async () => [await variable.data()],
      dispose: () => tf.dispose([variable, tensor]),
    }),
  };
}

/** Nothing but Trama has these: one thread's work, so what is measured is a dispatch, or the totals of a batch. */
function bookkeeping(): Case[] {
  const own = (name: string, inputs: readonly InputSpec[], update: (...tensors: Tensor[]) => void): Case => ({
    name,
    when: "full",
    trama: async ({ device }) => loadUpdate(device, made(...inputs), update),
    peers: {},
  });
  const one = { shape: [1] } as const;
  const counter = { ...one, kind: "counter" } as const;
  return [
    own("loss scale", [{ ...one, kind: "positive" }, counter, counter, one], (scale, goodSteps, updates, norm) => {
      lossScaleStep({ scale: scale, goodSteps: goodSteps, updates: updates }, norm);
    }),
    own("learning rate of a cosine schedule", [one, counter], (rate, step) =>
      scheduleRate({ kind: "cosine", rate: RATE, steps: 1000 }, { rate: rate, step: step }),
    ),
    own(
      "totals of loss and hits 1024×1000",
      [{ shape: [3], kind: "zeros" }, one, { shape: [1024, 1000] }, { shape: [1024], kind: "labels" }],
      (totals, loss, logits, labels) => tally(totals, loss, logits, labels),
    ),
  ];
}

export const optimizerSuite: Suite = {
  name: "optimisers",
  cases: [
    optimizerCase("Adam", plainAdam, { goal: "light", when: "always" }),
    optimizerCase("AMSGrad", { step: adamStep, options: { amsgrad: true } }),
    optimizerCase("AdamW", { step: adamStep, options: { weightDecay: 0.01, decoupled: true } }),
    optimizerCase("Nadam", { step: nadamStep }),
    optimizerCase("Adamax", { step: adamaxStep, tfjs: (tf) => tf.train.adamax(RATE) }),
    optimizerCase("SGD", { step: sgdStep, tfjs: (tf) => tf.train.sgd(RATE), jax: jaxSgd }),
    optimizerCase(
      "SGD with momentum",
      { step: sgdStep, options: { momentum: 0.9 }, tfjs: (tf) => tf.train.momentum(RATE, 0.9), jax: jaxMomentum },
      { when: "always" },
    ),
    optimizerCase("SGD with Nesterov momentum", {
      step: sgdStep,
      options: { momentum: 0.9, nesterov: true },
      tfjs: (tf) => tf.train.momentum(RATE, 0.9, true),
    }),
    optimizerCase("RMSprop", { step: rmspropStep, tfjs: (tf) => tf.train.rmsprop(RATE) }),
    optimizerCase("centred RMSprop", { step: rmspropStep, options: { centered: true } }),
    optimizerCase("Adagrad", { step: adagradStep, tfjs: (tf) => tf.train.adagrad(RATE) }),
    // TensorFlow.js divides by the average as it was a step before: another algorithm.
    optimizerCase("Adadelta", { step: adadeltaStep }),
    ...norms(),
    movingAverage(),
    accumulation(),
    ...bookkeeping(),
    optimizerCase("Adam", plainAdam, { goal: "largeLight", when: "gpu" }, 32 * MILLION),
  ],
};
