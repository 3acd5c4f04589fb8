/**
 * How pixels become the numbers that a network is fed: one factor and one summand a channel. Every form is plain JSON,
 * and is saved with the model as it was given.
 */
import { OptionError } from "../errors.ts";

/** Pixels p in 0…255 become p/255 · scale + shift, in every channel. */
export interface ScaleShift {
  readonly scale: number;
  readonly shift: number;
}

/** Pixels p in 0…255 become (p · white/255 − mean) / std, channel by channel. */
export interface Standardisation {
  /** One number, or one for each channel, in the order in which channels leave. */
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
  /** What white is in the units of `mean` and `std`: 1 or 255. Default: 255. */
  readonly white?: number;
  /** Order in which the channels of an RGB image leave. Default: `rgb`. */
  readonly order?: "rgb" | "bgr";
}

export type Normalisation = ScaleShift | Standardisation;

/** The `preprocess_input` of Keras' pretrained networks: VGG and ResNet; MobileNet and ResNetV2; DenseNet. */
export const NORMALISATIONS = {
  caffe: { mean: [103.939, 116.779, 123.68], std: 1, order: "bgr" },
  tf: { mean: 127.5, std: 127.5 },
  torch: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], white: 1 },
} as const satisfies Readonly<Record<string, Standardisation>>;

/** What networks with ImageNet weights expect, by Keras' name of the mode. */
export function normalisationFor(mode: keyof typeof NORMALISATIONS): Standardisation {
  if (Object.hasOwn(NORMALISATIONS, mode)) return NORMALISATIONS[mode];
  const modes = Object.keys(NORMALISATIONS).join(", ");
  throw new OptionError({ where: "normalisationFor", expected: `one of ${modes}`, got: JSON.stringify(mode) });
}

/** Whether a value, such as one out of a file, is a normalisation. */
export function isNormalisation(value: unknown): value is Normalisation {
  if (typeof value !== "object" || value === null) return false;
  const { scale, shift, mean, std, white = 255, order = "rgb" } = value as Readonly<Record<string, unknown>>;
  if (!("mean" in value)) return Number.isFinite(scale) && Number.isFinite(shift);
  const each = (numbers: unknown, sound: (number: unknown) => boolean): boolean =>
    Array.isArray(numbers) ? numbers.length > 0 && numbers.every(sound) : sound(numbers);
  const positive = (number: unknown): boolean => Number.isFinite(number) && Number(number) > 0;
  return each(mean, Number.isFinite) && each(std, positive) && positive(white) && (order === "rgb" || order === "bgr");
}

/** Throws a normalisation that images of so many channels cannot have. */
export function checkNormalisation(where: string, normalisation: Normalisation, channels: number): void {
  channelNormalisation(where, normalisation, channels);
}

/** p/255 · scale + shift for each channel, in the order in which they leave. */
export interface ChannelNormalisation {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  /** Whether the channels leave in reverse order. */
  readonly reversed: boolean;
}

/** Resolves a normalisation for images of so many channels; throws one that does not fit them. */
export function channelNormalisation(
  where: string,
  normalisation: Normalisation,
  channels: number,
): ChannelNormalisation {
  if (!isNormalisation(normalisation)) {
    throw new OptionError({
      where,
      expected: "a normalisation { scale, shift } or { mean, std, white?, order? } of finite numbers, std > 0",
      got: JSON.stringify(normalisation),
    });
  }
  const spread = (numbers: number | readonly number[]): readonly number[] => {
    const list = typeof numbers === "number" ? new Array<number>(channels).fill(numbers) : numbers;
    if (list.length === channels) return list;
    throw new OptionError({
      where,
      expected: `a normalisation of ${channels} channels`,
      got: `${list.length} numbers`,
    });
  };
  if (!("mean" in normalisation)) {
    const { scale, shift } = normalisation;
    return { scale: spread(scale), shift: spread(shift), reversed: false };
  }
  const { white = 255, order = "rgb" } = normalisation;
  const [mean, std] = [spread(normalisation.mean), spread(normalisation.std)];
  return {
    scale: std.map((deviation) => white / deviation),
    shift: mean.map((value, channel) => -value / std[channel]!),
    reversed: order === "bgr" && channels === 3,
  };
}
