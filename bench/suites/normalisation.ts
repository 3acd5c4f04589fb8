/** Batch and layer normalisation: in inference, in training, and with gradients. */
import { batchNorm, batchNormInference, layerNorm } from "../../src/kernels/index.ts";
import { bytesOf, gradientCase, opCase, type Case, type CaseFacts, type OpSpec, type Suite } from "../case.ts";
import type { JaxApi, JaxArray } from "../engines/jax.ts";

type Four = [number, number, number, number];

const EPSILON = 1e-3;

/** Of channels second, with statistics of any shape that broadcasts. */
function jaxNormalise(
  { numpy }: JaxApi,
  x: JaxArray,
  mean: JaxArray,
  variance: JaxArray,
  [scale, shift]: readonly [JaxArray, JaxArray],
): JaxArray {
  const rstd = numpy.reciprocal(numpy.sqrt(numpy.add(variance, EPSILON)));
  const factor = numpy.multiply(scale, rstd);
  return numpy.add(numpy.multiply(numpy.subtract(x, mean), factor), shift);
}

const perChannel = ({ numpy }: JaxApi, vector: JaxArray) => numpy.reshape(vector, [1, -1, 1, 1]);

function inference(x: Four, facts: Partial<CaseFacts>): OpSpec {
  const shape = x.slice(-1);
  return {
    name: `batch norm, inference ${x.join("×")}`,
    bytes: bytesOf(x, x),
    ...facts,
    inputs: [
      { shape: x, layout: "image" },
      { shape, constant: true },
      { shape, constant: true },
      { shape, constant: true },
      { shape, kind: "positive", constant: true },
    ],
    layouts: ["image"],
    trama: (images, scale, shift, mean, variance) =>
      batchNormInference(images, scale, shift, { mean, variance }, { epsilon: EPSILON }),
    tfjs: (tf, images, scale, shift, mean, variance) => tf.batchNorm(images, mean, variance, shift, scale, EPSILON),
    ort: (graph, ...inputs) => graph.node("BatchNormalization", inputs, { epsilon: { float: EPSILON } }),
    jax: (jax, images, scale, shift, mean, variance) =>
      jaxNormalise(jax, images, perChannel(jax, mean), perChannel(jax, variance), [
        perChannel(jax, scale),
        perChannel(jax, shift),
      ]),
  };
}

/** By the batch's own statistics. */
function training(x: Four, facts: Partial<CaseFacts>): OpSpec {
  const shape = x.slice(-1);
  return {
    name: `batch norm, training ${x.join("×")}`,
    bytes: bytesOf(x, x, x),
    ...facts,
    inputs: [{ shape: x, layout: "image" }, { shape }, { shape }],
    layouts: ["image"],
    trama: (images, scale, shift) => batchNorm(images, scale, shift, { epsilon: EPSILON }),
    tfjs(tf, images, scale, shift) {
      const { mean, variance } = tf.moments(images, [0, 1, 2]);
      return tf.batchNorm(images, mean, variance, shift, scale, EPSILON);
    },
    jax(jax, images, scale, shift) {
      const { numpy } = jax;
      const mean = numpy.mean(images.ref, [0, 2, 3], { keepdims: true });
      const variance = numpy.mean(numpy.square(numpy.subtract(images.ref, mean.ref)), [0, 2, 3], { keepdims: true });
      return jaxNormalise(jax, images, mean, variance, [perChannel(jax, scale), perChannel(jax, shift)]);
    },
  };
}

function layer(x: readonly [number, number], facts: Partial<CaseFacts>): OpSpec {
  const shape = x.slice(-1);
  return {
    name: `layer norm ${x.join("×")}`,
    bytes: bytesOf(x, x),
    ...facts,
    inputs: [{ shape: x }, { shape, constant: true }, { shape, constant: true }],
    trama: (lines, scale, shift) => layerNorm(lines, scale, shift, { epsilon: EPSILON }),
    tfjs(tf, lines, scale, shift) {
      const { mean, variance } = tf.moments(lines, -1, true);
      const rstd = tf.rsqrt(tf.add(variance, EPSILON));
      return tf.add(tf.mul(tf.mul(tf.sub(lines, mean), rstd), scale), shift);
    },
    ort: (graph, ...inputs) => graph.node("LayerNormalization", inputs, { epsilon: { float: EPSILON } }),
    jax(jax, lines, scale, shift) {
      const { numpy } = jax;
      const mean = numpy.mean(lines.ref, -1, { keepdims: true });
      const variance = numpy.mean(numpy.square(numpy.subtract(lines.ref, mean.ref)), -1, { keepdims: true });
      return jaxNormalise(jax, lines, mean, variance, [scale, shift]);
    },
  };
}

function batchNormCases(
  x: Four,
  goals: readonly [CaseFacts["goal"], CaseFacts["goal"]],
  when: CaseFacts["when"],
): Case[] {
  const [light, whole] = goals.map((goal) => (goal ? { goal } : {}));
  const at = when ? { when } : {};
  return [
    opCase(inference(x, { ...light, ...at })),
    opCase(training(x, at)),
    gradientCase(training(x, { ...whole, ...at }), {
      result: x,
      variables: 3,
      // Two passes over the batch forward, two over batch and gradient backward; y and dx are written.
      bytes: bytesOf(x, x, x, x, x, x, x, x),
      tolerance: 1e-3,
    }),
  ];
}

const LINES = [1024, 768] as const;

export const normalisationSuite: Suite = {
  name: "normalisation",
  cases: [
    ...batchNormCases([32, 28, 28, 64], ["light", "batchNorm"], undefined),
    opCase(layer(LINES, {})),
    gradientCase(layer(LINES, { tolerance: 1e-3 }), {
      result: LINES,
      variables: 3,
      bytes: bytesOf(LINES, LINES, LINES, LINES, LINES),
    }),
    ...batchNormCases([64, 112, 112, 64], [undefined, "largeBatchNorm"], "gpu"),
  ],
};
