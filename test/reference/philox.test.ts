import { test } from "uvu";
import * as assert from "uvu/assert";
import { filled } from "./nd.ts";
import {
  dropout,
  dropoutGrad,
  philox4x32,
  randomUniform,
  randomWords,
  toUniform,
  type Counter,
  type Key,
} from "./philox.ts";

/** Random123's `kat_vectors`, the lines `philox4x32 10`: counter, key, result. */
const KNOWN_ANSWERS = [
  "00000000 00000000 00000000 00000000  00000000 00000000  6627e8d5 e169c58d bc57ac4c 9b00dbd8",
  "ffffffff ffffffff ffffffff ffffffff  ffffffff ffffffff  408f276d 41c83b0e a20bc7c6 6d5451fd",
  "243f6a88 85a308d3 13198a2e 03707344  a4093822 299f31d0  d16cfe09 94fdcceb 5001e420 24126ea1",
];

test("Philox4x32-10 gives Random123's known answers", () => {
  for (const line of KNOWN_ANSWERS) {
    const words = line.split(/ +/).map((word) => Number.parseInt(word, 16));
    const counter = words.slice(0, 4) as unknown as Counter;
    const key = words.slice(4, 6) as unknown as Key;
    assert.equal(philox4x32(counter, key), words.slice(6));
  }
});

test("a word becomes a float32 in [0, 1)", () => {
  assert.is(toUniform(0), 0);
  assert.is(toUniform(0xff), 0);
  assert.is(toUniform(0x80000000), 0.5);
  assert.is(toUniform(0xffffffff), 1 - 2 ** -24);
  assert.is(Math.fround(toUniform(0xffffffff)), toUniform(0xffffffff));
});

test("a stream is the blocks of one counter after the other, whatever its length", () => {
  const stream = { key: [0, 0], words: [0, 0, 0] } as const;
  const words = randomWords(11, stream);
  assert.equal(words.slice(0, 4), Uint32Array.of(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  assert.equal(words.slice(8), Uint32Array.from(philox4x32([2, 0, 0, 0], [0, 0]).slice(0, 3)));
  assert.equal(randomWords(6, stream), words.slice(0, 6));
});

test("uniform numbers have mean 1/2 and variance 1/12", () => {
  const u = randomUniform(20_000, { key: [7, 0], words: [1, 2, 3] });
  const mean = u.reduce((sum, value) => sum + value, 0) / u.length;
  const variance = u.reduce((sum, value) => sum + (value - mean) ** 2, 0) / u.length;
  assert.ok(Math.abs(mean - 1 / 2) < 0.01, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1 / 12) < 0.003, `variance ${variance}`);
});

test("dropout drops its share, scales the rest, and its gradient has the same mask", () => {
  const stream = { key: [42, 0], words: [5, 0, 0] } as const;
  const x = filled([100, 100], 3);
  const y = dropout(x, 0.25, stream);
  const kept = y.data.filter((value) => value !== 0);
  assert.ok(kept.every((value) => value === 4));
  assert.ok(Math.abs(kept.length / 10_000 - 0.75) < 0.02, `kept ${kept.length} of 10000`);
  assert.equal(dropoutGrad(filled([100, 100], 3), 0.25, stream).data, y.data);
  assert.equal(dropout(x, 0, stream).data, x.data);
});

test.run();
