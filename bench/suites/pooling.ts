/** Pooling. */
import { averagePool2d, maxPool2d } from "../../src/kernels/index.ts";
import { bytesOf, opCase, type CaseFacts, type Suite } from "../case.ts";
import { gradientOf } from "../engines/trama.ts";
import type { Tf, TfTensor } from "../engines/tfjs.ts";

type Four = [number, number, number, number];
type TfImage = ReturnType<Tf["tensor4d"]>;

const SIZE = 2;

const halved = ([batch, height, width, channels]: Four): Four => [batch, height / SIZE, width / SIZE, channels];

function cases(x: Four, facts: Partial<CaseFacts>) {
  const label = `2×2, ${x.join("×")}`;
  const y = halved(x);
  const pooled = (tf: Tf, image: TfTensor) => tf.maxPool(image as TfImage, SIZE, SIZE, "valid");
  return [
    opCase({
      name: `max pool ${label}`,
      bytes: bytesOf(x, y),
      ...facts,
      inputs: [{ shape: x }],
      op: (image) => maxPool2d(image, { size: SIZE }),
      peer: (tf, image) => pooled(tf, image),
    }),
    opCase({
      name: `max pool + gradient ${label}`,
      bytes: bytesOf(x, y, y, x),
      ...facts,
      inputs: [{ shape: x }, { shape: y }],
      op: (image, dy) => gradientOf(() => maxPool2d(image, { size: SIZE }), image, dy),
      peer: (tf, image, dy) => tf.grad((each) => pooled(tf, each))(image, dy),
    }),
    opCase({
      name: `average pool ${label}`,
      bytes: bytesOf(x, y),
      ...facts,
      inputs: [{ shape: x }],
      op: (image) => averagePool2d(image, { size: SIZE }),
      peer: (tf, image) => tf.avgPool(image as TfImage, SIZE, SIZE, "valid"),
    }),
  ];
}

export const poolingSuite: Suite = {
  name: "pooling",
  cases: [
    ...cases([128, 26, 26, 32], { goal: "light" }),
    ...cases([64, 112, 112, 64], { goal: "largeLight", when: "gpu" }),
  ],
};
