/** Sheets of pictures: the pixels are those of the data, and verdicts are told by signs as well as by colours. */
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { averageImages, imageDataset, syntheticGarments, type Picture } from "../../src/data/index.ts";
import { DataError, OptionError } from "../../src/errors.ts";
import {
  answerTile,
  averageTiles,
  byConfidence,
  pictureAt,
  pictureGrid,
  pixelView,
  renderPng,
  sampleTiles,
  shadesOf,
} from "../../src/report/index.ts";
import { collisions, outcasts, sizeOf, wordsIn } from "./svgText.ts";

const test = suite("pictures of data");
const { train } = syntheticGarments({ trainCount: 40, testCount: 10, seed: 3 });

/** What the nth picture in a sheet really holds. */
async function pixelsIn(svg: string, nth: number): Promise<Buffer> {
  const png = Array.from(svg.matchAll(/data:image\/png;base64,([^"]+)"/g), ([, data]) => data!)[nth]!;
  return sharp(Buffer.from(png, "base64")).greyscale().raw().toBuffer();
}

test("a sheet has the pixels of the data and the names of their classes, class by class", async () => {
  const tiles = sampleTiles(train, 25);
  assert.equal(
    tiles.slice(0, 12).map(({ lines }) => lines[0]),
    [...train.classNames, ...train.classNames].slice(0, 12),
  );
  const svg = await pictureGrid(tiles, { title: "Samples" });
  assert.is(Array.from(svg.matchAll(/<image /g)).length, 25);
  const third = train.labels.indexOf(2);
  assert.equal([...(await pixelsIn(svg, 2))], [...train.images.subarray(third * 784, (third + 1) * 784)]);
  const words = wordsIn(svg);
  assert.equal([collisions(words), outcasts(svg, words)], [[], []]);
});

test("average images are averages, and classes without images are left out", async () => {
  const some = imageDataset({
    images: Uint8Array.from([0, 100, 50, 200, 255, 255]),
    labels: Uint8Array.from([2, 2, 0]),
    shape: [1, 2, 1],
    classNames: ["a", "none", "b"],
    origin: "a test",
    synthetic: false,
    split: "train",
  });
  const tiles = averageTiles(some);
  assert.equal(
    tiles.map(({ lines }) => lines),
    [
      ["a", "1 images"],
      ["b", "2 images"],
    ],
  );
  assert.equal([...tiles[1]!.picture.pixels], [25, 150]);
  const own = averageImages(train).subarray(0, 784);
  assert.ok(averageTiles(train)[0]!.picture.pixels.every((value, at) => Math.abs(value - own[at]!) <= 0.5));
});

test("answers are sorted by confidence, right and wrong apart", () => {
  const answers = { truth: [0, 1, 1, 0, 1], predicted: [0, 1, 0, 1, 1], confidence: [0.6, 0.9, 0.7, 0.8, 0.9] };
  assert.equal(byConfidence(answers, "right"), [1, 4, 0]);
  assert.equal(byConfidence(answers, "wrong"), [3, 2]);
});

test("right has a tick, wrong has a cross and says what it is", async () => {
  const picture = pictureAt(train, 0);
  const right = answerTile(picture, { answer: "Bota", truth: "Bota" }, 0.876);
  const wrong = answerTile(picture, { answer: "Bota", truth: "Tênis" }, 0.5);
  assert.equal([right.lines, wrong.lines], [["88 % Bota"], ["50 % Bota", "is Tênis"]]);
  const [ticks, crosses] = await Promise.all([right, wrong].map((tile) => pictureGrid([tile], { title: "x" })));
  const signs = (svg: string) => Array.from(svg.matchAll(/<path d="[^"]*?(m[^"]+)"/g), ([, mark]) => mark);
  assert.is(signs(ticks!).length, 1);
  assert.not.equal(signs(ticks!), signs(crosses!));
  assert.match(crosses!, /aria-label="x: wrong, 50 % Bota, is Tênis"/);
});

test("long names are cut where the next picture begins", async () => {
  const tile = answerTile(
    pictureAt(train, 0),
    { answer: "Um nome muito comprido", truth: "Outro nome ainda mais comprido" },
    1,
  );
  const svg = await pictureGrid([tile, tile, tile], {
    title: "Um título que não cabe em três quadros, de tão comprido",
  });
  const words = wordsIn(svg);
  assert.equal([collisions(words), outcasts(svg, words)], [[], []]);
  assert.match(svg, /<title>is Outro nome ainda mais comprido<\/title>/);
});

test("large pictures become small ones of the same proportions", () => {
  const large = imageDataset({
    ...train,
    images: new Uint8Array(400 * 200 * 3).fill(77),
    labels: Uint8Array.of(1),
    shape: [400, 200, 3],
  });
  const { shape, pixels } = pictureAt(large, 0);
  assert.equal(shape, [96, 48, 3]);
  assert.ok(pixels.every((value) => value === 77));
});

test("numbers become shades from the least to the greatest", () => {
  assert.equal([...shadesOf([-1, 0, 1], [1, 3, 1]).pixels], [0, 128, 255]);
  assert.equal([...shadesOf([5, 5, 5], [1, 3, 1]).pixels], [0, 0, 0]);
  assert.equal([...shadesOf([-1, 0, 9], [1, 3, 1], { low: 0, high: 2 }).pixels], [0, 0, 255]);
  assert.throws(
    () => shadesOf([1], [1, 3, 1]),
    (error: unknown) => error instanceof DataError,
  );
});

test("one image as numbers: every pixel has its own, and the bar goes from 0 to 255", async () => {
  const picture: Picture = { pixels: Uint8Array.from([0, 7, 128, 255, 64, 33]), shape: [2, 3, 1] };
  const svg = await pixelView(picture, { title: "Some pixels", numbers: true });
  const texts = wordsIn(svg).map(({ text }) => text);
  for (const value of ["7", "33", "191"]) assert.ok(texts.includes(value), value);
  assert.is(texts.filter((text) => text === "255").length, 2, "as a pixel and at the bar");
  assert.equal(collisions(wordsIn(await pixelView(pictureAt(train, 0), { title: "x", numbers: true }))), []);
  const [width, height] = sizeOf(svg);
  const { info } = await sharp(await renderPng(svg, { scale: 1 })).toBuffer({ resolveWithObject: true });
  assert.equal([info.width, info.height], [width, height]);
  const large: Picture = { pixels: new Uint8Array(100 * 100), shape: [100, 100, 1] };
  try {
    await pixelView(large, { title: "x", numbers: true });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, OptionError);
  }
});

test("a sheet without pictures is refused", async () => {
  const error: unknown = await pictureGrid([], { title: "x" }).catch((cause: unknown) => cause);
  assert.instance(error, DataError);
});

test.run();
