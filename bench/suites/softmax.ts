/** Softmax, and the loss of classifiers. */
import { logSoftmax, softmax, softmaxCrossEntropy } from "../../src/kernels/index.ts";
import { valueAndGradients, type Shape } from "../../src/tensor/index.ts";
import { bytesOf, gradientCase, opCase, type CaseFacts, type OpSpec, type Suite } from "../case.ts";

function probabilities(shape: Shape, facts: Partial<CaseFacts>): OpSpec {
  return {
    name: `softmax ${shape.join("×")}`,
    bytes: bytesOf(shape, shape),
    ...facts,
    inputs: [{ shape }],
    trama: (logits) => softmax(logits),
    tfjs: (tf, logits) => tf.softmax(logits),
    ort: (graph, logits) => graph.node("Softmax", [logits], { axis: -1 }),
    jax: ({ nn }, logits) => nn.softmax(logits),
  };
}

function logarithms(shape: Shape, facts: Partial<CaseFacts>): OpSpec {
  return {
    name: `log softmax ${shape.join("×")}`,
    bytes: bytesOf(shape, shape),
    ...facts,
    inputs: [{ shape }],
    trama: (logits) => logSoftmax(logits),
    tfjs: (tf, logits) => tf.logSoftmax(logits),
    ort: (graph, logits) => graph.node("LogSoftmax", [logits], { axis: -1 }),
    jax: ({ nn }, logits) => nn.logSoftmax(logits),
  };
}

/** The gradient of the loss, which is what training needs; our labels are class numbers, the others' are one-hot rows. */
function lossGradient(rows: number, classes: number, facts: Partial<CaseFacts>) {
  const shape = [rows, classes];
  return opCase({
    name: `softmax cross entropy + gradient ${rows}×${classes}`,
    bytes: bytesOf(shape, shape),
    goal: "light",
    ...facts,
    inputs: [{ shape }, { shape: [rows], kind: "labels" }, { shape, kind: "oneHot" }],
    trama: (logits, labels) => valueAndGradients(() => softmaxCrossEntropy(logits, labels), [logits]).gradients[0]!,
    tfjs: (tf, logits, _labels, oneHot) => tf.grad((each) => tf.losses.softmaxCrossEntropy(oneHot, each))(logits),
    jax({ nn, numpy, grad }, logits, labels, oneHot) {
      labels.dispose();
      const loss = grad((each: typeof logits) =>
        numpy.negative(numpy.mean(numpy.sum(numpy.multiply(nn.logSoftmax(each), oneHot.ref), 1))),
      );
      const slope = loss(logits);
      oneHot.dispose();
      return slope;
    },
  });
}

const TABLE: Shape = [1024, 1000];
const LARGE: Shape = [16384, 4096];

export const softmaxSuite: Suite = {
  name: "softmax",
  cases: [
    opCase(probabilities(TABLE, { goal: "light" })),
    gradientCase(probabilities(TABLE, { when: "full" }), { result: TABLE, bytes: bytesOf(TABLE, TABLE, TABLE, TABLE) }),
    opCase(logarithms(TABLE, { when: "full" })),
    lossGradient(1024, 1000, {}),
    lossGradient(128, 10, { when: "full" }),
    lossGradient(64, 50_000, { when: "full" }),
    opCase(probabilities(LARGE, { goal: "largeLight", when: "gpu" })),
  ],
};
