/** onnxruntime-web's side of the whole-network cases: prediction by a model whose weights are constants. It cannot train. */
import type { Loaded } from "../engine.ts";
import { channelsFirst } from "../layout.ts";
import { floatsFor, type Network } from "../networks.ts";
import { applyLayer, type ActivationWord, type LayerWords, type Weighted, type Window } from "./layers.ts";
import { onnxGraph, type OnnxGraph, type Value } from "./onnxModel.ts";
import { loadOrtModel, loadTensor, type Ort } from "./ort.ts";
import type { Trama } from "./trama.ts";
import { initialWeights } from "./tramaNetworks.ts";

function attributesOf({ size, stride, dilation, padding }: Window) {
  const pads = [padding[0][0], padding[1][0], padding[0][1], padding[1][1]];
  return { kernel_shape: size, strides: stride, dilations: dilation, pads };
}

function wordsOf(graph: OnnxGraph, channelsOf: (kernel: Value) => number): LayerWords<Value> {
  const activate = (x: Value, name: ActivationWord | null): Value => {
    if (name === null) return x;
    if (name === "relu6") return graph.node("Clip", [x, graph.number(0), graph.number(6)]);
    return graph.node({ relu: "Relu", sigmoid: "Sigmoid" }[name], [x]);
  };
  const convolve = (x: Value, { kernel, bias, activation }: Weighted<Value>, window: Window, group: number) =>
    activate(
      graph.node("Conv", bias === null ? [x, kernel] : [x, kernel, bias], { ...attributesOf(window), group }),
      activation,
    );
  return {
    conv2d: (x, weights, window) => convolve(x, weights, window, 1),
    depthwiseConv2d: (x, weights, window) => convolve(x, weights, window, channelsOf(weights.kernel)),
    dense: (x, { kernel, bias, activation }) =>
      activate(graph.node("Gemm", bias === null ? [x, kernel] : [x, kernel, bias]), activation),
    maxPool2d: (x, window) => graph.node("MaxPool", [x], attributesOf(window)),
    averagePool2d: (x, window) => graph.node("AveragePool", [x], attributesOf(window)),
    globalAveragePool2d: (x) => graph.node("Flatten", [graph.node("GlobalAveragePool", [x])]),
    globalMaxPool2d: (x) => graph.node("Flatten", [graph.node("GlobalMaxPool", [x])]),
    batchNorm: (x, { gamma, beta, mean, variance, epsilon }) =>
      graph.node("BatchNormalization", [x, gamma, beta, mean, variance], { epsilon: { float: epsilon } }),
    activation: (x, name) => activate(x, name),
    flatten: (x, shape) =>
      graph.node("Flatten", [shape.length === 3 ? graph.node("Transpose", [x], { perm: [0, 2, 3, 1] }) : x]),
    add: (a, b) => graph.node("Add", [a, b]),
    concat: (values) => graph.node("Concat", values, { axis: 1 }),
    share: (x) => x,
  };
}

export async function loadOrtPrediction(engine: Ort, trama: Trama, network: Network): Promise<Loaded> {
  const { layers, input, batch } = network;
  const graph = onnxGraph();
  const image = channelsFirst({ values: floatsFor(network).pixels, shape: [batch, ...input] }, "image");
  const x = graph.input(image.shape, "float32");
  const channels = new Map<Value, number>();
  const weights = (await initialWeights(trama, network)).map((weight) => {
    const { values, shape } = channelsFirst(weight, weight.layout);
    const name = graph.constant(values, shape, "float32");
    channels.set(name, shape[0]!);
    return name;
  });
  let used = 0;
  const words = wordsOf(graph, (kernel) => channels.get(kernel)!);
  const logits = applyLayer(words, layers, x, input, () => weights[used++]!);
  const output = graph.node("Softmax", [logits], { axis: -1 });
  return loadOrtModel(engine, graph.encode([output]), { [x]: loadTensor(engine, image) }, [output]);
}
