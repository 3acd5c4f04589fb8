/** ONNX files as others meet them: what they say about themselves, that nothing is half-written, and what is refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import * as assert from "uvu/assert";
import { FileError } from "../../src/data/index.ts";
import { FormatError, OptionError } from "../../src/errors.ts";
import { normalisationFor, type Normalisation } from "../../src/kernels/index.ts";
import {
  activation,
  batchNorm,
  build,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAveragePool2d,
  maxPool2d,
  sequential,
  type Layer,
  type Model,
} from "../../src/nn/index.ts";
import { exportOnnx, exportOnnxBytes } from "../../src/onnx/index.ts";
import { predict } from "../../src/train/index.ts";
import { VERSION } from "../../src/weights/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { refusal } from "../weights/refusals.ts";
import { assertSameInOnnx, fillParameters, theirs, toChannelsFirst } from "./onnxruntime.ts";

const tests = deviceSuite("onnx files");
const folder = mkdtempSync(join(tmpdir(), "trama-onnx-"));
tests.after(() => rmSync(folder, { recursive: true }));

const classNames = ["Äpfel", "pears", "三"];
const network = (): Layer =>
  sequential([
    conv2d(4, 3, { padding: "same", name: "first" }),
    batchNorm(),
    activation("relu"),
    dropout(0.5),
    maxPool2d(2),
    flatten(),
    dense(3, { name: "last" }),
  ]);

function modelOf(layer: Layer = network(), normalisation?: Normalisation): Model {
  const model = build(device, layer, { input: [6, 8, 3], classNames, ...(normalisation && { normalisation }) });
  fillParameters(model, 5);
  return model;
}

type Field = number | Uint8Array;

/** The fields of a protobuf message by their numbers, read as the format's definition has it. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, Field[]> {
  const fields = new Map<number, Field[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    let value: Field;
    if (wire === 0) value = varint();
    else if (wire === 5) {
      value = view.getFloat32(at, true);
      at += 4;
    } else {
      assert.is(wire, 2, "no other kinds of fields");
      const length = varint();
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  assert.is(at, bytes.length, "a message ends where it says");
  return fields;
}

const textOf = (field: Field | undefined): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(field as Uint8Array);
const inside = (fields: ReadonlyMap<number, Field[]>, ...path: readonly number[]): ReadonlyMap<number, Field[]> =>
  path.reduce((found, number) => fieldsOf(found.get(number)![0] as Uint8Array), fields);

/** Names and values of `metadata_props`. */
const metadataOf = (file: ReadonlyMap<number, Field[]>): Record<string, string> =>
  Object.fromEntries(
    (file.get(14) as Uint8Array[]).map((entry) => {
      const fields = fieldsOf(entry);
      return [textOf(fields.get(1)?.[0]), textOf(fields.get(2)?.[0])];
    }),
  );

/** Operators of all nodes, in order. */
const operatorsOf = (bytes: Uint8Array): string[] =>
  (inside(fieldsOf(bytes), 7).get(1) as Uint8Array[]).map((node) => textOf(fieldsOf(node).get(4)?.[0]));

tests("a file says who made it, which opset it needs, and what its numbers mean", async () => {
  const normalisation = normalisationFor("torch");
  const path = join(folder, "deep/model.onnx");
  const described = await exportOnnx(modelOf(network(), normalisation), path);
  const bytes = readFileSync(path);
  assert.is(described.bytes, bytes.length);
  assert.equal(readdirSync(join(folder, "deep")), ["model.onnx"], "and no temporary file is left");
  const file = fieldsOf(bytes);
  assert.equal([described.opset, described.irVersion], [17, 8]);
  assert.equal(file.get(1), [8]);
  assert.equal(inside(file, 8).get(2), [17]);
  assert.equal([textOf(file.get(2)?.[0]), textOf(file.get(3)?.[0])], ["trama", VERSION]);
  const metadata = metadataOf(file);
  assert.equal(metadata, described.metadata);
  assert.equal(JSON.parse(metadata["class_names"]!), classNames);
  assert.equal(JSON.parse(metadata["normalisation"]!), normalisation);
  assert.equal([metadata["layout"], metadata["preprocessing"]], ["nchw", "none"]);
  assert.equal(described.input.shape, ["batch", 3, 6, 8]);
  assert.equal(described.output.shape, ["batch", 3]);
  const session = await InferenceSession.create(path);
  assert.equal([session.inputNames, session.outputNames], [["input"], ["output"]]);
  const [input] = session.inputMetadata as readonly { type: string; shape: unknown }[];
  assert.equal([input!.type, input!.shape], ["float32", ["batch", 3, 6, 8]]);
  await session.release();
});

tests("batch norm and activations are intact, dropout is gone, and images are turned round once", async () => {
  const model = modelOf();
  const body = ["Conv", "BatchNormalization", "Relu", "MaxPool"];
  assert.equal(operatorsOf(await exportOnnxBytes(model)), [...body, "Transpose", "Reshape", "Gemm"]);
  const nhwc = operatorsOf(await exportOnnxBytes(model, { layout: "nhwc" }));
  assert.equal(nhwc, ["Transpose", ...body, "Transpose", "Reshape", "Gemm"]);
  const pooled = modelOf(sequential([conv2d(4, 3), globalAveragePool2d(), dense(2)]));
  assert.equal(operatorsOf(await exportOnnxBytes(pooled)), ["Conv", "GlobalAveragePool", "Flatten", "Gemm"]);
});

tests("values have the names of their layers, and weights those of their parameters", async () => {
  const graph = inside(fieldsOf(await exportOnnxBytes(modelOf())), 7);
  const names = (graph.get(1) as Uint8Array[]).map((node) => textOf(fieldsOf(node).get(3)?.[0]));
  assert.equal(names.slice(0, 3), ["first/Conv", "batchNorm/BatchNormalization", "relu/Relu"]);
  const weights = new Set((graph.get(5) as Uint8Array[]).map((tensor) => textOf(fieldsOf(tensor).get(8)?.[0])));
  const wanted = ["first/kernel", "batchNorm/moving_variance", "last/bias"];
  assert.equal(wanted.filter((name) => !weights.has(name)), []); // prettier-ignore
});

tests("any batch can be fed, in either order of axes", async () => {
  const model = modelOf();
  for (const layout of ["nchw", "nhwc"] as const) {
    for (const batch of [1, 5]) await assertSameInOnnx(model, { batch, layout });
  }
});

for (const [name, normalisation] of Object.entries({
  default: undefined,
  "scale and shift": { scale: 2, shift: -1 },
  caffe: normalisationFor("caffe"),
  torch: normalisationFor("torch"),
})) {
  tests(`with its preprocessing a file takes pixels: ${name}`, async () => {
    const model = modelOf(network(), normalisation);
    const shape = [2, 6, 8, 3];
    const pixels = Uint8Array.from({ length: 288 }, (_, k) => (k * 83 + 7) % 256);
    const { probabilities: want } = await predict(model, pixels);
    for (const layout of ["nchw", "nhwc"] as const) {
      const file = await exportOnnxBytes(model, { layout, includePreprocessing: true });
      assert.is(metadataOf(fieldsOf(file))["preprocessing"], "included");
      const turned = layout === "nhwc" ? { data: pixels, shape } : toChannelsFirst(Float32Array.from(pixels), shape);
      const { data } = await theirs(file, new Tensor("uint8", Uint8Array.from(turned.data), turned.shape));
      const got = [0, 1].flatMap((row) => softmax(Array.from(data.subarray(row * 3, row * 3 + 3))));
      got.forEach((value, k) => assert.ok(Math.abs(value - want[k]!) < 1e-4, `${value}, not ${want[k]}`));
      const floats = new Tensor("float32", Float32Array.from(turned.data), turned.shape);
      await theirs(file, floats).then(
        () => assert.unreachable("normalised numbers are no pixels"),
        (error: unknown) => assert.match(String(error), /uint8/),
      );
    }
  });
}

function softmax(scores: readonly number[]): number[] {
  const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

tests("a failed export leaves the older file", async () => {
  const path = join(folder, "kept.onnx");
  await exportOnnx(modelOf(), path);
  const before = readFileSync(path);
  const strange = sequential([sequential([{ ...conv2d(2, 3), kind: "conv7d" }], { name: "block" })]);
  const unknown = await refusal(() => exportOnnx(modelOf(strange), path));
  assert.instance(unknown, FormatError);
  assert.match(unknown.message, /^layer "block\/conv7d": .*zeroPad2d.* got conv7d/);
  assert.instance(await refusal(() => exportOnnx(modelOf(), "/proc/none/model.onnx")), FileError);
  assert.ok(before.equals(readFileSync(path)));
});

tests(
  "what an ONNX file cannot hold, and layouts that there are not, are refused before weights are read",
  async () => {
    const model = modelOf();
    const parameters = [{ ...model.parameters[0]!, shape: [2 ** 15, 2 ** 15] }];
    const huge = { input: model.input, parameters, device: null } as unknown as Model;
    const tooLarge = await refusal(() => exportOnnxBytes(huge));
    assert.instance(tooLarge, FormatError);
    assert.match(tooLarge.message, /at most 2147483647 bytes.* got 4294967296/);
    const wrong = await refusal(() => exportOnnxBytes(model, { layout: "nwhc" as "nchw" }));
    assert.instance(wrong, OptionError);
    assert.match(wrong.message, /nchw or nhwc, got "nwhc"/);
  },
);

tests.run();
