/** Transfer learning from the command line: weights found, layers frozen, features computed once. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ExperimentResult } from "../../src/experiments/index.ts";
import { floatsOf, parseSafetensors } from "../../src/weights/index.ts";
import { Workplace } from "./command.ts";

const command = suite("transfer from the command line");
let place = null as unknown as Workplace;

const LAYERS = [
  { kind: "conv2d", config: { filters: 8, size: 3, stride: 2, activation: "relu", name: "conv" } },
  { kind: "globalAveragePool2d" },
  { kind: "dropout", config: { rate: 0.1 } },
  { kind: "dense", config: { units: 10, name: "answer" } },
];

const EXPERIMENT = {
  title: "a small one",
  study: { name: "S1", figure: null },
  data: { source: "synthetic", images: 200, testImages: 50, split: "S1" },
  model: { kind: "sequential", children: LAYERS },
  training: { epochs: 2, batchSize: 32, optimizer: { name: "adam", learningRate: 0.01 } },
};

/** The same, with weights taken over and all but the last layer frozen. */
const TAKEN = { weights: { file: "first.safetensors" }, freeze: "allButClassifier" };

function write(name: string, more: object = {}): string {
  writeFileSync(join(place.folder, name), JSON.stringify({ ...EXPERIMENT, ...more }));
  return name;
}

const train = (file: string, ...more: string[]) =>
  place.trama(["train", file, ...more], { env: { TRAMA_CACHE: join(place.folder, "cache") } });

const resultOf = (name: string) =>
  JSON.parse(readFileSync(join(place.folder, "runs", `${name}.json`), "utf8")) as ExperimentResult;

const weightsOf = (file: string) => {
  const { tensors } = parseSafetensors(readFileSync(join(place.folder, file)), file);
  return new Map([...tensors].map(([name, tensor]) => [name, [...floatsOf(tensor, file)]]));
};

command.before(async () => {
  place = await Workplace.build();
  const { code, stderr } = await train(write("first.json"));
  assert.is(code, 0, stderr);
  mkdirSync(join(place.folder, "cache/weights"), { recursive: true });
  renameSync(join(place.folder, "runs/first.safetensors"), join(place.folder, "cache/weights/first.safetensors"));
});

command.after(() => place.remove());

command("weights are found by name, frozen layers stay as they were, and features are computed once", async () => {
  const first = await train(write("taken.json", TAKEN));
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /^Weights +.*first\.safetensors \(safetensors\): 4 of 4 tensors/m);
  assert.match(first.stdout, /^Frozen +1 layer; 90 of 170 parameters learn$/m);
  assert.match(first.stdout, /^Features +of 250 images computed once \(.*\), kept in /m);
  assert.equal(readdirSync(join(place.folder, "cache/features")).length, 3, "training, validation and test");
  const before = weightsOf("cache/weights/first.safetensors");
  const after = weightsOf("runs/taken.safetensors");
  const changed = [...before.keys()].filter((name) => String(before.get(name)) !== String(after.get(name)));
  assert.equal(changed.sort(), ["answer/bias", "answer/kernel"]);
  const again = await train("taken.json");
  assert.match(again.stdout, /^Features +of 250 images found in .*, once computed in /m);
  assert.equal(weightsOf("runs/taken.safetensors"), after);
  const [run] = resultOf("taken").runs;
  assert.equal([run!.features!.images, run!.features!.found, run!.classes.length], [250, true, 10]);
  assert.ok(run!.inferenceSeconds > 0 && run!.modelBytes! > 0);
  assert.match(again.stdout, /trained on features of 250 images/);
});

command("the same is learnt without features", async () => {
  const { stdout } = await train(write("whole.json", { ...TAKEN, training: { ...EXPERIMENT.training, features: "never" } })); // prettier-ignore
  assert.match(stdout, /^Features +not kept: the experiment says so$/m);
  assert.equal(weightsOf("runs/whole.safetensors"), weightsOf("runs/taken.safetensors"));
  assert.is(resultOf("whole").runs[0]!.features, null);
  assert.equal(resultOf("whole").runs[0]!.test, resultOf("taken").runs[0]!.test);
});

command("features that would not be the same are not kept, and it is said why", async () => {
  const augmented = { ...TAKEN, training: { ...EXPERIMENT.training, augmentation: { flip: 0.5 } } };
  const { code, stdout } = await train(write("augmented.json", augmented));
  assert.is(code, 0);
  assert.match(stdout, /^Features +not kept: augmentation shows other images in every epoch$/m);
});

command("a damaged file of features is not believed", async () => {
  const expected = weightsOf("runs/taken.safetensors");
  const folder = join(place.folder, "cache/features");
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    bytes.writeFloatLE(1e3, bytes.length - 4);
    writeFileSync(join(folder, name), bytes);
  }
  const { stdout, stderr } = await train("taken.json");
  assert.match(stderr, /^Features: .*damaged/m);
  assert.match(stdout, /^Features +of 250 images computed once/m);
  assert.equal(weightsOf("runs/taken.safetensors"), expected);
});

command("frozen layers with random weights are refused", async () => {
  const { code, stderr } = await train(write("random.json", { freeze: "allButClassifier" }));
  assert.is(code, 2);
  assert.match(stderr, /expected frozen layers that were loaded or trained before/);
});

command("weights that are nowhere are refused with the places that were looked in", async () => {
  const { code, stderr } = await train(write("lost.json", { weights: { file: "none.safetensors" } }), "--data", "some");
  assert.is(code, 1);
  assert.match(
    stderr,
    /weights "none\.safetensors": expected a file in some, some\/weights, weights, .*cache\/weights/,
  );
});

command.run();
