/** The peer's side of the whole-network cases: the same layers, initial values and images. */
import { build } from "../../src/nn/index.ts";
import type { Contender, Loaded } from "../engine.ts";
import {
  architectureOf,
  BATCH,
  batchOfGarments,
  CHECKED_STEPS,
  CLASSES,
  holdModel,
  IMAGE,
  type NetworkName,
} from "../networks.ts";
import { loadTensor, peakOf, type Tf, type Tfjs } from "./tfjs.ts";
import { Holder, type Trama } from "./trama.ts";

/** The default of our `adam()`. */
const LEARNING_RATE = 1e-3;

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

export async function loadTfjsStep(engine: Tfjs, trama: Trama, network: NetworkName): Promise<Loaded> {
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

export async function loadTfjsPrediction(engine: Tfjs, trama: Trama): Promise<Loaded> {
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
