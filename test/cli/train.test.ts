/** `trama train` on data of one's own: tables and folders of pictures, their parts, and the guard against leaks. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeCsv, selectImages, syntheticGarments } from "../../src/data/index.ts";
import { eventsIn, Workplace, type Outcome } from "./command.ts";

const command = suite("command line: train");
let place: Workplace;

const { train: garments } = syntheticGarments({ trainCount: 160, testCount: 1, seed: 4 });
const range = (begin: number, end: number): number[] => Array.from({ length: end - begin }, (_, at) => begin + at);

function writeCsv(name: string, indices: readonly number[]): void {
  writeFileSync(join(place.folder, name), Buffer.concat([...encodeCsv(selectImages(garments, indices))]));
}

/** Plain squares, each class with its own brightness; every picture differs from all others. */
async function writeFolder(folder: string, classes: readonly string[], pictures: number, salt = 0): Promise<void> {
  for (const [k, name] of classes.entries()) {
    mkdirSync(join(place.folder, folder, name), { recursive: true });
    for (let n = 0; n < pictures; n++) {
      const pixels = Buffer.from(range(0, 64).map((at) => 60 * k + ((at * (n + 3) + salt) % 50)));
      const raw = { width: 8, height: 8, channels: 1 } as const;
      await sharp(pixels, { raw })
        .png()
        .toFile(join(place.folder, folder, name, `${n}.png`));
    }
  }
}

command.before(async () => {
  place = await Workplace.build();
  writeCsv("clothes-train.csv", range(0, 100));
  writeCsv("clothes-test.csv", range(100, 130));
  writeCsv("clothes-val.csv", range(130, 150));
  writeCsv("leaky-test.csv", [...range(100, 120), 7, 8]);
  writeCsv("all.csv", [...range(0, 60), ...range(0, 60)]);
  await writeFolder("pictures", ["bag", "coat", "shirt"], 10);
  await writeFolder("split/train", ["bag", "coat", "shirt"], 10);
  await writeFolder("split/test", ["bag", "coat"], 4, 17);
  await writeFolder("other/train", ["bag", "coat", "shirt"], 4);
  await writeFolder("other/test", ["bag", "shirt"], 4, 17);
});
command.after(() => place.remove());

const train = (...args: string[]): Promise<Outcome> =>
  place.trama(["train", "--model", "mlp", "--epochs", "1", "--json", ...args]);

async function countsOf(...args: string[]): Promise<Record<"training" | "validation" | "test", number>> {
  const { code, stdout, stderr } = await train(...args);
  assert.is(code, 0, stderr + stdout);
  const events = eventsIn(stdout);
  assert.ok(events.some(({ testAccuracy }) => typeof testAccuracy === "number"));
  return events.find(({ event }) => event === "begin")!["data"] as Record<"training" | "validation" | "test", number>;
}

async function refused(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const outcome = await train(...args);
  assert.is(outcome.code, code, outcome.stderr + outcome.stdout);
  assert.match(outcome.stderr, message);
  assert.not.match(outcome.stderr, /\n\s+at /, "no stack");
}

command("tables are used as their names say", async () => {
  const { training, validation, test } = await countsOf(
    "--csv",
    "clothes-test.csv",
    "clothes-train.csv",
    "clothes-val.csv",
  );
  assert.equal([training, validation, test], [100, 20, 30]);
});

command("what the data has not is set aside", async () => {
  const { training, validation, test } = await countsOf(
    "--csv",
    "clothes-train.csv",
    "--test",
    "0.3",
    "--validation",
    "0.1",
  );
  assert.equal([training, validation, test], [63, 7, 30]);
});

command("a leak between parts is refused, unless it is allowed and said", async () => {
  const leaky = ["--csv", "clothes-train.csv", "leaky-test.csv"];
  await refused(leaky, 1, /2 of 22 test images lie in the training part too.*test 20 is training 7.*--allow-leaks/);
  const { code, stderr } = await train(...leaky, "--allow-leaks");
  assert.is(code, 0, stderr);
  assert.match(stderr, /Warning: 2 of 22 test images lie in the training part too/);
});

command("one table that is divided here warns of images that it has twice", async () => {
  const { code, stderr } = await train("--csv", "all.csv");
  assert.is(code, 0, stderr);
  assert.match(stderr, /Warning: \d+ of 24 test images lie in the training part too/);
});

command("a folder of pictures; some of them, of every class; of another size", async () => {
  const { stdout, code, stderr } = await train(
    "--folder",
    "pictures",
    "--images",
    "15",
    "--size",
    "8x8",
    "--validation",
    "0",
  );
  assert.is(code, 0, stderr);
  const data = eventsIn(stdout).find(({ event }) => event === "begin")!["data"] as Record<string, unknown>;
  assert.equal([data["training"], data["validation"], data["test"]], [12, 0, 3]);
  assert.equal(data["classNames"], ["bag", "coat", "shirt"]);
});

command("folders of parts must number their classes alike", async () => {
  const { training, test } = await countsOf("--folder", "split", "--size", "8x8", "--validation", "0");
  assert.equal([training, test], [30, 8]); // the test part lacks the last class alone
  await refused(
    ["--folder", "other", "--size", "8x8"],
    1,
    /part "test": expected the classes bag, coat, shirt, got bag, shirt.*--classes "bag,coat,shirt"/,
  );
  const named = await countsOf(
    "--folder",
    "other",
    "--size",
    "8x8",
    "--validation",
    "0",
    "--classes",
    "bag,coat,shirt",
  );
  assert.equal([named.training, named.test], [12, 8]);
});

command("a picture that does not decode is named, the model is trained, and the exit code says so", async () => {
  await writeFolder("broken", ["bag", "coat"], 8);
  writeFileSync(join(place.folder, "broken/coat/3.png"), "no picture");
  const { code, stdout, stderr } = await train("--folder", "broken", "--size", "8x8");
  assert.is(code, 1);
  assert.match(stderr, /left out broken\/coat\/3\.png/);
  assert.ok(eventsIn(stdout).some((event) => event["event"] === "end" && event["saved"] !== null));
});

command("what cannot be meant is refused", async () => {
  await refused(
    ["--csv", "all.csv", "clothes-train.csv"],
    2,
    /names say train, validation or test.*got "all", "clothes-train"/,
  );
  await refused(["--csv", "clothes-test.csv"], 2, /a train part among them/);
  await refused(["--csv", "clothes-test.csv", "leaky-test.csv", "clothes-train.csv"], 2, /one test part/);
  await refused(["--csv", "clothes-train.csv", "--test", "0"], 2, /images to test on/);
  await refused(["--csv", "clothes-train.csv", "--synthetic"], 2, /cannot be used with/);
  const { code, stderr } = await place.trama(["train", "study.json", "--csv", "all.csv"]);
  assert.is(code, 2);
  assert.match(stderr, /an experiment file, and beside it .*got --csv/);
});

command.run();
