/** The networks of the whole-step cases, and their inputs. */
import { syntheticGarments } from "../src/data/index.ts";
import {
  activation,
  adam,
  batchNorm,
  build,
  conv2d,
  crossEntropy,
  dense,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  outlineOf,
  sequential,
  type Layer,
  type Model,
} from "../src/nn/index.ts";
import { keep, sameShape, sizeOf, type Device, type Program, type Shape } from "../src/tensor/index.ts";
import { upload, type Hold, type UploadableImages } from "../src/train/residentDataset.ts";
import { createState, type TrainingState } from "../src/train/trainingState.ts";
import { compileStep, type Precision } from "../src/train/trainingStep.ts";
import { inputValues } from "./inputs.ts";

export interface Network {
  readonly name: string;
  readonly layers: Layer;
  /** Shape of one image. */
  readonly input: Shape;
  /** Images a step. */
  readonly batch: number;
  /** Of Adam. Default: 1e-3. */
  readonly learningRate?: number;
}

export const rateOf = ({ learningRate = 1e-3 }: Network): number => learningRate;

const GARMENT: Shape = [28, 28, 1];
const CLASSES = 10;
const relu = { activation: "relu" } as const;
const garments = { input: GARMENT, batch: 128 } as const;

/** The network of the targets: two convolutions, two dense layers. */
export const CONVNET: Network = {
  ...garments,
  name: "ConvNet",
  layers: sequential([
    conv2d(32, 3, relu),
    maxPool2d(2),
    conv2d(64, 3, relu),
    maxPool2d(2),
    flatten(),
    dense(128, relu),
    dense(CLASSES),
  ]),
};

export const MLP: Network = {
  ...garments,
  name: "MLP",
  layers: sequential([flatten(), dense(256, relu), dense(CLASSES)]),
};

const normed = (filters: number): Layer[] => [
  conv2d(filters, 3, { padding: "same", bias: false }),
  batchNorm(),
  activation("relu"),
];

export const NORMED: Network = {
  ...garments,
  name: "batch norm ConvNet",
  layers: sequential([
    ...normed(32),
    ...normed(32),
    maxPool2d(2),
    ...normed(64),
    ...normed(64),
    globalAveragePool2d(),
    dense(CLASSES),
  ]),
};

/** Losses that two engines must agree on: those of the steps after the first. */
export const CHECKED_STEPS = 3;

export const classesOf = ({ layers, input }: Network): number => outlineOf(layers, input).output[0]!;

/** Arithmetic of one prediction of the whole batch, by the textbook. */
export function predictionFlops({ layers, input, batch }: Network): number {
  return batch * outlineOf(layers, input).summaries.reduce((sum, { flops }) => sum + flops, 0);
}

/** Of one training step: forward, and twice as much backward, except for the first layer's input, which nobody asks for. */
export function stepFlops(network: Network): number {
  const { layers, input, batch } = network;
  const first = outlineOf(layers, input).summaries.find(({ flops }) => flops > 0)?.flops ?? 0;
  return 3 * predictionFlops(network) - batch * first;
}

/** One batch, the same for all engines: drawn garments for the small networks, noise for the large. */
export function batchFor({ input, batch }: Network): UploadableImages {
  if (sameShape(input, GARMENT)) return { ...syntheticGarments({ trainCount: batch, testCount: CLASSES }).train };
  const images = inputValues({ shape: [batch, ...input], kind: "bytes" }, 0).values as Uint8Array<ArrayBuffer>;
  const labels = Uint8Array.from(inputValues({ shape: [batch], kind: "labels" }, 0).values);
  return { images, labels, count: batch, origin: "noise", shape: input };
}

/** The same batch as peers get it: pixels as models see them, and one-hot rows. */
export function floatsFor(network: Network): { pixels: Float32Array<ArrayBuffer>; oneHot: Float32Array<ArrayBuffer> } {
  const { images, labels } = batchFor(network);
  const classes = classesOf(network);
  return {
    pixels: Float32Array.from(images.subarray(0, network.batch * sizeOf(network.input)), (value) => value / 255),
    oneHot: Float32Array.from({ length: network.batch * classes }, (_, at) =>
      Number(labels[Math.floor(at / classes)] === at % classes),
    ),
  };
}

/** Hands the parameters' memory to `hold`. */
export function holdModel(model: Model, hold: Hold): Model {
  for (const { values } of model.chunks) hold(values);
  return model;
}

/** Nothing but the step itself. */
const PLAIN = { augmentation: null, mix: null, clipNorm: null, accumulate: 1, ema: null } as const;

export interface TrainingSetup {
  readonly state: TrainingState;
  /** The step that `fit` compiles. */
  compile(): Promise<Program<null>>;
}

/** A network, its optimiser's state and a data set of one batch on the GPU. */
export function trainingSetup(
  device: Device,
  network: Network,
  precision: Precision = "f32",
  hold: Hold = keep,
): TrainingSetup {
  const { layers, input, batch } = network;
  const model = holdModel(build(device, layers, { input }), hold);
  const optimizer = adam({ learningRate: rateOf(network) });
  const settings = { ...PLAIN, precision, optimizer, loss: crossEntropy(), seed: model.seed };
  const data = upload(device, batchFor(network), hold);
  const state = createState(model, settings, batch, hold);
  device.write(
    state.order,
    Uint32Array.from({ length: batch }, (_, index) => index),
  );
  const place = { order: state.order, cursor: state.cursor, rows: batch, stride: batch, batches: 1 };
  return { state, compile: () => compileStep(model, data, state, place, settings) };
}
