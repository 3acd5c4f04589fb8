/**
 * Densely connected networks, DenseNet-BC (Huang, Liu, van der Maaten and Weinberger 2017, table 1): each layer sees what
 * all layers before it in its block have found, and adds 32 channels to that.
 */
import { OptionError } from "../errors.ts";
import { averagePool2d, concat, identity, maxPool2d, sequential, type Layer } from "../nn/index.ts";
import { blocksOf, meanClassifier, network, type ArchitectureOptions, type Blocks } from "./network.ts";

export interface DenseNetOptions extends ArchitectureOptions {
  /** Layers of each block. Default: the architecture's. */
  readonly blocks?: readonly number[];
}

/** Layers of each block. */
const BLOCKS = { densenet121: [6, 12, 24, 16], densenet169: [6, 12, 32, 32], densenet201: [6, 12, 48, 32] } as const;

/** Channels that a layer adds: k of the paper. */
const GROWTH = 32;

function densenet(name: keyof typeof BLOCKS) {
  return (options: DenseNetOptions = {}): Layer => {
    const { convention = "keras", dropout = 0, blocks: counts = BLOCKS[name] } = options;
    if (counts.length === 0 || !counts.every((count) => Number.isInteger(count) && count > 0)) {
      const expected = "blocks: positive whole numbers of layers";
      throw new OptionError({ where: name, expected, got: JSON.stringify(counts) });
    }
    const blocks = blocksOf(convention, { epsilon: 1.001e-5 });
    const { conv, norm, relu } = blocks;
    const features = [
      conv(64, 7, "conv1_conv", { stride: 2, padding: 3 }),
      norm("conv1_bn"),
      relu("conv1_relu"),
      maxPool2d(3, { stride: 2, padding: 1, name: "pool1" }),
    ];
    let channels = 64;
    counts.forEach((count, index) => {
      for (let layer = 1; layer <= count; layer++) {
        features.push(denseLayer(blocks, `conv${index + 2}_block${layer}`));
        channels += GROWTH;
      }
      if (index === counts.length - 1) return;
      channels = Math.floor(channels / 2);
      features.push(...transition(blocks, channels, `pool${index + 2}`));
    });
    features.push(norm("bn"), relu("relu"));
    return network({ name, features, top: meanClassifier(dropout), own: ["blocks"] }, options);
  };
}

/** x beside conv 3×3 (relu (norm (conv 1×1 (relu (norm x))))) */
function denseLayer({ conv, norm, relu }: Blocks, name: string): Layer {
  const found = [
    norm(`${name}_0_bn`),
    relu(`${name}_0_relu`),
    conv(4 * GROWTH, 1, `${name}_1_conv`),
    norm(`${name}_1_bn`),
    relu(`${name}_1_relu`),
    conv(GROWTH, 3, `${name}_2_conv`, { padding: 1 }),
  ];
  return concat([identity({ name: "before" }), sequential(found, { name: "found" })], { name: `${name}_concat` });
}

/** Half the channels, and half the pixels each way. */
function transition({ conv, norm, relu }: Blocks, channels: number, name: string): Layer[] {
  return [
    norm(`${name}_bn`),
    relu(`${name}_relu`),
    conv(channels, 1, `${name}_conv`),
    averagePool2d(2, { name: `${name}_pool` }),
  ];
}

/** 120 convolutions and a dense layer. */
export const densenet121 = densenet("densenet121");
/** 168 convolutions and a dense layer. */
export const densenet169 = densenet("densenet169");
/** 200 convolutions and a dense layer. */
export const densenet201 = densenet("densenet201");
