/**
 * The studies' splits of Fashion-MNIST, equal to theirs in counts. Which images land where is drawn by our own generator:
 * the studies' were NumPy's, and one of them drew without a seed.
 */
import { OptionError } from "../errors.ts";
import { selectImages, type ImageDataset } from "./dataset.ts";
import type { FashionMnist } from "./fashionMnist.ts";
import { randomSplit, stratifiedSplit, type IndexSplit } from "./split.ts";

/** S3 is not here: DeepFashion comes with a split of its own. */
export type Study = "S0" | "S1" | "S2" | "S4";

export interface StudySplit {
  readonly study: Study;
  readonly train: ImageDataset;
  readonly validation: ImageDataset;
  readonly test: ImageDataset;
  /** How it was split, in words. */
  readonly description: string;
  /** What is wrong with the split itself; a report of scores must print it. Null when nothing is. */
  readonly warning: string | null;
}

interface Recipe {
  readonly description: string;
  /** The part that validation images are taken from. */
  readonly source: "train" | "test";
  /** Share of the source that is left for its own purpose; the rest validates. */
  readonly fraction: number;
  readonly stratified: boolean;
}

const RECIPES: Readonly<Record<Study, Recipe>> = {
  S0: {
    description: "5 % of the training file, drawn at random",
    source: "train",
    fraction: 0.05,
    stratified: false,
  },
  S1: {
    description: "20 % of the training file, drawn class by class",
    source: "train",
    fraction: 0.2,
    stratified: true,
  },
  S2: {
    description: "20 % of the training file, drawn at random",
    source: "train",
    fraction: 0.2,
    stratified: false,
  },
  S4: {
    description: "60 % of the test file, drawn at random",
    source: "test",
    fraction: 0.6,
    stratified: false,
  },
};

const DEFAULT_SEED = 42;

/**
 * Splits Fashion-MNIST as a study did. Of the whole set: S0 57,000 / 3,000 / 10,000; S1 and S2 48,000 / 12,000 / 10,000 (S1
 * with 4,800 and 1,200 a class); S4 60,000 / 6,000 / 4,000, which uses up test data and says so in `warning`.
 * @param seed whole number; the same seed gives the same split. Default: 42.
 * @throws {OptionError} for another study.
 */
export function studySplit(data: FashionMnist, study: Study, seed: number = DEFAULT_SEED): StudySplit {
  if (!Object.hasOwn(RECIPES, study)) {
    throw new OptionError({ where: "studySplit", expected: Object.keys(RECIPES).join(", "), got: study });
  }
  const { description, source, fraction, stratified } = RECIPES[study];
  const whole = data[source];
  const options = { fraction, seed };
  const parts: IndexSplit = stratified ? stratifiedSplit(whole.labels, options) : randomSplit(whole.count, options);
  const validation = selectImages(whole, parts.validation, "validation");
  const rest = selectImages(whole, parts.train, source);
  return {
    study,
    train: source === "train" ? rest : data.train,
    validation,
    test: source === "test" ? rest : data.test,
    description: `${study}: validation is ${description} (seed ${seed})`,
    warning: source === "test" ? consumesTest(validation.count, rest.count) : null,
  };
}

function consumesTest(validation: number, left: number): string {
  return (
    `Validation uses ${validation} images of the published test file. What was chosen by them, early stopping included, ` +
    `has seen test data, and scores on the other ${left} do not compare with scores on the whole test file.`
  );
}
