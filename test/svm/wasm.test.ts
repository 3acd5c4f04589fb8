/** The hand-assembled loops against plain float64 sums. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KernelRows, slack } from "../../src/svm/kernel/rows.ts";
import { assembleModule } from "../../src/svm/wasm/assembler.ts";
import { loops } from "../../src/svm/wasm/loops.ts";
import { withWorkspace, Workspace } from "../../src/svm/wasm/workspace.ts";
import { type ReferenceKernel, kernelValue, noise, rowOf } from "./oracle.ts";

function matrix(
  rows: number,
  columns: number,
  seed: number,
  shift = 0,
): { data: Float32Array; rows: number; columns: number } {
  const next = noise(seed);
  return { data: Float32Array.from({ length: rows * columns }, () => shift + next()), rows, columns };
}

const all = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
const kernel = (type: ReferenceKernel["type"]): ReferenceKernel => ({ type, gamma: 0.3, degree: 3, coef0: 0.5 });

test("the module is valid WebAssembly", () => {
  assert.ok(WebAssembly.validate(assembleModule(loops)));
});

test("kernel blocks equal the definition, for any sizes and ranges", async () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 11 }),
  );
  const type = fc.constantFrom<ReferenceKernel["type"]>("linear", "rbf", "polynomial", "sigmoid");
  await fc.assert(
    fc.asyncProperty(sizes, type, fc.integer(), async ([count, columns, queries], name, seed) => {
      const features = matrix(count, columns, seed);
      const settings = kernel(name);
      const from = Math.abs(seed) % count;
      await withWorkspace(2 ** 20, (workspace) => {
        const rows = new KernelRows(workspace, { features, indices: all(count) }, settings, undefined);
        const outs = Array.from({ length: queries }, () => workspace.floats(count + slack));
        const positions = Array.from({ length: queries }, (_, q) => (q * 7) % count);
        rows.compute(
          positions,
          outs.map(({ at }) => at),
          from,
          count,
        );
        positions.forEach((position, q) => {
          const own = kernelValue(settings, rowOf(features, position), rowOf(features, position));
          assert.ok(Math.abs(rows.diagonal(position) - own) <= 1e-5 * Math.abs(own));
          for (let j = from; j < count; j++) {
            const expected = kernelValue(settings, rowOf(features, position), rowOf(features, j));
            const error = Math.abs((outs[q]?.view[j] as number) - expected);
            assert.ok(error < 2e-6 * Math.max(1, Math.abs(expected)) * columns, `${name} ${error}`);
          }
        });
      });
    }),
    { numRuns: 100, seed: 6 },
  );
});

test("a kernel value is the same bits in any block, tile and direction", async () => {
  const features = matrix(23, 37, 5);
  await withWorkspace(2 ** 20, (workspace) => {
    const rows = new KernelRows(workspace, { features, indices: all(23) }, kernel("rbf"), undefined);
    const row = () => workspace.floats(23 + slack);
    const [whole, parts] = [Array.from({ length: 23 }, row), Array.from({ length: 23 }, row)];
    rows.compute(
      Array.from(all(23)),
      whole.map(({ at }) => at),
      0,
      23,
    );
    for (let i = 0; i < 23; i++) {
      for (const [from, to] of [
        [0, 3],
        [3, 10],
        [10, 23],
      ] as const) {
        rows.compute([i], [parts[i]?.at as number], from, to);
      }
    }
    for (let i = 0; i < 23; i++) {
      assert.equal(parts[i]?.view.slice(0, 23), whole[i]?.view.slice(0, 23));
      for (let j = 0; j < 23; j++) assert.is(whole[i]?.view[j], whole[j]?.view[i]);
      assert.is(whole[i]?.view[i], 1, "no distance from itself");
    }
  });
});

test("the exponential is right to single precision over its whole range", () => {
  const workspace = new Workspace();
  workspace.reset(65536);
  const count = 4000;
  const [values, norms] = [workspace.floats(count + slack), workspace.floats(count + slack)];
  norms.view.fill(0);
  const exponents = Array.from({ length: count }, (_, i) => Math.fround(-86 * (i / count) ** 2));
  exponents.forEach((x, i) => (values.view[i] = x)); // −γ (0 + 0 − 2 · value) with γ = 1/2 … = e^{value} for −γ = −1/2
  workspace.loops.rbf(values.at, norms.at, count, 0, -0.5);
  exponents.forEach((x, i) => {
    const expected = Math.exp(x);
    assert.ok(Math.abs((values.view[i] as number) - expected) <= 3e-7 * expected, `e^${x}`);
  });
});

test("weighted sums and updates equal float64 loops", () => {
  const next = noise(11);
  for (const length of [8, 16, 40, 1304]) {
    const workspace = new Workspace();
    workspace.reset(65536);
    const [weights, row, other] = [workspace.doubles(length), workspace.floats(length), workspace.floats(length)];
    for (const { view } of [weights, row, other]) for (let i = 0; i < length; i++) view[i] = next();
    const before = Array.from(weights.view);
    const sum = before.reduce((total, w, i) => total + w * (row.view[i] as number), 0);
    assert.ok(Math.abs(workspace.loops.weightedSum(weights.at, row.at, 4 * length) - sum) < 1e-12 * length);
    workspace.loops.addScaled(weights.at, row.at, 0.7, 4 * length);
    workspace.loops.addDifference(weights.at, row.at, other.at, -0.3, length);
    before.forEach((w, i) => {
      const expected = w + 0.7 * (row.view[i] as number) - 0.3 * ((row.view[i] as number) - (other.view[i] as number));
      assert.ok(Math.abs((weights.view[i] as number) - expected) < 1e-14);
    });
  }
});

test("features far from the origin keep their distances", async () => {
  // Without a centre, ‖x‖² ≈ 4e8 in float32 has no digits left for distances of about 3.
  const features = matrix(20, 4, 3, 10_000);
  const centre = Float32Array.of(10_000, 10_000, 10_000, 10_000);
  await withWorkspace(2 ** 18, (workspace) => {
    const rows = new KernelRows(workspace, { features, indices: all(20) }, kernel("rbf"), centre);
    const out = workspace.floats(20 + slack);
    rows.compute([0], [out.at], 0, 20);
    for (let j = 0; j < 20; j++) {
      assert.ok(
        Math.abs((out.view[j] as number) - kernelValue(kernel("rbf"), rowOf(features, 0), rowOf(features, j))) < 1e-5,
      );
    }
  });
});

test.run();
