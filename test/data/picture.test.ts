/** Pictures in another size: against the float64 reference and TensorFlow.js; proportions, grey, inversion. */
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  OUT_OF_DISTRIBUTION,
  pictureSettings,
  preparePicture,
  resample,
  type Picture,
  type PictureOptions,
  type Resampling,
} from "../../src/data/index.ts";
import { OptionError } from "../../src/errors.ts";
import { forAll } from "../reference/generate.ts";
import * as reference from "../reference/images.ts";
import { nd } from "../reference/nd.ts";

const side = fc.integer({ min: 1, max: 40 });
const drawn = fc.record({
  shape: fc.tuple(side, side, fc.constantFrom(1, 3)),
  size: fc.tuple(side, side),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

const bytes = (count: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => (Math.imul(at + seed + 1, 2654435761) >>> 24) & 255);

/** A byte is right when it is what the exact value rounds to; at a tie, either neighbour. */
function assertRounded(got: Uint8Array, want: ArrayLike<number>): void {
  assert.is(got.length, want.length);
  got.forEach((value, at) => assert.ok(Math.abs(value - want[at]!) < 0.5 + 1e-3, `${value} for ${want[at]} at ${at}`));
}

for (const [method, filter] of [
  ["nearest", "nearest"],
  ["bilinear", "bilinear"],
  ["triangle", "antialias"],
  ["area", "area"],
] as const satisfies readonly (readonly [Resampling, reference.Filter])[]) {
  test(`${method} is what its formula says`, () =>
    forAll(drawn, ({ shape, size, seed }) => {
      const pixels = bytes(shape[0] * shape[1] * shape[2], seed);
      const want = reference.resize(nd(shape, [...pixels]), size, filter);
      assertRounded(resample(pixels, shape, size, method), want.data);
    }));
}

test("bilinear is TensorFlow's with half-pixel centres", async () => {
  tf.env().set("PROD", true);
  await tf.setBackend("cpu");
  await forAll(drawn, ({ shape, size, seed }) => {
    const pixels = bytes(shape[0] * shape[1] * shape[2], seed);
    tf.tidy(() => {
      const image = tf.tensor3d(Float32Array.from(pixels), shape);
      assertRounded(
        resample(pixels, shape, size, "bilinear"),
        tf.image.resizeBilinear(image, size, false, true).dataSync(),
      );
    });
  });
});

/** A picture whose columns are 0, 1, 2, … */
const columns = (height: number, width: number): Picture => ({
  pixels: Uint8Array.from({ length: height * width }, (_, at) => at % width),
  shape: [height, width, 1],
});
const prepared = (picture: Picture, options: PictureOptions) => preparePicture(picture, pictureSettings(options));

test("stretch, cover and contain", () => {
  const wide = columns(4, 8);
  const row = (options: PictureOptions) => [
    ...prepared(wide, { size: [4, 4], resize: "area", ...options }).pixels.subarray(0, 4),
  ];
  assert.equal(row({ fit: "stretch" }), [1, 3, 5, 7], "pairs of columns, rounded up");
  assert.equal(row({ fit: "cover" }), [2, 3, 4, 5], "the middle");
  const contained = prepared(wide, { size: [4, 4], resize: "area", fit: "contain", background: 200 }).pixels;
  assert.equal([...contained], [200, 200, 200, 200, 1, 3, 5, 7, 1, 3, 5, 7, 200, 200, 200, 200]);
});

test("free sides take the border's colour, channel by channel", () => {
  const red: Picture = {
    pixels: Uint8Array.from({ length: 2 * 6 * 3 }, (_, at) => (at % 3 === 0 ? 250 : 10)),
    shape: [2, 6, 3],
  };
  const { pixels } = prepared(red, { size: [6, 6], channels: 3, fit: "contain" });
  assert.equal(
    [...pixels],
    Array.from({ length: 108 }, (_, at) => (at % 3 === 0 ? 250 : 10)),
  );
});

test("grey is luma, and greys stay what they are", () => {
  const colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77];
  const picture: Picture = { pixels: Uint8Array.from(colours), shape: [1, 4, 3] };
  assert.equal([...prepared(picture, { size: [1, 4] }).pixels], [76, 150, 29, 77]);
});

test("a light background is inverted, by the median of the border", () => {
  const draw = (background: number, garment: number): Picture => ({
    pixels: Uint8Array.from({ length: 28 * 28 }, (_, at) => {
      const [y, x] = [Math.floor(at / 28), at % 28];
      // The garment reaches over the lower border, which a mean would take for a darker background.
      return x > 8 && x < 20 && y > 5 ? garment : background;
    }),
    shape: [28, 28, 1],
  });
  const light = preparePicture(draw(250, 20), OUT_OF_DISTRIBUTION);
  assert.ok(light.inverted);
  assert.equal([light.pixels[0], light.pixels[14 * 28 + 14]], [5, 235]);
  const dark = preparePicture(draw(3, 240), OUT_OF_DISTRIBUTION);
  assert.ok(!dark.inverted);
  assert.is(dark.pixels[0], 3);
  assert.ok(!prepared(draw(250, 20), {}).inverted, "not without being asked");
  assert.ok(prepared(draw(3, 240), { invert: "always" }).inverted);
});

test("options that make no sense are refused by name", () => {
  for (const [options, name] of [
    [{ size: [0, 28] }, "size"],
    [{ channels: 2 }, "channels"],
    [{ fit: "crop" }, "fit"],
    [{ resize: "cubic" }, "resize"],
    [{ invert: "maybe" }, "invert"],
    [{ background: 256 }, "background"],
  ] as const) {
    assert.throws(
      () => pictureSettings(options as unknown as PictureOptions),
      (error: unknown) => error instanceof OptionError && error.where === name,
    );
  }
});

test.run();
