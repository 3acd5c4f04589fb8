/** Architectures against what is published of them: parameters, operations, depth, names; and what options change. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OptionError, ShapeError } from "../../src/errors.ts";
import { NORMALISATIONS } from "../../src/kernels/normalisation.ts";
import {
  buildArchitecture,
  countsOf,
  defaultInputOf,
  describe,
  fastResnet,
  mobilenetV2,
  modelNames,
  pixelsFor,
  resnet50V2,
  squeezenet,
  studyNetwork,
  STUDY_NETWORKS,
  vgg16,
  wideResnet,
  type ArchitectureOptions,
  type ModelName,
} from "../../src/models/index.ts";
import { outlineOf, type Layer } from "../../src/nn/index.ts";
import { layerFrom, recordOf } from "../../src/nn/layers/index.ts";
import { refusal } from "../weights/refusals.ts";

const tests = suite("architectures");

/**
 * Parameters in all and learnt ones, as Keras' `summary()` prints them; billions of multiplications with additions, as
 * torchvision's tables have them (null where it lacks the model); weighted layers on the longest path.
 */
const published: Readonly<
  Record<ModelName, readonly [total: number, learnt: number, giga: number | null, depth: number]>
> = {
  vgg16: [138_357_544, 138_357_544, 15.47, 16],
  vgg19: [143_667_240, 143_667_240, 19.63, 19],
  resnet18: [11_699_112, 11_689_512, 1.81, 18], // torchvision counts what is learnt
  resnet34: [21_814_696, 21_797_672, 3.66, 34],
  resnet50v2: [25_613_800, 25_568_360, null, 50],
  resnet101v2: [44_675_560, 44_577_896, null, 101],
  resnet152v2: [60_380_648, 60_236_904, null, 152],
  densenet121: [8_062_504, 7_978_856, 2.83, 121],
  densenet169: [14_307_880, 14_149_480, 3.36, 169],
  densenet201: [20_242_984, 20_013_928, 4.29, 201],
  mobilenetv2: [3_538_984, 3_504_872, 0.3, 53],
  squeezenet1_1: [1_235_496, 1_235_496, 0.35, 18],
  // The paper gives 36.5 M and 8.9 M; it counts the three convolutions of shortcuts as depth, and not the dense layer.
  wrn28_10: [36_497_146, 36_479_194, null, 28 - 3 + 1],
  wrn40_4: [8_959_994, 8_949_210, null, 40 - 3 + 1],
  fastresnet: [262_210, 261_298, null, 8],
};

/** Multiplications with additions of convolutions and dense layers. */
function multiplications(layer: Layer, input: readonly number[]): number {
  const weighted = outlineOf(layer, input).summaries.filter(({ kind }) => kind !== "batchNorm");
  return weighted.reduce((sum, { flops }) => sum + flops, 0) / 2;
}

tests("every architecture has a published count", () => {
  assert.equal(Object.keys(published), [...modelNames]);
});

for (const name of modelNames) {
  const [total, learnt, giga, depth] = published[name];
  tests(`${name} has ${total.toLocaleString("en")} parameters`, () => {
    const found = describe(name);
    assert.equal([found.parameters, found.trainable, found.depth, found.bytes], [total, learnt, depth, 4 * total]);
    assert.equal(found.output, [found.input[2] === 3 && found.input[0]! > 32 ? 1000 : 10]);
    const done = multiplications(buildArchitecture(name), found.input) / 1e9;
    if (giga !== null) assert.ok(Math.abs(done - giga) <= 0.011, String(done));
    assert.ok(found.flops >= 2e9 * done && found.flops < 2.06e9 * done, "batch norm adds little");
  });
}

tests("variants have the published counts, too", () => {
  const learnt = (layer: Layer, input = [224, 224, 3]): number => countsOf(layer, input).trainable;
  const total = (layer: Layer, input = [224, 224, 3]): number => countsOf(layer, input).parameters;
  const bare = { top: false } as const;
  assert.is(learnt(buildArchitecture("vgg16", { batchNorm: true })), 138_365_992); // torchvision's vgg16_bn
  assert.is(learnt(buildArchitecture("vgg19", { batchNorm: true })), 143_678_248);
  assert.is(total(vgg16(bare)), 14_714_688);
  assert.is(total(resnet50V2(bare)), 23_564_800);
  assert.is(total(buildArchitecture("densenet121", bare)), 7_037_504);
  assert.is(total(mobilenetV2(bare)), 2_257_984);
  assert.is(total(squeezenet(bare)), 722_496);
  // Keras: parameters without top by width, and millions of multiplications with additions, as its documentation has them.
  const widths = [[0.35, 410_208, 59], [0.5, 706_224, 97], [0.75, 1_382_064, 209], [1.3, 3_766_048, 509], [1.4, 4_363_712, 582]] as const; // prettier-ignore
  for (const [width, parameters, millions] of widths) {
    assert.is(total(mobilenetV2({ ...bare, width })), parameters, `width ${width}`);
    const found = multiplications(mobilenetV2({ width }), [224, 224, 3]) / 1e6;
    assert.ok(Math.abs(found - millions) < 1, `width ${width}: ${found}`);
  }
  // Zagoruyko and Komodakis 2016, tables 2 and 4, in millions.
  const wide = [[40, 1, 0.6], [40, 2, 2.2], [40, 8, 35.7], [28, 12, 52.5], [22, 8, 17.2], [22, 10, 26.8], [16, 8, 11], [16, 10, 17.1]] as const; // prettier-ignore
  for (const [depth, width, millions] of wide) {
    const count = learnt(wideResnet(depth, width), [32, 32, 3]) / 1e6;
    assert.ok(Math.abs(count - millions) < 0.06, `WRN-${depth}-${width}: ${count}`);
  }
});

tests("the studies' forms have the studies' counts", () => {
  const counts = (name: keyof typeof STUDY_NETWORKS) => countsOf(studyNetwork(name), STUDY_NETWORKS[name].input);
  assert.is(counts("s1-mobilenetv2").trainable, 2_230_277);
  assert.is(counts("s1-squeezenet").parameters, 855_109);
  // S0's heads on what is left of 48×48 pixels: 1×1×512, 2×2×2048 and 1×1×1664 numbers.
  const dense = (...units: readonly number[]): number =>
    units.slice(1).reduce((sum, out, index) => sum + (units[index]! + 1) * out, 0);
  const heads = {
    "s0-vgg16": 14_714_688 + dense(512, 1024, 1024, 1024, 512, 512, 256, 64, 64, 10),
    "s0-resnet152v2": 60_380_648 - 2_049_000 + dense(8192, 1024, 1024, 1024, 1024, 512, 512, 256, 256, 10),
    "s0-densenet169": 14_307_880 - 1_665_000 + dense(1664, 1024, 1024, 1024, 512, 512, 256, 256, 128, 10),
  };
  for (const [name, count] of Object.entries(heads)) assert.is(counts(name as keyof typeof heads).parameters, count);
});

/** What S0 left to learn of each base, worked out from the lists of Keras' layers: the last 5, 64 and 250. */
const learning: Readonly<Record<string, RegExp>> = {
  "s0-vgg16": /block5_conv/,
  "s0-resnet152v2": /post_bn|conv5_|conv4_block3[56]_|conv4_block34_(2_conv|2_bn|3_conv)/,
  "s0-densenet169": /\/bn$|conv5_|pool4_|conv4_block3[12]_|conv4_block30_(1_conv|1_bn|2_conv)/,
};

for (const [name, pattern] of Object.entries(learning)) {
  tests(`${name} leaves the layers to learn that the study did`, () => {
    const { base, input, learning: count } = STUDY_NETWORKS[name as keyof typeof STUDY_NETWORKS];
    const { parameters } = outlineOf(studyNetwork(name as keyof typeof STUDY_NETWORKS), input);
    const paths = new Set(parameters.map((parameter) => parameter.name.replace(/\/\w+$/, "")));
    const own = [...paths].filter((path) => path.startsWith(`${base}/`));
    assert.equal(
      own.slice(own.length - count!),
      own.filter((path) => pattern.test(path)),
    );
  });
}

tests("pictures may have any size and number of channels, and features can be had with or without pooling", () => {
  for (const name of modelNames) {
    const [height, width, channels] = name === "fastresnet" ? [28, 28, 1] : [64, 48, 3];
    const full = describe(name, { input: [height, width, channels], classes: 7 });
    assert.equal(full.output, [7]);
    const bare = describe(name, { input: [height, width, channels], top: false });
    assert.is(bare.output.length, 3);
    for (const pooling of ["avg", "max"] as const) {
      const pooled = describe(name, { input: [height, width, channels], top: false, pooling });
      assert.equal([pooled.output, pooled.parameters], [bare.output.slice(2), bare.parameters]);
    }
    const grey = describe(name, { input: [96, 96, 1], top: false });
    const first = bare.parameters - grey.parameters;
    assert.ok(name === "fastresnet" ? first === 0 : first > 0 && first % 2 === 0);
  }
});

tests("every architecture is written as JSON and made again from it, in both conventions", () => {
  for (const name of modelNames) {
    for (const convention of ["keras", "torch"] as const) {
      const layer = buildArchitecture(name, { convention, classes: 3, dropout: 0.25 });
      const record = JSON.parse(JSON.stringify(recordOf(layer))) as ReturnType<typeof recordOf>;
      assert.equal(recordOf(layerFrom(record, "file")), record);
      assert.equal(countsOf(layer, defaultInputOf(name)).trainable, describe(name, { classes: 3 }).trainable);
    }
  }
});

/** Configurations of all layers of a kind. */
function configsOf(layer: Layer, kind: string): Layer["config"][] {
  return [...(layer.kind === kind ? [layer.config] : []), ...layer.children.flatMap((child) => configsOf(child, kind))];
}

tests("conventions differ in batch norm, padding and pooling as the programs do", () => {
  const norms = (name: ModelName, options: ArchitectureOptions): unknown[] => {
    const all = configsOf(buildArchitecture(name, options), "batchNorm").map(({ name: _, ...rest }) => rest);
    return [...new Set(all.map((each) => JSON.stringify(each)))].map((each): unknown => JSON.parse(each));
  };
  const torch = { epsilon: 1e-5, momentum: 0.9, unbiased: true };
  for (const name of modelNames.filter((each) => !/vgg|squeeze/.test(each))) {
    assert.equal(norms(name, { convention: "torch" }), [torch]);
  }
  assert.equal(norms("resnet50v2", {}), [{ epsilon: 1.001e-5 }]);
  assert.equal(norms("densenet121", {}), [{ epsilon: 1.001e-5 }]);
  assert.equal(norms("mobilenetv2", {}), [{ momentum: 0.999 }]);
  assert.equal(norms("resnet18", {}), [torch]);

  const paddings = (layer: Layer) => [...configsOf(layer, "depthwiseConv2d")].map(({ padding }) => padding);
  assert.equal([...new Set(paddings(mobilenetV2()))], ["same"]);
  assert.equal([...new Set(paddings(mobilenetV2({ convention: "torch" })))], [1]);
  const ceil = (options: ArchitectureOptions) => configsOf(squeezenet(options), "maxPool2d").map(({ ceilMode }) => ceilMode);
  assert.equal([ceil({}), ceil({ convention: "torch" })], [[false, false, false], [true, true, true]]);
  // A picture of 32 pixels shows it: 15 → 7 → 3 → 1, or 15 → 7 → 3 → 2 where what is left counts.
  const features = { input: [36, 36, 3], top: false } as const;
  assert.equal(describe("squeezenet1_1", features).output, [1, 1, 512]);
  assert.equal(describe("squeezenet1_1", { ...features, convention: "torch" }).output, [2, 2, 512]);
  assert.is(configsOf(resnet50V2(), "zeroPad2d").length, 1);
  assert.is(configsOf(resnet50V2({ convention: "torch" }), "zeroPad2d").length, 0);
}); // prettier-ignore

tests("pixels are normalised as the published weights expect", () => {
  const { caffe, tf, torch } = NORMALISATIONS;
  assert.equal([pixelsFor("vgg16"), pixelsFor("vgg16", "torch")], [caffe, torch]);
  assert.equal([pixelsFor("squeezenet1_1"), pixelsFor("resnet152v2"), pixelsFor("mobilenetv2")], [caffe, tf, tf]);
  assert.equal([pixelsFor("densenet169"), pixelsFor("resnet18"), pixelsFor("mobilenetv2", "torch")], [torch, torch, torch]);
  assert.equal(pixelsFor("fastresnet"), { mean: 72.9404, std: 90.0212 });
  assert.equal(describe("vgg16", { convention: "torch" }).normalisation, torch);
}); // prettier-ignore

tests("dropout is the publication's, or what is asked for", () => {
  const rates = (layer: Layer) => configsOf(layer, "dropout").map(({ rate }) => rate);
  assert.equal(rates(vgg16()), [0.5, 0.5]);
  assert.equal(rates(mobilenetV2()), [0.2]);
  assert.equal(rates(squeezenet()), [0.5]);
  assert.equal(rates(resnet50V2()), []);
  assert.equal(rates(resnet50V2({ dropout: 0.3 })), [0.3]);
  assert.equal(
    rates(wideResnet(16, 4, { dropout: 0.3 })),
    Array.from({ length: 6 }, () => 0.3),
  );
  assert.equal(rates(studyNetwork("s0-densenet169")), [0.4, 0.2, 0.2, 0.2]);
});

for (const [what, attempt, message] of [
  ["a name that is none", () => describe("vgg17" as "vgg16"), /^models: expected a model among vgg16, .*got "vgg17"/],
  ["an option that is none", () => vgg16({ klasses: 3 } as object), /^vgg16: expected options among classes, .*got "klasses"/],
  ["an option of another network", () => buildArchitecture("resnet18", { width: 2 } as object), /^resnet18: .*got "width"/],
  ["no classes", () => vgg16({ classes: 0 }), /a positive whole number of classes, got 0/],
  ["another pooling", () => vgg16({ top: false, pooling: "mean" as "avg" }), /pooling "avg", "max" or null/],
  ["pooling under a top", () => vgg16({ pooling: "avg" }), /pooling only with top: false/],
  ["another convention", () => vgg16({ convention: "caffe" as "keras" }), /a convention "keras" or "torch"/],
  ["no width", () => mobilenetV2({ width: 0 }), /a width above 0/],
  ["half a width", () => fastResnet({ width: 1.5 }), /a positive whole width/],
  ["a depth between", () => wideResnet(20, 2), /a depth of 10, 16, 22/],
  ["no blocks", () => buildArchitecture("densenet121", { blocks: [3, 0] }), /positive whole numbers of layers/],
  ["a study that is none", () => studyNetwork("s9" as "s0-vgg16"), /^studyNetwork: expected one of s0-vgg16, /],
] as const) {
  tests(`refused: ${what}`, async () => {
    const error = await refusal(attempt);
    assert.instance(error, OptionError);
    assert.match(error.message, message);
  });
} // prettier-ignore

tests("a picture that is too small is refused for the network and for the layer", async () => {
  const error = await refusal(() => buildArchitecture("vgg16", { input: [31, 31, 3] }));
  assert.instance(error, ShapeError);
  assert.match(
    error.message,
    /^vgg16: expected pictures large enough for vgg16, .*got \[31, 31, 3\] \(layer "block5_pool"/,
  );
  buildArchitecture("vgg16", { input: [32, 32, 3] });
});

tests.run();
