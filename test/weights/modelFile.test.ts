/** Models saved and loaded: nothing is lost, nothing is half-written, and nothing foreign slips in. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DtypeError, FormatError, ShapeError, TramaError } from "../../src/errors.ts";
import {
  activation,
  averagePool2d,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  predict,
  sequential,
  type Layer,
} from "../../src/index.ts";
import { normalisationFor } from "../../src/kernels/index.ts";
import { openDevice, type Device } from "../../src/tensor/index.ts";
import {
  describeModel,
  encodeSafetensors,
  load,
  loadBytes,
  loadWeights,
  loadWeightsBytes,
  parseSafetensors,
  save,
  saveBytes,
  VERSION,
} from "../../src/weights/index.ts";

interface Place {
  readonly device: Device;
  readonly folder: string;
}

const models = suite<Place>("model files");

models.before(async (place) => {
  const mutable = place as { device: Device; folder: string };
  mutable.device = await openDevice();
  mutable.folder = mkdtempSync(join(tmpdir(), "trama-models-"));
});

models.after(async ({ device, folder }) => {
  await device.close();
  rmSync(folder, { recursive: true });
});

const input = [8, 8, 1];

function network(units = 5): Layer {
  return sequential([
    conv2d(3, 3, { activation: "relu", padding: "same", name: "first" }),
    sequential([maxPool2d(2), conv2d(4, [3, 1], { bias: false, stride: [1, 2], initialiser: "heNormal" })], {
      name: "block",
    }),
    averagePool2d(2, { stride: 1 }),
    activation("gelu"),
    dropout(0.3),
    flatten(),
    dense(6, { activation: "tanh" }),
    dense(units),
  ]);
}

function pixels(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 64 }, (_, index) => (index * 71) % 256);
}

models("a model comes back bit for bit, with all that belongs to it", async ({ device, folder }) => {
  const options = { input, seed: 7, normalisation: { scale: 2, shift: -1 }, classNames: ["a", "b", "c", "d", "é"] };
  const model = build(device, network(), options);
  const path = join(folder, "new/folder/model.safetensors");
  await save(model, path, { notes: { data: "made up" } });
  const again = await load(device, pathToFileURL(path).pathname);
  assert.equal(again.input, input);
  assert.equal([again.seed, again.normalisation, again.classNames], [7, options.normalisation, options.classNames]);
  assert.equal(again.summaries, model.summaries);
  assert.equal(await saveBytes(again), await saveBytes(model));
  const [before, after] = [await predict(model, pixels(3)), await predict(again, pixels(3))];
  assert.equal(after.probabilities, before.probabilities);
  const { notes, version } = await describeModel(path);
  assert.equal([notes, version], [{ data: "made up" }, VERSION]);
});

models("normalisation and resizing come back as they were given, and predict the same", async ({ device }) => {
  for (const normalisation of [normalisationFor("caffe"), normalisationFor("tf"), normalisationFor("torch")]) {
    const resize = { mode: "area" } as const;
    const model = build(device, sequential([flatten(), dense(2)]), { input: [2, 2, 3], normalisation, resize });
    const again = loadBytes(device, await saveBytes(model));
    assert.equal([again.normalisation, again.resize], [normalisation, resize]);
    const [before, after] = [await predict(model, pixels(3)), await predict(again, pixels(3))];
    assert.equal(after.probabilities, before.probabilities);
  }
});

models("every kind of layer can be saved", async ({ device }) => {
  const layers = [conv2d(4, 3, { dilation: 2 }), activation("silu"), globalAveragePool2d(), dense(2)];
  const model = build(device, sequential(layers), { input });
  assert.equal(loadBytes(device, await saveBytes(model)).summaries, model.summaries);
});

models("not-a-number survives with its bits", async ({ device }) => {
  const model = build(device, sequential([flatten(), dense(1)]), { input: [2, 2, 1] });
  const bits = Uint32Array.of(0x7fc12345, 0xff800000, 0x80000000, 1);
  device.write(model.parameters[0]!.tensor, new Float32Array(bits.buffer));
  const again = loadBytes(device, await saveBytes(model));
  const values = (await again.parameters[0]!.tensor.read()) as Float32Array;
  assert.equal(new Uint32Array(values.buffer, values.byteOffset, 4), bits);
});

models("the version is the package's", () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
    version: string;
  };
  assert.is(VERSION, manifest.version);
});

async function refusal(attempt: () => unknown): Promise<TramaError> {
  try {
    await attempt();
  } catch (error) {
    assert.instance(error, TramaError, error instanceof Error ? (error.stack ?? "") : "");
    return error as TramaError;
  }
  return assert.unreachable("it was accepted") as never;
}

models("weights of another architecture are refused, and the model stays as it was", async ({ device, folder }) => {
  const path = join(folder, "other.safetensors");
  await save(build(device, sequential([flatten(), dense(5, { name: "only" })]), { input }), path);
  const model = build(device, network(), { input });
  const before = await saveBytes(model);
  const error = await refusal(() => loadWeights(model, path));
  assert.instance(error, FormatError);
  assert.match(
    error.message,
    /other\.safetensors.*missing: first\/kernel \[3, 3, 1, 3\].*and 1 more.*unexpected: only\/kernel \[64, 5\]/,
  );
  assert.equal(await saveBytes(model), before);
});

models("weights of other shapes are a ShapeError that lists them", async ({ device }) => {
  const bytes = await saveBytes(build(device, network(4), { input }));
  const error = await refusal(() => loadWeightsBytes(build(device, network(5), { input }), bytes, "four"));
  assert.instance(error, ShapeError);
  assert.match(error.message, /four: .*dense_1\/kernel \[6, 4\] for \[6, 5\], dense_1\/bias \[4\] for \[5\]/);
});

models("weights of half precision are read, whole numbers are not", async ({ device }) => {
  const model = build(device, dense(1, { bias: false }), { input: [2] });
  const file = (dtype: "F16" | "I32", bytes: Uint8Array) =>
    Buffer.concat(encodeSafetensors([{ name: "kernel", dtype, shape: [2, 1], bytes }]));
  loadWeightsBytes(model, file("F16", Uint8Array.of(0, 0x3e, 0, 0xc0)));
  assert.equal([...(await model.parameters[0]!.tensor.read())], [1.5, -2]);
  assert.instance(await refusal(() => loadWeightsBytes(model, file("I32", new Uint8Array(8)))), DtypeError);
});

models("weights alone are no model, and the error says what to do", async ({ device }) => {
  const bytes = Buffer.concat(encodeSafetensors([{ name: "a", dtype: "U8", shape: [1], bytes: new Uint8Array(1) }]));
  assert.match((await refusal(() => loadBytes(device, bytes))).message, /loadWeights/);
});

/** The record of a sound file, changed; the weights stay. */
async function forged(device: Device, change: (record: Record<string, unknown>) => void): Promise<Uint8Array> {
  const { tensors, metadata } = parseSafetensors(await saveBytes(build(device, network(), { input })), "file");
  const record = JSON.parse(metadata["trama"]!) as Record<string, unknown>;
  change(record);
  return Buffer.concat(encodeSafetensors([...tensors.values()], { trama: JSON.stringify(record) }));
}

const deep = (depth: number): object => ({
  kind: "sequential",
  config: {},
  children: depth > 0 ? [deep(depth - 1)] : [],
});
const only = (kind: string, config: object): object => ({
  kind: "sequential",
  config: {},
  children: [{ kind, config }],
});

const forgeries: readonly (readonly [string, object, RegExp])[] = [
  ["a newer format", { formatVersion: 2 }, /newer version/],
  ["no input shape", { input: null }, /field "input"/],
  ["an input shape of fractions", { input: [1.5] }, /field "input"/],
  ["a seed that is text", { seed: "7" }, /field "seed"/],
  ["a normalisation without shift", { normalisation: { scale: 1 } }, /field "normalisation"/],
  ["a normalisation without a deviation", { normalisation: { mean: [1] } }, /field "normalisation"/],
  ["a standard deviation of nothing", { normalisation: { mean: 1, std: [1, 0] } }, /field "normalisation"/],
  ["channels in no order", { normalisation: { mean: 1, std: 1, order: "gbr" } }, /field "normalisation"/],
  ["a resize of an unknown mode", { resize: { mode: "cubic" } }, /field "resize"/],
  ["class names that are numbers", { classNames: [1] }, /field "classNames"/],
  ["no architecture", { architecture: null }, /field "architecture"/],
  ["an unknown layer", { architecture: only("evil", {}) }, /layers of the kinds/],
  ["a layer by a name of the prototype's", { architecture: only("constructor", {}) }, /layers of the kinds/],
  ["layers nested without end", { architecture: deep(500) }, /deep/],
  ["a layer without options", { architecture: only("dense", {}) }, /can be built/],
  ["options of wrong types", { architecture: only("conv2d", { filters: {}, size: "x" }) }, /can be built/],
  ["an activation of the prototype's", { architecture: only("activation", { kind: "toString" }) }, /can be built/],
  [
    "an unknown fused activation",
    { architecture: only("conv2d", { filters: 1, size: 3, activation: "evil" }) },
    /can be built/,
  ],
  [
    "an unknown initialiser",
    { architecture: only("conv2d", { filters: 1, size: 3, initialiser: "evil" }) },
    /can be built/,
  ],
  ["more memory than there is", { architecture: only("conv2d", { filters: 2 ** 40, size: 3 }) }, /missing/],
];

for (const [what, fields, message] of forgeries) {
  models(`refused: ${what}`, async ({ device }) => {
    const bytes = await forged(device, (record) => Object.assign(record, fields));
    const error = await refusal(() => loadBytes(device, bytes, "forged"));
    assert.instance(error, FormatError, error.message);
    assert.match(error.message, message);
    assert.match(error.where, /^forged/);
  });
}

models("records of arbitrary JSON never cause anything but a refusal", async ({ device }) => {
  const field = fc.constantFrom(
    "architecture",
    "input",
    "seed",
    "normalisation",
    "resize",
    "classNames",
    "version",
    "formatVersion",
  );
  const attempt = fc.asyncProperty(field, fc.jsonValue(), async (name, value) => {
    const bytes = await forged(device, (record) => Object.assign(record, { [name]: value }));
    try {
      loadBytes(device, bytes);
    } catch (error) {
      assert.instance(error, TramaError, String(error));
    }
  });
  await fc.assert(attempt, { numRuns: 60 });
});

models("a file that is missing or in the way is explained", async ({ device, folder }) => {
  const model = build(device, dense(1), { input: [1] });
  assert.match((await refusal(() => load(device, join(folder, "none.safetensors")))).message, /no such file/);
  assert.match((await refusal(() => save(model, folder))).message, /a folder/);
});

/**
 * A limit on the size of files fails in the same place as a full disk, and needs neither root nor a file system. A
 * software adapter keeps its memory in files, so all that it needs is made before the limit is set: 64 KB, for 400.
 */
const saveUnderLimit = `
  import { execFileSync } from "node:child_process";
  import { openDevice } from "./src/tensor/index.ts";
  import { build, dense } from "./src/nn/index.ts";
  import { save, saveBytes } from "./src/weights/index.ts";
  process.on("SIGXFSZ", () => undefined);
  const device = await openDevice();
  const model = build(device, dense(100), { input: [1000] });
  await saveBytes(model);
  execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=65536"]);
  await save(model, process.argv[1]).then(() => console.log("saved"), (error) => console.log(error.name, error.message));
  await device.close();
`;

const canLimit = spawnSync("prlimit", ["--version"]).status === 0;

if (canLimit) {
  models("a disk that is full leaves the old file whole and nothing beside it", ({ folder }) => {
    const home = mkdtempSync(join(folder, "full-"));
    const path = join(home, "model.safetensors");
    writeFileSync(path, "the old file");
    const flags = ["--conditions=source", "--import", "tsx", "--input-type=module", "--eval", saveUnderLimit, path];
    const cwd = join(import.meta.dirname, "../..");
    const { stdout, stderr } = spawnSync(process.execPath, flags, { cwd, encoding: "utf8" });
    assert.match(stdout, /^FileError .*more bytes than a file may have/, stderr);
    assert.is(readFileSync(path, "utf8"), "the old file");
    assert.equal(readdirSync(home), ["model.safetensors"]);
  });
}

models.run();
