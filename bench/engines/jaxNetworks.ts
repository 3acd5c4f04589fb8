/** jax-js' side of the whole-network cases: a function of parameters, compiled together with its gradients and Adam. */
import type { Contender, Loaded } from "../engine.ts";
import { CHECKED_STEPS, classesOf, floatsFor, rateOf, type Network } from "../networks.ts";
import { adam, loadArray, readArray, submit, type Jax, type JaxApi, type JaxArray } from "./jax.ts";
import { applyLayer, isUnpadded, type ActivationWord, type LayerWords, type Weighted, type Window } from "./layers.ts";
import type { Trama } from "./trama.ts";
import { initialWeights } from "./tramaNetworks.ts";

type Four = [number, number, number, number];

/** Windows that tile the image become axes of their own; what is left at the edges is cut off. */
function tiles({ numpy }: JaxApi, x: JaxArray, window: Window): JaxArray {
  const [kh, kw] = window.size;
  const [batch, channels, h, w] = x.shape as Four;
  if (window.stride[0] !== kh || window.stride[1] !== kw || !isUnpadded(window)) {
    throw new Error("jax-js pools, with gradients, by windows that tile the image only");
  }
  const [oh, ow] = [Math.floor(h / kh), Math.floor(w / kw)];
  const whole = x.slice([], [], [0, oh * kh], [0, ow * kw]);
  return numpy.reshape(whole, [batch, channels, oh, kh, ow, kw]);
}

/** `statistics`: where training puts what the moving averages become, in the layers' order; null for inference. */
function wordsOf(jax: JaxApi, statistics: JaxArray[] | null): LayerWords<JaxArray> {
  const { numpy, nn, lax } = jax;
  const activate = (x: JaxArray, name: ActivationWord | null): JaxArray => (name === null ? x : nn[name](x));
  const perChannel = (vector: JaxArray) => numpy.reshape(vector, [1, -1, 1, 1]);
  const convolve = (x: JaxArray, { kernel, bias, activation }: Weighted<JaxArray>, window: Window, groups: number) => {
    const padding = window.padding.map(([before, after]): [number, number] => [before, after]);
    const y = lax.convGeneralDilated(x, kernel, [...window.stride], padding, {
      rhsDilation: [...window.dilation],
      featureGroupCount: groups,
    });
    return activate(bias === null ? y : numpy.add(y, perChannel(bias)), activation);
  };
  return {
    conv2d: (x, weights, window) => convolve(x, weights, window, 1),
    depthwiseConv2d: (x, weights, window) => convolve(x, weights, window, x.shape[1]!),
    dense(x, { kernel, bias, activation }) {
      const y = numpy.matmul(x, kernel);
      return activate(bias === null ? y : numpy.add(y, bias), activation);
    },
    maxPool2d: (x, window) => numpy.max(tiles(jax, x, window), [3, 5]),
    averagePool2d: (x, window) => numpy.mean(tiles(jax, x, window), [3, 5]),
    globalAveragePool2d: (x) => numpy.mean(x, [2, 3]),
    globalMaxPool2d: (x) => numpy.max(x, [2, 3]),
    batchNorm(x, { gamma, beta, mean, variance, epsilon, momentum }) {
      const normalise = (m: JaxArray, v: JaxArray) => {
        const factor = numpy.multiply(perChannel(gamma), numpy.reciprocal(numpy.sqrt(numpy.add(v, epsilon))));
        return numpy.add(numpy.multiply(numpy.subtract(x, m), factor), perChannel(beta));
      };
      if (!statistics) return normalise(perChannel(mean), perChannel(variance));
      const m = numpy.mean(x.ref, [0, 2, 3], { keepdims: true });
      const v = numpy.mean(numpy.square(numpy.subtract(x.ref, m.ref)), [0, 2, 3], { keepdims: true });
      const follow = (moving: JaxArray, value: JaxArray) =>
        numpy.add(
          numpy.multiply(moving, momentum),
          numpy.multiply(numpy.reshape(lax.stopGradient(value), [-1]), 1 - momentum),
        );
      statistics.push(follow(mean, m.ref), follow(variance, v.ref));
      return normalise(m, v);
    },
    activation: activate,
    flatten(x, shape) {
      const rows = shape.length === 3 ? numpy.transpose(x, [0, 2, 3, 1]) : x;
      return numpy.reshape(rows, [rows.shape[0]!, -1]);
    },
    add: (a, b) => numpy.add(a, b),
    concat: (values) => numpy.concatenate([...values], 1),
    share: (x) => x.ref,
  };
}

interface Loadable {
  readonly learnt: JaxArray[];
  readonly statistics: JaxArray[];
  readonly x: JaxArray;
  readonly y: JaxArray;
  /** Logits of the images by these parameters and moving averages, all of which it uses up. */
  readonly logits: (
    learnt: readonly JaxArray[],
    statistics: readonly JaxArray[],
    x: JaxArray,
    following: JaxArray[] | null,
  ) => JaxArray;
}

async function load(engine: Jax, trama: Trama, network: Network): Promise<Loadable> {
  const { layers, input, batch } = network;
  const weights = await initialWeights(trama, network);
  const arrays = weights.map((weight) => loadArray(engine, weight, weight.layout));
  const { pixels, oneHot } = floatsFor(network);
  return {
    learnt: arrays.filter((_, index) => weights[index]!.trainable),
    statistics: arrays.filter((_, index) => !weights[index]!.trainable),
    x: loadArray(engine, { values: pixels, shape: [batch, ...input] }, "image"),
    y: loadArray(engine, { values: oneHot, shape: [batch, classesOf(network)] }),
    logits(learnt, statistics, x, following) {
      const [ours, theirs] = [[...learnt], [...statistics]];
      const order = weights.map(({ trainable }) => (trainable ? ours.shift()! : theirs.shift()!));
      let used = 0;
      return applyLayer(wordsOf(engine.jax, following), layers, x, input, () => order[used++]!);
    },
  };
}

interface State {
  readonly learnt: JaxArray[];
  readonly statistics: JaxArray[];
  readonly means: JaxArray[];
  readonly squares: JaxArray[];
  readonly count: JaxArray;
}

export async function loadJaxStep(engine: Jax, trama: Trama, network: Network): Promise<Loaded> {
  const { jax } = engine;
  const { nn, numpy } = jax;
  const { learnt, statistics, x, y, logits } = await load(engine, trama, network);
  const zeros = () =>
    learnt.map(({ shape }) => loadArray(engine, { values: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape }));
  const start: State = {
    learnt,
    statistics,
    means: zeros(),
    squares: zeros(),
    count: loadArray(engine, { values: new Float32Array(1), shape: [1] }),
  };

  const step = (state: State, images: JaxArray, targets: JaxArray): { loss: JaxArray; next: State } => {
    const lossOf = (parameters: JaxArray[]): [JaxArray, JaxArray[]] => {
      const following: JaxArray[] = [];
      const rows = nn.logSoftmax(logits(parameters, state.statistics, images, following));
      return [numpy.negative(numpy.mean(numpy.sum(numpy.multiply(rows, targets), 1))), following];
    };
    const evaluate = jax.valueAndGrad(lossOf, { hasAux: true });
    const [[loss, following], gradients] = evaluate(state.learnt.map((parameter) => parameter.ref)) as [
      [JaxArray, JaxArray[]],
      JaxArray[],
    ];
    const count = numpy.add(state.count, 1);
    const moved = state.learnt.map((parameter, index) =>
      adam(
        jax,
        { parameter, mean: state.means[index]!, square: state.squares[index]! },
        gradients[index]!,
        count.ref,
        rateOf(network),
      ),
    );
    const next = {
      learnt: moved.map(({ parameter }) => parameter),
      statistics: following,
      means: moved.map(({ mean }) => mean),
      squares: moved.map(({ square }) => square),
      count,
    };
    return { loss, next };
  };

  return {
    async start(): Promise<Contender> {
      const compiled = jax.jit(step as never) as unknown as typeof step & { dispose(): void };
      let state = start;
      const advance = (): JaxArray => {
        const { loss, next } = compiled(state, x.ref, y.ref);
        state = next;
        submit([...jax.tree.leaves(next as never), loss] as JaxArray[]);
        return loss;
      };
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) advance().dispose();
        },
        async values() {
          const losses: number[] = [];
          for (let turn = 0; turn < CHECKED_STEPS; turn++) {
            const loss = advance();
            losses.push((await readArray(loss))[0]!);
            loss.dispose();
          }
          return [losses];
        },
        dispose() {
          jax.tree.dispose([state, x, y] as never);
          compiled.dispose();
        },
      };
    },
  };
}

export async function loadJaxPrediction(engine: Jax, trama: Trama, network: Network): Promise<Loaded> {
  const { jax } = engine;
  const { learnt, statistics, x, y, logits } = await load(engine, trama, network);
  y.dispose();
  return {
    async start(): Promise<Contender> {
      const compiled = jax.jit((parameters: JaxArray[], averages: JaxArray[], images: JaxArray) =>
        jax.nn.softmax(logits(parameters, averages, images, null)),
      );
      let result: JaxArray | null = null;
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) {
            result?.dispose();
            result = compiled(
              learnt.map((array) => array.ref),
              statistics.map((array) => array.ref),
              x.ref,
            );
            submit([result]);
          }
        },
        values: async () => [await readArray(result!)],
        dispose() {
          result?.dispose();
          for (const array of [...learnt, ...statistics, x]) array.dispose();
          compiled.dispose();
        },
      };
    },
  };
}
