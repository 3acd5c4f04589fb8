/**
 * Wide residual networks for small pictures (Zagoruyko and Komodakis 2016, table 1): pre-activated basic blocks, few of
 * them, with many channels. WRN-28-10 has 28 convolutions, those of shortcuts included, and is 10 times as wide as the
 * residual network of that depth.
 */
import { OptionError } from "../errors.ts";
import { add, dropout, identity, sequential, type Layer } from "../nn/index.ts";
import { blocksOf, meanClassifier, network, type ArchitectureOptions, type Blocks } from "./network.ts";

/** `dropout` is the rate between the convolutions of a block; the paper has 0.3 at its best. Default: 0. */
export type WideResnetOptions = ArchitectureOptions;

/**
 * @param depth number of convolutions, 6n + 4. @param width factor of all channels.
 */
export function wideResnet(depth: number, width: number, options: WideResnetOptions = {}): Layer {
  const { convention = "torch", dropout: rate = 0 } = options;
  const count = (depth - 4) / 6;
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(width) || width < 1) {
    const expected = "a depth of 10, 16, 22, 28, … and a whole width of at least 1";
    throw new OptionError({ where: "wideResnet", expected, got: `${depth} and ${width}` });
  }
  const blocks = blocksOf(convention, {});
  const features = [blocks.conv(16, 3, "conv1_conv", { padding: 1 })];
  let inputs = 16;
  [16, 32, 64].forEach((base, stage) => {
    const filters = base * width;
    for (let block = 1; block <= count; block++) {
      const [name, stride] = [`conv${stage + 2}_block${block}`, block === 1 && stage > 0 ? 2 : 1];
      const make = inputs === filters ? identityBlock : projectionBlock;
      features.push(make(blocks, { filters, stride, rate, name }));
      inputs = filters;
    }
  });
  features.push(blocks.norm("post_bn"), blocks.relu("post_relu"));
  return network({ name: `wrn${depth}_${width}`, features, top: meanClassifier(0), classes: 10 }, options);
}

interface Block {
  readonly filters: number;
  readonly stride: number;
  readonly rate: number;
  readonly name: string;
}

/** x + f(relu(norm(x))) */
function identityBlock(blocks: Blocks, block: Block): Layer {
  const residual = sequential([...preactivation(blocks, block), ...inner(blocks, block)], { name: "residual" });
  return add([identity({ name: "shortcut" }), residual], { name: `${block.name}_out` });
}

/** With p = relu(norm(x)): conv(p) + f(p). */
function projectionBlock(blocks: Blocks, block: Block): Layer {
  const { filters, stride, name } = block;
  const shortcut = blocks.conv(filters, 1, `${name}_0_conv`, { stride });
  const residual = sequential(inner(blocks, block), { name: "residual" });
  return sequential([...preactivation(blocks, block), add([shortcut, residual], { name: `${name}_out` })], { name });
}

function preactivation({ norm, relu }: Blocks, { name }: Block): Layer[] {
  return [norm(`${name}_preact_bn`), relu(`${name}_preact_relu`)];
}

/** f: conv 3×3 (dropout (relu (norm (conv 3×3)))) */
function inner({ conv, norm, relu }: Blocks, { filters, stride, rate, name }: Block): Layer[] {
  return [
    conv(filters, 3, `${name}_1_conv`, { stride, padding: 1 }),
    norm(`${name}_1_bn`),
    relu(`${name}_1_relu`),
    ...(rate === 0 ? [] : [dropout(rate, { name: `${name}_1_dropout` })]),
    conv(filters, 3, `${name}_2_conv`, { padding: 1 }),
  ];
}
