/** Published files fit the architectures: every tensor of theirs has its place, in Keras' names and in torchvision's. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  buildArchitecture,
  describe,
  studyNetwork,
  type BuildOptions,
  type ModelName,
} from "../../src/models/index.ts";
import { outlineOf, type Layer } from "../../src/nn/index.ts";
import { torchvision, type NameMap, type TensorInfo } from "../../src/weights/index.ts";
import { flattenedInputs } from "../../src/weights/flattened.ts";
import { planFit, type FitOptions, type FitReport } from "../../src/weights/weights.ts";
import { countOf, densenet, mobilenetV2, resnet, squeezenet, vgg, type Shapes } from "../weights/torchvisionShapes.ts";

const tests = suite("published files");

/** What becomes of a file with such tensors; throws where anything is missing or left over. */
function fitted(layer: Layer, input: readonly number[], shapes: Shapes, options: FitOptions = {}): FitReport {
  const { parameters, summaries } = outlineOf(layer, input);
  const infos = Object.entries(shapes).map(([name, shape]): [string, TensorInfo] => [name, { name, dtype: "F32", shape }]);
  const flattened = Object.fromEntries(flattenedInputs({ input, parameters, summaries } as Parameters<typeof flattenedInputs>[0]));
  return planFit(parameters, { file: "published", tensors: new Map(infos) }, { flattened, ...options }).report;
} // prettier-ignore

for (const [name, options, map, shapes] of [
  ["vgg16", {}, torchvision.vgg16, vgg([2, 2, 3, 3, 3], false)],
  ["vgg16", { batchNorm: true }, torchvision.vgg16_bn, vgg([2, 2, 3, 3, 3], true)],
  ["vgg19", {}, torchvision.vgg19, vgg([2, 2, 4, 4, 4], false)],
  ["vgg19", { batchNorm: true }, torchvision.vgg19_bn, vgg([2, 2, 4, 4, 4], true)],
  ["resnet18", {}, torchvision.resnet, resnet([2, 2, 2, 2], 1)],
  ["resnet34", {}, torchvision.resnet, resnet([3, 4, 6, 3], 1)],
  ["densenet121", {}, torchvision.densenet, densenet([6, 12, 24, 16])],
  ["densenet169", {}, torchvision.densenet, densenet([6, 12, 32, 32], true)],
  ["densenet201", {}, torchvision.densenet, densenet([6, 12, 48, 32])],
  ["mobilenetv2", {}, torchvision.mobilenet_v2, mobilenetV2(1000)],
  ["squeezenet1_1", {}, torchvision.squeezenet1_1, squeezenet([3, 4, 6, 7, 9, 10, 11, 12], [64, 3], 1000)],
] as const satisfies readonly (readonly [ModelName, object, NameMap, Shapes])[]) {
  tests(`torchvision's ${map.name.replace("torchvision ", "")} is ${name}`, () => {
    const torch = { ...options, convention: "torch" } as BuildOptions<typeof name>;
    const { input, trainable } = describe(name, torch);
    assert.is(countOf(shapes), trainable);
    const report = fitted(buildArchitecture(name, torch), input, shapes, { map });
    assert.equal([report.missing, report.unexpected], [[], []]);
    assert.ok(report.skipped.every((skipped) => skipped.endsWith("num_batches_tracked")));
  });
}

const norm = (path: string, channels: number): Shapes =>
  Object.fromEntries(
    ["gamma", "beta", "moving_mean", "moving_variance"].map((part) => [`${path}/${part}`, [channels]]),
  );
const weighted = (path: string, shape: readonly number[], bias = true): Shapes => ({
  [`${path}/kernel`]: shape,
  ...(bias && { [`${path}/bias`]: shape.slice(-1) }),
});

/** Keras' VGG, with and without the classifier. */
function kerasVgg(blocks: readonly number[], top: boolean): Shapes {
  const found: Shapes[] = [];
  let inputs = 3;
  blocks.forEach((count, block) => {
    for (let place = 1; place <= count; place++) {
      const out = Math.min(64 * 2 ** block, 512);
      found.push(weighted(`block${block + 1}_conv${place}`, [3, 3, inputs, out]));
      inputs = out;
    }
  });
  if (top) found.push(weighted("fc1", [25_088, 4096]), weighted("fc2", [4096, 4096]), weighted("predictions", [4096, 1000]));
  return Object.assign({}, ...found) as Shapes;
} // prettier-ignore

/** Keras' ResNetV2. */
function kerasResnetV2(stages: readonly number[], top: boolean): Shapes {
  const found = [weighted("conv1_conv", [7, 7, 3, 64])];
  let inputs = 64;
  stages.forEach((count, stage) => {
    const inner = 64 * 2 ** stage;
    for (let block = 1; block <= count; block++) {
      const path = `conv${stage + 2}_block${block}`;
      found.push(norm(`${path}_preact_bn`, inputs));
      if (block === 1) found.push(weighted(`${path}_0_conv`, [1, 1, inputs, 4 * inner]));
      found.push(weighted(`${path}_1_conv`, [1, 1, inputs, inner], false), norm(`${path}_1_bn`, inner));
      found.push(weighted(`${path}_2_conv`, [3, 3, inner, inner], false), norm(`${path}_2_bn`, inner));
      found.push(weighted(`${path}_3_conv`, [1, 1, inner, 4 * inner]));
      inputs = 4 * inner;
    }
  });
  found.push(norm("post_bn", 2048), top ? weighted("predictions", [2048, 1000]) : {});
  return Object.assign({}, ...found) as Shapes;
}

for (const [name, full, bare] of [
  ["vgg16", kerasVgg([2, 2, 3, 3, 3], true), kerasVgg([2, 2, 3, 3, 3], false)],
  ["vgg19", kerasVgg([2, 2, 4, 4, 4], true), kerasVgg([2, 2, 4, 4, 4], false)],
  ["resnet50v2", kerasResnetV2([3, 4, 6, 3], true), kerasResnetV2([3, 4, 6, 3], false)],
  ["resnet101v2", kerasResnetV2([3, 4, 23, 3], true), kerasResnetV2([3, 4, 23, 3], false)],
  ["resnet152v2", kerasResnetV2([3, 8, 36, 3], true), kerasResnetV2([3, 8, 36, 3], false)],
] as const) {
  tests(`Keras' ${name}, with its classifier and without`, () => {
    for (const [top, shapes] of [[true, full], [false, bare]] as const) {
      const report = fitted(buildArchitecture(name, { top }), [224, 224, 3], shapes);
      assert.equal([report.loaded.length, report.missing, report.reshaped], [Object.keys(shapes).length, [], []]);
    }
  }); // prettier-ignore
}

tests("a base inside of a study's network finds its weights; the head keeps its own", () => {
  for (const [name, shapes] of [
    ["s0-vgg16", kerasVgg([2, 2, 3, 3, 3], false)],
    ["s0-resnet152v2", kerasResnetV2([3, 8, 36, 3], false)],
  ] as const) {
    const report = fitted(studyNetwork(name), [48, 48, 3], shapes, { allowMissing: /^head\// });
    assert.is(report.loaded.length, Object.keys(shapes).length);
    assert.ok(report.loaded.every((parameter) => parameter.startsWith(name.replace("s0-", ""))));
    assert.ok(report.missing.length > 0 && report.missing.every((parameter) => parameter.startsWith("head/")));
  }
});

tests.run();
