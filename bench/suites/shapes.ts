/** Moving elements about: bound by memory, and by the arithmetic of places. */
import {
  broadcastTo,
  concat,
  flip,
  gather,
  oneHot,
  pad,
  slice,
  split,
  stack,
  tile,
  transpose,
} from "../../src/kernels/index.ts";
import type { Shape } from "../../src/tensor/index.ts";
import { bytesOf, gradientCase, opCase, type OpSpec, type Suite } from "../case.ts";

const IMAGES: Shape = [32, 28, 28, 64];
const INNER: Shape = [32, 26, 26, 64];
const OUTER: Shape = [32, 30, 30, 64];
const MATRIX: Shape = [1024, 1024];

/** One on each side of height and width. */
const BORDER = [[0, 0], [1, 1], [1, 1], [0, 0]] as const; // prettier-ignore
const CORNER: Shape = [0, 1, 1, 0];

const pairs = (border: typeof BORDER) => border.map(([before, after]): [number, number] => [before, after]);

const padded: OpSpec = {
  name: `pad ${IMAGES.join("×")} by 1`,
  bytes: bytesOf(IMAGES, OUTER),
  inputs: [{ shape: IMAGES }],
  trama: (x) => pad(x, BORDER),
  tfjs: (tf, x) => tf.pad(x, pairs(BORDER)),
  ort: (graph, x) =>
    graph.node("Pad", [x, graph.ints(...BORDER.map(([before]) => before), ...BORDER.map(([, after]) => after))]),
  jax: ({ numpy }, x) => numpy.pad(x, pairs(BORDER)),
};

const cut: OpSpec = {
  name: `slice ${INNER.join("×")} of ${IMAGES.join("×")}`,
  bytes: bytesOf(INNER, INNER),
  inputs: [{ shape: IMAGES }],
  trama: (x) => slice(x, CORNER, INNER),
  tfjs: (tf, x) => tf.slice(x, [...CORNER], [...INNER]),
  ort: (graph, x) => {
    const ends = CORNER.map((begin, axis) => begin + INNER[axis]!);
    return graph.node("Slice", [x, graph.ints(...CORNER), graph.ints(...ends)]);
  },
  jax: (_, x) => x.slice(...CORNER.map((begin, axis): [number, number] => [begin, begin + INNER[axis]!])),
};

const joined: OpSpec = {
  name: `concat two ${IMAGES.join("×")} by channels`,
  bytes: 2 * bytesOf(IMAGES, IMAGES),
  inputs: [{ shape: IMAGES }, { shape: IMAGES }],
  trama: (a, b) => concat([a, b], -1),
  tfjs: (tf, a, b) => tf.concat([a, b], 3),
  ort: (graph, a, b) => graph.node("Concat", [a, b], { axis: 3 }),
  jax: ({ numpy }, a, b) => numpy.concatenate([a, b], 3),
};

function transposed(shape: Shape, permutation: readonly number[]): OpSpec {
  return {
    name: `transpose ${shape.join("×")} to ${permutation.map((axis) => shape[axis]).join("×")}`,
    bytes: bytesOf(shape, shape),
    inputs: [{ shape }],
    trama: (x) => transpose(x, permutation),
    tfjs: (tf, x) => tf.transpose(x, [...permutation]),
    ort: (graph, x) => graph.node("Transpose", [x], { perm: permutation }),
    jax: ({ numpy }, x) => numpy.transpose(x, [...permutation]),
  };
}

const halves: OpSpec = {
  name: `split ${IMAGES.join("×")} in two by channels`,
  bytes: bytesOf(IMAGES, IMAGES),
  when: "full",
  inputs: [{ shape: IMAGES }],
  trama: (x) => split(x, 2),
  tfjs: (tf, x) => tf.split(x, 2, -1),
  ort: (graph, x) => graph.nodes("Split", [x], 2, { axis: 3, num_outputs: 2 }),
  jax: ({ numpy }, x) => numpy.split(x, 2, -1),
};

const stacked: OpSpec = {
  name: `stack two ${MATRIX.join("×")}`,
  bytes: 2 * bytesOf(MATRIX, MATRIX),
  when: "full",
  inputs: [{ shape: MATRIX }, { shape: MATRIX }],
  trama: (a, b) => stack([a, b]),
  tfjs: (tf, a, b) => tf.stack([a, b]),
  ort(graph, a, b) {
    const axis = graph.ints(0);
    return graph.node("Concat", [graph.node("Unsqueeze", [a, axis]), graph.node("Unsqueeze", [b, axis])], { axis: 0 });
  },
  jax: ({ numpy }, a, b) => numpy.stack([a, b], 0),
};

const mirrored: OpSpec = {
  name: `flip ${IMAGES.join("×")} left to right`,
  bytes: bytesOf(IMAGES, IMAGES),
  when: "full",
  inputs: [{ shape: IMAGES }],
  trama: (x) => flip(x, [2]),
  tfjs: (tf, x) => tf.reverse(x, 2),
  ort: (graph, x) => graph.node("Slice", [x, graph.ints(-1), graph.ints(-(2 ** 31)), graph.ints(2), graph.ints(-1)]),
  jax: ({ numpy }, x) => numpy.flip(x, 2),
};

const tiled: OpSpec = {
  name: `tile ${MATRIX.join("×")} twice by rows`,
  bytes: bytesOf(MATRIX, MATRIX, MATRIX),
  when: "full",
  inputs: [{ shape: MATRIX }],
  trama: (x) => tile(x, [2, 1]),
  tfjs: (tf, x) => tf.tile(x, [2, 1]),
  ort: (graph, x) => graph.node("Tile", [x, graph.ints(2, 1)]),
  jax: ({ numpy }, x) => numpy.tile(x, [2, 1]),
};

const spreadOut: OpSpec = {
  name: `broadcast ${MATRIX[1]} to ${MATRIX.join("×")}`,
  bytes: bytesOf(MATRIX),
  when: "full",
  inputs: [{ shape: MATRIX.slice(1) }],
  trama: (x) => broadcastTo(x, MATRIX),
  tfjs: (tf, x) => tf.broadcastTo(x, [...MATRIX]),
  ort: (graph, x) => graph.node("Expand", [x, graph.ints(...MATRIX)]),
  jax: ({ numpy }, x) => numpy.broadcastTo(x, [...MATRIX]),
};

const TABLE: Shape = [8192, 256];
const PICKED: Shape = [8192, 256];

/** Rows of a table, as an embedding picks them. */
const picked: OpSpec = {
  name: `gather ${PICKED[0]} rows of ${TABLE.join("×")}`,
  bytes: bytesOf(PICKED, PICKED),
  inputs: [{ shape: TABLE }, { shape: PICKED.slice(0, 1), kind: "shuffled" }],
  trama: (x, rows) => gather(x, rows),
  tfjs: (tf, x, rows) => tf.gather(x, rows),
  ort: (graph, x, rows) => graph.node("Gather", [x, rows]),
  jax: ({ numpy }, x, rows) => numpy.take(x, rows, 0),
};

const CLASSES = 1000;

const oneHotRows: OpSpec = {
  name: `one-hot rows of 1024 labels, ${CLASSES} classes`,
  bytes: bytesOf([1024, CLASSES]),
  when: "full",
  inputs: [{ shape: [1024], kind: "labels" }],
  trama: (labels) => oneHot(labels, CLASSES),
  tfjs: (tf, labels) => tf.oneHot(labels, CLASSES, 1, 0, "float32"),
  ort: (graph, labels) => graph.node("OneHot", [labels, graph.ints(CLASSES), graph.numbers(0, 1)]),
  jax: ({ nn }, labels) => nn.oneHot(labels, CLASSES),
};

const joinedShape = [...IMAGES.slice(0, -1), 2 * IMAGES.at(-1)!];

export const shapeSuite: Suite = {
  name: "shapes",
  cases: [
    opCase(padded),
    opCase({ ...cut, when: "full" }),
    gradientCase(cut, { result: INNER, when: "full" }),
    opCase(joined),
    gradientCase(joined, { result: joinedShape, variables: 2, when: "full" }),
    opCase(transposed(MATRIX, [1, 0])),
    opCase({ ...transposed(IMAGES, [0, 3, 1, 2]), when: "full" }),
    ...[halves, stacked, mirrored, tiled, spreadOut, picked, oneHotRows].map(opCase),
    gradientCase(picked, { result: PICKED, when: "full" }),
  ],
};
