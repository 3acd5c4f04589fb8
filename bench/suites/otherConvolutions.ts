/** Convolutions that keep channels apart, transposed ones, and products of many matrices: forward, and with both gradients. */
import { conv2d, depthwiseConv2d, matmul, transposedConv2d } from "../../src/kernels/index.ts";
import { gradientCase, opCase, type Case, type CaseFacts, type OpSpec, type Suite } from "../case.ts";
import type { TfImage } from "../engines/tfjs.ts";

type Four = [number, number, number, number];
type When = NonNullable<CaseFacts["when"]>;

const image = (shape: Four) => ({ shape, layout: "image" }) as const;

/** Padding `same`, whose output is the input's size over the stride. */
const strided = ([batch, height, width]: Four, stride: number, channels: number): Four => [
  batch,
  height / stride,
  width / stride,
  channels,
];

/** The operation, and value and both gradients: three times the arithmetic. */
const bothCases = (spec: OpSpec, result: Four, when: When): Case[] => [
  opCase({ ...spec, when }),
  gradientCase(spec, { result, variables: 2, flops: 3 * (spec.flops ?? 0), tolerance: 1e-3, when }),
];

function depthwise(x: Four, stride: number, when: When): Case[] {
  const [size, channels] = [3, x[3]];
  const result = strided(x, stride, channels);
  const spec: OpSpec = {
    name: `depthwise ${size}×${size} stride ${stride}, ${x.join("×")}`,
    flops: 2 * size * size * result.reduce((a, b) => a * b),
    inputs: [image(x), { shape: [size, size, channels, 1], layout: "depthwise", constant: true }],
    layouts: ["image"],
    trama: (images, w) => depthwiseConv2d(images, w, { stride, padding: "same" }),
    tfjs: (tf, images, w) => tf.depthwiseConv2d(images as TfImage, w as TfImage, stride, "same"),
    ort: (graph, images, w) =>
      graph.node("Conv", [images, w], { auto_pad: "SAME_UPPER", strides: [stride, stride], group: channels }),
    jax: ({ lax }, images, w) =>
      lax.convGeneralDilated(images, w, [stride, stride], "SAME", { featureGroupCount: channels }),
  };
  return bothCases(spec, result, when);
}

/** As ResNeXt has them. TensorFlow.js has no groups. */
function grouped(x: Four, filters: number, groups: number, when: When): Case[] {
  const [size, result] = [3, strided(x, 1, filters)];
  const perGroup = x[3] / groups;
  const spec: OpSpec = {
    name: `conv2d in ${groups} groups, ${x.join("×")}→${filters}, ${size}×${size}`,
    flops: 2 * size * size * perGroup * result.reduce((a, b) => a * b),
    inputs: [image(x), { shape: [size, size, perGroup, filters], layout: "filter", constant: true }],
    layouts: ["image"],
    trama: (images, w) => conv2d(images, w, { padding: "same", groups }),
    ort: (graph, images, w) => graph.node("Conv", [images, w], { auto_pad: "SAME_UPPER", group: groups }),
    jax: ({ lax }, images, w) => lax.convGeneralDilated(images, w, [1, 1], "SAME", { featureGroupCount: groups }),
  };
  return bothCases(spec, result, when);
}

/** Twice as fine, by windows that tile the result: a decoder's. */
function transposed(x: Four, filters: number, when: When): Case[] {
  const stride = 2;
  const result: Four = [x[0], stride * x[1], stride * x[2], filters];
  const spec: OpSpec = {
    name: `transposed conv2d ${x.join("×")}→${filters}, ${stride}×${stride} stride ${stride}`,
    flops: 2 * x[3] * result.reduce((a, b) => a * b),
    inputs: [image(x), { shape: [stride, stride, filters, x[3]], layout: "filter", constant: true }],
    layouts: ["image"],
    trama: (images, w) => transposedConv2d(images, w, { stride }),
    tfjs: (tf, images, w) => tf.conv2dTranspose(images as TfImage, w as TfImage, result, stride, "valid"),
    ort: (graph, images, w) => graph.node("ConvTranspose", [images, w], { strides: [stride, stride] }),
    jax: ({ lax }, images, w) => lax.convTranspose(images, w, [stride, stride], "VALID", { transposeKernel: true }),
  };
  return bothCases(spec, result, when);
}

/** As attention has them. */
function manyProducts(count: number, m: number, k: number, n: number, when: When): Case[] {
  const spec: OpSpec = {
    name: `matmul ${count} of ${m}×${k}·${k}×${n}`,
    flops: 2 * count * m * k * n,
    inputs: [{ shape: [count, m, k] }, { shape: [count, k, n] }],
    trama: (a, b) => matmul(a, b),
    tfjs: (tf, a, b) => tf.matMul(a, b),
    ort: (graph, a, b) => graph.node("MatMul", [a, b]),
    jax: ({ numpy }, a, b) => numpy.matmul(a, b),
  };
  return [
    opCase({ ...spec, when }),
    gradientCase(spec, { result: [count, m, n], variables: 2, flops: 6 * count * m * k * n, when: "full" }),
  ];
}

export const otherConvolutionSuite: Suite = {
  name: "other convolutions",
  cases: [
    ...depthwise([8, 56, 56, 96], 1, "always"),
    ...depthwise([8, 56, 56, 96], 2, "full"),
    ...grouped([8, 28, 28, 128], 128, 32, "full"),
    ...transposed([8, 28, 28, 128], 64, "full"),
    ...manyProducts(64, 128, 64, 128, "always"),
    ...depthwise([64, 112, 112, 96], 1, "gpu"),
  ],
};
