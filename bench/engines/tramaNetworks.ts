/** Our side of the whole-network cases: training as `fit` does it, prediction as `predict` does it. */
import { collectRows, softmax } from "../../src/kernels/index.ts";
import { build } from "../../src/nn/index.ts";
import type { Shape } from "../../src/tensor/index.ts";
import { Inference } from "../../src/train/evaluate.ts";
import type { Precision } from "../../src/train/trainingStep.ts";
import type { Contender, Loaded } from "../engine.ts";
import type { Layout } from "../layout.ts";
import { batchFor, CHECKED_STEPS, classesOf, holdModel, trainingSetup, type Network } from "../networks.ts";
import { Holder, type Trama } from "./trama.ts";

export async function loadStep({ device }: Trama, network: Network, precision: Precision = "f32"): Promise<Loaded> {
  const before = device.memory.bytesInUse;
  const holder = new Holder();
  const { state, compile } = trainingSetup(device, network, precision, holder.hold);
  return {
    async start(): Promise<Contender> {
      const program = await compile();
      return {
        run: (times) => program.run([], times),
        async values() {
          const losses: number[] = [];
          for (let step = 0; step < CHECKED_STEPS; step++) {
            device.write(state.totals, new Float32Array(3));
            program.run();
            const [sum = 0, , rows = 0] = await state.totals.read();
            losses.push(sum / rows);
          }
          return [losses];
        },
        dispose() {
          program.dispose();
          holder.release();
        },
      };
    },
    // A program holds all its memory from the beginning.
    peakBytes: async () => device.memory.bytesInUse - before,
  };
}

export async function loadPrediction({ device }: Trama, network: Network): Promise<Loaded> {
  const { layers, input, batch } = network;
  const holder = new Holder();
  const model = holdModel(build(device, layers, { input }), holder.hold);
  const results = holder.hold(device.zeros([batch, classesOf(network)]));
  return {
    async start(): Promise<Contender> {
      const inference = await Inference.compile(model, batchFor(network), batch, holder.hold, (logits, _, place) =>
        collectRows(softmax(logits), place, results),
      );
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) inference.submit();
        },
        values: async () => [await results.read()],
        dispose() {
          inference.dispose();
          holder.release();
        },
      };
    },
  };
}

/** A parameter as a peer gets it. */
export interface Weight {
  readonly shape: Shape;
  readonly values: Float32Array<ArrayBuffer>;
  readonly layout: Layout | undefined;
  readonly trainable: boolean;
}

/** Our initial values, by a model that is only asked for them, in the order in which layers take them. */
export async function initialWeights({ device }: Trama, { layers, input }: Network): Promise<Weight[]> {
  const holder = new Holder();
  const { parameters } = holdModel(build(device, layers, { input }), holder.hold);
  const values = await device.readMany(parameters.map(({ tensor }) => tensor));
  holder.release();
  return parameters.map(({ name, shape, trainable }, index) => ({
    shape,
    values: values[index] as Float32Array<ArrayBuffer>,
    layout: name.endsWith("depthwise_kernel") ? "depthwise" : shape.length === 4 ? "filter" : undefined,
    trainable,
  }));
}
