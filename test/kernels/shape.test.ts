import fc from "fast-check";
import {
  broadcastTo,
  concat,
  flip,
  mul,
  pad,
  reshape,
  slice,
  split,
  stack,
  tile,
  transpose,
} from "../../src/kernels/index.ts";
import * as elementwise from "../reference/elementwise.ts";
import * as generate from "../reference/generate.ts";
import { absolute, map, nd, size, type Nd } from "../reference/nd.ts";
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

const fours = (...counts: readonly number[]) => fc.constantFrom(...counts.map((count) => 4 * count));

checkOp<generate.TransposeCase>(tests, "transpose in tiles", {
  ...exact,
  numRuns: 12,
  cases: fc.record({
    shape: fc.tuple(fours(1, 2), fours(1, 3), fours(1, 9)),
    permutation: fc.constantFrom([0, 2, 1], [1, 2, 0], [2, 0, 1]),
    seed: generate.seed,
  }),
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

/** A shape, and the sizes of the parts that one of its axes is cut into. */
const splitCases = generate.axisCase({ maxSize: 600 }).chain(({ shape, axis, seed }) =>
  fc.record({
    shape: fc.constant(shape),
    axis: fc.constant(axis),
    cut: fc.integer({ min: 1, max: shape.at(axis)! }),
    seed: fc.constant(seed),
  }),
);

const WEIGHTS = [2, -4] as const;

/** Parts of different weights, joined again: what each element is multiplied with tells the part that it was in. */
checkOp(tests, "split", {
  ...exact,
  cases: splitCases,
  arguments: one,
  op: ([x], { shape, axis, cut }, on) => {
    const rest = shape.at(axis)! - cut;
    const parts = split(x!, rest > 0 ? [cut, rest] : 1, axis);
    return concat(
      parts.map((part, k) => mul(part, on.constant(WEIGHTS[k]!))),
      axis,
    );
  },
  reference: ([x], drawn) => weighted(x!, drawn),
  gradients: (_, dy, drawn) => [weighted(dy, drawn)],
});

function weighted(x: Nd, { axis, cut }: { readonly axis: number; readonly cut: number }): Nd {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const inner = size(x.shape.slice(along + 1));
  return map(x, (value, i) => value * WEIGHTS[Math.floor(i / inner) % x.shape[along]! < cut ? 0 : 1]);
}

checkOp(tests, "stack", {
  ...exact,
  cases: generate.axisCase({ maxSize: 300 }),
  arguments: ({ shape, seed }) => [generate.values(shape, seed), generate.values(shape, seed + 1)],
  op: (tensors, { axis }) => stack(tensors, axis),
  reference: (inputs, { axis }) => reference.concat(widened(inputs, axis), place(inputs[0]!.shape, axis)),
  gradients: (inputs, dy, { axis }) => {
    const shapes = widened(inputs, axis).map(({ shape }) => shape);
    const parts = reference.concatGrad(shapes, dy, place(inputs[0]!.shape, axis));
    return parts.map((part, k) => nd(inputs[k]!.shape, part.data));
  },
});

const place = (shape: readonly number[], axis: number): number => (axis < 0 ? axis + shape.length + 1 : axis);

function widened(inputs: readonly Nd[], axis: number): Nd[] {
  return inputs.map(({ shape, data }) => {
    const at = place(shape, axis);
    return nd([...shape.slice(0, at), 1, ...shape.slice(at)], data);
  });
}

checkOp(tests, "flip", {
  ...exact,
  cases: generate.reduceCase(limits),
  arguments: one,
  op: ([x], { axes }) => flip(x!, axes),
  reference: ([x], { axes }) => reference.flip(x!, axes),
  gradients: (_, dy, { axes }) => [reference.flip(dy, axes)],
});

/** Copies are exact; the gradient adds them up. */
const copied = { rtol: 0, atol: 1e-6, numRuns: 15, deep: 2, terms: () => 600 };

checkOp(tests, "tile", {
  ...copied,
  cases: fc
    .tuple(generate.shape({ maxSize: 60 }), fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }))
    .chain(([shape, repeats]) =>
      fc.record({
        shape: fc.constant(shape),
        repeats: fc.constant(repeats.slice(0, shape.length)),
        seed: generate.seed,
      }),
    ),
  arguments: one,
  op: ([x], { repeats }) => tile(x!, repeats),
  reference: ([x], { repeats }) => reference.tile(x!, repeats),
  gradients: (_, dy, { shape }) => [reference.tileGrad(shape, dy)],
  magnitudes: (_, dy, { shape }) => [absolute(dy), reference.tileGrad(shape, absolute(dy))],
});

checkOp(tests, "broadcastTo", {
  ...copied,
  cases: generate.broadcastPair({ maxSize: 500 }).chain(([first, second]) =>
    fc.record({
      shape: fc.constant(second),
      full: fc.constant(elementwise.broadcastShape(first, second)),
      seed: generate.seed,
    }),
  ),
  arguments: one,
  op: ([x], { full }) => broadcastTo(x!, full),
  reference: ([x], { full }) => elementwise.broadcastTo(x!, full),
  gradients: (_, dy, { shape }) => [elementwise.sumTo(dy, shape)],
  magnitudes: (_, dy, { shape }) => [absolute(dy), elementwise.sumTo(absolute(dy), shape)],
});

tests.run();
