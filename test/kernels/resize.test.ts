import fc from "fast-check";
import * as assert from "uvu/assert";
import { resizeArea, resizeBilinear, resizeNearest } from "../../src/kernels/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import * as generate from "../reference/generate.ts";
import { absolute } from "../reference/nd.ts";
import * as reference from "../reference/resize.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("resizing");

interface Case {
  readonly x: readonly number[];
  readonly size: readonly [number, number];
  readonly convention: reference.Convention;
  readonly seed: number;
}

const extent = fc.constantFrom(1, 2, 3, 4, 5, 7, 10, 13);

/** Larger, smaller, by whole factors and by others, each direction by its own. */
const cases: fc.Arbitrary<Case> = fc.record({
  x: fc.tuple(fc.constantFrom(1, 2), extent, extent, fc.constantFrom(1, 3, 4, 8)),
  size: fc.tuple(extent, extent),
  convention: fc.constantFrom("halfPixel", "alignCorners", "asymmetric"),
  seed: generate.seed,
});

function check(method: reference.Method, op: (x: Tensor, drawn: Case) => Tensor): OpCheck<Case> {
  const { resize, resizeGrad } = reference;
  return {
    cases,
    numRuns: 40,
    arguments: ({ x, seed }) => [generate.values(x, seed)],
    op: ([x], drawn) => op(x!, drawn),
    reference: ([x], drawn) => resize(x!, { ...drawn, method }),
    gradients: ([x], dy, drawn) => [resizeGrad(x!.shape, dy, { ...drawn, method })],
    magnitudes: ([x], dy, drawn) => [
      resize(absolute(x!), { ...drawn, method }),
      resizeGrad(x!.shape, absolute(dy), { ...drawn, method }),
    ],
  };
}

checkOp(
  tests,
  "resizeNearest",
  check("nearest", (x, { size, convention }) => resizeNearest(x, size, { convention })),
);
checkOp(
  tests,
  "resizeBilinear",
  check("bilinear", (x, { size, convention }) => resizeBilinear(x, size, { convention })),
);
checkOp(
  tests,
  "resizeBilinear with antialiasing",
  check("antialias", (x, { size }) => resizeBilinear(x, size, { antialias: true })),
);
checkOp(
  tests,
  "resizeArea",
  check("area", (x, { size }) => resizeArea(x, size)),
);

tests("what the conventions mean, in numbers of PyTorch", async () => {
  const x = device.tensor([1, 2, 3, 4], [1, 1, 4, 1]);
  const read = async (y: Tensor): Promise<number[]> => Array.from(await y.read());
  const bilinear = (convention: reference.Convention): Tensor => resizeBilinear(x, [1, 8], { convention });
  assert.equal(await read(bilinear("halfPixel")), [1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]);
  assert.equal(await read(resizeBilinear(x, [1, 7], { convention: "alignCorners" })), [1, 1.5, 2, 2.5, 3, 3.5, 4]);
  assert.equal(await read(resizeNearest(x, [1, 3])), [1, 3, 4]); // nearest-exact
  assert.equal(await read(resizeNearest(x, [1, 3], { convention: "asymmetric" })), [1, 2, 3]); // nearest
  assert.equal(await read(resizeArea(x, [1, 2])), [1.5, 3.5]);
});

tests.run();
