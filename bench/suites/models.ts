/** Published networks on small pictures: prediction, and training steps. Noise for pictures: what is timed knows no difference. */
import {
  densenet121,
  fastResnet,
  mobilenetV2,
  resnet18,
  resnet50V2,
  squeezenet,
  vgg16,
  wideResnet,
} from "../../src/models/index.ts";
import type { Layer } from "../../src/nn/index.ts";
import type { Case, CaseFacts, Suite } from "../case.ts";
import type { Network } from "../networks.ts";
import { mixedStepCase, predictionCase, stepCase } from "./networks.ts";

/** Dropout would make every engine train on other noise. */
const options = { classes: 10, dropout: 0 } as const;

/**
 * Small: at 1e-3 VGG16's losses part in the second step, because TensorFlow.js' gradient of a product of few rows and 4,096
 * terms is wrong on lavapipe (docs/performance.md). Both do the same work all the same.
 */
const LEARNING_RATE = 1e-5;

type Zoo = Readonly<Record<string, Layer>>;

const LIGHT: Zoo = {
  "Fast ResNet": fastResnet(options),
  SqueezeNet: squeezenet(options),
  MobileNetV2: mobilenetV2(options),
  ResNet18: resnet18(options),
};

/** One of every other builder. PyTorch's padding, which every library here understands. */
const HEAVY: Zoo = {
  VGG16: vgg16(options),
  ResNet50V2: resnet50V2({ ...options, convention: "torch" }),
  DenseNet121: densenet121({ ...options, convention: "torch" }),
  "WRN-16-4": wideResnet(16, 4, options),
};

const ofSide = (zoo: Zoo, side: number, batch: number): Network[] =>
  Object.entries(zoo).map(([name, layers]) => ({
    name: `${name} ${side}×${side}`,
    layers,
    input: [side, side, 3],
    batch,
    learningRate: LEARNING_RATE,
  }));

const light = [...ofSide(LIGHT, 48, 32), ...ofSide(LIGHT, 96, 16)];
const heavy = [...ofSide(HEAVY, 48, 8), ...ofSide(HEAVY, 96, 2)];
const large = [...ofSide(LIGHT, 224, 64), ...ofSide(HEAVY, 224, 64)];

/** What `--profile` may look into. */
export const MODELS: readonly Network[] = [...light, ...heavy];

/** Through fifty layers with batch norm, rounding grows to whole percents within a few steps of Adam. */
const STEP_TOLERANCE = 3e-2;

type When = NonNullable<CaseFacts["when"]>;

const plainCases = (network: Network, when: When): Case[] => [
  predictionCase(network, { when, goal: "zoo" }),
  stepCase(network, { when, tolerance: STEP_TOLERANCE, goal: "zoo" }),
];

const withHalves = (network: Network, when: When): Case[] => [
  ...plainCases(network, when),
  mixedStepCase(network, { when, tolerance: 2 * STEP_TOLERANCE }),
];

export const modelSuite: Suite = {
  name: "models",
  cases: [
    ...light.flatMap((network) => withHalves(network, "full")),
    ...heavy.flatMap((network) => plainCases(network, "full")),
    ...large.flatMap((network) => withHalves(network, "gpu")),
  ],
};
