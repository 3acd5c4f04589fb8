/**
 * The names of torchvision's models, as Keras's applications call the same layers. A map brings weights to their places; it
 * cannot know that the same layer computes otherwise in the other program: epsilon of batch norm, padding, the place of a
 * stride.
 */
import type { NameMap, NameRule } from "./nameMap.ts";
import { torch } from "./torch.ts";

function map(name: string, rules: readonly NameRule[]): NameMap {
  return { name: `torchvision ${name}`, convention: torch.convention, rules };
}

/** A rule for the module of exactly this name. */
function is(path: string, ours: string): NameRule {
  return [new RegExp(`^${path.replaceAll(".", String.raw`\.`)}$`), ours];
}

const plusOne = (number: string): string => String(Number(number) + 1);

/**
 * VGG: numbers count every module of the sequence, so those of a convolution hang on what is between them.
 * @param blocks convolutions of each block. @param norm whether a batch norm follows each.
 */
function vgg(name: string, blocks: readonly number[], norm: boolean): NameMap {
  const rules: NameRule[] = [];
  let module = 0;
  blocks.forEach((convolutions, block) => {
    for (let conv = 1; conv <= convolutions; conv++) {
      const ours = `block${block + 1}_conv${conv}`;
      rules.push(is(`features.${module}`, ours));
      if (norm) rules.push(is(`features.${module + 1}`, `${ours}_bn`));
      module += norm ? 3 : 2;
    }
    module += 1; // the pooling
  });
  const top = ["fc1", "fc2", "predictions"].map((ours, index) => is(`classifier.${3 * index}`, ours));
  return map(name, [...rules, ...top]);
}

/** ResNet 18 to 152: stage, block and convolution keep their order, counted as Keras counts. */
const resnet = map("ResNet", [
  is("conv1", "conv1_conv"),
  is("bn1", "conv1_bn"),
  [/^layer(\d)\.(\d+)\./, (_, stage, block) => `conv${plusOne(stage)}_block${plusOne(block)}_`],
  [/_downsample\.0$/, "_0_conv"],
  [/_downsample\.1$/, "_0_bn"],
  [/(block\d+)_(conv|bn)(\d)$/, "$1_$3_$2"],
  is("fc", "predictions"),
]);

/** DenseNet; files of before 2019 write `norm.1` for `norm1`. */
const densenet = map("DenseNet", [
  is("features.conv0", "conv1_conv"),
  is("features.norm0", "conv1_bn"),
  is("features.norm5", "bn"),
  [
    /^features\.transition(\d)\.(conv|norm)$/,
    (_, stage, part) => `pool${plusOne(stage)}_${part === "norm" ? "bn" : "conv"}`,
  ],
  [/^features\.denseblock(\d)\.denselayer(\d+)\./, (_, stage, layer) => `conv${plusOne(stage)}_block${layer}_`],
  [/_norm\.?1$/, "_0_bn"],
  [/_conv\.?1$/, "_1_conv"],
  [/_norm\.?2$/, "_1_bn"],
  [/_conv\.?2$/, "_2_conv"],
  is("classifier", "predictions"),
]);

/** MobileNetV2: the first block has no expansion, so its parts are numbered otherwise. */
const mobilenetV2 = map("MobileNetV2", [
  is("features.0.0", "Conv1"),
  is("features.0.1", "bn_Conv1"),
  is("features.18.0", "Conv_1"),
  is("features.18.1", "Conv_1_bn"),
  is("features.1.conv.0.0", "expanded_conv_depthwise"),
  is("features.1.conv.0.1", "expanded_conv_depthwise_BN"),
  is("features.1.conv.1", "expanded_conv_project"),
  is("features.1.conv.2", "expanded_conv_project_BN"),
  [/^features\.(\d+)\.conv\./, (_, block) => `block_${Number(block) - 1}_`],
  [/^(block_\d+)_0\.0$/, "$1_expand"],
  [/^(block_\d+)_0\.1$/, "$1_expand_BN"],
  [/^(block_\d+)_1\.0$/, "$1_depthwise"],
  [/^(block_\d+)_1\.1$/, "$1_depthwise_BN"],
  [/^(block_\d+)_2$/, "$1_project"],
  [/^(block_\d+)_3$/, "$1_project_BN"],
  is("classifier.1", "predictions"),
]);

/** SqueezeNet. @param fires numbers of the modules `fire2` to `fire9`. */
function squeezenet(name: string, fires: readonly number[]): NameMap {
  return map(name, [
    is("features.0", "conv1"),
    is("classifier.1", "conv10"),
    ...fires.map((module, index): NameRule => [new RegExp(String.raw`^features\.${module}\.`), `fire${index + 2}/`]),
    [/\/squeeze$/, "/squeeze1x1"],
  ]);
}

/** Maps for the models of torchvision, by its own names for them; ResNets and DenseNets of every depth share one. */
export const torchvision = {
  vgg16: vgg("VGG16", [2, 2, 3, 3, 3], false),
  vgg16_bn: vgg("VGG16 with batch norm", [2, 2, 3, 3, 3], true),
  vgg19: vgg("VGG19", [2, 2, 4, 4, 4], false),
  vgg19_bn: vgg("VGG19 with batch norm", [2, 2, 4, 4, 4], true),
  resnet,
  densenet,
  mobilenet_v2: mobilenetV2,
  squeezenet1_0: squeezenet("SqueezeNet 1.0", [3, 4, 5, 7, 8, 9, 10, 12]),
  squeezenet1_1: squeezenet("SqueezeNet 1.1", [3, 4, 6, 7, 9, 10, 11, 12]),
} as const satisfies Readonly<Record<string, NameMap>>;
