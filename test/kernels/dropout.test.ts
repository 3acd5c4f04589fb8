import fc from "fast-check";
import * as assert from "uvu/assert";
import { advance, dropout, spatialDropout, sum } from "../../src/kernels/index.ts";
import { compile, valueAndGradients, type Device, type Tensor } from "../../src/tensor/index.ts";
import * as generate from "../reference/generate.ts";
import { filled, map, type Nd } from "../reference/nd.ts";
import * as reference from "../reference/philox.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { checkOp, type Drawn } from "./check.ts";

const tests = deviceSuite("dropout");

interface Case extends Drawn {
  readonly rate: number;
  readonly layer: number;
  readonly step: number;
}

/** The stream that the operation's banner names: counter (block, layer, step, 1) under the seed's two words. */
function streamOf({ seed, layer, step }: Case): reference.Stream {
  return { key: [seed, 2], words: [layer, step, 1] };
}

const keyOf = (on: Device, { seed, layer, step }: Case) => ({
  seed: seed + 2 * 2 ** 32,
  layer,
  step: on.tensor(Uint32Array.of(step)),
});

checkOp<Case>(tests, "dropout keeps what the reference's stream keeps, forward and backward", {
  cases: fc.record({
    shape: generate.shape({ maxSize: 2000 }),
    rate: fc.constantFrom(0, 0.1, 0.25, 0.5, 0.9),
    layer: fc.nat(9),
    step: fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1),
    seed: generate.seed,
  }),
  numRuns: 25,
  arguments: ({ shape, seed }) => [generate.values(shape, seed, { avoid: [0] })],
  op: ([x], drawn, on) => dropout(x!, drawn.rate, keyOf(on, drawn)),
  reference: ([x], drawn) => reference.dropout(x!, drawn.rate, streamOf(drawn)),
  gradients: (_, dy, drawn) => [reference.dropoutGrad(dy, drawn.rate, streamOf(drawn))],
});

/** One number of the stream for each image and channel, the same for all pixels of it. */
function channelsDropped(x: Nd, drawn: Case): Nd {
  const [images, channels] = [x.shape[0]!, x.shape.at(-1)!];
  const factors = reference.dropout(filled([images, channels], 1), drawn.rate, streamOf(drawn));
  const perImage = x.data.length / images;
  return map(x, (value, i) => value * factors.data[Math.floor(i / perImage) * channels + (i % channels)]!);
}

checkOp<Case>(tests, "spatialDropout keeps or drops the whole of a channel, forward and backward", {
  cases: fc.record({
    shape: generate.shape({ minRank: 2, maxRank: 4, maxSize: 3000 }),
    rate: fc.constantFrom(0, 0.25, 0.5, 0.9),
    layer: fc.nat(9),
    step: fc.constantFrom(0, 1, 2 ** 32 - 1),
    seed: generate.seed,
  }),
  arguments: ({ shape, seed }) => [generate.values(shape, seed)],
  op: ([x], drawn, on) => spatialDropout(x!, drawn.rate, keyOf(on, drawn)),
  reference: ([x], drawn) => channelsDropped(x!, drawn),
  gradients: (_, dy, drawn) => [channelsDropped(dy, drawn)],
});

const ones = (count: number): Tensor => device.tensor(new Float32Array(count).fill(1));

tests("a compiled step draws a new mask each time, and its gradient the same one", async () => {
  const step = device.tensor(Uint32Array.of(0));
  const x = ones(64);
  const program = await compile(device, [], () => {
    const made: Tensor[] = [];
    const { gradients } = valueAndGradients(() => {
      made.push(dropout(x, 0.5, { seed: 1, layer: 0, step }));
      return sum(made[0]!);
    }, [x]);
    advance(step);
    return [made[0]!, gradients[0]!];
  });
  const masks = new Set<string>();
  for (let turn = 0; turn < 3; turn++) {
    program.run();
    const [y, dx] = await device.readMany(program.outputs);
    assert.equal(dx, y);
    masks.add(y!.join());
  }
  assert.is(masks.size, 3);
});

tests("the share that is dropped is the rate, and what survives is scaled to keep the mean", async () => {
  const count = 20_000;
  const y = await dropout(ones(count), 0.3, { seed: 5, layer: 0, step: device.tensor(Uint32Array.of(0)) }).read();
  const dropped = y.filter((value) => value === 0).length / count;
  assert.ok(Math.abs(dropped - 0.3) < 0.015, `dropped ${dropped}`);
  assert.ok(y.every((value) => value === 0 || value === Math.fround(1 / 0.7)));
});

tests("layers of one seed and step draw different masks", async () => {
  const step = device.tensor(Uint32Array.of(0));
  const [first, second] = await device.readMany(
    [0, 1].map((layer) => dropout(ones(64), 0.5, { seed: 1, layer, step })),
  );
  assert.is.not(first!.join(), second!.join());
});

tests("a rate outside [0, 1) is refused", () => {
  const key = { seed: 1, layer: 0, step: device.tensor(Uint32Array.of(0)) };
  for (const rate of [-0.1, 1, 2, Number.NaN]) {
    assert.throws(() => dropout(ones(4), rate, key), /dropout: expected a rate in \[0, 1\)/);
    assert.throws(() => spatialDropout(ones(4), rate, key), /spatialDropout: expected a rate in \[0, 1\)/);
  }
});

tests.run();
