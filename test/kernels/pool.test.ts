import fc from "fast-check";
import * as assert from "uvu/assert";
import {
  averagePool2d,
  globalAveragePool2d,
  globalMaxPool2d,
  maxPool2d,
  type AveragePoolOptions,
} from "../../src/kernels/index.ts";
import * as generate from "../reference/generate.ts";
import { absolute, size } from "../reference/nd.ts";
import * as reference from "../reference/pool.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type Drawn, type OpCheck } from "./check.ts";

const tests = deviceSuite("pooling");

/** Windows that tile, overlap and leave gaps; of few elements, which are unrolled, and of many; whole and cut. */
const cases = generate.poolCase({ maxWork: 30_000 });

function options({ x, size: window, stride, padding, extra, countPadding }: generate.PoolCase): AveragePoolOptions {
  const sides = [
    [padding.top, padding.bottom],
    [padding.left, padding.right],
  ] as const;
  // Where a last window is not cut, both modes are the same.
  const ceiling = reference.ceilExtra([x[1]!, x[2]!], { size: window, stride, padding });
  const ceilMode = ceiling[0] === extra[0] && ceiling[1] === extra[1];
  return { size: window, stride, padding: sides, ceilMode, countPadding };
}

const maxCheck: OpCheck<generate.PoolCase> = {
  cases,
  numRuns: 22,
  deep: 2,
  arguments: ({ x, seed }) => [generate.values(x, seed, { distinct: true })],
  op: ([x], drawn) => maxPool2d(x!, options(drawn)),
  reference: ([x], drawn) => reference.maxPool(x!, drawn),
  gradients: ([x], dy, drawn) => [reference.maxPoolGrad(x!, dy, drawn)],
  smooth: false,
};

checkOp(tests, "maxPool2d", maxCheck);
checkOp(tests, "maxPool2d: of equal elements the first in row order gets the gradient", {
  ...maxCheck,
  arguments: ({ x, seed }) => [generate.tiedValues(x, seed)],
});
checkOp(tests, "averagePool2d", {
  cases,
  numRuns: 22,
  deep: 2,
  arguments: ({ x, seed }) => [generate.values(x, seed)],
  op: ([x], drawn) => averagePool2d(x!, options(drawn)),
  reference: ([x], drawn) => reference.averagePool(x!, drawn),
  gradients: ([x], dy, drawn) => [reference.averagePoolGrad(x!.shape, dy, drawn)],
  magnitudes: ([x], dy, drawn) => [
    reference.averagePool(absolute(x!), drawn),
    reference.averagePoolGrad(x!.shape, absolute(dy), drawn),
  ],
});

const wide = { size: [17, 17], stride: [2, 2], padding: { top: 3, bottom: 3, left: 3, right: 3 } } as const;

/** A window of more elements than a byte can name. */
checkOp<Drawn>(tests, "maxPool2d over windows of 17 × 17", {
  cases: fc.record({ shape: fc.constant([1, 20, 19, 4]), seed: generate.seed }),
  numRuns: 3,
  deep: 1,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { distinct: true })],
  smooth: false,
  op: ([x]) => maxPool2d(x!, { size: 17, stride: 2, padding: 3 }),
  reference: ([x]) => reference.maxPool(x!, wide),
  gradients: ([x], dy) => [reference.maxPoolGrad(x!, dy, wide)],
});

const images = fc.record({
  shape: fc.tuple(
    fc.constantFrom(1, 3),
    fc.constantFrom(1, 7, 20),
    fc.constantFrom(1, 7, 9),
    fc.constantFrom(1, 4, 5, 8),
  ),
  seed: generate.seed,
});

checkOp<Drawn>(tests, "globalMaxPool2d", {
  cases: images,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { distinct: true })],
  op: ([x]) => globalMaxPool2d(x!),
  reference: ([x]) => reference.globalMaxPool(x!),
  gradients: ([x], dy) => [reference.globalMaxPoolGrad(x!, dy)],
  smooth: false,
});

checkOp<Drawn>(tests, "globalAveragePool2d", {
  cases: images,
  arguments: ({ shape, seed }) => [generate.values(shape, seed)],
  op: ([x]) => globalAveragePool2d(x!),
  reference: ([x]) => reference.globalAveragePool(x!),
  gradients: ([x], dy) => [reference.globalAveragePoolGrad(x!.shape, dy)],
  terms: ({ shape }) => size(shape),
  magnitudes: ([x], dy) => [
    reference.globalAveragePool(absolute(x!)),
    reference.globalAveragePoolGrad(x!.shape, absolute(dy)),
  ],
});

tests("in ceil mode a last window that would begin in the padding behind the image is dropped, as in PyTorch", () => {
  const sizeOf = (extent: number, window: object): number =>
    maxPool2d(device.zeros([1, extent, 4, 1]), { size: [2, 1], ceilMode: true, ...window }).shape[1]!;
  assert.is(sizeOf(5, { stride: [2, 1] }), 3);
  assert.is(sizeOf(5, { stride: [3, 1] }), 2);
  assert.is(
    sizeOf(3, {
      stride: [3, 1],
      padding: [
        [0, 1],
        [0, 0],
      ],
    }),
    1,
  ); // the second would begin at 3
  assert.is(sizeOf(1, { stride: [2, 1] }), 1);
});

tests.run();
