/** Softmax, and the loss of classifiers. */
import { softmax, softmaxCrossEntropy } from "../../src/kernels/index.ts";
import { valueAndGradients, type Shape } from "../../src/tensor/index.ts";
import { bytesOf, opCase, type CaseFacts, type Suite } from "../case.ts";

function probabilities(shape: Shape, facts: Partial<CaseFacts>) {
  return opCase({
    name: `softmax ${shape.join("×")}`,
    bytes: bytesOf(shape, shape),
    ...facts,
    inputs: [{ shape }],
    op: (logits) => softmax(logits),
    peer: (tf, logits) => tf.softmax(logits),
  });
}

/** The gradient of the loss, which is what training needs; our labels are class numbers, tfjs' are one-hot rows. */
function lossGradient(rows: number, classes: number) {
  const shape = [rows, classes];
  return opCase({
    name: `softmax cross entropy + gradient ${rows}×${classes}`,
    bytes: bytesOf(shape, shape),
    goal: "light",
    inputs: [{ shape }, { shape: [rows], kind: "labels" }, { shape, kind: "oneHot" }],
    op: (logits, labels) => valueAndGradients(() => softmaxCrossEntropy(logits, labels), [logits]).gradients[0]!,
    peer: (tf, logits, _labels, oneHot) => tf.grad((each) => tf.losses.softmaxCrossEntropy(oneHot, each))(logits),
  });
}

export const softmaxSuite: Suite = {
  name: "softmax",
  cases: [
    probabilities([1024, 1000], { goal: "light" }),
    lossGradient(1024, 1000),
    probabilities([16384, 4096], { goal: "largeLight", when: "gpu" }),
  ],
};
