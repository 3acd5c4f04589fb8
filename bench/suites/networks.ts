/** Whole networks: a training step as `fit` runs it, and prediction as `predict` runs it. */
import { collectRows, softmax } from "../../src/kernels/index.ts";
import { build } from "../../src/nn/index.ts";
import { Inference } from "../../src/train/evaluate.ts";
import { upload } from "../../src/train/residentDataset.ts";
import type { Case, Suite } from "../case.ts";
import type { Contender, Loaded } from "../engine.ts";
import { loadTensor, peakOf, type Tf, type Tfjs } from "../engines/tfjs.ts";
import { Holder, type Trama } from "../engines/trama.ts";
import {
  architectureOf,
  BATCH,
  batchOfGarments,
  CLASSES,
  holdModel,
  IMAGE,
  trainingSetup,
  type NetworkName,
} from "../networks.ts";

const LEARNING_RATE = 1e-3;

/** Losses that two engines must agree on: those of the steps after the first. */
const CHECKED_STEPS = 3;

type TfModel = ReturnType<Tf["sequential"]>;

/** The peer's network of the same layers. The seed of its own initial values plays no part: it gets ours. */
function tfjsModel(tf: Tf, network: NetworkName): TfModel {
  const activation = "relu";
  const { layers } = tf;
  const hidden =
    network === "MLP"
      ? [layers.flatten({ inputShape: [...IMAGE] }), layers.dense({ units: 256, activation })]
      : [
          layers.conv2d({ inputShape: [...IMAGE], filters: 32, kernelSize: 3, activation }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.conv2d({ filters: 64, kernelSize: 3, activation }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ units: 128, activation }),
        ];
  return tf.sequential({ layers: [...hidden, layers.dense({ units: CLASSES })] });
}

/** Our initial values, by a model that is only asked for them. */
async function copyInitialValues(
  { tf }: Tfjs,
  target: TfModel,
  { device }: Trama,
  network: NetworkName,
): Promise<void> {
  const holder = new Holder();
  const { parameters } = holdModel(build(device, architectureOf(network), { input: IMAGE }), holder.hold);
  const values = await device.readMany(parameters.map(({ tensor }) => tensor));
  const tensors = parameters.map(({ shape }, index) => tf.tensor(values[index] as Float32Array, [...shape]));
  target.setWeights(tensors);
  tf.dispose(tensors);
  holder.release();
}

function garments(engine: Tfjs) {
  const { images, labels } = batchOfGarments();
  const pixels = Float32Array.from(images, (value) => value / 255);
  const oneHot = Float32Array.from({ length: BATCH * CLASSES }, (_, at) =>
    Number(labels[Math.floor(at / CLASSES)] === at % CLASSES),
  );
  return {
    x: loadTensor(engine, { values: pixels, shape: [BATCH, ...IMAGE] }),
    y: loadTensor(engine, { values: oneHot, shape: [BATCH, CLASSES] }),
  };
}

async function loadStep({ device }: Trama, network: NetworkName): Promise<Loaded> {
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

async function loadTfjsStep(engine: Tfjs, trama: Trama, network: NetworkName): Promise<Loaded> {
  const { tf, webgpu, sync } = engine;
  await sync();
  const before = webgpu?.bufferManager.numBytesUsed ?? 0;
  const model = tfjsModel(tf, network);
  await copyInitialValues(engine, model, trama, network);
  const { x, y } = garments(engine);
  const optimizer = tf.train.adam(LEARNING_RATE);
  const loss = () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as typeof y).asScalar();
  return {
    start: async (): Promise<Contender> => ({
      // What `trainOnBatch` and `fit` do inside, without their reading the loss back after each step.
      run(times) {
        for (let turn = 0; turn < times; turn++) optimizer.minimize(loss);
      },
      async values() {
        const losses: number[] = [];
        for (let step = 0; step < CHECKED_STEPS; step++) {
          const value = optimizer.minimize(loss, true)!;
          losses.push((await value.data())[0]!);
          value.dispose();
        }
        return losses;
      },
      dispose() {
        model.dispose();
        optimizer.dispose();
        tf.dispose([x, y]);
      },
    }),
    ...(webgpu
      ? {
          peakBytes: (contender: Contender) =>
            peakOf(webgpu, before, async () => {
              contender.run(2);
              await sync();
            }),
        }
      : {}),
  };
}

async function loadPrediction({ device }: Trama): Promise<Loaded> {
  const holder = new Holder();
  const model = holdModel(build(device, architectureOf("ConvNet"), { input: IMAGE }), holder.hold);
  const { images, labels, count, origin } = batchOfGarments();
  const data = upload(device, { images, labels, shape: IMAGE, count, origin }, holder.hold);
  const results = holder.hold(device.zeros([BATCH, CLASSES]));
  return {
    async start(): Promise<Contender> {
      const inference = await Inference.compile(model, data, BATCH, holder.hold, (logits, _, place) =>
        collectRows(softmax(logits), place, results),
      );
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) inference.run();
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

async function loadTfjsPrediction(engine: Tfjs, trama: Trama): Promise<Loaded> {
  const { tf } = engine;
  const model = tfjsModel(tf, "ConvNet");
  await copyInitialValues(engine, model, trama, "ConvNet");
  const { x } = garments(engine);
  let result: typeof x | null = null;
  return {
    start: async (): Promise<Contender> => ({
      run(times) {
        for (let turn = 0; turn < times; turn++) {
          result?.dispose();
          result = tf.tidy(() => tf.softmax(model.predictOnBatch(x) as typeof x));
        }
      },
      values: () => result!.data(),
      dispose() {
        model.dispose();
        tf.dispose([x, result!]);
      },
    }),
  };
}

/** Multiply-adds of one training step: forward, and twice as many backward, except for the first layer's input. */
function stepFlops(network: NetworkName): number {
  if (network === "MLP") return 2 * BATCH * (2 * 784 * 256 + 3 * 256 * 10);
  const [first, second] = [26 * 26 * 9 * 32, 11 * 11 * 9 * 32 * 64];
  return 2 * BATCH * (2 * first + 3 * (second + 1600 * 128 + 128 * 10));
}

function stepCase(network: NetworkName): Case {
  return {
    name: `${network} training step, batch ${BATCH}`,
    flops: stepFlops(network),
    goal: network === "MLP" ? "mlpStep" : "convNetStep",
    // Adam divides by the root of squares: rounding in the smallest gradients becomes steps of full size.
    tolerance: 2e-3,
    trama: (engine) => loadStep(engine, network),
    tfjs: (engine, trama) => loadTfjsStep(engine, trama, network),
  };
}

export const networkSuite: Suite = {
  name: "networks",
  cases: [
    stepCase("ConvNet"),
    {
      name: `ConvNet prediction, batch ${BATCH}`,
      flops: 2 * BATCH * (26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 1600 * 128 + 128 * 10),
      goal: "prediction",
      tolerance: 1e-3,
      trama: loadPrediction,
      tfjs: loadTfjsPrediction,
    },
    stepCase("MLP"),
  ],
};
