/** Pooling. */
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "../../src/kernels/index.ts";
import { bytesOf, gradientCase, opCase, type Case, type CaseFacts, type OpSpec, type Suite } from "../case.ts";
import type { JaxApi, JaxArray } from "../engines/jax.ts";
import type { TfImage } from "../engines/tfjs.ts";

type Four = [number, number, number, number];

const image = (shape: Four) => ({ shape, layout: "image" }) as const;

/** jax-js has no gradient of its `reduceWindow`: windows that tile the image become axes of their own. */
function tiles({ numpy }: JaxApi, x: JaxArray, size: number): JaxArray {
  const [batch, channels, height, width] = x.shape as Four;
  return numpy.reshape(x, [batch, channels, height / size, size, width / size, size]);
}

/** Windows of 2×2 that tile the image. */
function tiling(x: Four, facts: Partial<CaseFacts>): { max: OpSpec; average: OpSpec; result: Four } {
  const size = 2;
  const result: Four = [x[0], x[1] / size, x[2] / size, x[3]];
  const label = `${size}×${size}, ${x.join("×")}`;
  const common = { bytes: bytesOf(x, result), ...facts, inputs: [image(x)], layouts: ["image"] } as const;
  const attributes = { kernel_shape: [size, size], strides: [size, size] };
  return {
    result,
    max: {
      ...common,
      name: `max pool ${label}`,
      trama: (images) => maxPool2d(images, { size }),
      tfjs: (tf, images) => tf.maxPool(images as TfImage, size, size, "valid"),
      ort: (graph, images) => graph.node("MaxPool", [images], attributes),
      jax: (jax, images) => jax.numpy.max(tiles(jax, images, size), [3, 5]),
    },
    average: {
      ...common,
      name: `average pool ${label}`,
      trama: (images) => averagePool2d(images, { size }),
      tfjs: (tf, images) => tf.avgPool(images as TfImage, size, size, "valid"),
      ort: (graph, images) => graph.node("AveragePool", [images], attributes),
      jax: (jax, images) => jax.numpy.mean(tiles(jax, images, size), [3, 5]),
    },
  };
}

/** Windows of 3×3 that overlap, the last of which may reach beyond the image: SqueezeNet's. */
function overlapping(x: Four): OpSpec {
  const [size, stride] = [3, 2];
  const extent = (length: number) => Math.ceil((length - size) / stride) + 1;
  const result: Four = [x[0], extent(x[1]), extent(x[2]), x[3]];
  return {
    name: `max pool ${size}×${size} stride ${stride}, ceil, ${x.join("×")}`,
    bytes: bytesOf(x, result),
    when: "full",
    inputs: [image(x)],
    layouts: ["image"],
    trama: (images) => maxPool2d(images, { size, stride, ceilMode: true }),
    tfjs: (tf, images) => tf.maxPool(images as TfImage, size, stride, 0, "ceil"),
    ort: (graph, images) =>
      graph.node("MaxPool", [images], { kernel_shape: [size, size], strides: [stride, stride], ceil_mode: 1 }),
  };
}

/** Over whole images, to `[batch, channels]`. */
function globalPools(x: Four): { max: OpSpec; average: OpSpec; result: number[] } {
  const result = [x[0], x[3]];
  const common = { bytes: bytesOf(x, result), inputs: [image(x)] } as const;
  return {
    result,
    average: {
      ...common,
      name: `global average pool ${x.join("×")}`,
      tolerance: 1e-3,
      trama: (images) => globalAveragePool2d(images),
      tfjs: (tf, images) => tf.mean(images, [1, 2]),
      ort: (graph, images) => graph.node("Flatten", [graph.node("GlobalAveragePool", [images])]),
      jax: ({ numpy }, images) => numpy.mean(images, [2, 3]),
    },
    max: {
      ...common,
      name: `global max pool ${x.join("×")}`,
      trama: (images) => globalMaxPool2d(images),
      tfjs: (tf, images) => tf.max(images, [1, 2]),
      ort: (graph, images) => graph.node("Flatten", [graph.node("GlobalMaxPool", [images])]),
      jax: ({ numpy }, images) => numpy.max(images, [2, 3]),
    },
  };
}

function tilingCases(x: Four, facts: Partial<CaseFacts>): Case[] {
  const { max, average, result } = tiling(x, facts);
  const bytes = bytesOf(x, result, result, x);
  return [
    opCase(max),
    gradientCase(max, { result, bytes }),
    opCase(average),
    gradientCase(average, { result, bytes, ...(facts.when === undefined && { when: "full" }) }),
  ];
}

function globalCases(x: Four): Case[] {
  const { max, average, result } = globalPools(x);
  const facts = { result, bytes: bytesOf(x, x), when: "full" } as const;
  return [opCase(average), gradientCase(average, facts), opCase({ ...max, when: "full" }), gradientCase(max, facts)];
}

export const poolingSuite: Suite = {
  name: "pooling",
  cases: [
    ...tilingCases([128, 26, 26, 32], { goal: "light" }),
    opCase(overlapping([8, 55, 55, 64])),
    ...globalCases([32, 28, 28, 64]),
    ...tilingCases([64, 112, 112, 64], { goal: "largeLight", when: "gpu" }),
  ],
};
