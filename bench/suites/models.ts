/** Published networks on small pictures: prediction, and training steps. Noise for pictures: what is timed knows no difference. */
import { mobilenetV2, resnet18, squeezenet } from "../../src/models/index.ts";
import type { Layer } from "../../src/nn/index.ts";
import type { Case, CaseFacts, Suite } from "../case.ts";
import type { Network } from "../networks.ts";
import { mixedStepCase, predictionCase, stepCase } from "./networks.ts";

/** Dropout would make every engine train on other noise. */
const options = { classes: 10, dropout: 0 } as const;

const LAYERS: Readonly<Record<string, Layer>> = {
  SqueezeNet: squeezenet(options),
  MobileNetV2: mobilenetV2(options),
  ResNet18: resnet18(options),
};

const ofSide = (side: number, batch: number): Network[] =>
  Object.entries(LAYERS).map(([name, layers]) => ({
    name: `${name} ${side}×${side}`,
    layers,
    input: [side, side, 3],
    batch,
  }));

const [small, medium, large] = [ofSide(48, 32), ofSide(96, 16), ofSide(224, 64)];

/** What `--profile` may look into. */
export const MODELS: readonly Network[] = [...small, ...medium];

/** Through fifty layers with batch norm, rounding grows to whole percents within a few steps of Adam. */
const STEP_TOLERANCE = 3e-2;

const casesOf = (network: Network, when: NonNullable<CaseFacts["when"]>): Case[] => [
  predictionCase(network, { when }),
  stepCase(network, { when, tolerance: STEP_TOLERANCE }),
  mixedStepCase(network, { when, tolerance: 2 * STEP_TOLERANCE }),
];

export const modelSuite: Suite = {
  name: "models",
  cases: [
    ...[...small, ...medium].flatMap((network) => casesOf(network, "full")),
    ...large.flatMap((network) => casesOf(network, "gpu")),
  ],
};
