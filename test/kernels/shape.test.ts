import fc from "fast-check";
import { concat, pad, reshape, slice, transpose } from "../../src/kernels/index.ts";
import * as generate from "../reference/generate.ts";
import { size, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/shape.ts";
import { deviceSuite } from "../tensor/device.ts";
import { checkOp, type Drawn } from "./check.ts";

const tests = deviceSuite("operations on shapes");
const limits = { maxSize: 1500 };

/** Moves are exact. */
const exact = { rtol: 0, atol: 0, numRuns: 25, deep: 2 };
const one = ({ shape, seed }: Drawn): Nd[] => [generate.values(shape, seed)];

const flattened = ([first = 1, ...rest]: readonly number[]): number[] => [first, size(rest)];

checkOp<Drawn>(tests, "reshape", {
  ...exact,
  numRuns: 6,
  cases: fc.record({ shape: generate.shape(limits), seed: generate.seed }),
  arguments: one,
  op: ([x], { shape }) => reshape(x!, [shape[0]!, -1]),
  reference: ([x], { shape }) => reference.reshape(x!, flattened(shape)),
  gradients: (_, dy, { shape }) => [reference.reshapeGrad(shape, dy)],
});

checkOp(tests, "transpose", {
  ...exact,
  cases: generate.transposeCase(limits),
  arguments: one,
  op: ([x], { permutation }) => transpose(x!, permutation),
  reference: ([x], { permutation }) => reference.transpose(x!, permutation),
  gradients: (_, dy, { permutation }) => [reference.transposeGrad(dy, permutation)],
});

checkOp<Drawn>(tests, "transpose without a permutation reverses the axes", {
  ...exact,
  numRuns: 4,
  cases: fc.record({ shape: generate.shape(limits), seed: generate.seed }),
  arguments: one,
  op: ([x]) => transpose(x!),
  reference: ([x]) => reference.transpose(x!),
  gradients: (_, dy) => [reference.transposeGrad(dy)],
});

checkOp(tests, "slice", {
  ...exact,
  cases: generate.sliceCase(limits),
  arguments: one,
  // An extent of −1 reaches to the end.
  op: ([x], { shape, begin, extent }) =>
    slice(
      x!,
      begin,
      extent.map((size_, axis) => (begin[axis]! + size_ === shape[axis] ? -1 : size_)),
    ),
  reference: ([x], { begin, extent }) => reference.slice(x!, begin, extent),
  gradients: (_, dy, { shape, begin }) => [reference.sliceGrad(shape, dy, begin)],
});

checkOp(tests, "pad", {
  ...exact,
  cases: generate.padCase({ maxSize: 400 }),
  arguments: one,
  op: ([x], { paddings }) => pad(x!, paddings, 0.5),
  reference: ([x], { paddings }) => reference.pad(x!, paddings, 0.5),
  gradients: (_, dy, { shape, paddings }) => [reference.padGrad(shape, dy, paddings)],
});

checkOp(tests, "concat", {
  ...exact,
  cases: generate.concatCase({ maxSize: 600 }),
  arguments: ({ shapes, seed }) => shapes.map((shape, k) => generate.values(shape, seed + k)),
  op: (tensors, { axis }) => concat(tensors, axis),
  reference: (inputs, { axis }) => reference.concat(inputs, axis),
  gradients: (_, dy, { shapes, axis }) => reference.concatGrad(shapes, dy, axis),
});

tests.run();
