/**
 * A residual network for pictures of 28×28 that a software adapter trains in minutes, in the manner of those that win
 * speed contests on CIFAR-10 (Page 2018, "How to train your ResNet"): few wide layers, halved early, each with batch norm,
 * two short residual blocks, and the greatest value of each channel at the end.
 */
import { OptionError } from "../errors.ts";
import { add, dense, dropout, globalMaxPool2d, identity, maxPool2d, sequential, type Layer } from "../nn/index.ts";
import { blocksOf, network, type ArchitectureOptions, type Blocks } from "./network.ts";

export interface FastResnetOptions extends ArchitectureOptions {
  /** Channels of the first layer; those behind have twice and four times as many. Default: 24. */
  readonly width?: number;
}

export function fastResnet(options: FastResnetOptions = {}): Layer {
  const { convention = "torch", dropout: rate = 0, width = 24 } = options;
  if (!Number.isInteger(width) || width < 1) {
    throw new OptionError({ where: "fastresnet", expected: "a positive whole width", got: String(width) });
  }
  const blocks = blocksOf(convention, {});
  const features = [
    ...unit(blocks, width, "conv1"),
    maxPool2d(2, { name: "pool1" }),
    ...unit(blocks, 2 * width, "conv2"),
    residual(blocks, 2 * width, "conv2_block"),
    maxPool2d(2, { name: "pool2" }),
    ...unit(blocks, 4 * width, "conv3"),
    residual(blocks, 4 * width, "conv3_block"),
  ];
  const top = (classes: number): Layer[] => [
    globalMaxPool2d({ name: "max_pool" }),
    ...(rate === 0 ? [] : [dropout(rate, { name: "top_dropout" })]),
    dense(classes, { name: "predictions" }),
  ];
  return network({ name: "fastresnet", features, top, classes: 10, own: ["width"] }, options);
}

/** relu(norm(conv 3×3 x)) */
function unit({ conv, norm, relu }: Blocks, filters: number, name: string): Layer[] {
  return [conv(filters, 3, `${name}_conv`, { padding: 1 }), norm(`${name}_bn`), relu(`${name}_relu`)];
}

/** x + two units */
function residual(blocks: Blocks, filters: number, name: string): Layer {
  const units = [...unit(blocks, filters, `${name}_1`), ...unit(blocks, filters, `${name}_2`)];
  return add([identity({ name: "shortcut" }), sequential(units, { name: "residual" })], { name: `${name}_out` });
}
