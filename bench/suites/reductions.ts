/** Sums, extrema and what is made of them, over all elements, over lines, and over columns. */
import { argMax, argMin, logSumExp, max, mean, min, sum, topK, variance } from "../../src/kernels/index.ts";
import type { Shape, Tensor } from "../../src/tensor/index.ts";
import { bytesOf, gradientCase, opCase, type Case, type CaseFacts, type OpSpec, type Suite } from "../case.ts";
import type { JaxApi, JaxArray } from "../engines/jax.ts";
import type { OnnxGraph, Value } from "../engines/onnxModel.ts";
import type { Tf, TfTensor } from "../engines/tfjs.ts";

interface Reduction {
  readonly trama: (x: Tensor, axes: readonly number[]) => Tensor;
  readonly tfjs: (tf: Tf, x: TfTensor, axes: number[]) => TfTensor;
  readonly ort: (graph: OnnxGraph, x: Value, axes: readonly number[]) => Value;
  readonly jax: (jax: JaxApi, x: JaxArray, axes: number[]) => JaxArray;
}

const reduced =
  (operator: string) =>
  (graph: OnnxGraph, x: Value, axes: readonly number[]): Value =>
    graph.node(operator, [x, graph.ints(...axes)], { keepdims: 0 });

const argument =
  (operator: string) =>
  (graph: OnnxGraph, x: Value, [axis = 0]: readonly number[]): Value =>
    graph.node(operator, [x], { axis, keepdims: 0 });

const reductions = {
  sum: {
    trama: (x, axes) => sum(x, { axes }),
    tfjs: (tf, x, axes) => tf.sum(x, axes),
    ort: reduced("ReduceSum"),
    jax: ({ numpy }, x, axes) => numpy.sum(x, axes),
  },
  mean: {
    trama: (x, axes) => mean(x, { axes }),
    tfjs: (tf, x, axes) => tf.mean(x, axes),
    ort: reduced("ReduceMean"),
    jax: ({ numpy }, x, axes) => numpy.mean(x, axes),
  },
  max: {
    trama: (x, axes) => max(x, { axes }),
    tfjs: (tf, x, axes) => tf.max(x, axes),
    ort: reduced("ReduceMax"),
    jax: ({ numpy }, x, axes) => numpy.max(x, axes),
  },
  min: {
    trama: (x, axes) => min(x, { axes }),
    tfjs: (tf, x, axes) => tf.min(x, axes),
    ort: reduced("ReduceMin"),
    jax: ({ numpy }, x, axes) => numpy.min(x, axes),
  },
  argMax: {
    trama: (x, [axis]) => argMax(x, axis),
    tfjs: (tf, x, [axis]) => tf.argMax(x, axis),
    ort: argument("ArgMax"),
    jax: ({ numpy }, x, [axis]) => numpy.argmax(x, axis),
  },
  argMin: {
    trama: (x, [axis]) => argMin(x, axis),
    tfjs: (tf, x, [axis]) => tf.argMin(x, axis),
    ort: argument("ArgMin"),
    jax: ({ numpy }, x, [axis]) => numpy.argmin(x, axis),
  },
  variance: {
    trama: (x, axes) => variance(x, { axes }),
    tfjs: (tf, x, axes) => tf.moments(x, axes).variance,
    ort(graph, x, axes) {
      const along = graph.ints(...axes);
      const beyond = graph.node("Sub", [x, graph.node("ReduceMean", [x, along], { keepdims: 1 })]);
      return graph.node("ReduceMean", [graph.node("Mul", [beyond, beyond]), along], { keepdims: 0 });
    },
    jax: ({ numpy }, x, axes) => numpy.var_(x, axes),
  },
  logSumExp: {
    trama: (x, axes) => logSumExp(x, { axes }),
    tfjs: (tf, x, axes) => tf.logSumExp(x, axes),
    ort: reduced("ReduceLogSumExp"),
    jax: ({ nn }, x, axes) => nn.logsumexp(x, axes),
  },
} as const satisfies Readonly<Record<string, Reduction>>;

type ReductionName = keyof typeof reductions;

function specOf(name: ReductionName, where: string, shape: Shape, axes: readonly number[], facts: Partial<CaseFacts>) {
  const words: Reduction = reductions[name];
  const spec: OpSpec = {
    name: `${name} ${where} ${shape.join("×")}`,
    bytes: bytesOf(shape),
    // Terms of both signs all but cancel: the engines' orders of adding show.
    tolerance: name === "sum" || name === "mean" ? 1e-2 : 1e-4,
    ...facts,
    inputs: [{ shape }],
    trama: (x) => words.trama(x, axes),
    tfjs: (tf, x) => words.tfjs(tf, x, [...axes]),
    ort: (graph, x) => words.ort(graph, x, axes),
    jax: (jax, x) => words.jax(jax, x, [...axes]),
  };
  return spec;
}

/** Values and places of the greatest five. */
const greatest = (facts: Partial<CaseFacts>): Case =>
  opCase({
    name: `top 5 of each line of ${TABLE.join("×")}`,
    bytes: bytesOf(TABLE),
    ...facts,
    inputs: [{ shape: TABLE }],
    trama(x) {
      const { values, indices } = topK(x, 5);
      return [values, indices];
    },
    tfjs(tf, x) {
      const { values, indices } = tf.topk(x, 5);
      return [values, indices];
    },
    ort: (graph, x) => graph.nodes("TopK", [x, graph.ints(5)], 2),
    jax: ({ lax }, x) => lax.topK(x, 5),
  });

const IMAGES: Shape = [32, 28, 28, 64];
const TABLE: Shape = [1024, 1000];
const LARGE: Shape = [64, 112, 112, 64];

const overLines = (name: ReductionName, facts: Partial<CaseFacts>): Case =>
  opCase(specOf(name, "of each line of", TABLE, [1], facts));

export const reductionSuite: Suite = {
  name: "reductions",
  cases: [
    opCase(specOf("sum", "of", IMAGES, [0, 1, 2, 3], {})),
    opCase(specOf("sum", "of each channel of", IMAGES, [0, 1, 2], {})),
    opCase(specOf("mean", "of each image of", IMAGES, [1, 2], { when: "full" })),
    overLines("max", {}),
    gradientCase(specOf("max", "of each line of", TABLE, [1], { when: "full" }), { result: TABLE.slice(0, 1) }),
    overLines("min", { when: "full" }),
    overLines("argMax", {}),
    overLines("argMin", { when: "full" }),
    greatest({}),
    overLines("variance", {}),
    overLines("logSumExp", {}),
    opCase(specOf("sum", "of", LARGE, [0, 1, 2, 3], { goal: "largeLight", when: "gpu" })),
    opCase(specOf("sum", "of each channel of", LARGE, [0, 1, 2], { goal: "largeLight", when: "gpu" })),
  ],
};
