/** Element-wise work: bound by memory, except for the dearest functions. */
import {
  abs,
  add,
  cast,
  clamp,
  div,
  equal,
  exp,
  gelu,
  geluExact,
  greater,
  greaterEqual,
  leakyRelu,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  pow,
  relu,
  relu6,
  select,
  sigmoid,
  silu,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
} from "../../src/kernels/index.ts";
import type { Shape, Tensor } from "../../src/tensor/index.ts";
import { bytesOf, gradientCase, opCase, type Case, type CaseFacts, type OpSpec, type Suite } from "../case.ts";
import type { JaxApi, JaxArray } from "../engines/jax.ts";
import type { OnnxGraph, Value } from "../engines/onnxModel.ts";
import type { Tf, TfTensor } from "../engines/tfjs.ts";
import type { InputKind } from "../inputs.ts";

const SHAPE: Shape = [32, 28, 28, 64];
const LARGE: Shape = [64, 112, 112, 64];
const LABEL = SHAPE.join("×");

const HALF_SQRT = Math.SQRT1_2;
const GELU_SCALE = Math.sqrt(2 / Math.PI);

interface Unary {
  readonly trama: (x: Tensor) => Tensor;
  readonly tfjs: (tf: Tf, x: TfTensor) => TfTensor;
  readonly ort: (graph: OnnxGraph, x: Value) => Value;
  readonly jax: (jax: JaxApi, x: JaxArray) => JaxArray;
  readonly kind?: InputKind;
  /** With its gradient, and by `--quick` too. */
  readonly activation?: boolean;
}

/** TensorFlow.js has no such activation: this is how its users write it. */
const tfjsGelu = (tf: Tf, x: TfTensor) =>
  tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(tf.mul(GELU_SCALE, tf.add(x, tf.mul(0.044715, tf.mul(x, tf.mul(x, x))))))));

const unary: Readonly<Record<string, Unary>> = {
  relu: {
    activation: true,
    trama: (x) => relu(x),
    tfjs: (tf, x) => tf.relu(x),
    ort: (graph, x) => graph.node("Relu", [x]),
    jax: ({ nn }, x) => nn.relu(x),
  },
  relu6: {
    trama: (x) => relu6(x),
    tfjs: (tf, x) => tf.relu6(x),
    ort: (graph, x) => graph.node("Clip", [x, graph.number(0), graph.number(6)]),
    jax: ({ nn }, x) => nn.relu6(x),
  },
  "leaky relu": {
    trama: (x) => leakyRelu(x, 0.01),
    tfjs: (tf, x) => tf.leakyRelu(x, 0.01),
    ort: (graph, x) => graph.node("LeakyRelu", [x], { alpha: { float: 0.01 } }),
    jax: ({ nn }, x) => nn.leakyRelu(x, 0.01),
  },
  sigmoid: {
    trama: (x) => sigmoid(x),
    tfjs: (tf, x) => tf.sigmoid(x),
    ort: (graph, x) => graph.node("Sigmoid", [x]),
    jax: ({ nn }, x) => nn.sigmoid(x),
  },
  tanh: {
    trama: (x) => tanh(x),
    tfjs: (tf, x) => tf.tanh(x),
    ort: (graph, x) => graph.node("Tanh", [x]),
    jax: ({ numpy }, x) => numpy.tanh(x),
  },
  softplus: {
    trama: (x) => softplus(x),
    tfjs: (tf, x) => tf.softplus(x),
    ort: (graph, x) => graph.node("Softplus", [x]),
    jax: ({ nn }, x) => nn.softplus(x),
  },
  silu: {
    activation: true,
    trama: (x) => silu(x),
    tfjs: (tf, x) => tf.mul(x, tf.sigmoid(x)),
    ort: (graph, x) => graph.node("Mul", [x, graph.node("Sigmoid", [x])]),
    jax: ({ nn }, x) => nn.silu(x),
  },
  gelu: {
    trama: (x) => gelu(x),
    tfjs: tfjsGelu,
    ort: (graph, x) => graph.node("Gelu", [x], { approximate: "tanh" }),
    jax: ({ nn }, x) => nn.gelu(x, { approximate: true }),
  },
  "exact gelu": {
    activation: true,
    trama: (x) => geluExact(x),
    tfjs: (tf, x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, HALF_SQRT)))),
    ort: (graph, x) => graph.node("Gelu", [x]),
    jax: ({ nn }, x) => nn.gelu(x, { approximate: false }),
  },
  exp: {
    trama: (x) => exp(x),
    tfjs: (tf, x) => tf.exp(x),
    ort: (graph, x) => graph.node("Exp", [x]),
    jax: ({ numpy }, x) => numpy.exp(x),
  },
  log: {
    kind: "positive",
    trama: (x) => log(x),
    tfjs: (tf, x) => tf.log(x),
    ort: (graph, x) => graph.node("Log", [x]),
    jax: ({ numpy }, x) => numpy.log(x),
  },
  sqrt: {
    kind: "positive",
    trama: (x) => sqrt(x),
    tfjs: (tf, x) => tf.sqrt(x),
    ort: (graph, x) => graph.node("Sqrt", [x]),
    jax: ({ numpy }, x) => numpy.sqrt(x),
  },
  square: {
    trama: (x) => square(x),
    tfjs: (tf, x) => tf.square(x),
    ort: (graph, x) => graph.node("Mul", [x, x]),
    jax: ({ numpy }, x) => numpy.square(x),
  },
  abs: {
    trama: (x) => abs(x),
    tfjs: (tf, x) => tf.abs(x),
    ort: (graph, x) => graph.node("Abs", [x]),
    jax: ({ numpy }, x) => numpy.absolute(x),
  },
  neg: {
    trama: (x) => neg(x),
    tfjs: (tf, x) => tf.neg(x),
    ort: (graph, x) => graph.node("Neg", [x]),
    jax: ({ numpy }, x) => numpy.negative(x),
  },
};

function unaryCases(name: string, { kind = "uniform", activation = false, ...words }: Unary): Case[] {
  const spec: OpSpec = {
    ...words,
    name: `${name} ${LABEL}`,
    bytes: bytesOf(SHAPE, SHAPE),
    when: activation ? "always" : "full",
    inputs: [{ shape: SHAPE, kind }],
  };
  if (!activation) return [opCase(spec)];
  return [opCase(spec), gradientCase(spec, { result: SHAPE, bytes: bytesOf(SHAPE, SHAPE, SHAPE, SHAPE) })];
}

interface Binary {
  readonly trama: (a: Tensor, b: Tensor) => Tensor;
  readonly tfjs: (tf: Tf, a: TfTensor, b: TfTensor) => TfTensor;
  /** The operator's name. */
  readonly ort: string;
  readonly jax: (jax: JaxApi, a: JaxArray, b: JaxArray) => JaxArray;
}

const binary: Readonly<Record<string, Binary>> = {
  add: {
    trama: (a, b) => add(a, b),
    tfjs: (tf, a, b) => tf.add(a, b),
    ort: "Add",
    jax: ({ numpy }, a, b) => numpy.add(a, b),
  },
  sub: {
    trama: (a, b) => sub(a, b),
    tfjs: (tf, a, b) => tf.sub(a, b),
    ort: "Sub",
    jax: ({ numpy }, a, b) => numpy.subtract(a, b),
  },
  mul: {
    trama: (a, b) => mul(a, b),
    tfjs: (tf, a, b) => tf.mul(a, b),
    ort: "Mul",
    jax: ({ numpy }, a, b) => numpy.multiply(a, b),
  },
  div: {
    trama: (a, b) => div(a, b),
    tfjs: (tf, a, b) => tf.div(a, b),
    ort: "Div",
    jax: ({ numpy }, a, b) => numpy.trueDivide(a, b),
  },
  maximum: {
    trama: (a, b) => maximum(a, b),
    tfjs: (tf, a, b) => tf.maximum(a, b),
    ort: "Max",
    jax: ({ numpy }, a, b) => numpy.maximum(a, b),
  },
  minimum: {
    trama: (a, b) => minimum(a, b),
    tfjs: (tf, a, b) => tf.minimum(a, b),
    ort: "Min",
    jax: ({ numpy }, a, b) => numpy.minimum(a, b),
  },
  pow: {
    trama: (a, b) => pow(a, b),
    tfjs: (tf, a, b) => tf.pow(a, b),
    ort: "Pow",
    jax: ({ numpy }, a, b) => numpy.power(a, b),
  },
};

function binaryCase(name: string, { ort, ...words }: Binary): Case {
  return opCase({
    ...words,
    name: `${name} ${LABEL}`,
    bytes: bytesOf(SHAPE, SHAPE, SHAPE),
    when: name === "add" ? "always" : "full",
    inputs: [
      { shape: SHAPE, kind: "positive" },
      { shape: SHAPE, kind: "positive" },
    ],
    ort: (graph, a, b) => graph.node(ort, [a, b]),
  });
}

/** A vector over all rows. */
function biasCase(shape: Shape, facts: Partial<CaseFacts>): Case {
  const columns = shape.at(-1)!;
  return opCase({
    name: `add bias ${shape.join("×")}`,
    bytes: bytesOf(shape, [columns], shape),
    ...facts,
    inputs: [{ shape }, { shape: [columns] }],
    trama: (x, bias) => add(x, bias),
    tfjs: (tf, x, bias) => tf.add(x, bias),
    ort: (graph, x, bias) => graph.node("Add", [x, bias]),
    jax: ({ numpy }, x, bias) => numpy.add(x, bias),
  });
}

const clampCase = opCase({
  name: `clamp ${LABEL}`,
  bytes: bytesOf(SHAPE, SHAPE),
  when: "full",
  inputs: [{ shape: SHAPE }],
  trama: (x) => clamp(x, -0.5, 0.5),
  tfjs: (tf, x) => tf.clipByValue(x, -0.5, 0.5),
  ort: (graph, x) => graph.node("Clip", [x, graph.number(-0.5), graph.number(0.5)]),
  jax: ({ numpy }, x) => numpy.clip(x, -0.5, 0.5),
});

const selectCase = opCase({
  name: `greater and select ${LABEL}`,
  bytes: bytesOf(SHAPE, SHAPE, SHAPE),
  when: "full",
  inputs: [{ shape: SHAPE }, { shape: SHAPE }],
  trama: (a, b) => select(greater(a, b), a, b),
  tfjs: (tf, a, b) => tf.where(tf.greater(a, b), a, b),
  ort: (graph, a, b) => graph.node("Where", [graph.node("Greater", [a, b]), a, b]),
  jax: ({ numpy }, a, b) => numpy.where(numpy.greater(a.ref, b.ref), a, b),
});

/** `[Trama's, TensorFlow.js', ONNX', NumPy's name]` */
const comparisons = [
  [equal, "equal", "Equal", "equal"],
  [notEqual, "notEqual", "Equal", "notEqual"],
  [greater, "greater", "Greater", "greater"],
  [greaterEqual, "greaterEqual", "GreaterOrEqual", "greaterEqual"],
  [less, "less", "Less", "less"],
  [lessEqual, "lessEqual", "LessOrEqual", "lessEqual"],
] as const;

/** 1 or 0, as f32; the peers give a byte or a word. */
const comparisonCases = comparisons.map(([compare, name, operator, other]) =>
  opCase({
    name: `${name} ${LABEL}`,
    bytes: bytesOf(SHAPE, SHAPE, SHAPE),
    when: "full",
    inputs: [
      { shape: SHAPE, kind: "signs" },
      { shape: SHAPE, kind: "signs" },
    ],
    trama: (a, b) => compare(a, b),
    tfjs: (tf, a, b) => tf[name](a, b),
    ort(graph, a, b) {
      const result = graph.node(operator, [a, b]);
      return name === "notEqual" ? graph.node("Not", [result]) : result;
    },
    jax: ({ numpy }, a, b) => numpy[other](a, b),
  }),
);

/** Into half precision, which TensorFlow.js does not know. */
const castCase = opCase({
  name: `cast f32 → f16 ${LABEL}`,
  bytes: 1.5 * bytesOf(SHAPE),
  needs: "shader-f16",
  when: "full",
  tolerance: 1e-3,
  inputs: [{ shape: SHAPE }],
  trama: (x) => cast(x, "f16"),
  ort: (graph, x) => graph.node("Cast", [x], { to: 10 }),
  jax: ({ numpy }, x) => numpy.astype(x, numpy.float16),
});

export const elementwiseSuite: Suite = {
  name: "element-wise",
  cases: [
    ...Object.entries(unary).flatMap(([name, words]) => unaryCases(name, words)),
    ...Object.entries(binary).map(([name, words]) => binaryCase(name, words)),
    biasCase(SHAPE, {}),
    ...comparisonCases,
    clampCase,
    selectCase,
    castCase,
    opCase({
      ...unary["relu"]!,
      name: `relu ${LARGE.join("×")}`,
      bytes: bytesOf(LARGE, LARGE),
      goal: "largeLight",
      when: "gpu",
      inputs: [{ shape: LARGE }],
    }),
    biasCase(LARGE, { goal: "largeLight", when: "gpu" }),
  ],
};
