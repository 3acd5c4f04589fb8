import fc from "fast-check";
import * as assert from "uvu/assert";
import { logSoftmax, reshape, softmax, softmaxCrossEntropy } from "../../src/kernels/index.ts";
import { valueAndGradients, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { map, nd, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/softmax.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type OpCheck } from "./check.ts";

const tests = deviceSuite("softmax");

function check(
  op: (x: Tensor, axis: number) => Tensor,
  forward: (x: Nd, axis: number) => Nd,
  gradient: (x: Nd, dy: Nd, axis: number) => Nd,
): OpCheck<generate.AxisCase> {
  return {
    cases: generate.axisCase({ maxSize: 1200 }),
    numRuns: 30,
    arguments: ({ shape, seed }) => [generate.values(shape, seed, { min: -6, max: 6 })],
    op: ([x], { axis }) => op(x!, axis),
    reference: ([x], { axis }) => forward(x!, axis),
    gradients: ([x], dy, { axis }) => [gradient(x!, dy, axis)],
    atol: 1e-5, // dx is a difference of sums over the whole line
  };
}

checkOp(tests, "softmax", check(softmax, reference.softmax, reference.softmaxGrad));
/** Long lines have kernels of their own, in which a workgroup walks a line. */
const long = {
  cases: fc.record({
    shape: fc.constantFrom<number[]>([3, 64], [5, 100], [2, 1000], [7, 68], [3, 1030], [2, 127], [2, 5004], [150, 64]),
    axis: fc.constant(-1),
    seed: generate.seed,
  }),
  heavy: true,
};
checkOp(tests, "softmax over a long axis", {
  ...check(softmax, reference.softmax, reference.softmaxGrad),
  ...long,
  heavy: true,
});
checkOp(tests, "logSoftmax over a long axis", {
  ...check(logSoftmax, reference.logSoftmax, reference.logSoftmaxGrad),
  ...long,
  heavy: true,
});
checkOp(tests, "logSoftmax", check(logSoftmax, reference.logSoftmax, reference.logSoftmaxGrad));

tests("a shift of all logits changes nothing, however large", async () => {
  const x = nd([2, 3], [1, 2, 3, -1, 0, 5]);
  for (const shift of [0, 1e4, -1e4]) {
    const shifted = device.tensor(Float32Array.from(map(x, (value) => value + shift).data), [2, 3]);
    assertClose(await softmax(shifted).read(), reference.softmax(x), { name: `softmax, shift ${shift}` });
    assertClose(await logSoftmax(shifted).read(), reference.logSoftmax(x), { name: `logSoftmax, shift ${shift}` });
    const loss = await softmaxCrossEntropy(shifted, device.tensor(Uint32Array.of(2, 0))).item();
    const want = reference.softmaxCrossEntropy(x, [2, 0]).loss;
    assert.ok(Math.abs(loss - want) < 1e-5, `softmaxCrossEntropy, shift ${shift}: ${loss} is not ${want}`);
  }
});

interface Classified {
  readonly rows: number;
  readonly classes: number;
  readonly seed: number;
}

const labelsOf = ({ rows, classes, seed }: Classified): Uint32Array<ArrayBuffer> =>
  Uint32Array.from(generate.labels(rows, classes, seed + 7));

checkOp<Classified>(tests, "softmaxCrossEntropy", {
  cases: fc.record({
    rows: fc.constantFrom(1, 3, 8, 33, 130),
    classes: fc.constantFrom(1, 2, 7, 10, 33),
    seed: generate.seed,
  }),
  numRuns: 30,
  arguments: ({ rows, classes, seed }) => [generate.values([rows, classes], seed, { min: -6, max: 6 })],
  op: ([logits], drawn, on) => softmaxCrossEntropy(logits!, on.tensor(labelsOf(drawn))),
  reference: ([logits], drawn) => nd([], [reference.softmaxCrossEntropy(logits!, labelsOf(drawn)).loss]),
  gradients: ([logits], dy, drawn) => [reference.softmaxCrossEntropyGrad(logits!, labelsOf(drawn), {}, dy.data[0])],
});

tests("softmaxCrossEntropy is exact where one logit outweighs all others", async () => {
  const logits = device.tensor([200, 0, -200, -200, 0, 200], [2, 3]);
  const { value, gradients } = valueAndGradients(
    () => softmaxCrossEntropy(logits, device.tensor(Uint32Array.of(0, 0))),
    [logits],
  );
  assert.is(await value.item(), 200); // rows 0 and 400
  assert.equal(Array.from(await gradients[0]!.read()), [0, 0, 0, -0.5, 0, 0.5]);
});

tests("labels get no gradient, and the logits' does not depend on a reshape before", async () => {
  const logits = device.tensor([1, 2, 3, 4], [4]);
  const labels = device.tensor(Uint32Array.of(1, 0));
  const { gradients } = valueAndGradients(() => softmaxCrossEntropy(reshape(logits, [2, 2]), labels), [logits]);
  const p = 1 / (1 + Math.exp(-1)); // of the greater logit in each row
  assertClose(await gradients[0]!.read(), nd([4], [(1 - p) / 2, (p - 1) / 2, -p / 2, p / 2]), { name: "gradient" });
});

tests.run();
