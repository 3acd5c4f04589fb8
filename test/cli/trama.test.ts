/** The command line as users meet it: help, training, using what was trained, and everything that can go wrong. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawGarment } from "../../src/data/index.ts";
import { textWidth } from "../../src/report/index.ts";
import { parseSafetensors } from "../../src/weights/index.ts";
import { copyPackage, eventsIn, Workplace, type Outcome } from "./command.ts";

const command = suite("command line");

let place = null as unknown as Workplace;

command.before(async () => {
  place = await Workplace.build();
});

command.after(() => place.remove());

const SMALL = ["--synthetic", "--images", "512", "--epochs", "1"];

/** The exit code is right, and the error is one line that says what to do. */
function refused({ code, stderr, stdout }: Outcome, expected: number, message: RegExp): void {
  assert.is(code, expected, stderr + stdout);
  assert.match(stderr, message);
  assert.not.match(stderr, /\n\s+at /, "no stack");
  assert.match(stderr, /^trama: /m);
}

command("--help lists every command, the environment and the exit codes", async () => {
  const { code, stdout, stderr } = await place.trama(["--help"]);
  assert.is(code, 0);
  assert.is(stderr, "");
  for (const word of ["train", "evaluate", "predict", "data", "doctor", "TRAMA_ADAPTER", "TRAMA_DATA", "Exit codes"]) {
    assert.ok(stdout.includes(word), word);
  }
});

for (const name of ["train", "evaluate", "predict", "doctor", "data fetch", "data verify", "data stats"]) {
  command(`${name} --help`, async () => {
    const { code, stdout } = await place.trama([...name.split(" "), "--help"]);
    assert.is(code, 0);
    assert.match(stdout, new RegExp(`Usage: trama ${name}`));
    assert.match(stdout, /--json/);
  });
}

command("--version is the package's", async () => {
  const manifest = readFileSync(join(import.meta.dirname, "../../package.json"), "utf8");
  assert.is((await place.trama(["--version"])).stdout, `${(JSON.parse(manifest) as { version: string }).version}\n`);
});

for (const [what, args, message] of [
  [
    "an unknown option, with a suggestion",
    ["train", "--epoch", "3"],
    /unknown option '--epoch'\n\(Did you mean --epochs\?\)/,
  ],
  ["an unknown command, with a suggestion", ["trian"], /Did you mean train\?/],
  ["a value out of range", ["train", "--epochs", "0"], /whole number of at least 1/],
  ["a value that is no number", ["train", "--learning-rate", "fast"], /number above 0/],
  ["a choice that there is not", ["train", "--optimizer", "lion"], /Allowed choices are adam, sgd/],
  ["options that contradict each other", ["train", "--synthetic", "--data", "x"], /cannot be used with/],
  ["a missing argument", ["predict"], /missing required argument 'image'/],
  ["an argument too many", ["doctor", "now"], /too many arguments/],
  ["a folder as output", ["train", ...SMALL, "--out", "."], /--out \.: .*got a folder/],
  [
    "a place that cannot be written",
    ["train", ...SMALL, "--out", "/proc/none/model.safetensors"],
    /--out .*give another place/,
  ],
] as const) {
  command(`wrong usage is exit code 2: ${what}`, async () => refused(await place.trama(args), 2, message));
}

command("doctor lists adapters, the choice and its reason", async () => {
  const { code, stdout } = await place.trama(["doctor", "--json"]);
  assert.is(code, 0);
  const [report, ...rest] = eventsIn(stdout);
  assert.is(rest.length, 0);
  const { adapters, chosen, versions } = report as {
    adapters: { name: string; kind: string; features: string[]; limits: Record<string, number> }[];
    chosen: { name: string; reason: string };
    versions: Record<string, string>;
  };
  assert.ok(adapters.some(({ name }) => name === chosen.name));
  assert.ok(adapters.every(({ limits }) => limits["maxBufferSize"]! > 0));
  assert.ok(chosen.reason.length > 0);
  assert.is(versions["node"], process.versions.node);
  assert.match(versions["webgpu"]!, /^\d/);
  const text = await place.trama(["doctor"]);
  assert.match(text.stdout, /chosen/);
  assert.match(text.stdout, new RegExp(chosen.name.replace(/[()]/g, "\\$&")));
});

command("an unknown adapter is refused with the list of those there are", async () => {
  refused(await place.trama(["train", ...SMALL, "--adapter", "nonsense"]), 1, /answers to "nonsense", got .+;/);
});

command("train --json: begin, epochs, end, and nothing else on stdout", async () => {
  const { code, stdout, stderr } = await place.trama(["train", ...SMALL, "--json"]);
  assert.is(code, 0, stderr);
  const [begin, epoch, end, ...rest] = eventsIn(stdout);
  assert.equal([begin!["event"], epoch!["event"], end!["event"], rest.length], ["begin", "epoch", "end", 0]);
  assert.is((begin!["model"] as { parameters: number }).parameters, 474_590);
  assert.is((begin!["data"] as { synthetic: boolean }).synthetic, true);
  assert.is(epoch!["epoch"], 1);
  assert.ok((end!["testAccuracy"] as number) > (end!["baseline"] as number));
  assert.is(end!["saved"], "runs/convnet.safetensors");
  assert.equal(readdirSync(join(place.folder, "runs")), ["convnet.run.json", "convnet.safetensors"]);
});

command("train for people: everything that must be said, and the accuracy last", async () => {
  const { code, stdout } = await place.trama(["train", ...SMALL, "--model", "mlp", "--out", "new/mlp.safetensors"]);
  assert.is(code, 0);
  const wanted = [
    /^Adapter {3}.+/m,
    /chosen: /,
    /SYNTHETIC DATA/,
    /486 images to train on · 26 to validate · 200 to test/,
    /203,530/,
    /^Epoch 1\/1 · .* loss \d\.\d{4} · accuracy 0\.\d{4} · validation loss/m,
    /images\/s/,
    /first step after/,
    /^test +\d\.\d{4} +0\.\d{4}$/m,
    /^baseline +0\.1000/m,
    /new\/mlp\.safetensors \(\d+\.\d KB\)/,
  ];
  for (const part of wanted) assert.match(stdout, part);
  assert.match(stdout, /\nTest accuracy: 0\.\d{4}\n$/);
  assert.ok(existsSync(join(place.folder, "new/mlp.safetensors")));
});

command("equal seeds give equal models, and --quiet prints the result only", async () => {
  const small = ["--synthetic", "--images", "128", "--epochs", "1", "--quiet", "--validation", "0"];
  const { stdout } = await place.trama(["train", ...small, "--out", "a.safetensors"]);
  assert.match(stdout, /^Test accuracy: 0\.\d{4}\n$/);
  await place.trama(["train", ...small, "--out", "b.safetensors"]);
  const [a, b] = ["a", "b"].map((name) => readFileSync(join(place.folder, `${name}.safetensors`)));
  assert.ok(a!.equals(b!));
});

const model = "runs/convnet.safetensors";

command("evaluate: loss, accuracy, baseline and a report of every class", async () => {
  const args = ["evaluate", model, "--synthetic", "--images", "200"];
  const [result] = eventsIn((await place.trama([...args, "--json"])).stdout);
  const { accuracy, loss, baseline, classes, report } = result as {
    accuracy: number;
    loss: number;
    baseline: number;
    classes: { name: string; images: number; recall: number }[];
    report: { accuracy: number; scores: { metric: string; value: number }[]; confusion: number[][] };
  };
  assert.is(classes.length, 10);
  const hits = classes.reduce((sum, { images, recall }) => sum + images * recall, 0);
  assert.ok(Math.abs(hits / 200 - accuracy) < 1e-6, "recalls agree with the accuracy");
  assert.ok(Math.abs(report.accuracy - accuracy) < 1e-6, "the GPU and the report count alike");
  assert.ok(Math.abs(report.scores.find(({ metric }) => metric === "log loss")!.value - loss) < 1e-4);
  assert.ok(loss > 0 && baseline >= 0.1);
  const { code, stdout } = await place.trama(args);
  assert.is(code, 0);
  assert.match(stdout, /^ +precision +recall +f1-score +support$/m);
  assert.match(stdout, /^ +Ankle boot( +\d\.\d{4}){3} +20$/m);
  assert.match(stdout, new RegExp(`^accuracy +${accuracy.toFixed(4)} +0\\.1000 +always "T-shirt/top"$`, "m"));
  assert.match(stdout, new RegExp(`Test accuracy: ${accuracy.toFixed(4)}\n$`));
});

command("evaluate --per-class --confusion --json FILE --csv FILE", async () => {
  const files = ["--json", "reports/test.json", "--csv", "reports/test.csv"];
  const { code, stdout, stderr } = await place.trama([
    "evaluate",
    model,
    "--synthetic",
    "--images",
    "200",
    "--per-class",
    "--confusion",
    ...files,
  ]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /specificity +npv +support$/m);
  assert.match(stdout, /^ +ROC AUC +average precision +most often mistaken for$/m);
  assert.match(stdout, /^ +T-shirt\/top\n +│ +Trouser\n/m);
  assert.ok(
    stdout.split("\n").every((line) => textWidth(line) <= 100),
    "no line is wider than the terminal",
  );
  const read = (name: string) => readFileSync(join(place.folder, "reports", name), "utf8");
  const { report } = JSON.parse(read("test.json")) as { report: { confusion: number[][]; accuracy: number } };
  assert.is(
    report.confusion.flat().reduce((sum, count) => sum + count),
    200,
  );
  assert.match(stdout, new RegExp(`Test accuracy: ${report.accuracy.toFixed(4)}\n$`));
  const lines = read("test.csv").split("\r\n");
  assert.equal(
    [lines[0], lines.length],
    ["kind,name,precision,recall,f1-score,specificity,npv,support", 1 + 10 + 3 + 6 + 1],
  );
});

command("evaluate --json does not take a model for the place of a report", async () => {
  const before = readFileSync(join(place.folder, model));
  refused(await place.trama(["evaluate", "--json", model, "--synthetic"]), 2, /file that ends in \.json/);
  refused(
    await place.trama(["evaluate", model, "--csv", "/proc/none/x.csv", "--synthetic"]),
    2,
    /--csv .*another place/,
  );
  assert.ok(before.equals(readFileSync(join(place.folder, model))));
});

command("evaluate warns of scores that a baseline reaches", async () => {
  const bytes = readFileSync(join(place.folder, model));
  // Without weights all classes are equally probable, and the first is the answer to everything.
  bytes.fill(0, 8 + Number(bytes.readBigUInt64LE()));
  writeFileSync(join(place.folder, "blank.safetensors"), bytes);
  const { stdout, stderr } = await place.trama(["evaluate", "blank.safetensors", "--synthetic", "--images", "200"]);
  assert.match(stdout, /Test accuracy: 0\.1000\n$/);
  assert.match(
    stderr,
    /^Warning: accuracy, 0\.1000, only equals the trivial baseline's 0\.1000 \(always "T-shirt\/top"\)\.$/m,
  );
  assert.match(
    stderr,
    /^Warning: macro F1, 0\.0182, is worse than the trivial baseline's 0\.1000 \(drawn by frequency\)\.$/m,
  );
  assert.match(stderr, /^Warning: log loss, 2\.3026, only equals/m);
  assert.match(stderr, /^Warning: precision is 0\/0, counted as 0, for "Trouser", .* "Ankle boot"\.$/m);
});

/** A garment as a picture file; on white, as in a shop, when `light`. */
async function picture(name: string, label: number, light: boolean): Promise<string> {
  const pixels = drawGarment(label, 7).map((value) => (light ? 255 - value : value));
  await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } })
    .resize(140, 140, { kernel: "nearest" })
    .toFile(join(place.folder, name));
  return name;
}

command("predict: the three likeliest classes of each picture, by the model trained last", async () => {
  const files = [await picture("dark.png", 1, false), await picture("light.jpg", 1, true)];
  const { code, stdout, stderr } = await place.trama(["predict", ...files, "--json", "--model", model]);
  assert.is(code, 0, stderr);
  const answers = eventsIn(stdout).filter(({ event }) => event === "prediction");
  assert.equal(
    answers.map(({ file, inverted }) => [file, inverted]),
    [
      ["dark.png", false],
      ["light.jpg", true],
    ],
  );
  for (const { top } of answers as unknown as { top: { class: string; probability: number }[] }[]) {
    assert.is(top.length, 3);
    assert.ok(top[0]!.probability >= top[1]!.probability);
  }
  const [dark, light] = answers as unknown as { top: { class: string; probability: number }[] }[];
  assert.is(dark!.top[0]!.class, light!.top[0]!.class, "the same garment on black and on white");
  const text = await place.trama(["predict", ...files]);
  assert.match(text.stdout, /light\.jpg .* %  +inverted: its background is light/);
  assert.match(text.stderr, /synthetic garments only/);
});

command("predict names what is no picture, goes on, and fails at the end", async () => {
  writeFileSync(join(place.folder, "broken.png"), "no picture");
  const files = ["missing.png", "broken.png", await picture("fine.png", 8, false)];
  const outcome = await place.trama(["predict", ...files]);
  refused(outcome, 1, /skipped broken\.png: expected a picture/);
  assert.match(outcome.stderr, /skipped missing\.png: .*no such file/);
  assert.match(outcome.stdout, /^fine\.png .+ %/m);
});

command("Ctrl-C stops training, and what was learnt is saved", async () => {
  const args = ["train", "--synthetic", "--images", "1000", "--epochs", "500", "--out", "stopped.safetensors"];
  let sent = false;
  const onOutput = (stdout: string) => {
    if (sent || !stdout.includes("Epoch   1/500")) return undefined;
    sent = true;
    return "SIGINT" as const;
  };
  const { code, signal, stdout, stderr } = await place.trama(args, { onOutput });
  assert.equal([code, signal], [0, null], stderr);
  assert.match(stderr, /Stopping after the current step/);
  assert.match(stdout, /Stopped in epoch \d+; what was learnt until then is kept/);
  assert.match(stdout, /Test accuracy: 0\.\d{4}\n$/);
  const { tensors, metadata } = parseSafetensors(readFileSync(join(place.folder, "stopped.safetensors")), "stopped");
  assert.is(tensors.size, 6);
  assert.ok(Number(metadata["steps"]) >= 7);
});

command("a second Ctrl-C ends at once and leaves nothing half-written", async () => {
  const args = ["train", "--synthetic", "--images", "1000", "--epochs", "500", "--out", "killed/model.safetensors"];
  let sent = 0;
  const onOutput = (stdout: string, stderr: string) => {
    const due = sent === 0 ? stdout.includes("Epoch   1/500") : sent === 1 && stderr.includes("Stopping");
    sent += Number(due);
    return due ? ("SIGINT" as const) : undefined;
  };
  const { signal } = await place.trama(args, { onOutput });
  assert.is(signal, "SIGINT");
  const left = readdirSync(join(place.folder, "killed")).filter((name) => name !== "model.safetensors");
  assert.equal(left, []);
});

command("a loss that explodes is told, and the last good model is kept", async () => {
  const outcome = await place.trama(["train", ...SMALL, "--learning-rate", "1e30", "--out", "exploded.safetensors"]);
  refused(outcome, 1, /NaN or infinite in epoch 1 .*smaller learning rate/);
  assert.not.ok(existsSync(join(place.folder, "exploded.safetensors")));
});

command("broken and foreign model files are refused", async () => {
  const sound = readFileSync(join(place.folder, model));
  writeFileSync(join(place.folder, "cut.safetensors"), sound.subarray(0, 100_000));
  writeFileSync(join(place.folder, "text.safetensors"), "this is not a model");
  const evaluate = (file: string) => place.trama(["evaluate", file, "--synthetic"]);
  refused(await evaluate("cut.safetensors"), 1, /cut\.safetensors, tensor ".*cut off/);
  refused(await evaluate("text.safetensors"), 1, /text\.safetensors: .*safetensors/);
  refused(await evaluate("none.safetensors"), 1, /none\.safetensors: .*no such file/);
});

command("errors are events too, and --verbose shows their stack", async () => {
  const { code, stdout } = await place.trama(["evaluate", "none.safetensors", "--json"]);
  assert.is(code, 1);
  assert.equal(
    eventsIn(stdout).map(({ event, kind }) => [event, kind]),
    [["error", "FileError"]],
  );
  const { stderr } = await place.trama(["evaluate", "none.safetensors", "--verbose"]);
  assert.match(stderr, /\n\s+at .*\ncaused by: /s);
});

command("packages that are missing are named, with what to type", async () => {
  const home = join(place.folder, "bare");
  copyPackage(place.home, home);
  refused(await place.trama(["predict", "fine.png", "--model", model], { home }), 1, /npm install sharp/);
  refused(await place.trama(["train", ...SMALL], { home }), 1, /npm install webgpu/);
});

command("data that is missing or corrupt is refused", async () => {
  const empty = join(place.folder, "empty");
  mkdirSync(empty);
  refused(await place.trama(["train", "--data", empty]), 1, /data folder .*four files of Fashion-MNIST/);
  refused(await place.trama(["data", "verify", "--data", empty]), 1, /files of Fashion-MNIST, got none/);
  writeFileSync(join(empty, "t10k-labels-idx1-ubyte.gz"), "nonsense");
  const { code, stdout, stderr } = await place.trama(["data", "verify", "--data", empty]);
  assert.is(code, 1);
  assert.match(stdout, /^broken .*t10k-labels/m);
  assert.match(stdout, /^missing .*train-images/m);
  assert.match(stderr, /t10k-labels-idx1-ubyte\.gz: expected MD5/);
});

command("data stats describes the synthetic set, and says what it is", async () => {
  const { code, stdout } = await place.trama(["data", "stats", "--synthetic"]);
  assert.is(code, 0);
  assert.match(stdout, /SYNTHETIC DATA/);
  assert.match(stdout, /Sneaker +1,000 +200/);
});

command.run();
