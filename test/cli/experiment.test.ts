/** Experiments from the command line: trained, tested, beside the published figure; taken up where they were stopped. */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ExperimentResult } from "../../src/experiments/index.ts";
import { eventsIn, Workplace } from "./command.ts";

const command = suite("experiments from the command line");
let place = null as unknown as Workplace;

const EXPERIMENT = {
  title: "a small one",
  study: { name: "S2", figure: 0.8765 },
  data: { source: "synthetic", images: 400, split: "S2" },
  model: { name: "mlp", units: [16] },
  training: { epochs: 2, batchSize: 32, optimizer: { name: "adam", learningRate: 0.005 } },
};

function write(name: string, more: object = {}): string {
  writeFileSync(join(place.folder, name), JSON.stringify({ ...EXPERIMENT, ...more }));
  return name;
}

const resultOf = (name: string) =>
  JSON.parse(readFileSync(join(place.folder, "runs", `${name}.json`), "utf8")) as ExperimentResult;

command.before(async () => {
  place = await Workplace.build();
});

command.after(() => place.remove());

command("train FILE: trained, tested, saved, and a row beside the published figure", async () => {
  const { code, stdout, stderr } = await place.trama(["train", write("small.json")]);
  assert.is(code, 0, stderr);
  const { complete, runs, parameters, reductions, data } = resultOf("small");
  assert.equal([complete, runs.length, parameters, reductions, data.synthetic], [true, 1, 12_730, [], true]);
  const [{ images, test, history, cpuSeconds, stopped }] = runs as [ExperimentResult["runs"][number]];
  assert.equal([images.training, images.validation, history.length, stopped], [320, 80, 2, "completed"]);
  assert.ok(cpuSeconds! > 0);
  assert.match(stdout, /SYNTHETIC DATA/);
  assert.match(stdout, /^study +0\.8765$/m);
  assert.match(stdout, new RegExp(`^ours +${test.accuracy.toFixed(4)}$`, "m"));
  assert.match(stdout, new RegExp(`\nTest accuracy: ${test.accuracy.toFixed(4)}\n$`));
  assert.equal(
    readdirSync(join(place.folder, "runs")).sort(),
    ["small.json", "small.run.json", "small.safetensors"],
    "no checkpoint is left of what is done",
  );
});

command("what is said beside the file is stated in the result", async () => {
  const besides = ["--epochs", "1", "--images", "200", "--seed", "7", "--out", "reduced/model.safetensors"];
  const { code, stdout } = await place.trama(["train", "small.json", ...besides]);
  assert.is(code, 0);
  const file = join(place.folder, "reduced/model.json");
  const { reductions, runs } = JSON.parse(readFileSync(file, "utf8")) as ExperimentResult;
  assert.equal(reductions, ["200 training images instead of 400", "1 epochs instead of 2", "seed 7 instead of 42"]);
  assert.equal([runs[0]!.seed, runs[0]!.images.training, runs[0]!.history.length], [7, 160, 1]);
  assert.match(stdout, /REDUCED: 200 training images instead of 400/);
});

command("what the file says for itself is refused beside it", async () => {
  const { code, stderr } = await place.trama(["train", "small.json", "--learning-rate", "0.1"]);
  assert.is(code, 2);
  assert.match(stderr, /got --learning-rate; change it in the file/);
});

command("a fault in the file is told with the key that was meant", async () => {
  const { code, stderr } = await place.trama(["train", write("wrong.json", { trainig: {} })]);
  assert.is(code, 1);
  assert.match(stderr, /^trama: wrong\.json: .*there is no key "trainig"; did you mean "training"\?$/m);
  assert.match((await place.trama(["train", "none.json"])).stderr, /none\.json: .*no such file/);
});

command("doubts about a result are warnings", async () => {
  const layers = [{ kind: "flatten" }, { kind: "batchNorm" }, { kind: "dense", config: { units: 10 } }];
  const file = write("doubtful.json", {
    data: { source: "synthetic", images: 400, split: "S4" },
    model: { kind: "sequential", children: layers },
  });
  const { stderr } = await place.trama(["train", file]);
  assert.match(stderr, /^Warning: Validation uses \d+ images of the published test file.*[^.]\.$/m);
  assert.match(stderr, /^Warning: after \d+ steps the moving statistics of batch norm are \d+ %/m);
});

command("folds and seeds: a training for each, and --resume does not repeat those that are done", async () => {
  const file = write("folds.json", {
    study: { name: "S0", figure: null, metric: "validation accuracy" },
    data: { source: "synthetic", images: 200, folds: 3 },
    training: { epochs: 20, batchSize: 10 },
  });
  let sent = false;
  const onOutput = (stdout: string) => {
    if (sent || !stdout.includes('"fold":1')) return undefined;
    sent = true;
    return "SIGINT" as const;
  };
  const stopped = await place.trama(["train", file, "--json"], { onOutput });
  assert.is(stopped.code, 1, stopped.stderr);
  const before = resultOf("folds");
  assert.is(before.complete, false);
  assert.equal(before.runs[0]!.stopped, "completed");
  const resumed = await place.trama(["train", file, "--json", "--resume"]);
  assert.is(resumed.code, 0, resumed.stderr);
  const begun = eventsIn(resumed.stdout).filter(({ event }) => event === "begin");
  assert.equal(begun.map(({ fold }) => fold), [1, 2]); // prettier-ignore
  const { complete, runs } = resultOf("folds");
  assert.equal([complete, runs.map(({ fold }) => fold)], [true, [0, 1, 2]]);
  assert.equal(runs[0], before.runs[0]);
  const again = await place.trama(["train", file, "--resume"]);
  assert.match(again.stdout, /3 trainings were done before/);
  assert.match(again.stdout, /least, quartiles and greatest: (0\.\d{4}( · )?){5}\n/);
  assert.match(again.stdout, /Validation accuracy: 0\.\d{4}\n$/);
  assert.match(readFileSync(join(place.folder, "runs/folds.svg"), "utf8"), /^<svg .*over folds/s);
  const other = await place.trama(["train", file, "--resume", "--epochs", "3"]);
  assert.is(other.code, 2);
  assert.match(other.stderr, /expected a result of the same experiment/);
});

command("train --resume goes on after Ctrl-C, with the bits of a training that was left alone", async () => {
  const args = ["train", "--synthetic", "--images", "1000", "--epochs", "8", "--model", "mlp", "--batch", "16"];
  await place.trama([...args, "--out", "straight.safetensors"]);
  const out = ["--out", "stopped.safetensors"];
  let sent = false;
  const onOutput = (stdout: string) => {
    if (sent || !/^Epoch 2\/8/m.test(stdout)) return undefined;
    sent = true;
    return "SIGINT" as const;
  };
  const { stdout } = await place.trama([...args, ...out], { onOutput });
  assert.match(stdout, /--resume goes on/);
  const { code, stdout: resumed, stderr } = await place.trama([...args, ...out, "--resume"]);
  assert.is(code, 0, stderr);
  assert.match(resumed, /^taken up from stopped\.checkpoint: epoch \d, step \d+, \d+ steps done in all$/m);
  const [straight, stopped] = ["straight", "stopped"].map((name) =>
    readFileSync(join(place.folder, `${name}.safetensors`)),
  );
  assert.ok(straight!.equals(stopped!));
  assert.not.ok(readdirSync(place.folder).some((name) => name.includes("checkpoint")));
  const none = await place.trama(["train", "--synthetic", "--images", "100", "--epochs", "1", "--resume"]);
  assert.match(none.stderr, /There is no checkpoint runs\/convnet\.checkpoint: training begins/);
});

command.run();
