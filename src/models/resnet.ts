/**
 * Residual networks of basic blocks (He, Zhang, Ren and Sun 2016, table 1; the projection where shapes change is option B).
 * Keras has none of these depths: the names are those that its deeper ones would have.
 */
import { activation, add, identity, maxPool2d, sequential, type Layer } from "../nn/index.ts";
import { blocksOf, meanClassifier, network, type ArchitectureOptions, type Blocks } from "./network.ts";

/** Blocks of each stage. */
const STAGES = { resnet18: [2, 2, 2, 2], resnet34: [3, 4, 6, 3] } as const;

function resnet(name: keyof typeof STAGES) {
  return (options: ArchitectureOptions = {}): Layer => {
    const { convention = "torch", dropout = 0 } = options;
    const blocks = blocksOf(convention, { epsilon: 1.001e-5 });
    const stem = [
      blocks.conv(64, 7, "conv1_conv", { stride: 2, padding: 3 }),
      blocks.norm("conv1_bn"),
      blocks.relu("conv1_relu"),
      maxPool2d(3, { stride: 2, padding: 1, name: "pool1_pool" }),
    ];
    const stages = STAGES[name].flatMap((count, stage) =>
      Array.from({ length: count }, (_, block) => {
        const isFirst = block === 0 && stage > 0; // where shapes change
        return basicBlock(blocks, 64 * 2 ** stage, isFirst ? 2 : 1, `conv${stage + 2}_block${block + 1}`, isFirst);
      }).flat(),
    );
    return network({ name, features: [...stem, ...stages], top: meanClassifier(dropout) }, options);
  };
}

/** relu(shortcut(x) + norm(conv(relu(norm(conv(x)))))) */
function basicBlock({ conv, norm, relu }: Blocks, filters: number, stride: number, name: string, projects: boolean) {
  const shortcut = projects
    ? sequential([conv(filters, 1, `${name}_0_conv`, { stride }), norm(`${name}_0_bn`)], { name: "shortcut" })
    : identity({ name: "shortcut" });
  const residual = sequential(
    [
      conv(filters, 3, `${name}_1_conv`, { stride, padding: 1 }),
      norm(`${name}_1_bn`),
      relu(`${name}_1_relu`),
      conv(filters, 3, `${name}_2_conv`, { padding: 1 }),
      norm(`${name}_2_bn`),
    ],
    { name: "residual" },
  );
  return [add([shortcut, residual], { name: `${name}_add` }), activation("relu", { name: `${name}_out` })];
}

/** 17 convolutions and a dense layer. */
export const resnet18 = resnet("resnet18");
/** 33 convolutions and a dense layer. */
export const resnet34 = resnet("resnet34");
