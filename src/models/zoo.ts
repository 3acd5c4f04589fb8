/** All architectures by name: what builds them, and what pictures they were made for. */
import { OptionError, ShapeError } from "../errors.ts";
import { normalisationFor, type Normalisation } from "../kernels/index.ts";
import { outlineOf, type Layer } from "../nn/index.ts";
import { formatShape, type Shape } from "../tensor/index.ts";
import { densenet121, densenet169, densenet201 } from "./densenet.ts";
import { fastResnet } from "./fastResnet.ts";
import { mobilenetV2 } from "./mobilenetV2.ts";
import type { ArchitectureOptions, Convention } from "./network.ts";
import { resnet18, resnet34 } from "./resnet.ts";
import { resnet101V2, resnet152V2, resnet50V2 } from "./resnetV2.ts";
import { squeezenet } from "./squeezenet.ts";
import { vgg16, vgg19 } from "./vgg.ts";
import { wideResnet, type WideResnetOptions } from "./wideResnet.ts";

/** What of a network is not in its layers. */
interface Entry<O extends ArchitectureOptions> {
  readonly build: (options?: O) => Layer;
  /** Shape of the pictures that it was made for. */
  readonly input: Shape;
  readonly convention: Convention;
  /** What its weights expect in Keras; in PyTorch that is always `torch`. Or what suits the data. */
  readonly pixels: "caffe" | "tf" | "torch" | Normalisation;
}

const entry = <O extends ArchitectureOptions>(
  build: Entry<O>["build"],
  input: Shape,
  convention: Convention,
  pixels: Entry<O>["pixels"],
): Entry<O> => ({ build, input, convention, pixels });

const IMAGENET = [224, 224, 3] as const;
const CIFAR = [32, 32, 3] as const;
/** Mean and deviation of CIFAR-10's training pixels. */
const CIFAR_PIXELS = { mean: [125.3, 123, 113.9], std: [63, 62.1, 66.7] } as const;
/** Mean and deviation of Fashion-MNIST's training pixels. */
const FASHION_PIXELS = { mean: 72.9404, std: 90.0212 } as const;

const ZOO = {
  vgg16: entry(vgg16, IMAGENET, "keras", "caffe"),
  vgg19: entry(vgg19, IMAGENET, "keras", "caffe"),
  resnet18: entry(resnet18, IMAGENET, "torch", "torch"),
  resnet34: entry(resnet34, IMAGENET, "torch", "torch"),
  resnet50v2: entry(resnet50V2, IMAGENET, "keras", "tf"),
  resnet101v2: entry(resnet101V2, IMAGENET, "keras", "tf"),
  resnet152v2: entry(resnet152V2, IMAGENET, "keras", "tf"),
  densenet121: entry(densenet121, IMAGENET, "keras", "torch"),
  densenet169: entry(densenet169, IMAGENET, "keras", "torch"),
  densenet201: entry(densenet201, IMAGENET, "keras", "torch"),
  mobilenetv2: entry(mobilenetV2, IMAGENET, "keras", "tf"),
  squeezenet1_1: entry(squeezenet, [227, 227, 3], "keras", "caffe"),
  wrn28_10: entry((options?: WideResnetOptions) => wideResnet(28, 10, options), CIFAR, "torch", CIFAR_PIXELS),
  wrn40_4: entry((options?: WideResnetOptions) => wideResnet(40, 4, options), CIFAR, "torch", CIFAR_PIXELS),
  fastresnet: entry(fastResnet, [28, 28, 1], "torch", FASHION_PIXELS),
} as const;

export type ModelName = keyof typeof ZOO;

export const modelNames = Object.keys(ZOO) as readonly ModelName[];

/** What the builder of that name takes. */
export type OptionsOf<N extends ModelName> = NonNullable<Parameters<(typeof ZOO)[N]["build"]>[0]>;

export type BuildOptions<N extends ModelName> = OptionsOf<N> & {
  /** Shape that it must be able to take; without one, that is checked when a model is built. */
  readonly input?: Shape;
};

/**
 * The layers of an architecture, for pictures of any size and number of channels.
 * @throws {OptionError} for a name or an option that does not exist. @throws {ShapeError} for an input that is too small.
 */
export function buildArchitecture<N extends ModelName>(name: N, options: BuildOptions<N> = {}): Layer {
  const { input, ...rest } = options;
  const { build } = entryOf(name);
  const layer = build(rest);
  if (input !== undefined) checkInput(name, layer, input);
  return layer;
}

/** Shape of the pictures that an architecture was made for. */
export function defaultInputOf(name: ModelName): Shape {
  return entryOf(name).input;
}

/** How pixels are to be normalised for the published weights, or for the data that an architecture was made for. */
export function pixelsFor(name: ModelName, convention?: Convention): Normalisation {
  const { pixels, convention: own } = entryOf(name);
  if (typeof pixels !== "string") return pixels;
  return normalisationFor((convention ?? own) === "torch" ? "torch" : pixels);
}

function entryOf(name: ModelName): Entry<ArchitectureOptions> {
  if (Object.hasOwn(ZOO, name)) return ZOO[name];
  const expected = `a model among ${modelNames.join(", ")}`;
  throw new OptionError({ where: "models", expected, got: JSON.stringify(name) });
}

/** What is too small fails deep inside: the error says for what network as well. */
function checkInput(name: ModelName, layer: Layer, input: Shape): void {
  try {
    outlineOf(layer, input);
  } catch (cause) {
    if (!(cause instanceof ShapeError)) throw cause;
    const expected = `pictures large enough for ${name}, which was made for ${formatShape(defaultInputOf(name))}`;
    throw new ShapeError({ where: name, expected, got: `${formatShape(input)} (${cause.message})` }, { cause });
  }
}
