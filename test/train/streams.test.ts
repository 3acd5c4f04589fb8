/** Training and evaluation on streams: the same bits as on the same images in memory, window by window. */
import * as assert from "uvu/assert";
import { streamOf, syntheticGarments, takeImages, type ImageStream } from "../../src/data/index.ts";
import { build, dense, flatten, sequential, type Model } from "../../src/nn/index.ts";
import { evaluate, fit, type FitOptions } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("streams");
const { train: garments, test: others } = syntheticGarments({ trainCount: 230, testCount: 70, seed: 3 });
const network = (): Model => build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1], seed: 6 });
const weightsOf = (model: Model) => device.readMany(model.parameters.map(({ tensor }) => tensor));
const options: FitOptions = { epochs: 3, batchSize: 10 };

/** Large pictures, so that a window holds few of them: 230 of 784 × 784 are 135 MiB. */
function enlarged(stream: ImageStream, factor: number): ImageStream {
  const [height, width] = [28 * factor, 28 * factor];
  return {
    ...stream,
    shape: [height, width, 1],
    async read(indices, signal) {
      const batch = await stream.read(indices, signal);
      const images = new Uint8Array(batch.labels.length * height * width);
      for (let at = 0; at < images.length; at++) {
        const [image, row, column] = [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width];
        images[at] = batch.images[image * 784 + Math.floor(row / factor) * 28 + Math.floor(column / factor)]!;
      }
      return { ...batch, images };
    },
  };
}

tests("a stream trains like the data set in memory, through many windows", async () => {
  const [resident, streamed] = [network(), network()];
  await fit(resident, garments, options);
  const counted = { reads: 0, most: 0 };
  const stream = enlarged(streamOf(garments), 28);
  const watched: ImageStream = {
    ...stream,
    read: async (indices, signal) => {
      counted.reads++;
      counted.most = Math.max(counted.most, indices.length);
      return stream.read(indices, signal);
    },
  };
  await fit(streamed, watched, options);
  assert.ok(counted.reads >= 3 * 18, `${counted.reads} reads`); // a window of 8 MiB holds one batch of such pictures
  const [want, got] = [await weightsOf(resident), await weightsOf(streamed)];
  // Bilinear samples fall inside blocks of equal pixels: equal but for rounding.
  want.forEach((values, k) =>
    values.forEach((value, at) => assert.ok(Math.abs(value - got[k]![at]!) < 1e-4, `${value} and ${got[k]![at]}`)),
  );
});

tests("a stream evaluates like the data set in memory", async () => {
  const model = network();
  assert.equal(
    await evaluate(model, streamOf(others), { batchSize: 32 }),
    await evaluate(model, others, { batchSize: 32 }),
  );
});

tests("pictures that do not decode are replaced by others of their window; none at all is an error", async () => {
  const stream = streamOf(takeImages(garments, 50));
  const leaky: ImageStream = {
    ...stream,
    read: async (indices, signal) =>
      stream.read(
        Array.from(indices).filter((index) => index % 3 > 0),
        signal,
      ),
  };
  const { steps } = await fit(network(), leaky, options);
  assert.is(steps, 15);
  const empty: ImageStream = { ...stream, read: async (_, signal) => stream.read([], signal) };
  const error = await fit(network(), empty, options).then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.match(error!.message, /pictures that decode/);
});

tests("an interruption reaches the reader", async () => {
  const stop = new AbortController();
  const stream = streamOf(garments);
  const slow: ImageStream = {
    ...stream,
    read: async (indices, signal) => {
      if (indices.length > 0 && signal !== undefined) setTimeout(() => stop.abort(), 20);
      return stream.read(indices, signal);
    },
  };
  const { stopped } = await fit(network(), slow, { ...options, epochs: 500, signal: stop.signal });
  assert.is(stopped, "interrupted");
});

tests.run();
