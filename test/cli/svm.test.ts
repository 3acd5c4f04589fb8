/** `trama svm` as users meet it: training, searching, judging, predicting, and what can go wrong. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawGarment } from "../../src/data/index.ts";
import { encodeSafetensors, parseSafetensors } from "../../src/weights/index.ts";
import { eventsIn, Workplace, type Outcome } from "./command.ts";

const command = suite("trama svm");

let place = null as unknown as Workplace;

command.before(async () => {
  place = await Workplace.build();
});

command.after(() => place.remove());

const SMALL = ["--synthetic", "--images", "300", "--workers", "1"];
const inFolder = (name: string): string => join(place.folder, name);

function refused({ code, stderr, stdout }: Outcome, expected: number, message: RegExp): void {
  assert.is(code, expected, stderr + stdout);
  assert.match(stderr, message);
  assert.not.match(stderr, /\n\s+at /, "no stack");
  assert.match(stderr, /^trama: /m);
}

/** Sends Ctrl-C once, when `due` says so. */
function interruptWhen(due: (stdout: string, stderr: string) => boolean) {
  let sent = false;
  return (stdout: string, stderr: string) => {
    if (sent || !due(stdout, stderr)) return undefined;
    sent = true;
    return "SIGINT" as const;
  };
}

for (const name of ["train", "grid", "evaluate", "predict"]) {
  command(`${name} --help`, async () => {
    const { code, stdout } = await place.trama(["svm", name, "--help"]);
    assert.is(code, 0);
    assert.match(stdout, new RegExp(`Usage: trama svm ${name}`));
    assert.match(stdout, /--json/);
  });
}

command("train for people: everything that must be said, and the accuracy last", async () => {
  const { code, stdout, stderr } = await place.trama(["svm", "train", ...SMALL]);
  assert.is(code, 0, stderr);
  const wanted = [
    /SYNTHETIC DATA/,
    /300 images to train on · 200 to test · 10 classes/,
    /^Features {2}HOG with 9 orientations · cells of 4×4 · blocks of 2×2 · L2-Hys · 1,296 features$/m,
    /^Machine {3}rbf SVM · C 10 · gamma scale · kernel cache 512 MiB · seed 42$/m,
    /\d+ support vectors · 45 two-class problems/,
    /features \d+\.\d s · training \d+\.\d s · testing \d+\.\d s/,
    /^Memory {4}[\d.]+ [MG]iB/m,
    /runs\/svm\.safetensors \([\d.]+ MB\)/,
    /^Baseline accuracy: 0\.1000/m,
  ];
  for (const part of wanted) assert.match(stdout, part);
  assert.match(stdout, /\nTest accuracy: 0\.\d{4}\n$/);
});

command("train --json, and the same model with any number of workers", async () => {
  const args = ["svm", "train", "--synthetic", "--images", "200", "--preset", "tuned", "--cell", "7"];
  const { code, stdout, stderr } = await place.trama([...args, "--json", "--workers", "2", "--out", "a.safetensors"]);
  assert.is(code, 0, stderr);
  const events = eventsIn(stdout);
  const [begin, end] = [events[0]!, events.at(-1)!];
  assert.equal([begin["event"], end["event"]], ["begin", "end"]);
  assert.is(begin["features"], 3 * 3 * 2 * 2 * 12);
  const { classifier } = begin["options"] as { classifier: object };
  assert.equal((classifier as { kernel: object }).kernel, { type: "rbf", gamma: 0.1 });
  assert.ok((end["testAccuracy"] as number) > 0.5);
  assert.ok((end["supportVectors"] as number) > 10 && (end["peakBytes"] as number) > 1e7);
  const quiet = await place.trama([...args, "--quiet", "--workers", "1", "--out", "b.safetensors"]);
  assert.match(quiet.stdout, /^Test accuracy: 0\.\d{4}\n$/);
  const [a, b] = ["a", "b"].map((name) => readFileSync(inFolder(`${name}.safetensors`)));
  assert.ok(a!.equals(b!));
  assert.ok(parseSafetensors(a!, "a").tensors.has("support_vectors"));
});

const LINEAR = "linear.safetensors";

command("evaluate: what training said, baseline and the recall of every class", async () => {
  const trained = await place.trama([
    "svm",
    "train",
    ...SMALL,
    "--kernel",
    "linear",
    "--scale",
    "--out",
    LINEAR,
    "--json",
  ]);
  assert.is(trained.code, 0, trained.stderr);
  const said = eventsIn(trained.stdout).at(-1)!["testAccuracy"] as number;
  const judged = await place.trama(["svm", "evaluate", LINEAR, "--synthetic", "--images", "200", "--json"]);
  const result = eventsIn(judged.stdout).at(-1) as unknown as {
    accuracy: number;
    baseline: number;
    seconds: number;
    classes: { images: number; recall: number }[];
  };
  assert.is(result.accuracy, said);
  const hits = result.classes.reduce((sum, { images, recall }) => sum + images * recall, 0);
  assert.ok(Math.abs(hits / 200 - said) < 1e-9, "recalls agree with the accuracy");
  assert.ok(result.baseline >= 0.1 && result.seconds > 0);
  const newest = await place.trama(["svm", "evaluate", "--synthetic", "--images", "200"]);
  assert.match(newest.stdout, /runs\/svm\.safetensors · rbf SVM with \d+ support vectors/);
  assert.match(newest.stdout, /^Ankle boot +20 +\d\.\d{4}/m);
});

async function picture(name: string, label: number): Promise<string> {
  await sharp(drawGarment(label, 7), { raw: { width: 28, height: 28, channels: 1 } })
    .resize(140, 140, { kernel: "nearest" })
    .toFile(inFolder(name));
  return name;
}

command("predict: votes, scores or probabilities, and what is no picture is named", async () => {
  const files = [await picture("bag.png", 8), await picture("trouser.png", 1)];
  writeFileSync(inFolder("broken.png"), "no picture");
  const outcome = await place.trama(["svm", "predict", ...files, "broken.png"]);
  refused(outcome, 1, /skipped broken\.png: expected a picture/);
  assert.match(outcome.stdout, /^bag\.png +Bag 9 votes/m);
  assert.match(outcome.stderr, /synthetic garments only/);

  const linear = await place.trama(["svm", "predict", ...files, "--model", LINEAR, "--json", "--top", "2"]);
  assert.is(linear.code, 0, linear.stderr);
  const answers = eventsIn(linear.stdout).filter(({ event }) => event === "prediction");
  for (const { measure, top } of answers as unknown as { measure: string; top: { value: number }[] }[]) {
    assert.is(measure, "score");
    assert.is(top.length, 2);
    assert.ok(top[0]!.value >= top[1]!.value);
  }

  const small = ["--synthetic", "--images", "100", "--cell", "7", "--probability", "--out", "sure.safetensors"];
  const sure = await place.trama(["svm", "train", ...small, "--quiet"]);
  assert.is(sure.code, 0, sure.stderr);
  const text = await place.trama(["svm", "predict", ...files, "--model", "sure.safetensors"]);
  assert.match(text.stdout, /^trouser\.png +Trouser \d+\.\d %/m);
});

command("grid: table, heat map, Markdown, and a space from a file", async () => {
  writeFileSync(inFolder("space.json"), '{"C": [1, 10], "cell": 14, "block": [1, 2]}');
  const args = ["svm", "grid", ...SMALL, "--space", "space.json", "--folds", "2"];
  const people = await place.trama([...args, "--markdown", "grid.md"]);
  assert.is(people.code, 0, people.stderr);
  assert.match(people.stdout, /4 candidates · 2 folds · 8 trainings · seed 42/);
  assert.match(people.stdout, /^fold 8 of 8 done$/m);
  assert.match(people.stdout, /^# +block +C +accuracy +± +support vectors +train s +predict s$/m);
  assert.match(people.stdout, /^C \\ block|^block \\ C/m);
  assert.match(people.stdout, /\nBest accuracy: 0\.\d{4} ± 0\.\d{4}\n$/);
  assert.is(readFileSync(inFolder("grid.md"), "utf8").trim().split("\n").length, 6);

  const events = eventsIn((await place.trama([...args, "--json"])).stdout);
  const candidates = events.filter(({ event }) => event === "candidate") as unknown as { mean: number; rank: number }[];
  assert.equal(
    candidates.map(({ rank }) => rank),
    [1, 2, 3, 4],
  );
  assert.ok(candidates[0]!.mean >= candidates[3]!.mean);
  const map = events.find(({ event }) => event === "heatMap") as unknown as { values: number[] };
  assert.is(Math.max(...map.values), candidates[0]!.mean);
});

command("Ctrl-C stops a search; --resume goes on, and comes to what an undisturbed one comes to", async () => {
  const args = ["svm", "grid", ...SMALL, "--C", "1,10", "--cell", "7,4", "--folds", "3", "--state", "state.json"];
  const onOutput = interruptWhen((stdout) => stdout.includes("fold 2 of 12"));
  const stopped = await place.trama(args, { onOutput });
  refused(stopped, 1, /an interruption; \d+ of 12 folds are kept in state\.json; .*--resume/);
  const { state } = JSON.parse(readFileSync(inFolder("state.json"), "utf8")) as { state: { scores: unknown[][] } };
  const kept = state.scores.flat().filter((score) => score !== null).length;
  assert.ok(kept >= 2 && kept < 12, `${kept} folds`);

  refused(await place.trama(args), 2, /got an unfinished one, \d+ of 12 folds done; add --resume/);
  refused(await place.trama([...args, "--C", "1,20", "--resume"]), 2, /got that of another/);
  const resumed = await place.trama([...args, "--resume"]);
  assert.match(resumed.stdout, new RegExp(`resumed: ${kept} are done`));
  const whole = await place.trama([...args.slice(0, -1), "other.json", "--quiet"]);
  const best = (text: string) => /Best accuracy: .*/.exec(text)?.[0];
  assert.ok(best(whole.stdout));
  assert.is(best(resumed.stdout), best(whole.stdout));
});

command("Ctrl-C stops training, says so, and leaves no file", async () => {
  const long = ["--synthetic", "--images", "600", "--C", "1000", "--tolerance", "1e-9", "--probability"];
  const onOutput = interruptWhen((stdout) => stdout.includes("Machine"));
  const outcome = await place.trama(["svm", "train", ...long, "--out", "never/model.safetensors"], { onOutput });
  refused(outcome, 1, /svm train: .*an interruption before the machine was trained; nothing was saved/);
  assert.match(outcome.stderr, /Stopping/);
  assert.not(existsSync(inFolder("never/model.safetensors")));
});

for (const [what, args, message] of [
  ["C of nothing", ["train", "--C", "0"], /number above 0/],
  ["a gamma that is none", ["train", "--gamma", "wide"], /number above 0/],
  ["a norm that there is not", ["train", "--norm", "L3"], /Allowed choices are L1, L1-sqrt, L2, L2-Hys/],
  [
    "probabilities of a linear machine",
    ["train", "--kernel", "linear", "--probability"],
    /rbf, poly or sigmoid, got linear/,
  ],
  ["one value of a list", ["grid", "--C", "1,-1"], /number above 0/],
  ["a folder as output", ["train", ...SMALL, "--out", "."], /--out \.: .*got a folder/],
  ["no picture", ["predict"], /missing required argument 'image'/],
] as const) {
  command(`wrong usage is exit code 2: ${what}`, async () => refused(await place.trama(["svm", ...args]), 2, message));
}

command("bad files and impossible features are refused in a line", async () => {
  const bytes = new Uint8Array(4);
  const pieces = encodeSafetensors([{ name: "w", dtype: "F32", shape: [1], bytes }], { trama: "{}" });
  mkdirSync(inFolder("runs"), { recursive: true });
  writeFileSync(inFolder("runs/network.safetensors"), Buffer.concat(pieces));
  writeFileSync(inFolder("bad.json"), '{"C": [1, "much"]}');
  writeFileSync(inFolder("odd.json"), '{"colour": [1]}');
  const network = await place.trama(["svm", "evaluate", "runs/network.safetensors", "--synthetic"]);
  refused(network, 1, /an SVM that `trama svm train` saved, got a network; use `trama evaluate`/);
  for (const args of [
    ["evaluate", LINEAR],
    ["predict", "bag.png", "--model", LINEAR],
  ]) {
    refused(await place.trama(args), 1, /got a support vector machine; use `trama svm evaluate`/);
  }
  const cut = readFileSync(inFolder(LINEAR)).subarray(0, -8);
  writeFileSync(inFolder("cut.safetensors"), cut);
  refused(await place.trama(["svm", "evaluate", "cut.safetensors"]), 1, /cut\.safetensors/);
  for (const damage of [{ image: {} }, { features: "pixels" }, { classifier: { type: "svc" } }]) {
    const { tensors, metadata } = parseSafetensors(readFileSync(inFolder(LINEAR)), LINEAR);
    const record = JSON.parse(metadata["trama-svm"]!) as { config: object };
    Object.assign(record.config, damage);
    const damaged = encodeSafetensors([...tensors.values()], { "trama-svm": JSON.stringify(record) });
    writeFileSync(inFolder("damaged.safetensors"), Buffer.concat(damaged));
    refused(
      await place.trama(["svm", "predict", "bag.png", "--model", "damaged.safetensors"]),
      1,
      /expected a whole SVM/,
    );
  }
  refused(await place.trama(["svm", "train", ...SMALL, "--cell", "20"]), 1, /picture of at least 40×40/);
  refused(await place.trama(["svm", "grid", "--space", "bad.json"]), 2, /bad\.json, "C": expected a number above 0/);
  refused(await place.trama(["svm", "grid", "--space", "odd.json"]), 2, /keys among features, .*got "colour"/);
  refused(await place.trama(["svm", "grid", ...SMALL, "--resume", "--state", "none.json"]), 1, /no such file/);
});

command.run();
