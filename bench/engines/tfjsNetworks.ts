/**
 * TensorFlow.js' side of the whole-network cases: the operations that its layers consist of, called as its layers call them,
 * with our initial values and images.
 */
import type { Contender, Loaded } from "../engine.ts";
import { CHECKED_STEPS, classesOf, floatsFor, rateOf, type Network } from "../networks.ts";
import { applyLayer, isUnpadded, type ActivationWord, type LayerWords, type Window } from "./layers.ts";
import { loadTensor, peakOf, type Tf, type TfImage, type Tfjs, type TfTensor } from "./tfjs.ts";
import type { Trama } from "./trama.ts";
import { initialWeights } from "./tramaNetworks.ts";

type Variable = ReturnType<Tf["variable"]>;
type Pad = "valid" | [[number, number], [number, number], [number, number], [number, number]];

function padOf(window: Window): Pad {
  const [[top, bottom], [left, right]] = window.padding;
  return isUnpadded(window) ? "valid" : [[0, 0], [top, bottom], [left, right], [0, 0]]; // prettier-ignore
}

const finish = (bias: TfTensor | null, activation: ActivationWord | null) => ({
  ...(bias && { bias }),
  ...(activation && { activation }),
});

const pair = ([a, b]: readonly [number, number]): [number, number] => [a, b];

function wordsOf(tf: Tf, training: boolean): LayerWords<TfTensor> {
  const activations = {
    relu: (x: TfTensor) => tf.relu(x),
    relu6: (x: TfTensor) => tf.relu6(x),
    sigmoid: (x: TfTensor) => tf.sigmoid(x),
  } as const;
  const convolution =
    (convolve: Tf["fused"]["conv2d"]): LayerWords<TfTensor>["conv2d"] =>
    (x, { kernel, bias, activation }, window) =>
      convolve({
        x: x as TfImage,
        filter: kernel as TfImage,
        strides: pair(window.stride),
        pad: padOf(window),
        dilations: pair(window.dilation),
        ...finish(bias, activation),
      });
  return {
    conv2d: convolution(tf.fused.conv2d),
    // Its types know no explicit padding, its code does.
    depthwiseConv2d: convolution(tf.fused.depthwiseConv2d as Tf["fused"]["conv2d"]),
    dense: (x, { kernel, bias, activation }) =>
      tf.fused.matMul({
        a: x,
        b: kernel,
        ...finish(bias, activation),
      }),
    maxPool2d: (x, window) => tf.maxPool(x as TfImage, pair(window.size), pair(window.stride), padOf(window)),
    averagePool2d: (x, window) => tf.avgPool(x as TfImage, pair(window.size), pair(window.stride), padOf(window)),
    globalAveragePool2d: (x) => tf.mean(x, [1, 2]),
    globalMaxPool2d: (x) => tf.max(x, [1, 2]),
    batchNorm(x, { gamma, beta, mean, variance, epsilon, momentum }) {
      const normalise = (m: TfTensor, v: TfTensor) => tf.batchNorm(x, m, v, beta, gamma, epsilon);
      if (!training) return normalise(mean, variance);
      const batch = tf.moments(x, [0, 1, 2]);
      const follow = (moving: TfTensor, value: TfTensor) =>
        (moving as Variable).assign(tf.add(tf.mul(moving, momentum), tf.mul(value, 1 - momentum)));
      follow(mean, batch.mean);
      follow(variance, batch.variance);
      return normalise(batch.mean, batch.variance);
    },
    activation: (x, name) => activations[name](x),
    flatten: (x) => tf.reshape(x, [x.shape[0], -1]),
    add: (a, b) => tf.add(a, b),
    concat: (values) => tf.concat([...values], -1),
    share: (x) => x,
  };
}

interface Loadable {
  readonly variables: readonly Variable[];
  readonly x: TfTensor;
  readonly y: TfTensor;
  readonly logits: (training: boolean) => TfTensor;
}

async function load(engine: Tfjs, trama: Trama, network: Network): Promise<Loadable> {
  const { tf } = engine;
  const { layers, input, batch } = network;
  const weights = await initialWeights(trama, network);
  await engine.enter();
  const variables = weights.map((weight) => tf.variable(loadTensor(engine, weight), weight.trainable));
  const { pixels, oneHot } = floatsFor(network);
  const x = loadTensor(engine, { values: pixels, shape: [batch, ...input] });
  const y = loadTensor(engine, { values: oneHot, shape: [batch, classesOf(network)] });
  const logits = (training: boolean) => {
    let used = 0;
    return applyLayer<TfTensor>(wordsOf(tf, training), layers, x, input, () => variables[used++]!);
  };
  return { variables, x, y, logits };
}

export async function loadTfjsStep(engine: Tfjs, trama: Trama, network: Network): Promise<Loaded> {
  const { tf, webgpu, sync } = engine;
  await sync();
  const before = webgpu?.bufferManager.numBytesUsed ?? 0;
  const { variables, x, y, logits } = await load(engine, trama, network);
  const learnt = variables.filter(({ trainable }) => trainable);
  const optimizer = tf.train.adam(rateOf(network));
  const loss = () => tf.losses.softmaxCrossEntropy(y, logits(true)).asScalar();
  return {
    start: async (): Promise<Contender> => ({
      // What `trainOnBatch` and `fit` do inside, without their reading the loss back after each step.
      run(times) {
        for (let turn = 0; turn < times; turn++) optimizer.minimize(loss, false, learnt);
      },
      async values() {
        const losses: number[] = [];
        for (let step = 0; step < CHECKED_STEPS; step++) {
          const value = optimizer.minimize(loss, true, learnt)!;
          losses.push((await value.data())[0]!);
          value.dispose();
        }
        return [losses];
      },
      dispose() {
        optimizer.dispose();
        tf.dispose([...variables, x, y]);
      },
    }),
    ...(webgpu
      ? {
          peakBytes: (contender: Contender) =>
            peakOf(webgpu, before, async () => {
              await contender.run(2);
              await sync();
            }),
        }
      : {}),
  };
}

export async function loadTfjsPrediction(engine: Tfjs, trama: Trama, network: Network): Promise<Loaded> {
  const { tf } = engine;
  const { variables, x, y, logits } = await load(engine, trama, network);
  let result: TfTensor | null = null;
  return {
    start: async (): Promise<Contender> => ({
      run(times) {
        for (let turn = 0; turn < times; turn++) {
          result?.dispose();
          result = tf.tidy(() => tf.softmax(logits(false)));
        }
      },
      values: async () => [await result!.data()],
      dispose: () => tf.dispose([...variables, x, y, result!]),
    }),
  };
}
