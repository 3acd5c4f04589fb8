/** Layers that resize, and pooling layers with ceil mode: their shapes, their results, and that they survive a file. */
import * as assert from "uvu/assert";
import { build, maxPool2d, resize2d, sequential, upSampling2d, type Layer } from "../../src/nn/index.ts";
import { layerFrom, recordOf } from "../../src/nn/layers/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("resampling layers");

/** What the layer makes of a picture `[2, 2, 1]`, and what it makes of it once written to JSON and back. */
async function resultOf(layer: Layer): Promise<{ shape: readonly number[]; data: number[] }> {
  const record = JSON.parse(JSON.stringify(recordOf(layer))) as never;
  const [first, again] = await Promise.all(
    [layer, layerFrom(record, "a file")].map(async (each) => {
      const model = build(device, sequential([each]), { input: [2, 2, 1] });
      const y = model.call(device.tensor([1, 2, 3, 4], [1, 2, 2, 1]), {
        training: false,
        random: () => ({ seed: 0, layer: 0, step: device.tensor(Uint32Array.of(0)) }),
      });
      assert.equal(y.shape.slice(1), model.output);
      return { shape: y.shape, data: Array.from(await y.read()) };
    }),
  );
  assert.equal(again, first);
  return first!;
}

tests("upSampling2d repeats pixels, or draws lines between them", async () => {
  assert.equal(await resultOf(upSampling2d([1, 2])), { shape: [1, 2, 4, 1], data: [1, 1, 2, 2, 3, 3, 4, 4] });
  assert.equal((await resultOf(upSampling2d(3))).shape, [1, 6, 6, 1]);
  const { data } = await resultOf(upSampling2d([1, 2], { interpolation: "bilinear" }));
  assert.equal(data, [1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4]);
});

tests("resize2d", async () => {
  assert.equal(await resultOf(resize2d([1, 1])), { shape: [1, 1, 1, 1], data: [2.5] });
  assert.equal((await resultOf(resize2d([1, 2], { interpolation: "area" }))).data, [2, 3]);
  assert.equal((await resultOf(resize2d([1, 1], { interpolation: "nearest" }))).data, [4]);
  const corners = { interpolation: "bilinear", convention: "alignCorners" } as const;
  assert.equal((await resultOf(resize2d([2, 3], corners))).data, [1, 1.5, 2, 3, 3.5, 4]);
});

tests("a pooling layer in ceil mode keeps the last, cut windows", async () => {
  const options = { stride: 2, padding: [[1, 0], [1, 0]], ceilMode: true } as const; // prettier-ignore
  assert.equal((await resultOf(maxPool2d(2, options))).data, [1, 2, 3, 4]);
});

tests("what cannot be is refused when the model is built", () => {
  const refused = (layer: Layer): string => {
    try {
      build(device, layer, { input: [4, 4, 1] });
    } catch (error) {
      return String(error);
    }
    return "not refused";
  };
  assert.match(refused(upSampling2d(1.3)), "OptionError: upSampling2d: expected one or two positive whole numbers");
  assert.match(
    refused(resize2d([2, 2], { interpolation: "cubic" as never })),
    "an interpolation among nearest, bilinear, area",
  );
});

tests.run();
