/**
 * The built-in synthetic garments: drawn, not photographed, so that everything runs with no download. Labels, image
 * size and class balance are Fashion-MNIST's; scores are not comparable with it, and `origin` says so.
 */
import { OptionError } from "../errors.ts";
import { createCanvas, type Paint, type Point } from "./canvas.ts";
import { imageDataset, type ImageDataset, type SplitName } from "./dataset.ts";
import { createPencil, GARMENTS } from "./garments.ts";
import { FASHION_CLASS_NAMES, requireLanguage, type Language } from "./labels.ts";
import { derivedSeed, seededRandom, type RandomSource } from "./random.ts";

export interface SyntheticOptions {
  /** Training images. Default 10,000. */
  readonly trainCount?: number;
  /** Test images, other draws of the same garments. Default 2,000. */
  readonly testCount?: number;
  /** Whole number; the same seed gives the same bytes on every machine. Default 42. */
  readonly seed?: number;
  /** Language of the class names. Default `en`. */
  readonly language?: Language;
}

const SIDE = 28;
const MAX_COUNT = 1_000_000;
/** Keeps the test images' streams apart from the training images'. */
const TEST_STREAM = 0x40000000;

/**
 * Draws the set: 28×28 u8, 10 classes, as many of each as the counts allow, in random order.
 * Each image depends on seed and position alone, so that a smaller set is the beginning of a larger one.
 * @throws {OptionError} for counts outside 1…1,000,000 or a bad seed.
 */
export function syntheticGarments(options: SyntheticOptions = {}): {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
} {
  const { trainCount = 10_000, testCount = 2_000, seed = 42, language = "en" } = options;
  requireLanguage(language);
  requireCount("trainCount", trainCount);
  requireCount("testCount", testCount);
  return {
    train: drawSet(trainCount, seed, 0, "train", language),
    test: drawSet(testCount, seed, TEST_STREAM, "test", language),
  };
}

/**
 * Draws one garment.
 * @param label class number 0…9. @param seed whole number.
 * @returns grey values, shape [28, 28].
 */
export function drawGarment(label: number, seed: number): Uint8Array {
  const garment = GARMENTS[label];
  if (garment === undefined) {
    throw new OptionError({ where: "drawGarment", expected: "a class from 0 to 9", got: String(label) });
  }
  const random = seededRandom(seed);
  const canvas = createCanvas(SIDE);
  garment(createPencil(canvas, random, randomPlacement(random), randomCloth(random)));
  return exposed(canvas.values, random);
}

function drawSet(count: number, seed: number, stream: number, split: SplitName, language: Language): ImageDataset {
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    labels[at] = labelAt(at, derivedSeed(seed, stream - 1));
    images.set(drawGarment(labels[at] ?? 0, derivedSeed(seed, stream + at)), at * SIDE * SIDE);
  }
  const origin = `SYNTHETIC garments drawn by Trama (seed ${seed}), NOT Fashion-MNIST: scores are not comparable`;
  return imageDataset({
    images,
    labels,
    shape: [SIDE, SIDE, 1],
    classNames: FASHION_CLASS_NAMES[language],
    origin,
    synthetic: true,
    split,
  });
}

/** Each run of ten holds every class once, in an order of its own. */
function labelAt(position: number, seed: number): number {
  const random = seededRandom(derivedSeed(seed, Math.floor(position / 10)));
  const order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  for (let last = 9; last > 0; last--) {
    const other = random.nextBelow(last + 1);
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order[position % 10] ?? 0;
}

/** Size, tilt and place of the garment in its picture. */
function randomPlacement(random: RandomSource): (point: Point) => Point {
  const scale = random.nextBetween(0.86, 1.04);
  const stretch = random.nextBetween(0.92, 1.08);
  const tilt = random.nextBetween(-0.07, 0.07);
  const right = random.nextBetween(-1.3, 1.3);
  const down = random.nextBetween(-1.1, 1.1);
  const middle = SIDE / 2;
  return ([x, y]) => {
    const dx = (x - middle) * scale * stretch;
    const dy = ((y - middle) * scale) / stretch;
    return [middle + right + dx - tilt * dy, middle + down + dy + tilt * dx];
  };
}

/** The cloth: brightness, soft shading from side to side, and sometimes a woven or printed pattern. */
function randomCloth(random: RandomSource): Paint {
  const brightness = random.nextBetween(0.28, 0.92);
  const lightFrom = random.nextBetween(-0.25, 0.25);
  const lightDown = random.nextBetween(-0.2, 0.2);
  const pattern = randomPattern(random);
  return (x, y) => brightness * (1 + (lightFrom * (x - 14) + lightDown * (y - 14)) / 14) * pattern(x, y);
}

function randomPattern(random: RandomSource): Paint {
  const kind = random.nextUnit();
  const depth = random.nextBetween(0.15, 0.6);
  const period = random.nextBetween(2.2, 6);
  const phase = random.nextUnit();
  if (kind < 0.55) return () => 1;
  if (kind < 0.68) return (_x, y) => 1 - depth * wave(y / period + phase);
  if (kind < 0.78) return (x) => 1 - depth * wave(x / period + phase);
  if (kind < 0.88) return (x, y) => 1 - (depth / 2) * (wave(x / period + phase) + wave(y / period + phase));
  if (kind < 0.95) return (x, y) => 1 - depth * wave((x + y) / period + phase) * wave((x - y) / period + phase);
  const border = random.nextBetween(9, 18);
  return (_x, y) => (y < border ? 1 : 1 - depth);
}

/** A wave between 0 and 1 with flat tops and bottoms, period 1. */
function wave(t: number): number {
  const triangle = Math.abs(2 * (t - Math.floor(t)) - 1);
  return Math.min(1, Math.max(0, 2 * triangle - 0.5));
}

/** The photograph: contrast, grain on the cloth, now and then a speck, rounding to bytes. */
function exposed(values: Float64Array, random: RandomSource): Uint8Array {
  const grain = random.nextBetween(0.02, 0.13);
  const gamma = random.nextBetween(0, 0.5);
  const pixels = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = Math.min(1, values[at] ?? 0);
    if (value < 0.004) continue;
    // A sum of two uniform numbers: a triangular law is near enough to film grain.
    const noise = (random.nextUnit() + random.nextUnit() - 1) * grain;
    const curved = value * (1 - gamma) + gamma * value * value;
    pixels[at] = Math.floor(Math.min(1, Math.max(0, curved + noise)) * 255 + 0.5);
  }
  return pixels;
}

function requireCount(where: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_COUNT) return;
  throw new OptionError({ where, expected: `a whole number from 1 to ${MAX_COUNT}`, got: String(count) });
}
