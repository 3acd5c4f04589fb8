/**
 * Real weights: the networks tell what is in photographs, and every layer computes what TensorFlow.js computes with the
 * same tensors. The files lie beside the checkout; without them there is nothing to test.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodePicture, resample } from "../../src/data/index.ts";
import { buildArchitecture, pixelsFor, type ModelName } from "../../src/models/index.ts";
import { build, type Layer, type Model } from "../../src/nn/index.ts";
import { scope, type Tensor } from "../../src/tensor/index.ts";
import { predict } from "../../src/train/index.ts";
import { loadWeights } from "../../src/weights/index.ts";
import { deviceSuite, device } from "../tensor/device.ts";
import { mobilenetV2, squeezenet, type Outputs, type Weights } from "./tfNetworks.ts";

const shared = join(import.meta.dirname, "../../../shared/data");
const file = (name: string): string => join(shared, "weights", name);
const photo = (name: string): string => join(shared, "photos", name);

if (existsSync(shared)) runAll();
else {
  test.skip("no weights and photographs in ../shared/data: real weights are not tested", () => undefined);
  test.run();
}

function runAll(): void {
  const tests = deviceSuite("ImageNet weights");
  const [background, ...labels] = readFileSync(photo("imagenet_labels_1001.txt"), "utf8").trim().split("\n") as [
    string,
  ];

  /** What is in each photograph; the first prediction must be one of these. */
  const photos = {
    "cat_720p.jpg": ["tabby, tabby cat", "tiger cat", "Egyptian cat"],
    "hot_dog.jpg": ["hotdog, hot dog, red hot"],
  } as const;

  // WebAssembly, because its convolutions take seconds and not minutes; other suites want the CPU backend back.
  tests.before(async () => {
    tf.env().set("PROD", true);
    await import("@tensorflow/tfjs-backend-wasm");
    await tf.setBackend("wasm");
  });
  tests.after(async () => {
    await tf.setBackend("cpu");
    tf.removeBackend("wasm");
  });

  const cases = [
    {
      name: "mobilenetv2",
      source: "mobilenet_v2.safetensors",
      size: 224,
      classes: [background, ...labels],
      reference: mobilenetV2,
    },
    { name: "squeezenet1_1", source: "squeezenet1_1.safetensors", size: 227, classes: labels, reference: squeezenet },
  ] as const satisfies readonly {
    readonly name: ModelName;
    readonly source: string;
    readonly size: number;
    readonly classes: readonly string[];
    readonly reference: (weights: Weights, images: tf.Tensor4D) => Outputs;
  }[];

  for (const { name, source, size, classes, reference } of cases) {
    const load = async (architecture: Layer): Promise<Model> => {
      const options = { normalisation: pixelsFor(name), resize: { mode: "bilinear", antialias: true } } as const;
      const model = build(device, architecture, { input: [size, size, 3], classNames: classes, ...options });
      const report = await loadWeights(model, file(source));
      assert.equal([report.missing, report.unexpected, report.reshaped], [[], [], []]);
      assert.not(model.parameters.some(({ untrained }) => untrained));
      return model;
    };

    tests(`${name} tells what is in photographs`, async () => {
      const model = await load(buildArchitecture(name, { classes: classes.length }));
      for (const [picture, right] of Object.entries(photos)) {
        const { pixels, shape } = await decodePicture(readFileSync(photo(picture)), picture);
        const { probabilities } = await predict(model, pixels, { shape });
        const ranked = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!);
        const top = ranked.slice(0, 5).map((index) => classes[index]!);
        assert.ok(right.includes(top[0] as never), `${picture}: ${top.join("; ")}`);
        assert.ok(right.every((label) => top.includes(label)), `${picture}: ${top.join("; ")}`); // prettier-ignore
      }
    });

    tests(`each layer of ${name} computes what TensorFlow.js computes`, async () => {
      const model = await load(buildArchitecture(name, { classes: classes.length }));
      const pixels = await Promise.all(Object.keys(photos).map((picture) => pixelsOf(photo(picture), size)));
      const images = Float32Array.from(pixels.flatMap((each) => [...normalised[name](each)]));
      const shape = [pixels.length, size, size, 3] as const;
      const ours = await outputsOf(model, images, shape);
      const theirs = new Map<string, Float32Array>();
      tf.tidy(() => {
        const made = reference(readSafetensors(file(source)), tf.tensor4d(images, [...shape]));
        for (const [layer, y] of made) theirs.set(layer, y.dataSync<"float32">());
      });
      const layers = [...theirs.keys()];
      assert.equal(layers.filter((layer) => !ours.has(layer)), []); // prettier-ignore
      const errors = layers.map((layer) => relativeError(ours.get(layer)!, theirs.get(layer)!));
      const worst = Math.max(...errors);
      assert.ok(worst < 1e-4, `${layers[errors.indexOf(worst)]} is off by ${worst}`);
      assert.is(layers.length, name === "mobilenetv2" ? 52 + 52 + 10 + 3 : 26 + 8 + 1);
    });
  }

  tests("SqueezeNet's Keras file holds the same features, for a network of its own classes", async () => {
    const options = { input: [227, 227, 3] };
    const one = build(device, buildArchitecture("squeezenet1_1", { top: false }), options);
    await loadWeights(one, file("squeezenet1_1_notop.keras.h5"));
    const other = build(device, buildArchitecture("squeezenet1_1", { classes: 5 }), options);
    const report = await loadWeights(other, file("squeezenet1_1.safetensors"), { except: /^conv10\// });
    assert.equal(report.missing, ["conv10/kernel", "conv10/bias"]);
    const [a, b] = await Promise.all(
      [one, other].map((model) => device.readMany(model.parameters.slice(0, 50).map(({ tensor }) => tensor))),
    );
    assert.equal(a, b);
    assert.is(one.parameters.length, 50);
  });

  tests.run();
}

/** A photograph as bytes `[size, size, 3]`. */
async function pixelsOf(path: string, size: number): Promise<Uint8Array> {
  const { pixels, shape } = await decodePicture(readFileSync(path), path);
  return resample(pixels, shape, [size, size], "triangle");
}

/** What each network wants to see, after the words that came with its weights. */
const normalised = {
  mobilenetv2: (pixels: Uint8Array) => Float32Array.from(pixels, (pixel) => pixel / 127.5 - 1),
  squeezenet1_1: (pixels: Uint8Array) => {
    const means = [103.939, 116.779, 123.68];
    return Float32Array.from(pixels, (_, at) => pixels[at - (at % 3) + (2 - (at % 3))]! - means[at % 3]!);
  },
};

/** What every layer makes, by its own name, and that of the fire module where it is in one. */
async function outputsOf(
  model: Model,
  images: Float32Array<ArrayBuffer>,
  shape: readonly number[],
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const made = new Map<string, Tensor>();
  scope(device, () => {
    const context = {
      training: false,
      random: () => assert.unreachable("nothing is random") as never,
      tap: (y: Tensor, { path }: { readonly path: string }): Tensor => {
        const parts = path
          .split("/")
          .filter((part) => !/^(sequential|residual|shortcut|concat|mobilenetv2|squeezenet1_1)$/.test(part));
        const name = parts.slice(parts.at(-2)?.startsWith("fire") ? -2 : -1).join("/");
        made.set(name, y);
        return y;
      },
    };
    model.call(device.tensor(images, shape), context);
    return [...made.values()];
  });
  const values = await device.readMany([...made.values()]);
  return new Map([...made.keys()].map((name, index) => [name, values[index]!]));
}

/** Largest difference, as a share of the largest value. */
function relativeError(got: ArrayLike<number>, want: Float32Array): number {
  assert.is(got.length, want.length);
  let [difference, largest] = [0, 0];
  want.forEach((value, index) => {
    difference = Math.max(difference, Math.abs(got[index]! - value));
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

/** A safetensors file of f32, without our reader: eight bytes of length, a header in JSON, the numbers. */
function readSafetensors(path: string): Weights {
  const bytes = readFileSync(path);
  const begin = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, begin)) as Record<string, { shape: number[]; data_offsets: [number, number] }>; // prettier-ignore
  const { __metadata__: _, ...tensors } = header;
  return new Map(
    Object.entries(tensors).map(
      ([
        name,
        {
          shape,
          data_offsets: [start, end],
        },
      ]) => {
        const values = new Float32Array(new Uint8Array(bytes.subarray(begin + start, begin + end)).buffer);
        return [name, tf.tensor(values, shape)];
      },
    ),
  );
}
