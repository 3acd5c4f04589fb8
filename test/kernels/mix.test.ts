import fc from "fast-check";
import * as assert from "uvu/assert";
import { drawMixing, mixImages, mixLabels, sum, type MixOptions } from "../../src/kernels/index.ts";
import { valueAndGradients, type TypedArray } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { philox4x32, toUniform } from "../reference/philox.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("mixup and cutmix");

interface Drawn {
  readonly rows: number;
  readonly image: readonly [number, number, number];
  readonly mode: MixOptions["mode"];
  readonly alpha: number;
  readonly seed: number;
}

const CLASSES = 5;

interface Mixed {
  readonly x: TypedArray;
  readonly y: TypedArray;
  readonly share: TypedArray;
  readonly rectangle: TypedArray;
  readonly targets: TypedArray;
}

async function mixed({ rows, image, mode, alpha, seed }: Drawn): Promise<Mixed> {
  const values = generate.values([rows, ...image], seed);
  const labels = Uint32Array.from(generate.labels(rows, CLASSES, seed));
  const [x, y, share, rectangle, targets] = (await readFrom(device, () => {
    const pictures = device.tensor(Float32Array.from(values.data), values.shape);
    const random = { seed, layer: 6, step: device.tensor(Uint32Array.of(9)) };
    const mixing = drawMixing(pictures, { mode, alpha }, random);
    const made = [mixImages(pictures, mixing), mixing.share, mixing.rectangle];
    return [pictures, ...made, mixLabels(device.tensor(labels), CLASSES, mixing)];
  })) as [TypedArray, TypedArray, TypedArray, TypedArray, TypedArray];
  return { x, y, share, rectangle, targets };
}

/** λ of row b from the formula of the banner, in float64. */
function shareOf({ seed, alpha }: Drawn, b: number): number {
  const [u, v] = philox4x32([b, 6, 9, 3], [seed, 0]).map(toUniform) as [number, number];
  const w = (1 - u) ** (1 / alpha);
  const c = Math.cos(2 * Math.PI * v);
  return 0.5 + 0.5 * c * Math.sqrt((1 - w) / (w + (1 - w) * c * c));
}

const side = fc.constantFrom(1, 2, 4, 5, 9);
const cases = fc.record({
  rows: fc.constantFrom(1, 2, 5, 16),
  image: fc.tuple(side, side, fc.constantFrom(1, 2, 3)),
  mode: fc.constantFrom<MixOptions["mode"]>("mixup", "cutmix"),
  alpha: fc.constantFrom(0.1, 0.2, 0.5, 1, 3, 20),
  seed: generate.seed,
});

tests("each image is mixed with the next in the drawn share, and so are the labels", async () => {
  await generate.forAll(cases, async (drawn) => {
    const { rows, image, mode, seed } = drawn;
    const [h, w, c] = image;
    const size = h * w * c;
    const { x, y, share, rectangle, targets } = await mixed(drawn);
    const labels = generate.labels(rows, CLASSES, seed);
    const wanted: number[] = [];
    const wantedTargets: number[] = [];
    for (let b = 0; b < rows; b++) {
      const other = (b + 1) % rows;
      const λ = shareOf(drawn, b);
      const [top, left, bottom, right] = rectangle.subarray(4 * b, 4 * b + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      if (mode === "mixup") {
        assert.ok(Math.abs(share[b]! - λ) < 1e-5, `λ of image ${b} is ${share[b]}, not ${λ}`);
      } else {
        assert.ok(top >= 0 && left >= 0 && bottom <= h && right <= w && top <= bottom && left <= right);
        assert.ok(bottom - top <= h * Math.sqrt(1 - λ) + 1.001 && right - left <= w * Math.sqrt(1 - λ) + 1.001);
        const area = (bottom - top) * (right - left);
        assert.ok(Math.abs(share[b]! - (1 - area / (h * w))) < 1e-6, "the share is that of the pixels");
      }
      for (let at = 0; at < size; at++) {
        const [mine, theirs] = [x[b * size + at]!, x[other * size + at]!];
        const [i, j] = [Math.floor(at / (w * c)), Math.floor(at / c) % w];
        const pasted = i >= top && i < bottom && j >= left && j < right;
        wanted.push(mode === "cutmix" ? (pasted ? theirs : mine) : share[b]! * mine + (1 - share[b]!) * theirs);
      }
      for (let k = 0; k < CLASSES; k++) {
        wantedTargets.push((labels[b] === k ? share[b]! : 0) + (labels[other] === k ? 1 - share[b]! : 0));
      }
    }
    assertClose(y, nd([rows, ...image], wanted), { name: mode, case: drawn });
    assertClose(targets, nd([rows, CLASSES], wantedTargets), { name: "targets", case: drawn });
  });
});

const meanOf = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

tests("λ has the moments of a beta distribution", async () => {
  for (const alpha of [0.2, 1, 4]) {
    const rows = 20_000;
    const { share } = await mixed({ rows, image: [1, 1, 1], mode: "mixup", alpha, seed: 3 });
    const mean = meanOf(Array.from(share));
    const variance = meanOf(Array.from(share, (value) => (value - 0.5) ** 2));
    const want = 1 / (4 * (2 * alpha + 1));
    // Fourth central moment of Beta(α, α): 3 / (16 (2α + 1)(2α + 3)).
    const spread = Math.sqrt((3 / (16 * (2 * alpha + 1) * (2 * alpha + 3)) - want ** 2) / rows);
    assert.ok(Math.abs(mean - 0.5) < 4.5 * Math.sqrt(want / rows), `α ${alpha}: mean ${mean}`);
    assert.ok(Math.abs(variance - want) < 4.5 * spread, `α ${alpha}: variance ${variance}, expected ${want}`);
  }
});

tests("cutmix pastes the share that was drawn, border aside", async () => {
  const rows = 4000;
  const { share } = await mixed({ rows, image: [32, 32, 1], mode: "cutmix", alpha: 1, seed: 8 });
  // A square of side r < 1 about a uniform point covers r − r²/4 of [0, 1] on average: E (√t − t/4)² = 1/2 − 1/5 + 1/48.
  const pasted = 1 - meanOf(Array.from(share));
  assert.ok(Math.abs(pasted - (1 / 2 - 1 / 5 + 1 / 48)) < 0.02, `pasted ${pasted}`);
});

tests("a gradient that asks for the images before mixing is refused", () => {
  const x = device.tensor(new Float32Array(8), [2, 2, 2, 1]);
  const random = { seed: 1, layer: 0, step: device.tensor(Uint32Array.of(0)) };
  const mixing = drawMixing(x, { mode: "mixup" }, random);
  assert.throws(() => valueAndGradients(() => sum(mixImages(x, mixing)), [x]), /not differentiable/);
});

tests("options that make no sense are refused", () => {
  const x = device.tensor(new Float32Array(8), [2, 2, 2, 1]);
  const random = { seed: 1, layer: 0, step: device.tensor(Uint32Array.of(0)) };
  assert.throws(() => drawMixing(x, { mode: "mixup", alpha: 0 }, random), /alpha/);
  assert.throws(() => drawMixing(x, { mode: "blend" as "mixup" }, random), /mixup or cutmix/);
  assert.throws(
    () => drawMixing(device.tensor([1, 2]), { mode: "mixup" }, random),
    /\[rows, height, width, channels\]/,
  );
  const mixing = drawMixing(x, { mode: "mixup" }, random);
  assert.throws(() => mixLabels(device.tensor([0, 1]), 3, mixing), /u32/);
  assert.throws(() => mixLabels(device.tensor(Uint32Array.of(0)), 3, mixing), /2 labels/);
});

tests.run();
