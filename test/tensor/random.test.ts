import fc from "fast-check";
import * as assert from "uvu/assert";
import { defineKernel, philox, RandomStream, run, seedKey, toUnit } from "../../src/tensor/index.ts";
import { forAll } from "../reference/generate.ts";
import * as reference from "../reference/philox.ts";
import { device, deviceSuite } from "./device.ts";

const tests = deviceSuite("random numbers");
const word = fc.oneof(
  fc.constantFrom(0, 1, 0xffff, 0x10000, 2 ** 31, 2 ** 32 - 1),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);

tests("philox on the CPU is the reference's", async () => {
  await forAll(fc.tuple(fc.tuple(word, word, word, word), fc.tuple(word, word)), ([counter, key]) => {
    assert.equal(philox(counter, key), [...reference.philox4x32(counter, key)]);
  }, 500); // prettier-ignore
});

const draw = defineKernel({
  name: "draw",
  inputs: { counters: "u32", keys: "u32" },
  outputs: { words: "u32", units: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {
      let at = 4u * i;
      let drawn = philox(vec4u(counters[at], counters[at + 1u], counters[at + 2u], counters[at + 3u]), vec2u(keys[2u * i], keys[2u * i + 1u]));
      for (var k = 0u; k < 4u; k++) { store_words(at + k, drawn[k]); store_units(at + k, toUnit(drawn[k])); }
    }`,
});

tests("philox on the GPU is the CPU's to the bit, and so are the numbers in [0, 1)", async () => {
  const count = 200;
  const drawn = fc.sample(fc.tuple(word, word, word, word, word, word), { numRuns: count, seed: 7 });
  const counters = device.tensor(Uint32Array.from(drawn.flatMap((words) => words.slice(0, 4))));
  const keys = device.tensor(Uint32Array.from(drawn.flatMap((words) => words.slice(4))));
  const { words, units } = run(
    draw,
    { counters, keys },
    { words: [4 * count], units: [4 * count] },
    {},
    { threads: count },
  );
  const [gotWords, gotUnits] = await device.readMany([words, units]);
  const want = drawn.flatMap(([a, b, c, d, k, l]) => philox([a, b, c, d], [k, l]));
  assert.equal(Array.from(gotWords!), want);
  assert.equal(Array.from(gotUnits!), want.map(toUnit));
});

tests("a stream is the reference's sequence, and its numbers stay in [0, 1)", () => {
  const stream = new RandomStream(2 ** 32 * 5 + 9, 3);
  const want = reference.randomWords(10, { key: [9, 5], words: [0, 0, 3] });
  assert.equal(
    Array.from({ length: 10 }, () => stream.word()),
    Array.from(want),
  );
  assert.is(toUnit(2 ** 32 - 1), 1 - 2 ** -24);
  assert.is(toUnit(255), 0);
  assert.equal(seedKey(2 ** 53 - 1), [2 ** 32 - 1, 2 ** 21 - 1]);
});

tests("streams of one seed differ, and one seed gives one sequence", () => {
  const sequence = (seed: number, stream: number): string => {
    const random = new RandomStream(seed, stream);
    return Array.from({ length: 8 }, () => random.word()).join();
  };
  assert.is(sequence(1, 2), sequence(1, 2));
  assert.is(new Set([sequence(1, 2), sequence(1, 3), sequence(2, 2), sequence(2 ** 32 + 1, 2)]).size, 4);
});

tests("uniform and normal numbers have their moments, bounded ones all their values", () => {
  const random = new RandomStream(11, 0);
  const count = 20_000;
  const moments = (next: () => number): [number, number] => {
    const drawn = Array.from({ length: count }, next);
    const mean = drawn.reduce((sum, value) => sum + value, 0) / count;
    return [mean, drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count];
  };
  const near = (got: number, want: number): void =>
    assert.ok(Math.abs(got - want) < 0.03, `${got} is not near ${want}`);
  const [mean, variance] = moments(() => random.uniform());
  near(mean, 1 / 2);
  near(variance, 1 / 12);
  const [centre, spread] = moments(() => random.normal());
  near(centre, 0);
  near(spread, 1);
  const counts = new Array<number>(6).fill(0);
  for (let k = 0; k < 6000; k++) counts[random.below(6)]!++;
  assert.ok(
    counts.every((each) => each > 850 && each < 1150),
    counts.join(),
  );
});

tests("a permutation holds every index once and is not the identity", () => {
  const order = new RandomStream(1, 1).permutation(1000);
  assert.equal(Array.from(order).sort((a, b) => a - b), Array.from({ length: 1000 }, (_, k) => k)); // prettier-ignore
  assert.ok(order.filter((value, k) => value === k).length < 10);
  assert.equal(Array.from(new RandomStream(1, 1).permutation(1)), [0]);
});

tests.run();
