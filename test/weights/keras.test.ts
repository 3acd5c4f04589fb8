/** Keras's HDF5 files: a published one against its safetensors twin, and each layout that Keras has had. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Group } from "h5wasm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { openWeights, parseSafetensors, valuesOf } from "../../src/weights/index.ts";
import { hdf5, writeLayer, type Weights } from "./hdf5.ts";
import { refusal, succeedOrRefuse } from "./refusals.ts";
import { zip } from "./writers.ts";

const keras = suite("Keras files");

async function contentOf(bytes: Uint8Array): Promise<Record<string, unknown[]>> {
  const file = await openWeights(bytes);
  assert.is(file.format, "keras");
  const content: Record<string, unknown[]> = {};
  for await (const tensor of file.read()) content[tensor.name] = [[...tensor.shape], ...valuesOf(tensor)];
  await file.close();
  return content;
}

const layers: Readonly<Record<string, Weights>> = {
  conv: { "conv_1/kernel:0": [[1, 1, 1, 2], 1, 2], "conv_1/bias:0": [[2], 3, 4] },
  old: { old_W: [[2, 1], 5, 6], old_b: [[1], 7] },
  bn: { "bn/gamma:0": [[1], 1], "bn/beta:0": [[1], 2], "bn/moving_mean:0": [[1], 3], "bn/moving_variance:0": [[1], 4] },
  old_bn: { g: [[1], 1], b: [[1], 2], running_mean: [[1], 3], running_std: [[1], 4] },
  depthwise: { "depthwise/depthwise_kernel:0": [[1, 1, 2, 1], 8, 9] },
  inner: { "a/kernel:0": [[1, 1], 1], "b/kernel:0": [[1, 1], 2] },
};
const content = {
  "conv/kernel": [[1, 1, 1, 2], 1, 2],
  "conv/bias": [[2], 3, 4],
  "old/kernel": [[2, 1], 5, 6],
  "old/bias": [[1], 7],
  "bn/gamma": [[1], 1],
  "bn/beta": [[1], 2],
  "bn/moving_mean": [[1], 3],
  "bn/moving_variance": [[1], 4],
  "old_bn/gamma": [[1], 1],
  "old_bn/beta": [[1], 2],
  "old_bn/moving_mean": [[1], 3],
  "old_bn/moving_variance": [[1], 4],
  "depthwise/depthwise_kernel": [[1, 1, 2, 1], 8, 9],
  "inner/a/kernel": [[1, 1], 1],
  "inner/b/kernel": [[1, 1], 2],
};

function writeLayers(root: Group): void {
  for (const [layer, weights] of Object.entries(layers)) writeLayer(root, layer, weights);
}

keras("weights of Keras 1 and 2, named by layer and part", async () => {
  const bytes = await hdf5((root) => {
    writeLayers(root);
    root.create_group("relu").create_attribute("weight_names", new Float64Array());
    root.create_attribute("layer_names", [...Object.keys(layers), "relu"]);
  });
  assert.equal(await contentOf(bytes), content);
});

keras("a whole model, its list of layers in several attributes", async () => {
  const names = Object.keys(layers);
  const bytes = await hdf5((root) => {
    const weights = root.create_group("model_weights");
    writeLayers(weights);
    weights.create_attribute("layer_names0", names.slice(0, 2));
    weights.create_attribute("layer_names1", names.slice(2));
    root.create_attribute("model_config", "{}");
    root.create_group("optimizer_weights").create_attribute("weight_names", ["iterations:0"]);
  });
  assert.equal(await contentOf(bytes), content);
});

keras("compressed data", async () => {
  const data = Float32Array.from({ length: 64 }, (_, index) => index % 4);
  const bytes = await hdf5((root) => {
    const group = root.create_group("fc");
    group.create_dataset({
      name: "kernel:0",
      data,
      shape: [8, 8],
      chunks: [4, 4],
      compression: "gzip",
      compression_opts: 9,
    });
    group.create_attribute("weight_names", ["kernel:0"]);
    root.create_attribute("layer_names", ["fc"]);
  });
  assert.equal(await contentOf(bytes), { "fc/kernel": [[8, 8], ...data] });
});

/** Layers as Keras 3 keeps them. */
function writeNumbered(root: Group): void {
  const variables = (path: string, ...weights: readonly (readonly [number[], ...number[]])[]): void => {
    let group = root;
    for (const part of [...path.split("/"), "vars"]) {
      group = (group.get(part) as Group | null) ?? group.create_group(part);
    }
    weights.forEach(([shape, ...values], index) => {
      group.create_dataset({ name: String(index), data: Float32Array.from(values), shape });
    });
  };
  variables("layers/conv2d", [[1, 1, 1, 1], 1], [[1], 2]);
  for (let index = 1; index <= 10; index++) variables(`layers/conv2d_${index}`, [[1, 1, 1, 1], 10 + index]);
  variables("layers/batch_normalization", [[1], 3], [[1], 4], [[1], 5], [[1], 6]);
  variables("layers/functional/layers/dense", [[1, 1], 7]);
  variables("layers/dropout/seed_generator", [[1], 9]);
  variables("optimizer", [[1], 9]);
}

const numbered = (conv: string, tenth: string, bn: string, inner: string) => ({
  [`${conv}/kernel`]: [[1, 1, 1, 1], 1],
  [`${conv}/bias`]: [[1], 2],
  [`${tenth}/kernel`]: [[1, 1, 1, 1], 20],
  [`${bn}/gamma`]: [[1], 3],
  [`${bn}/beta`]: [[1], 4],
  [`${bn}/moving_mean`]: [[1], 5],
  [`${bn}/moving_variance`]: [[1], 6],
  [`${inner}/kernel`]: [[1, 1], 7],
});

keras("weights of Keras 3, by class and number", async () => {
  const bytes = await hdf5(writeNumbered);
  const file = await openWeights(bytes);
  assert.equal(file.skipped, ["layers/dropout/seed_generator/0", "optimizer/0"]);
  await file.close();
  const read = await contentOf(bytes);
  assert.is(Object.keys(read).length, 17);
  for (const [name, value] of Object.entries(
    numbered("conv2d", "conv2d_10", "batch_normalization", "functional/dense"),
  )) {
    assert.equal(read[name], value, name);
  }
});

keras("a .keras archive, whose layers have names", async () => {
  const convolutions = Array.from({ length: 11 }, (_, index) => ({
    class_name: "Conv2D",
    config: { name: `c${index}` },
  }));
  const inner = {
    class_name: "Functional",
    config: { name: "base", layers: [{ class_name: "Dense", config: { name: "fc" } }] },
  };
  const config = {
    class_name: "Functional",
    config: { layers: [...convolutions, { class_name: "BatchNormalization", config: { name: "bn" } }, inner] },
  };
  const weights = await hdf5(writeNumbered);
  const archive = {
    "metadata.json": new Uint8Array(),
    "config.json": Buffer.from(JSON.stringify(config)),
    "model.weights.h5": weights,
  };
  for (const deflate of [false, true]) {
    const read = await contentOf(zip(archive, { deflate }));
    for (const [name, value] of Object.entries(numbered("c0", "c10", "bn", "base/fc"))) {
      assert.equal(read[name], value, name);
    }
  }
  const nonsense = await contentOf(zip({ ...archive, "config.json": Buffer.from("[") }));
  assert.equal(nonsense["conv2d/bias"], [[1], 2]);
});

for (const [what, fill, message] of [
  ["no weights", () => undefined, /without layer_names and vars/],
  ["a layer that is not there", (root: Group) => root.create_attribute("layer_names", ["a"]), /a group "a"/],
  [
    "a weight that is not there",
    (root: Group) => {
      root.create_attribute("layer_names", ["a"]);
      root.create_group("a").create_attribute("weight_names", ["kernel:0"]);
    },
    /layer "a".*a data set "kernel:0"/,
  ],
  [
    "weights in another file",
    (root: Group) => {
      root.create_attribute("layer_names", ["a"]);
      const group = root.create_group("a");
      group.create_attribute("weight_names", ["kernel:0"]);
      group.create_external_link("/etc/hostname", "x", "kernel:0");
    },
    /a data set "kernel:0"|an HDF5 file/,
  ],
  [
    "text for weights",
    (root: Group) => {
      root.create_attribute("layer_names", ["a"]);
      const group = root.create_group("a");
      group.create_attribute("weight_names", ["kernel:0"]);
      group.create_dataset({ name: "kernel:0", data: ["x"] });
    },
    /little-endian numbers of 32 or 64 bits/,
  ],
] as const) {
  keras(`refused: ${what}`, async () => {
    const bytes = await hdf5(fill);
    const error = await refusal(() => openWeights(bytes, { file: "some.h5" }));
    assert.instance(error, FormatError);
    assert.match(error.where, /^some\.h5/);
    assert.match(error.message, message);
  });
}

keras("files cut off or damaged are refused, or read without what they lost", async () => {
  const sound = await hdf5((root) => {
    writeLayers(root);
    root.create_attribute("layer_names", Object.keys(layers));
  });
  for (const length of [8, 100, 1000, sound.length - 1]) {
    await succeedOrRefuse(() => contentOf(sound.slice(0, length)));
  }
  for (let place = 8; place < sound.length; place += 97) {
    const bytes = sound.slice();
    bytes[place] = 0xa5;
    await succeedOrRefuse(() => contentOf(bytes));
  }
});

/** Weights that other programs wrote, where the checkout has them beside it. */
const samples = join(import.meta.dirname, "../../../shared/data/weights");
const published = join(samples, "squeezenet1_1_notop.keras.h5");

if (existsSync(published)) {
  keras("the published SqueezeNet equals its safetensors twin bit for bit", async () => {
    const twin = new Uint8Array(readFileSync(join(samples, "squeezenet1_1.safetensors")));
    const { tensors } = parseSafetensors(twin, "twin");
    const file = await openWeights(published);
    let count = 0;
    for await (const { name, dtype, shape, bytes } of file.read()) {
      const other = tensors.get(name)!;
      assert.equal({ dtype, shape: [...shape] }, { dtype: other.dtype, shape: [...other.shape] }, name);
      assert.is(Buffer.compare(bytes, other.bytes), 0, name);
      count += 1;
    }
    await file.close();
    // The twin has the classifier, too: kernel and bias.
    assert.is(count, tensors.size - 2);
  });
}

keras.run();
