/** What is done to images on their way into a network: batches, resizing, augmentation, mixing, dropout. */
import {
  batchOf,
  drawMixing,
  dropout,
  mixImages,
  mixLabels,
  resizeArea,
  resizeBilinear,
  resizeNearest,
  spatialDropout,
  type Augmentation,
  type BatchLook,
  type Mixing,
  type RandomKey,
} from "../../src/kernels/index.ts";
import { sizeOf, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { bytesOf, opCase, type Case, type OpSpec, type Suite } from "../case.ts";
import type { OnnxGraph, Value } from "../engines/onnxModel.ts";
import type { Tf, TfImage, TfTensor } from "../engines/tfjs.ts";

const GREY = [28, 28, 1] as const;
/** Images in the data set. */
const COUNT = 1024;

/** Keras' `tf` mode: −1 … 1. */
const NORMALISATION = { scale: 2, shift: -1 } as const;

interface Look {
  readonly rows: number;
  readonly side: number;
  readonly channels: number;
}

const asTheyAre: Look = { rows: 128, side: 28, channels: 1 };
const small: Look = { rows: 128, side: 48, channels: 3 };
const usual: Look = { rows: 32, side: 224, channels: 3 };

const AUGMENTATION: Augmentation = { flip: 0.5, rotation: 10, zoom: 0.1, shift: 0.1, brightness: 0.1, contrast: 0.1 };

/** Bytes of what is read of the data set, and of the batch. */
const bytesFor = ({ rows, side, channels }: Look) => rows * sizeOf(GREY) + bytesOf([rows, side, side, channels]);

const nameOf = ({ rows, side, channels }: Look) => `${rows} of 28×28 → ${side}×${side}×${channels}`;

const inputs = ({ rows }: Look): OpSpec["inputs"] => [
  { shape: [COUNT, ...GREY], kind: "bytes" },
  { shape: [COUNT], kind: "counter" },
  { shape: [rows], kind: "counter" },
  { shape: [1], kind: "counter" },
];

/** A batch as `fit` makes it: picked by the order of the epoch, resized, repeated for each channel, normalised. */
function gathered(look: Look, key: (step: Tensor) => Partial<BatchLook>): OpSpec["trama"] {
  const { rows, side, channels } = look;
  return (pixels, labels, order, cursor) =>
    batchOf(
      { pixels: pixels, labels: labels, imageShape: GREY },
      { order: order, cursor: cursor, rows, stride: rows, batches: 1 },
      { normalisation: NORMALISATION, size: [side, side], channels, ...key(cursor) },
    ).x;
}

function tfjsBatch(tf: Tf, images: TfTensor, order: TfTensor, { side, channels }: Look): TfTensor {
  const picked = tf.cast(tf.gather(images, order), "float32") as TfImage;
  const resized = side === GREY[0] ? picked : tf.image.resizeBilinear(picked, [side, side], false, true);
  const coloured = channels === 1 ? resized : tf.tile(resized, [1, 1, 1, channels]);
  return tf.add(tf.mul(coloured, NORMALISATION.scale / 255), NORMALISATION.shift);
}

function ortBatch(graph: OnnxGraph, images: Value, order: Value, { rows, side, channels }: Look): Value {
  const picked = graph.node("Cast", [graph.node("Gather", [images, order])], { to: 1 });
  const sizes = graph.ints(rows, 1, side, side);
  const attributes = { mode: "linear", coordinate_transformation_mode: "half_pixel" };
  const resized = side === GREY[0] ? picked : graph.node("Resize", [picked, "", "", sizes], attributes);
  const coloured = channels === 1 ? resized : graph.node("Tile", [resized, graph.ints(1, channels, 1, 1)]);
  const scaled = graph.node("Mul", [coloured, graph.number(NORMALISATION.scale / 255)]);
  return graph.node("Add", [scaled, graph.number(NORMALISATION.shift)]);
}

function batchCase(look: Look, when: "always" | "full"): Case {
  const [pixels, ...rest] = inputs(look);
  return opCase({
    name: `batch of ${nameOf(look)}`,
    bytes: bytesFor(look),
    tolerance: 1e-3,
    when,
    inputs: [{ ...pixels!, layout: "image" }, ...rest],
    layouts: ["image"],
    trama: gathered(look, () => ({})),
    tfjs: (tf, images, _labels, order) => tfjsBatch(tf, images, order, look),
    ort: (graph, images, _labels, order) => ortBatch(graph, images, order, look),
  });
}

/** Images on the GPU resized there, as a layer does it. */
function resizeCase(mode: "nearest" | "bilinear"): Case {
  const [x, y] = [[32, 28, 28, 64], [32, 56, 56, 64]]; // prettier-ignore
  const size: [number, number] = [56, 56];
  return opCase({
    name: `resize ${mode} ${x.join("×")} to ${size.join("×")}`,
    bytes: bytesOf(x, y),
    when: "full",
    inputs: [{ shape: x, layout: "image" }],
    layouts: ["image"],
    trama: (images) => (mode === "nearest" ? resizeNearest(images, size) : resizeBilinear(images, size)),
    tfjs: (tf, images) =>
      mode === "nearest"
        ? tf.image.resizeNearestNeighbor(images as TfImage, size, false, true)
        : tf.image.resizeBilinear(images as TfImage, size, false, true),
    ort: (graph, images) =>
      graph.node("Resize", [images, "", "", graph.ints(32, 64, ...size)], {
        mode: mode === "nearest" ? "nearest" : "linear",
        coordinate_transformation_mode: "half_pixel",
      }),
  });
}

/** Each pixel the mean of those that it covers: no peer has it. */
const areaCase = opCase({
  name: "resize by area 32×224×224×3 to 96×96",
  bytes: bytesOf([32, 224, 224, 3], [32, 96, 96, 3]),
  when: "full",
  inputs: [{ shape: [32, 224, 224, 3] }],
  trama: (images) => resizeArea(images, [96, 96]),
});

const keyFrom = (step: Tensor): RandomKey => ({ seed: 1, layer: 0, step });

/** No peer draws a change for each image: TensorFlow.js' users do this on the CPU, or leave it. */
function augmented(look: Look, when: "always" | "full"): Case {
  return opCase({
    name: `batch of ${nameOf(look)}, augmented`,
    bytes: bytesFor(look),
    when,
    inputs: inputs(look),
    trama: gathered(look, (step) => ({ augmentation: AUGMENTATION, random: keyFrom(step) })),
  });
}

const MIXED: Shape = [128, 48, 48, 3];
const ROWS = MIXED[0]!;

function mixing(mode: Mixing["mode"]): Case {
  return opCase({
    name: `${mode} ${MIXED.join("×")}`,
    bytes: bytesOf(MIXED, MIXED, MIXED),
    when: "full",
    inputs: [{ shape: MIXED }, { shape: [ROWS], kind: "labels" }, { shape: [1], kind: "counter" }],
    trama(x, labels, step) {
      const drawn = drawMixing(x, { mode, alpha: 0.4 }, keyFrom(step));
      return [mixImages(x, drawn), mixLabels(labels, 10, drawn)];
    },
  });
}

const RATE = 0.25;
const ACTIVATIONS: Shape = [128, 26, 26, 32];
/** Of channels: few enough draws that shares differ by chance. */
const CHANNELS = ACTIVATIONS[0]! * ACTIVATIONS.at(-1)!;

/** Share of zeros, and the greatest value. */
function summary(values: ArrayLike<number>): number[] {
  let [zeros, greatest] = [0, 0];
  for (let index = 0; index < values.length; index++) {
    if (values[index] === 0) zeros++;
    greatest = Math.max(greatest, values[index]!);
  }
  return [zeros / values.length, greatest];
}

const dropping = {
  bytes: bytesOf(ACTIVATIONS, ACTIVATIONS),
  summary,
  inputs: [
    { shape: ACTIVATIONS, kind: "positive", layout: "image" },
    { shape: [1], kind: "counter" },
  ],
} as const;

const dropouts: readonly Case[] = [
  opCase({
    ...dropping,
    name: `dropout ${ACTIVATIONS.join("×")}`,
    tolerance: 5e-3,
    trama: (x, step) => dropout(x, RATE, keyFrom(step)),
    tfjs: (tf, x) => tf.dropout(x, RATE),
    ort: (graph, x) => graph.node("Dropout", [x, graph.number(RATE), graph.flag(true)]),
    jax({ numpy, random }, x, step) {
      const kept = random.bernoulli(random.key(numpy.reshape(step, [])), 1 - RATE, x.shape);
      return numpy.where(kept, numpy.trueDivide(x, 1 - RATE), 0);
    },
  }),
  opCase({
    ...dropping,
    name: `spatial dropout ${ACTIVATIONS.join("×")}`,
    when: "full",
    tolerance: 4 / Math.sqrt(CHANNELS),
    trama: (x, step) => spatialDropout(x, RATE, keyFrom(step)),
    tfjs: (tf, x) => tf.dropout(x, RATE, [ACTIVATIONS[0]!, 1, 1, ACTIVATIONS[3]!]),
    jax({ numpy, random }, x, step) {
      const shape = [ACTIVATIONS[0]!, ACTIVATIONS[3]!, 1, 1];
      const kept = random.bernoulli(random.key(numpy.reshape(step, [])), 1 - RATE, shape);
      return numpy.where(kept, numpy.trueDivide(x, 1 - RATE), 0);
    },
  }),
];

export const dataSuite: Suite = {
  name: "images and noise",
  cases: [
    batchCase(asTheyAre, "always"),
    batchCase(small, "always"),
    batchCase(usual, "full"),
    augmented(asTheyAre, "full"),
    augmented(small, "always"),
    augmented(usual, "full"),
    mixing("mixup"),
    mixing("cutmix"),
    resizeCase("nearest"),
    resizeCase("bilinear"),
    areaCase,
    ...dropouts,
  ],
};
