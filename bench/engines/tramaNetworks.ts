/** Our side of the whole-network cases: training as `fit` does it, prediction as `predict` does it. */
import { collectRows, softmax } from "../../src/kernels/index.ts";
import { build } from "../../src/nn/index.ts";
import { Inference } from "../../src/train/evaluate.ts";
import type { Contender, Loaded } from "../engine.ts";
import {
  architectureOf,
  BATCH,
  batchOfGarments,
  CHECKED_STEPS,
  CLASSES,
  holdModel,
  IMAGE,
  trainingSetup,
  type NetworkName,
} from "../networks.ts";
import { Holder, type Trama } from "./trama.ts";

export async function loadStep({ device }: Trama, network: NetworkName): Promise<Loaded> {
  const before = device.memory.bytesInUse;
  const holder = new Holder();
  const { state, compile } = trainingSetup(device, network, holder.hold);
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
          return losses;
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

export async function loadPrediction({ device }: Trama): Promise<Loaded> {
  const holder = new Holder();
  const model = holdModel(build(device, architectureOf("ConvNet"), { input: IMAGE }), holder.hold);
  const { images, labels, count, origin } = batchOfGarments();
  const results = holder.hold(device.zeros([BATCH, CLASSES]));
  return {
    async start(): Promise<Contender> {
      const inference = await Inference.compile(
        model,
        { images, labels, shape: IMAGE, count, origin },
        BATCH,
        holder.hold,
        (logits, _, place) => collectRows(softmax(logits), place, results),
      );
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) inference.submit();
        },
        values: () => results.read(),
        dispose() {
          inference.dispose();
          holder.release();
        },
      };
    },
  };
}
