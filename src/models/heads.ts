/** Classifiers of several dense layers, as tables, and the studies' networks that end in them. */
import { OptionError } from "../errors.ts";
import { dense, dropout, flatten, sequential, type Layer } from "../nn/index.ts";
import type { Shape } from "../tensor/index.ts";
import type { ArchitectureOptions } from "./network.ts";
import { buildArchitecture, type ModelName } from "./zoo.ts";

/** Units of a dense layer with ReLU, or a dropout. */
export type HeadStep = number | { readonly drop: number };

/** Any shape → logits `[classes]`: flattened, then the steps, then a dense layer without ReLU. */
export function denseHead(
  steps: readonly HeadStep[],
  classes: number,
  options: { readonly name?: string } = {},
): Layer {
  const layers = steps.map((step, index) =>
    typeof step === "number"
      ? dense(step, { activation: "relu", name: `hidden${index + 1}` })
      : dropout(step.drop, { name: `drop${index + 1}` }),
  );
  const { name = "head" } = options;
  return sequential([flatten({ name: "flatten" }), ...layers, dense(classes, { name: "predictions" })], { name });
}

/** A network of a published study: features that were learnt elsewhere, and a head of its own. */
export interface StudyNetwork {
  readonly base: ModelName;
  readonly options: ArchitectureOptions;
  readonly input: Shape;
  readonly classes: number;
  readonly head: readonly HeadStep[];
  /**
   * How many of the base's last layers with parameters learn, for `freeze(model, { allBut, within })`; null: all. S0 counted
   * every layer of Keras', and says 5, 64 and 250: these are the layers with parameters among them.
   */
  readonly learning: number | null;
}

const S0: Pick<StudyNetwork, "options" | "input" | "classes"> = { options: {}, input: [48, 48, 3], classes: 10 };
const S1 = {
  options: { convention: "torch", pooling: "avg" },
  input: [224, 224, 3],
  classes: 5,
} as const satisfies Partial<StudyNetwork>;

export const STUDY_NETWORKS = {
  "s0-vgg16": {
    ...S0,
    base: "vgg16",
    head: [1024, 1024, 1024, { drop: 0.5 }, 512, 512, { drop: 0.4 }, 256, 64, 64, { drop: 0.2 }],
    learning: 3,
  },
  "s0-resnet152v2": {
    ...S0,
    base: "resnet152v2",
    head: [1024, 1024, 1024, 1024, { drop: 0.2 }, 512, 512, 256, 256, { drop: 0.2 }],
    learning: 35,
  },
  "s0-densenet169": {
    ...S0,
    base: "densenet169",
    head: [1024, { drop: 0.4 }, 1024, 1024, { drop: 0.2 }, 512, 512, { drop: 0.2 }, 256, 256, { drop: 0.2 }, 128],
    learning: 142,
  },
  "s1-mobilenetv2": { ...S1, base: "mobilenetv2", head: [{ drop: 0.2 }], learning: 0 },
  "s1-mobilenetv2-tuned": { ...S1, base: "mobilenetv2", head: [{ drop: 0.2 }], learning: null },
  "s1-squeezenet": { ...S1, base: "squeezenet1_1", head: [256, { drop: 0.5 }], learning: 0 },
} as const satisfies Readonly<Record<string, StudyNetwork>>;

export type StudyNetworkName = keyof typeof STUDY_NETWORKS;

/** Base and head, as two layers called like the base, and `head`. */
export function studyNetwork(name: StudyNetworkName): Layer {
  if (!Object.hasOwn(STUDY_NETWORKS, name)) {
    const expected = `one of ${Object.keys(STUDY_NETWORKS).join(", ")}`;
    throw new OptionError({ where: "studyNetwork", expected, got: JSON.stringify(name) });
  }
  const { base, options, head, classes }: StudyNetwork = STUDY_NETWORKS[name];
  return sequential([buildArchitecture(base, { ...options, top: false }), denseHead(head, classes)], { name });
}
