/** `trama data` as users type it: every form in, every form out, and what is wrong said. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  imageDataset,
  loadCsv,
  loadImageFolder,
  parseIdx,
  selectImages,
  encodeCsv,
  syntheticGarments,
  type ImageDataset,
} from "../../src/data/index.ts";
import { eventsIn, Workplace, type Outcome } from "./command.ts";

const command = suite("command line: data");
let place: Workplace;

/** 60 garments; the last five are the first five again, and the last of those has another label. */
const { train: garments } = syntheticGarments({ trainCount: 60, testCount: 1, seed: 4 });
const train: ImageDataset = (() => {
  const { images, labels, shape, classNames, origin, synthetic, split } = selectImages(garments, [
    ...Array.from({ length: 55 }, (_, at) => at),
    0,
    1,
    2,
    3,
    4,
  ]);
  const changed = labels.slice();
  changed[59] = (changed[59]! + 1) % 10;
  return imageDataset({ images, labels: changed, shape, classNames, origin, synthetic, split });
})();
const held = selectImages(garments, [55, 56, 57, 2], "test");

command.before(async () => {
  place = await Workplace.build();
  writeFileSync(join(place.folder, "train.csv"), Buffer.concat([...encodeCsv(train)]));
  writeFileSync(join(place.folder, "test.csv"), Buffer.concat([...encodeCsv(held)]));
  writeFileSync(join(place.folder, "fresh.csv"), Buffer.concat([...encodeCsv(selectImages(garments, [58, 59]))]));
});
command.after(() => place.remove());

const CSV = ["--csv", "train.csv", "test.csv", "--classes", "fashion"];

async function fine(args: readonly string[]): Promise<Outcome> {
  const outcome = await place.trama(["data", ...args]);
  assert.is(outcome.code, 0, outcome.stderr + outcome.stdout);
  return outcome;
}

async function refused(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const outcome = await place.trama(["data", ...args]);
  assert.is(outcome.code, code, outcome.stderr + outcome.stdout);
  assert.match(outcome.stderr, message);
  assert.not.match(outcome.stderr, /\n\s+at /, "no stack");
}

command("stats: parts side by side, weights for rare classes, pixels class by class", async () => {
  const { stdout } = await fine(["stats", ...CSV, "--pixels"]);
  assert.match(stdout, /class +train +test +balanced weight/);
  assert.match(stdout, /in all +60 +4/);
  assert.match(stdout, /Pixels of test/);
  assert.match(stdout, /^ +0–15 +\d+\.\d %  █/m);
  const [stats] = eventsIn((await fine(["stats", ...CSV, "--json"])).stdout);
  const parts = stats!["parts"] as { name: string; counts: number[]; weights: number[] | null; histogram: number[] }[];
  assert.equal(
    parts.map(({ name }) => name),
    ["train", "test"],
  );
  const [first, second] = parts;
  first!.weights!.forEach((weight, label) => assert.ok(Math.abs(weight * first!.counts[label]! - 6) < 1e-9));
  assert.is(second!.weights, null, "not every class occurs in so few images");
  assert.is(
    first!.histogram.reduce((sum, times) => sum + times, 0),
    60 * 784,
  );
  assert.match((await fine(["stats", ...CSV, "--groups", "--language", "es"])).stdout, /Calzado/);
});

command("info and show", async () => {
  const { stdout } = await fine(["info", ...CSV]);
  assert.match(
    stdout,
    /^train +60 images · 28 × 28 × 1 bytes, 47\.0 KB in all · 10 classes · train part of train\.csv/m,
  );
  const [image] = eventsIn((await fine(["show", "3", "--part", "test", ...CSV, "--json"])).stdout);
  assert.equal(image!["pixels"], [...garments.images.subarray(2 * 784, 3 * 784)]);
  assert.is(image!["class"], garments.classNames[garments.labels[2]!]);
  const numbers = (await fine(["show", "0", ...CSV, "--numbers", "--quiet"])).stdout;
  assert.equal(numbers.trim().split(/\s+/).map(Number), [...train.images.subarray(0, 784)]);
  assert.match((await fine(["show", "0", ...CSV])).stdout, /^│.{56}│$/m);
  await refused(["show", "60", ...CSV], 2, /0 to 59 in train, got 60/);
  await refused(["show", "0", "--part", "best", ...CSV], 2, /--part: expected train, test, got best/);
});

command("grid: as PNG and as SVG, with names", async () => {
  await fine(["grid", ...CSV, "--rows", "2", "--columns", "3", "--out", "sheets/grid.png"]);
  const { width, height } = await sharp(join(place.folder, "sheets/grid.png")).metadata();
  assert.equal([width, height], [12 + 3 * 96, 12 + 2 * 114]);
  const { stdout } = await fine([
    "grid",
    ...CSV,
    "--of",
    "average",
    "--part",
    "test",
    "--out",
    "average.svg",
    "--json",
  ]);
  const [event] = eventsIn(stdout);
  const svg = readFileSync(join(place.folder, "average.svg"), "utf8");
  const names = [...new Set(held.labels)].sort((a, b) => a - b).map((label) => held.classNames[label]);
  assert.equal(
    [...svg.matchAll(/<text [^>]+>([^<]+)</g)].map(([, text]) => text),
    names,
  );
  assert.is((event!["indices"] as number[]).length, names.length);
  await refused(["grid", ...CSV, "--out", "grid.jpg"], 2, /ends in \.png or \.svg/);
});

command("duplicates: copies, wrong labels and leaks; --strict fails", async () => {
  const { stdout } = await fine(["duplicates", ...CSV]);
  assert.match(stdout, /train +60 +5 +0/);
  assert.match(stdout, /Leak: of 4 test images, 1 are in train as well/);
  assert.match(stdout, /1 groups hold different labels/);
  assert.match(stdout, /exact +1\.00000 +train 2, train 57, test 3/);
  const [report] = eventsIn((await fine(["duplicates", ...CSV, "--no-near", "--json"])).stdout);
  assert.equal(report!["leaks"], [{ from: "train", to: "test", exact: 1, near: 0 }]);
  assert.is((report!["exact"] as unknown[]).length, 5);
  await refused(["duplicates", ...CSV, "--strict"], 1, /leak from train to test: expected at most 0 exact/);
  assert.match((await fine(["duplicates", "--csv", "test.csv", "fresh.csv"])).stdout, /No part shares an image/);
});

command("export: CSV, IDX and PNG files hold what was put in", async () => {
  await fine(["export", ...CSV, "--to", "csv", "--out", "out/csv", "--part", "train", "--no-header"]);
  const csv = await loadCsv(join(place.folder, "out/csv/train.csv"));
  assert.equal([csv.images, csv.labels], [train.images, train.labels]);
  await fine(["export", ...CSV, "--to", "idx", "--out", "out/idx"]);
  const idx = parseIdx(new Uint8Array(readFileSync(join(place.folder, "out/idx/t10k-images-idx3-ubyte"))));
  assert.equal([idx.shape, idx.data], [[4, 28, 28], held.images]);
  await fine(["export", ...CSV, "--to", "png", "--out", "out/png"]);
  const classNames = garments.classNames;
  const { dataset, paths } = await loadImageFolder(join(place.folder, "out/png/train"), { classNames });
  assert.is(dataset.count, 60);
  paths.forEach((path, row) => {
    const index = Number(/(\d+)\.png$/.exec(path)![1]);
    assert.is(dataset.labels[row], train.labels[index]);
    assert.equal(
      dataset.images.subarray(row * 784, (row + 1) * 784),
      train.images.subarray(index * 784, (index + 1) * 784),
    );
  });
  await refused(["export", ...CSV, "--to", "csv", "--out", "out/csv"], 2, /expected an empty or new folder/);
  await fine(["export", ...CSV, "--to", "csv", "--out", "out/csv", "--force"]);
  // The exported folders are a data set of two parts.
  const [, info] = eventsIn((await fine(["info", "--folder", "out/png", "--classes", "fashion", "--json"])).stdout);
  assert.is(info!["name"], "train");
});

command("a picture that does not decode is named, left out, and costs the exit code", async () => {
  mkdirSync(join(place.folder, "photos/bag"), { recursive: true });
  writeFileSync(join(place.folder, "photos/bag/broken.jpg"), "no picture");
  const white = sharp({ create: { width: 50, height: 40, channels: 3, background: "white" } });
  writeFileSync(join(place.folder, "photos/bag/fine.png"), await white.png().toBuffer());
  const args = ["data", "stats", "--folder", "photos", "--invert", "auto"];
  const { code, stdout, stderr } = await place.trama(args);
  assert.is(code, 1);
  assert.match(stderr, /^trama: left out photos\/bag\/broken\.jpg: /m);
  assert.match(stdout, /photos: 1 of 2 pictures left out · 1 inverted/);
  assert.match(stdout, /in all +1$/m);
  const [report] = eventsIn((await place.trama([...args, "--json"])).stdout);
  assert.is((report!["failed"] as { path: string }[])[0]!.path, "bag/broken.jpg");
});

command("wrong usage and wrong files", async () => {
  writeFileSync(join(place.folder, "wrong.csv"), "1,2,3,4,5\n1,2,3,4,999\n");
  await refused(["stats", "--csv", "wrong.csv"], 1, /wrong\.csv, line 2, column 5/);
  await refused(["stats", "--csv", "none.csv"], 1, /none\.csv: .*no such file/);
  await refused(["stats", "--folder", "none"], 1, /none: expected to list the folder/);
  await refused(["stats", "--csv", "train.csv", "--folder", "photos"], 2, /cannot be used with/);
  await refused(["stats", "--csv", "train.csv", "--csv", "train.csv"], 1, /"train" twice/);
  await refused(["stats", "--folder", "photos", "--size", "big"], 2, /--size: expected height and width/);
});

command("--help lists what there is", async () => {
  const { stdout } = await fine(["--help"]);
  for (const name of ["fetch", "verify", "info", "stats", "show", "grid", "duplicates", "export"]) {
    assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  }
  assert.match((await fine(["grid", "--help"])).stdout, /--csv.*\n[^]*--folder/);
});

command("normalisation draws before and after, with the part's own mean and deviation", async () => {
  const args = ["normalisation", "3", ...CSV, "--part", "train", "--out", "out/normalisation.svg", "--json"];
  const event = eventsIn((await fine(args)).stdout).at(-1)!;
  const pixels = Array.from(train.images);
  const mean = pixels.reduce((sum, pixel) => sum + pixel, 0) / pixels.length;
  assert.ok(Math.abs((event["normalisation"] as { mean: number }).mean - mean) < 1e-9);
  assert.match(readFileSync(join(place.folder, "out/normalisation.svg"), "utf8"), /train, image 3/);
  await refused(["normalisation", "999", ...CSV], 2, /an image from 0 to 59, got 999/);
  await refused(["normalisation", ...CSV, "--mode", "torch"], 2, /a normalisation of 1 channels/);
});

command.run();
