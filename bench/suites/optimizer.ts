/** One step of an optimiser over flat parameters. */
import { adamStep, advance } from "../../src/kernels/index.ts";
import { compile, free, keep } from "../../src/tensor/index.ts";
import { bytesOf, type Case, type Suite } from "../case.ts";
import type { Contender, Loaded } from "../engine.ts";
import { loadTensor, type Tfjs } from "../engines/tfjs.ts";
import type { Trama } from "../engines/trama.ts";
import { inputValues } from "../inputs.ts";

const RATE = 1e-3;

const inputsOf = (size: number) => [inputValues({ shape: [size] }, 0), inputValues({ shape: [size] }, 1)] as const;

async function loadAdam({ device }: Trama, size: number): Promise<Loaded> {
  const [start, slope] = inputsOf(size);
  const [parameters, gradients] = [device.tensor(start.values), device.tensor(slope.values)];
  const slots = { mean: device.zeros([size]), square: device.zeros([size]) };
  const [rate, step] = [device.tensor([RATE]), device.zeros([1], "u32")];
  const tensors = [parameters, gradients, slots.mean, slots.square, rate, step].map(keep);
  return {
    async start(): Promise<Contender> {
      const program = await compile(device, [], () => {
        adamStep(parameters, slots, { gradients, rate, step });
        advance(step);
        return null;
      });
      return {
        run: (times) => program.run([], times),
        values: () => parameters.read(),
        dispose() {
          program.dispose();
          tensors.forEach(free);
        },
      };
    },
  };
}

async function loadTfjsAdam(engine: Tfjs, size: number): Promise<Loaded> {
  const { tf } = engine;
  const [start, slope] = inputsOf(size);
  const parameters = tf.variable(loadTensor(engine, start));
  const tensor = loadTensor(engine, slope);
  const optimizer = tf.train.adam(RATE);
  return {
    start: async (): Promise<Contender> => ({
      run(times) {
        for (let turn = 0; turn < times; turn++) optimizer.applyGradients([{ name: parameters.name, tensor }]);
      },
      values: () => parameters.data(),
      dispose() {
        optimizer.dispose();
        tf.dispose([parameters, tensor]);
      },
    }),
  };
}

function adamCase(label: string, size: number, facts: Partial<Case>): Case {
  return {
    name: `Adam, ${label} parameters`,
    // Reads the gradient and three buffers, writes three.
    bytes: 7 * bytesOf([size]),
    ...facts,
    trama: (engine) => loadAdam(engine, size),
    tfjs: (engine) => loadTfjsAdam(engine, size),
  };
}

export const optimizerSuite: Suite = {
  name: "optimisers",
  cases: [
    adamCase("1 M", 1_000_000, { goal: "light" }),
    adamCase("32 M", 32_000_000, { goal: "largeLight", when: "gpu" }),
  ],
};
