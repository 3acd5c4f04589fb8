/**
 * MobileNetV2 (Sandler et al. 2018, table 2): inverted residual blocks, which expand to many channels, filter each by
 * itself and project back to few, without a non-linearity at the end.
 */
import { OptionError } from "../errors.ts";
import { activation, add, depthwiseConv2d, identity, sequential, type Layer } from "../nn/index.ts";
import { blocksOf, meanClassifier, network, type ArchitectureOptions, type Blocks } from "./network.ts";

export interface MobileNetV2Options extends ArchitectureOptions {
  /** Multiplies the channels of all layers, and of the last one only if above 1. Default: 1. */
  readonly width?: number;
}

/** Expansion, channels, blocks and first stride of each stage: t, c, n, s of the paper. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Blocks in a convention. */
interface Style extends Blocks {
  readonly padding: "same" | 1;
}

export function mobilenetV2(options: MobileNetV2Options = {}): Layer {
  const { convention = "keras", dropout = 0.2, width = 1 } = options;
  if (!(width > 0 && Number.isFinite(width))) {
    throw new OptionError({ where: "mobilenetv2", expected: "a width above 0", got: String(width) });
  }
  const blocks = blocksOf(convention, { momentum: 0.999 });
  const style: Style = { ...blocks, padding: convention === "keras" ? "same" : 1 };
  const { conv, norm, padding } = style;
  let channels = inEights(32 * width);
  const features = [
    conv(channels, 3, "Conv1", { stride: 2, padding }),
    norm("bn_Conv1"),
    activation("relu6", { name: "Conv1_relu" }),
  ];
  let block = 0;
  for (const [expansion, base, count, first] of STAGES) {
    for (let place = 0; place < count; place++) {
      const [inputs, stride] = [channels, place === 0 ? first : 1];
      channels = inEights(base * width);
      features.push(...invertedResidual(style, { inputs, expansion, channels, stride, block: block++ }));
    }
  }
  features.push(
    conv(inEights(1280 * Math.max(1, width)), 1, "Conv_1"),
    norm("Conv_1_bn"),
    activation("relu6", { name: "out_relu" }),
  );
  return network({ name: "mobilenetv2", features, top: meanClassifier(dropout), own: ["width"] }, options);
}

interface Block {
  readonly inputs: number;
  readonly expansion: number;
  readonly channels: number;
  readonly stride: number;
  readonly block: number;
}

function invertedResidual(style: Style, { inputs, expansion, channels, stride, block }: Block): Layer[] {
  const { conv, norm, initialiser, padding } = style;
  const name = block === 0 ? "expanded_conv" : `block_${block}`;
  const expand = [
    conv(inputs * expansion, 1, `${name}_expand`),
    norm(`${name}_expand_BN`),
    activation("relu6", { name: `${name}_expand_relu` }),
  ];
  const layers = [
    ...(expansion === 1 ? [] : expand),
    depthwiseConv2d(3, { stride, padding, bias: false, initialiser, name: `${name}_depthwise` }),
    norm(`${name}_depthwise_BN`),
    activation("relu6", { name: `${name}_depthwise_relu` }),
    conv(channels, 1, `${name}_project`),
    norm(`${name}_project_BN`),
  ];
  if (stride !== 1 || inputs !== channels) return layers;
  return [add([identity({ name: "shortcut" }), sequential(layers, { name: "residual" })], { name: `${name}_add` })];
}

/** The nearest multiple of eight, but not less than nine tenths of what was asked for. */
function inEights(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}
