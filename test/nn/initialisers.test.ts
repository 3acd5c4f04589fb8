/** Initial values have the mean, the variance and the bounds that their papers and Keras give them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OptionError } from "../../src/errors.ts";
import { checkInitialiser, initialValues, type Fans, type Initialiser } from "../../src/nn/initialisers.ts";
import { RandomStream } from "../../src/tensor/index.ts";

const tests = suite("initialisers");

const [fanIn, fanOut] = [120, 180];
const cut = 0.87962566103423978; // deviation of a standard normal cut at ±2 (TensorFlow's constant)

interface Expected {
  readonly mean?: number;
  readonly variance: number;
  readonly bound?: number;
}

function check(initialiser: Initialiser, { mean = 0, variance, bound = Infinity }: Expected): void {
  const name = JSON.stringify(initialiser);
  const values = initialValues(initialiser, [fanIn, fanOut], new RandomStream(3, 1));
  const count = values.length;
  const average = values.reduce((sum, value) => sum + value, 0) / count;
  const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  assert.ok(Math.abs(average - mean) <= 4 * Math.sqrt(variance / count), `${name}: mean ${average}`);
  assert.ok(Math.abs(spread - variance) <= 0.04 * variance, `${name}: variance ${spread}, not ${variance}`);
  const farthest = values.reduce((most, value) => Math.max(most, Math.abs(value - mean)), 0);
  assert.ok(farthest <= bound * (1 + 1e-6), `${name}: ${farthest} is beyond ${bound}`);
  if (Number.isFinite(bound)) assert.ok(farthest >= 0.99 * bound, `${name}: ${farthest} is far from ${bound}`);
}

tests("Glorot, He and LeCun scale with the fans", () => {
  for (const [name, variance] of [["glorot", 2 / (fanIn + fanOut)], ["he", 2 / fanIn], ["lecun", 1 / fanIn]] as const) {
    check(`${name}Uniform`, { variance, bound: Math.sqrt(3 * variance) });
    check(`${name}Normal`, { variance, bound: (2 * Math.sqrt(variance)) / cut });
  }
}); // prettier-ignore

tests("the others take their numbers, or Keras' defaults", () => {
  check("uniform", { variance: 0.1 ** 2 / 12, bound: 0.05 });
  check({ name: "uniform", min: 2, max: 4 }, { mean: 3, variance: 4 / 12, bound: 1 });
  check("normal", { variance: 0.05 ** 2 });
  check({ name: "normal", mean: -1, deviation: 2 }, { mean: -1, variance: 4 });
  check("truncatedNormal", { variance: (0.05 * cut) ** 2, bound: 0.1 });
  check({ name: "truncatedNormal", mean: 5, deviation: 0.5 }, { mean: 5, variance: (0.5 * cut) ** 2, bound: 1 });
  const constants: [Initialiser, number][] = [["zeros", 0], ["ones", 1], [{ name: "constant", value: -2.5 }, -2.5]]; // prettier-ignore
  for (const [initialiser, value] of constants) {
    assert.equal(Array.from(initialValues(initialiser, [2, 2], new RandomStream(1, 1))), Array(4).fill(value));
  }
});

tests("fans count the receptive field, and a layer of another layout tells its own", () => {
  const limitOf = (shape: readonly number[], fans?: Fans) => {
    const values = initialValues("glorotUniform", shape, new RandomStream(5, 1), fans);
    return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  };
  const near = (got: number, want: number) => assert.ok(got <= want && got > 0.99 * want, `${got}, not ${want}`);
  near(limitOf([3, 3, 20, 40]), Math.sqrt(6 / (9 * 60)));
  near(limitOf([3, 3, 200, 2], { fanIn: 9, fanOut: 18 }), Math.sqrt(6 / 27)); // depthwise: one channel in, two out
});

tests("what is no initialiser is refused", () => {
  const wrong: [unknown, RegExp][] = [
    ["evil", /kernel: expected an initialiser among glorotUniform, .*got "evil"/],
    ["toString", /an initialiser among/],
    ["constant", /numbers for value of constant/],
    [{ name: "constant", value: "1" }, /numbers for value of constant/],
    [{ name: "normal", sigma: 1 }, /numbers for mean, deviation of normal/],
    [{ name: "zeros", value: 1 }, /numbers for nothing of zeros/],
    [{ name: "uniform", min: Number.NaN }, /numbers for min, max of uniform/],
  ];
  for (const [initialiser, message] of wrong) {
    const attempt = () => checkInitialiser("kernel", initialiser as Initialiser);
    assert.throws(attempt, (error: unknown) => error instanceof OptionError && message.test(error.message));
  }
});

tests.run();
