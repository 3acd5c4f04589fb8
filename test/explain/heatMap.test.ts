/** Heat maps as pictures: what is hot is light, whoever looks at it. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import { colourise, normaliseMap, overlay, upsample, type HeatMap } from "../../src/explain/index.ts";
import { assertClose } from "../reference/compare.ts";
import { values } from "../reference/generate.ts";
import { resize } from "../reference/images.ts";
import { nd } from "../reference/nd.ts";

const tests = suite("heat maps");

const mapOf = (rows: readonly (readonly number[])[]): HeatMap => ({
  values: Float32Array.from(rows.flat()),
  height: rows.length,
  width: rows[0]!.length,
});

tests("normalised, the hottest place is 1 and what speaks against the class is 0", () => {
  assert.equal([...normaliseMap(mapOf([[-3, 0], [1, 4]])).values], [0, 0, 0.25, 1]); // prettier-ignore
  assert.equal([...normaliseMap(mapOf([[-3, -1]])).values], [0, 0], "nothing speaks for it");
  assert.equal([...normaliseMap(mapOf([[0, 0]])).values], [0, 0]);
});

tests("a share of extremes can be clipped", () => {
  const map = mapOf([[1, 2, 4, 100]]);
  assert.equal([...normaliseMap(map, { clip: 0.25 }).values], [0.25, 0.5, 1, 1]);
  assert.equal(
    [...normaliseMap(mapOf([[0, 0, 0, 8]]), { clip: 0.5 }).values],
    [0, 0, 0, 1],
    "but not all that there is",
  );
  assert.throws(() => normaliseMap(map, { clip: 1 }), (error: unknown) => error instanceof OptionError); // prettier-ignore
});

tests("enlarged as bilinear resizing does it", () => {
  for (const [height, width, to, across] of [
    [3, 5, 7, 20],
    [1, 1, 4, 4],
    [4, 2, 4, 2],
    [6, 9, 28, 27],
  ] as const) {
    // prettier-ignore
    const small = values([height, width], height);
    const large = upsample({ values: Float32Array.from(small.data), height, width }, to, across);
    const want = resize(nd([height, width, 1], small.data), [to, across], "bilinear");
    assertClose(large.values, nd([to, across], want.data), { name: `${height}×${width} to ${to}×${across}` });
  }
});

/** Linear light of an sRGB byte. */
const linear = (byte: number): number => (byte <= 10 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4);

/** What each kind of eye has of a colour: luminance, and the cone responses left to the colour-blind (Viénot et al. 1999). */
const eyes = {
  everybody: ([r, g, b]: number[]) => 0.2126 * r! + 0.7152 * g! + 0.0722 * b!,
  "without long cones": ([r, g, b]: number[]) => 0.0344 * r! + 0.2781 * g! + 0.0364 * b!,
  "without medium cones": ([r, g, b]: number[]) => 0.178 * r! + 0.4352 * g! + 0.0412 * b!,
};

tests("every step of the colours is lighter than the one before, for the colour-blind too", () => {
  const ramp = mapOf([Array.from({ length: 65 }, (_, k) => k / 64)]);
  const pixels = colourise(ramp);
  for (const [who, luminance] of Object.entries(eyes)) {
    const seen = Array.from(ramp.values, (_, k) => luminance(Array.from(pixels.slice(3 * k, 3 * k + 3), linear)));
    assert.ok(seen.every((value, k) => k === 0 || value > seen[k - 1]!), who); // prettier-ignore
  }
  assert.ok(pixels[0]! < 20 && pixels.at(-3)! > 240);
});

tests("laid over a picture, heat shows its colour and cold shows the picture", () => {
  const picture = { pixels: Uint8Array.of(10, 20, 30, 40), shape: [2, 2, 1] } as const;
  const map = mapOf([[0, 0], [0, 1]]); // prettier-ignore
  const result = overlay(picture, map, { opacity: 1 });
  assert.equal([...result.subarray(0, 9)], [10, 10, 10, 20, 20, 20, 30, 30, 30]);
  assert.equal([...result.subarray(9)], [...colourise(mapOf([[1]]))]);
  const colour = { pixels: Uint8Array.of(1, 2, 3), shape: [1, 1, 3] } as const;
  assert.equal([...overlay(colour, mapOf([[1]]), { opacity: 0 })], [1, 2, 3]);
  const [half] = overlay({ pixels: Uint8Array.of(0), shape: [1, 1, 1] }, mapOf([[1]]), { opacity: 0.5 });
  assert.is(half, Math.round(colourise(mapOf([[1]]))[0]! / 2));
});

tests("what is no picture, or no opacity, is refused", () => {
  const map = mapOf([[1]]);
  assert.throws(() => overlay({ pixels: new Uint8Array(2), shape: [1, 1, 2] }, map), (e: unknown) => e instanceof ShapeError); // prettier-ignore
  assert.throws(() => overlay({ pixels: new Uint8Array(2), shape: [1, 1, 1] }, map), (e: unknown) => e instanceof ShapeError); // prettier-ignore
  assert.throws(() => overlay({ pixels: new Uint8Array(1), shape: [1, 1, 1] }, map, { opacity: 2 }), (e: unknown) => e instanceof OptionError); // prettier-ignore
});

tests.run();
