/** Losses with their gradients, which is what training needs. */
import {
  categoricalHinge,
  hinge,
  huber,
  meanAbsoluteError,
  meanSquaredError,
  sigmoidCrossEntropy,
  softFBeta,
  squaredHinge,
} from "../../src/kernels/index.ts";
import { valueAndGradients, type Shape, type Tensor } from "../../src/tensor/index.ts";
import { bytesOf, opCase, type Case, type Suite } from "../case.ts";
import type { JaxApi, JaxArray } from "../engines/jax.ts";
import type { Tf, TfTensor } from "../engines/tfjs.ts";
import type { InputKind } from "../inputs.ts";

const SHAPE: Shape = [1024, 1000];

interface Loss {
  readonly targets: InputKind;
  readonly trama: (x: Tensor, targets: Tensor) => Tensor;
  readonly tfjs?: (tf: Tf, x: TfTensor, targets: TfTensor) => TfTensor;
  readonly jax?: (jax: JaxApi, x: JaxArray, targets: JaxArray) => JaxArray;
  /** By `--quick` too. */
  readonly quick?: boolean;
}

/** Their mean; the means of the others are of the same elements. */
const losses: Readonly<Record<string, Loss>> = {
  "mean squared error": {
    quick: true,
    targets: "unit",
    trama: (x, targets) => meanSquaredError(x, targets),
    tfjs: (tf, x, targets) => tf.losses.meanSquaredError(targets, x),
    jax: ({ numpy }, x, targets) => numpy.mean(numpy.square(numpy.subtract(x, targets))),
  },
  "mean absolute error": {
    targets: "unit",
    trama: (x, targets) => meanAbsoluteError(x, targets),
    tfjs: (tf, x, targets) => tf.losses.absoluteDifference(targets, x),
    jax: ({ numpy }, x, targets) => numpy.mean(numpy.absolute(numpy.subtract(x, targets))),
  },
  huber: {
    targets: "unit",
    trama: (x, targets) => huber(x, targets),
    tfjs: (tf, x, targets) => tf.losses.huberLoss(targets, x),
  },
  "sigmoid cross entropy": {
    quick: true,
    targets: "unit",
    trama: (x, targets) => sigmoidCrossEntropy(x, targets),
    tfjs: (tf, x, targets) => tf.losses.sigmoidCrossEntropy(targets, x),
    jax({ numpy, nn }, x, targets) {
      const positive = numpy.multiply(nn.logSigmoid(x.ref), targets.ref);
      const negative = numpy.multiply(nn.logSigmoid(numpy.negative(x)), numpy.subtract(1, targets));
      return numpy.negative(numpy.mean(numpy.add(positive, negative)));
    },
  },
  hinge: {
    targets: "signs",
    trama: (x, targets) => hinge(x, targets),
    // Its labels are 0 and 1.
    tfjs: (tf, x, targets) => tf.losses.hingeLoss(tf.relu(targets), x),
  },
  "squared hinge": { targets: "signs", trama: (x, targets) => squaredHinge(x, targets) },
  "soft F1": { targets: "oneHot", trama: (x, targets) => softFBeta(x, targets) },
};

function lossCase(name: string, { targets, trama, tfjs, jax, quick = false }: Loss): Case {
  return opCase({
    name: `${name} + gradient ${SHAPE.join("×")}`,
    bytes: bytesOf(SHAPE, SHAPE, SHAPE),
    // A million terms added one by one, as some do, lose the fourth digit.
    tolerance: 1e-3,
    when: quick ? "always" : "full",
    inputs: [{ shape: SHAPE }, { shape: SHAPE, kind: targets }],
    trama(x, t) {
      const { value, gradients } = valueAndGradients(() => trama(x, t), [x]);
      return [value, ...gradients];
    },
    ...(tfjs && {
      tfjs(tf, x, t) {
        const { value, grad } = tf.valueAndGrad((each: TfTensor) => tfjs(tf, each, t))(x);
        return [value, grad];
      },
    }),
    ...(jax && {
      jax(api, x, t) {
        const [value, slope] = api.valueAndGrad((each: JaxArray) => jax(api, each, t.ref))(x);
        t.dispose();
        return [value, slope];
      },
    }),
  });
}

const [ROWS, CLASSES] = SHAPE as [number, number];

export const lossSuite: Suite = {
  name: "losses",
  cases: [
    ...Object.entries(losses).map(([name, loss]) => lossCase(name, loss)),
    opCase({
      name: `categorical hinge + gradient ${SHAPE.join("×")}`,
      bytes: bytesOf(SHAPE, SHAPE),
      when: "full",
      inputs: [{ shape: [ROWS, CLASSES] }, { shape: [ROWS], kind: "labels" }],
      trama: (scores, labels) => valueAndGradients(() => categoricalHinge(scores, labels), [scores]).gradients,
    }),
  ],
};
