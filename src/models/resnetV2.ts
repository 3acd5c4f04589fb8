/**
 * Residual networks with pre-activation and bottlenecks (He, Zhang, Ren and Sun 2016, "Identity mappings in deep residual
 * networks", figure 1b), as Keras has them: a stage is halved by its last block, whose shortcut then picks every second
 * pixel, and the first pooling sees a border of zeros although no ReLU comes before it.
 */
import { add, identity, maxPool2d, sequential, zeroPad2d, type Layer } from "../nn/index.ts";
import { blocksOf, meanClassifier, network, type ArchitectureOptions, type Blocks } from "./network.ts";

/** Blocks of each stage. */
const STAGES = { resnet50v2: [3, 4, 6, 3], resnet101v2: [3, 4, 23, 3], resnet152v2: [3, 8, 36, 3] } as const;

function resnetV2(name: keyof typeof STAGES) {
  return (options: ArchitectureOptions = {}): Layer => {
    const { convention = "keras", dropout = 0 } = options;
    const blocks = blocksOf(convention, { epsilon: 1.001e-5 });
    const pool = { stride: 2, name: "pool1_pool" } as const;
    const stem = [
      blocks.conv(64, 7, "conv1_conv", { stride: 2, padding: 3, bias: true }),
      ...(convention === "keras"
        ? [zeroPad2d(1, { name: "pool1_pad" }), maxPool2d(3, pool)]
        : [maxPool2d(3, { ...pool, padding: 1 })]),
    ];
    const stages = STAGES[name].flatMap((count, stage) =>
      Array.from({ length: count }, (_, block) => {
        const stride = block === count - 1 && stage < 3 ? 2 : 1;
        const own = `conv${stage + 2}_block${block + 1}`;
        return (block === 0 ? projectionBlock : bottleneck)(blocks, 64 * 2 ** stage, stride, own);
      }),
    );
    const features = [...stem, ...stages, blocks.norm("post_bn"), blocks.relu("post_relu")];
    return network({ name, features, top: meanClassifier(dropout) }, options);
  };
}

/** shortcut(x) + f(relu(norm(x))) */
function bottleneck(blocks: Blocks, filters: number, stride: number, name: string): Layer {
  const shortcut = stride === 1 ? identity({ name: "shortcut" }) : maxPool2d(1, { stride, name: "shortcut" });
  const residual = [...preactivation(blocks, name), ...inner(blocks, filters, stride, name)];
  return add([shortcut, sequential(residual, { name: "residual" })], { name: `${name}_out` });
}

/** With p = relu(norm(x)): conv(p) + f(p). */
function projectionBlock(blocks: Blocks, filters: number, stride: number, name: string): Layer {
  const shortcut = blocks.conv(4 * filters, 1, `${name}_0_conv`, { stride, bias: true });
  const residual = sequential(inner(blocks, filters, stride, name), { name: "residual" });
  return sequential([...preactivation(blocks, name), add([shortcut, residual], { name: `${name}_out` })], { name });
}

function preactivation({ norm, relu }: Blocks, name: string): Layer[] {
  return [norm(`${name}_preact_bn`), relu(`${name}_preact_relu`)];
}

/** f: 1×1 down to `filters`, 3×3, 1×1 up to four times as many. */
function inner({ conv, norm, relu }: Blocks, filters: number, stride: number, name: string): Layer[] {
  return [
    conv(filters, 1, `${name}_1_conv`),
    norm(`${name}_1_bn`),
    relu(`${name}_1_relu`),
    conv(filters, 3, `${name}_2_conv`, { stride, padding: 1 }),
    norm(`${name}_2_bn`),
    relu(`${name}_2_relu`),
    conv(4 * filters, 1, `${name}_3_conv`, { bias: true }),
  ];
}

/** 49 convolutions on the longest path, and a dense layer. */
export const resnet50V2 = resnetV2("resnet50v2");
/** 100 convolutions on the longest path, and a dense layer. */
export const resnet101V2 = resnetV2("resnet101v2");
/** 151 convolutions on the longest path, and a dense layer. */
export const resnet152V2 = resnetV2("resnet152v2");
