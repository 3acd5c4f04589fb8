/** The two networks of the whole-step cases, and their inputs. */
import { syntheticGarments, type ImageDataset } from "../src/data/index.ts";
import {
  adam,
  build,
  crossEntropy,
  conv2d,
  dense,
  flatten,
  maxPool2d,
  sequential,
  type Layer,
  type Model,
} from "../src/nn/index.ts";
import { keep, type Device, type Program } from "../src/tensor/index.ts";
import { upload, type Hold } from "../src/train/residentDataset.ts";
import { createState, type TrainingState } from "../src/train/trainingState.ts";
import { compileStep } from "../src/train/trainingStep.ts";

export type NetworkName = "ConvNet" | "MLP";

export const BATCH = 128;
export const IMAGE = [28, 28, 1] as const;
export const CLASSES = 10;

/** Losses that two engines must agree on: those of the steps after the first. */
export const CHECKED_STEPS = 3;

export function architectureOf(network: NetworkName): Layer {
  const activation = "relu";
  if (network === "MLP") return sequential([flatten(), dense(256, { activation }), dense(CLASSES)]);
  return sequential([
    conv2d(32, 3, { activation }),
    maxPool2d(2),
    conv2d(64, 3, { activation }),
    maxPool2d(2),
    flatten(),
    dense(128, { activation }),
    dense(CLASSES),
  ]);
}

let drawn: ImageDataset | null = null;

/** One batch of drawn garments: both engines see the same images. */
export function batchOfGarments(): ImageDataset {
  drawn ??= syntheticGarments({ trainCount: BATCH, testCount: CLASSES }).train;
  return drawn;
}

/** Hands the parameters' memory to `hold`. */
export function holdModel(model: Model, hold: Hold): Model {
  for (const { values } of model.chunks) hold(values);
  return model;
}

/** Nothing but the step itself. */
const PLAIN = { augmentation: null, mix: null, precision: "f32", clipNorm: null, accumulate: 1, ema: null } as const;

export interface TrainingSetup {
  readonly state: TrainingState;
  /** The step that `fit` compiles. */
  compile(): Promise<Program<null>>;
}

/** A network, its optimiser's state and a data set of one batch on the GPU. */
export function trainingSetup(device: Device, network: NetworkName, hold: Hold = keep): TrainingSetup {
  const model = holdModel(build(device, architectureOf(network), { input: IMAGE }), hold);
  const optimizer = adam();
  const settings = { ...PLAIN, optimizer, loss: crossEntropy(), seed: model.seed };
  const data = upload(device, batchOfGarments(), hold);
  const state = createState(model, settings, BATCH, hold);
  device.write(
    state.order,
    Uint32Array.from({ length: BATCH }, (_, index) => index),
  );
  const place = { order: state.order, cursor: state.cursor, rows: BATCH, stride: BATCH, batches: 1 };
  return { state, compile: () => compileStep(model, data, state, place, settings) };
}
