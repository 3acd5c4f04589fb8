/** What sheets of pictures show: samples with the names of their classes, average images, answers beside the truth. */
import {
  averageImages,
  imageLength,
  labelStatistics,
  resample,
  type ImageDataset,
  type Picture,
} from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import type { Tile } from "./grid.ts";

/** Larger pictures are made smaller: a sheet shows no more. */
const LONGEST_SIDE = 96;

/** One image of a data set, at most 96 pixels a side. */
export function pictureAt({ images, shape }: Pick<ImageDataset, "images" | "shape">, index: number): Picture {
  const length = imageLength(shape);
  return small({ pixels: images.slice(index * length, (index + 1) * length), shape });
}

function small(picture: Picture): Picture {
  const [height, width, channels] = picture.shape;
  const scale = LONGEST_SIDE / Math.max(height, width);
  if (scale >= 1) return picture;
  const size = [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))] as const;
  return { pixels: resample(picture.pixels, picture.shape, size, "area"), shape: [...size, channels] };
}

/** Numbers as shades of grey or colours: `low` is black and `high` white. Default: the least and the greatest. */
export function shadesOf(
  values: ArrayLike<number>,
  shape: Picture["shape"],
  { low = least(values), high = greatest(values) }: { readonly low?: number; readonly high?: number } = {},
): Picture {
  const length = imageLength(shape);
  if (values.length !== length) {
    throw new DataError({ where: "shadesOf", expected: `${length} values`, got: String(values.length) });
  }
  const range = high > low ? high - low : 1;
  const pixels = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, (value - low) / range))));
  return small({ pixels, shape });
}

const least = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => Math.min(a, b), Infinity);
const greatest = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => Math.max(a, b), -Infinity);

/** The first images of every class in turn, until there are `count`: a sheet of them shows all classes alike. */
export function sampleTiles(dataset: ImageDataset, count: number): Tile[] {
  return sampleIndices(dataset, count).map((index) => ({
    picture: pictureAt(dataset, index),
    lines: [dataset.classNames[dataset.labels[index]!]!],
  }));
}

function sampleIndices({ labels, classNames }: ImageDataset, count: number): number[] {
  const ofClass = classNames.map((): number[] => []);
  labels.forEach((label, index) => {
    if (ofClass[label]!.length < count) ofClass[label]!.push(index);
  });
  const rounds = Math.max(...ofClass.map(({ length }) => length));
  const inTurn = Array.from({ length: rounds }, (_, round) => ofClass.flatMap((indices) => indices[round] ?? []));
  return inTurn.flat().slice(0, count);
}

/** The average image of each class that has any. */
export function averageTiles(dataset: ImageDataset): Tile[] {
  const length = imageLength(dataset.shape);
  const averages = averageImages(dataset);
  return labelStatistics(dataset).counts.flatMap((count, label) => {
    if (count === 0) return [];
    const values = averages.subarray(label * length, (label + 1) * length);
    const picture = shadesOf(values, dataset.shape, { low: 0, high: 255 });
    return [{ picture, lines: [dataset.classNames[label]!, `${count.toLocaleString("en-US")} images`] }];
  });
}

/** What a model answered, one entry an image. */
export interface Answers {
  readonly truth: ArrayLike<number>;
  readonly predicted: ArrayLike<number>;
  /** The probability of the answer. */
  readonly confidence: ArrayLike<number>;
}

/** Numbers of images that were answered rightly or wrongly, the most confident first. */
export function byConfidence({ truth, predicted, confidence }: Answers, verdict: "right" | "wrong"): number[] {
  return Array.from(predicted, (_, index) => index)
    .filter((index) => (truth[index] === predicted[index]) === (verdict === "right"))
    .sort((a, b) => confidence[b]! - confidence[a]! || a - b);
}

/** The answer with its confidence below the picture, and what it is where that is something else. */
export function answerTile(
  picture: Picture,
  names: { readonly answer: string; readonly truth: string },
  confidence: number,
): Tile {
  const isRight = names.answer === names.truth;
  const answer = `${(100 * confidence).toFixed(0)} % ${names.answer}`;
  return isRight
    ? { picture, lines: [answer], verdict: "right" }
    : { picture, lines: [answer, `is ${names.truth}`], verdict: "wrong" };
}
