/** Moving elements about: bound by memory, and by the arithmetic of places. */
import { concat, pad, slice, transpose } from "../../src/kernels/index.ts";
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
  ],
};
