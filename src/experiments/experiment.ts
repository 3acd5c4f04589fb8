/** What an experiment file says, and its schema. */
import { FormatError } from "../errors.ts";
import { modelNames } from "../models/index.ts";
import { problemsOf } from "./check.ts";
import { layerDefinitions, type LayerText } from "./layers.ts";
import {
  choice,
  either,
  flag,
  list,
  named,
  nothing,
  notNegative,
  number,
  object,
  only,
  optional,
  pair,
  positive,
  saying,
  share,
  text,
  whole,
  type Described,
  type JsonSchema,
} from "./schema.ts";
import { weightNames } from "./transfer.ts";

const part = number({ minimum: 0, maximum: 1 });

const study = object(
  {
    name: saying("Whose result this is held against: S0 … S4, or another source.", text),
    figure: saying("What it published, or null where it did not.", either(part, nothing)),
    metric: optional(choice("test accuracy", "validation accuracy"), "Of what.", "test accuracy"),
    aim: optional(part, "What is to be reached here."),
    note: optional(text, "What one has to know to compare the two."),
  },
  "The published result beside which ours is written.",
);

const data = object(
  {
    source: optional(choice("fashion-mnist", "synthetic"), "Where images come from.", "fashion-mnist"),
    labels: optional(
      either(
        choice("groups"),
        object(
          { classes: list(either(whole(0), nothing)), names: list(text) },
          "Its new class for each class, or null.",
        ),
      ),
      "Classes that are merged: `groups` makes five of ten, as S1 did.",
    ),
    images: optional(whole(1), "How many images of the training file are taken, the first ones. Default: all."),
    testImages: optional(whole(1), "How many images of the test file are taken, the first ones. Default: all."),
    split: optional(
      either(
        choice("S0", "S1", "S2", "S4", "none"),
        object({ validation: number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }), stratified: optional(flag) }),
      ),
      "What is set aside to validate on: as a study did, a share of the training file, or nothing.",
      "none",
    ),
    folds: optional(whole(2), "Trains so many times, each time with another part set aside, class by class."),
    seed: optional(whole(0), "Of the split.", 42),
  },
  "Images, and what they are used for.",
);

const numbers = either(number(), list(number()));
const positives = either(positive, list(positive));

const input = object(
  {
    size: optional(pair(whole(1)), "Height and width that images are brought to. Default: their own."),
    channels: optional(whole(1), "Channels that images are brought to. Default: their own."),
    resize: optional(choice("nearest", "bilinear", "area"), "How.", "bilinear"),
    antialias: optional(flag, "Whether bilinear weights widen where images become smaller.", false),
    normalisation: optional(
      either(
        choice("scale", "none", "standardise", "network", "caffe", "tf", "torch"),
        object({ scale: number(), shift: number() }, "p / 255 · scale + shift"),
        object(
          { mean: numbers, std: positives, white: optional(positive), order: optional(choice("rgb", "bgr")) },
          "(p · white / 255 − mean) / std",
        ),
      ),
      "What becomes of pixels p in 0…255: `scale` p / 255; `none` p itself; `standardise` by mean and deviation of the " +
        "training part; `network` as a published one was fed; or a mode of Keras.",
      "scale",
    ),
  },
  "What the network is fed.",
);

const mlp = object({
  name: only("mlp"),
  units: optional(list(whole(1)), "Units of each hidden layer.", [256]),
  dropout: optional(share, "Rate of the dropout behind each hidden layer.", 0),
});

const headStep = either(whole(1), object({ drop: share }));

/** Options of published networks; each refuses those that it has no use for. */
const published = object({
  name: choice(...modelNames),
  head: optional(
    list(headStep, 0),
    "In place of the network's own classifier: units of dense layers with ReLU, and rates of dropouts, before a last dense " +
      "layer with one output a class. It is called `head`, and what is before it like the network.",
  ),
  pooling: optional(choice("avg", "max"), "How features come to the head. Default: as they are, flattened."),
  convention: optional(choice("keras", "torch"), "Whose layers to follow. Default: of the published weights."),
  dropout: optional(share, "Rate of the dropout in the classifier. Default: the publication's."),
  width: optional(positive, "Of wide and narrow forms."),
  blocks: optional(list(whole(1)), "Layers of each block, of DenseNets."),
});

const model = saying(
  "A network by its name, or its layers as a model file records them. Without `weights` it begins with random ones.",
  either(mlp, object({ name: only("convnet") }), published, named<LayerText>("layer")),
);

const weights = object(
  {
    file: saying(
      "Safetensors, PyTorch, Keras or NPZ. It is looked for under this name, in the data folder, in `weights` there and " +
        "beside it, and in the cache.",
      text,
    ),
    names: optional(choice(...weightNames), "Whose names the file has. Default: of its format."),
    except: optional(
      list(text),
      "Layers that keep their initial values, by the beginnings of their names. Default: the head.",
    ),
  },
  "Weights that the network begins with. Every layer must be in the file, but those excepted.",
);

const selection = either(
  choice("allButClassifier"),
  object({ last: whole(0) }),
  object({ names: list(text) }),
  object({ matching: text }),
);
const frozen = either(selection, list(selection));

const rate = positive;
const span = optional(positive, "Epochs until it ends. Default: all.");
const every = saying("Epochs between two steps.", positive);
const plain = either(
  object({ kind: only("constant"), rate }),
  object({ kind: only("step"), rate, every, factor: positive }),
  object({ kind: only("exponential"), rate, every, factor: positive }),
  object({ kind: only("polynomial"), rate, epochs: span, end: optional(notNegative), power: optional(positive) }),
  object({ kind: only("cosine"), rate, epochs: span, end: optional(notNegative) }),
  object({
    kind: only("cosineRestarts"),
    rate,
    epochs: positive,
    end: optional(notNegative),
    growth: optional(whole(1)),
    shrink: optional(positive),
  }),
  object({
    kind: only("oneCycle"),
    rate,
    epochs: span,
    warmup: optional(share),
    startDivisor: optional(positive),
    endDivisor: optional(positive),
  }),
);

type PlainText = Described<typeof plain>;

const schedule = either(
  positive,
  named<PlainText>("plainSchedule"),
  object({
    kind: only("warmup"),
    epochs: positive,
    start: optional(share),
    after: either(positive, named<PlainText>("plainSchedule")),
  }),
);

const rated = {
  learningRate: optional(schedule, "A number, or how it moves; lengths in epochs."),
  weightDecay: optional(notNegative),
  decoupled: optional(flag),
  clipValue: optional(positive),
};
const [beta1, beta2, epsilon, momentum] = [optional(share), optional(share), optional(positive), optional(share)];
const optimizer = either(
  object({ name: only("sgd"), ...rated, momentum, nesterov: optional(flag) }),
  object({ name: only("adam"), ...rated, beta1, beta2, epsilon, amsgrad: optional(flag) }),
  object({ name: only("adamW"), ...rated, beta1, beta2, epsilon, amsgrad: optional(flag) }),
  object({ name: only("nadam"), ...rated, beta1, beta2, epsilon, momentumDecay: optional(notNegative) }),
  object({ name: only("adamax"), ...rated, beta1, beta2, epsilon }),
  object({ name: only("rmsprop"), ...rated, rho: optional(share), momentum, epsilon, centered: optional(flag) }),
  object({ name: only("adagrad"), ...rated, initial: optional(notNegative), epsilon }),
  object({ name: only("adadelta"), ...rated, rho: optional(share), epsilon }),
);

const drawn = optional(either(number(), pair(number())));
const probability = optional(part);
const augmentation = object(
  {
    flip: optional(part),
    rotation: drawn,
    zoom: drawn,
    shift: optional(either(part, pair(part))),
    padCrop: optional(whole(0)),
    brightness: drawn,
    contrast: drawn,
    erase: optional(
      either(
        object({ size: either(whole(1), pair(whole(1))), probability }),
        object({ area: pair(part), aspect: optional(pair(positive)), probability }),
      ),
    ),
    outside: optional(choice("constant", "nearest", "reflect")),
    fill: optional(either(choice("mean"), number({ minimum: 0, maximum: 255 }))),
  },
  "Changes to training images, drawn anew for each.",
);

const training = object(
  {
    epochs: saying("Passes over the training images.", whole(1)),
    batchSize: optional(whole(1), "Images a step.", 128),
    optimizer: optional(optimizer, "Default: Adam at 0.001."),
    loss: optional(
      either(object({ name: only("crossEntropy"), labelSmoothing: optional(share) }), object({ name: only("hinge") })),
      "Default: the cross entropy.",
    ),
    classWeights: optional(
      either(choice("balanced"), list(positive)),
      "What each class weighs in the cross entropy; `balanced` makes all weigh the same.",
    ),
    augmentation: optional(augmentation),
    mix: optional(object({ mode: choice("mixup", "cutmix"), alpha: optional(positive) })),
    precision: optional(choice("f32", "mixed"), "How activations are stored.", "f32"),
    clipNorm: optional(positive, "Bound on the norm of all gradients together."),
    accumulate: optional(whole(1), "Batches to an update.", 1),
    ema: optional(share, "Decay of a moving average of the parameters, which is judged and kept in their place."),
    features: optional(
      choice("cache", "never"),
      "What frozen first layers make of an image is computed once and kept on disk, wherever nothing changes by it; or never.",
      "cache",
    ),
    allowUntrainedFrozen: optional(flag, "Whether frozen layers may have random weights, which is a mistake.", false),
  },
  "How the network learns.",
);

const watched = {
  monitor: optional(text, "`loss`, `accuracy`, `val_loss`, `val_accuracy`. Default: `val_loss`, else `loss`."),
  mode: optional(choice("min", "max")),
  minDelta: optional(notNegative),
};
const callbacks = object(
  {
    earlyStopping: optional(
      object({
        ...watched,
        patience: optional(whole(0)),
        baseline: optional(number()),
        startFromEpoch: optional(whole(0)),
      }),
    ),
    reduceOnPlateau: optional(
      object({
        ...watched,
        factor: optional(number({ exclusiveMinimum: 0, exclusiveMaximum: 1 })),
        patience: optional(whole(0)),
        cooldown: optional(whole(0)),
        minRate: optional(notNegative),
      }),
    ),
    divergenceGuard: optional(
      object({ factor: optional(number({ exclusiveMinimum: 1 })), retries: optional(whole(0)) }),
    ),
  },
  "What watches the training, and may change or end it.",
);

const experiment = object({
  $schema: optional(text, "The address of this schema, for editors."),
  title: saying("What is done, in a few words.", text),
  study,
  data: optional(data),
  input: optional(input),
  model,
  weights: optional(weights),
  freeze: optional(
    frozen,
    "Layers that do not learn: `allButClassifier`, all before the head, or before the last layer with parameters; all but " +
      "the `last` ones, counted among layers with parameters, of the network before its head; those whose `names` begin so; " +
      "those `matching` a regular expression. Or several of these.",
  ),
  training,
  callbacks: optional(callbacks),
  reduced: optional(text, "How it is smaller than what the study did; its result says so."),
  needs: optional(choice("gpu"), "What it takes to end in reasonable time."),
  seeds: optional(list(whole(0)), "Of initial values, order, dropout and augmentation: one training for each.", [42]),
});

/** An experiment, as its file says it. */
export type Experiment = Described<typeof experiment>;

interface PublishedSchema extends JsonSchema {
  readonly $schema: string;
  readonly title: string;
  readonly $defs: Readonly<Record<string, JsonSchema>>;
}

/** The schema that is published as `experiments/schema.json`. */
export const EXPERIMENT_SCHEMA: PublishedSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "An experiment of Trama's",
  description: "One training, or one for each seed and fold, whose result is written beside a published one.",
  ...experiment,
  $defs: { ...layerDefinitions, plainSchedule: plain },
};

/**
 * Reads an experiment file.
 * @param file what errors call it.
 * @throws {FormatError} when it is no JSON, or not as the schema says; the error names every fault.
 */
export function parseExperiment(content: string, file = "experiment"): Experiment {
  const value = parseJson(content, file);
  const problems = problemsOf(EXPERIMENT_SCHEMA, value);
  if (problems.length === 0) return value as Experiment;
  throw new FormatError({
    where: file,
    expected: "an experiment as experiments/schema.json describes it",
    got: problems.map(({ path, says }) => (path === "" ? says : `${path}: ${says}`)).join(" · "),
  });
}

function parseJson(content: string, file: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({ where: file, expected: "JSON", got }, { cause });
  }
}
