/** What `trama train` trains, validates and tests on: the parts that the data has, and shares set aside for those it has not. */
import { Option, type Command } from "commander";
import {
  imageDataset,
  seededRandom,
  selectImages,
  shuffleInPlace,
  stratifiedSplit,
  type ImageDataset,
  type Parts,
  type SplitName,
} from "../data/index.ts";
import { DataError, OptionError } from "../errors.ts";
import { leakDoubts } from "../train/index.ts";
import { grouped, isOwn, loadSource, withSourceOptions, type SourceOptions } from "./data/sources.ts";
import { loadFirstImages } from "./datasets.ts";
import { share } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface TrainingDataOptions extends SourceOptions {
  /** Of the training part. */
  readonly images?: number;
  readonly validation: number;
  readonly test: number;
  readonly allowLeaks?: boolean;
  readonly seed: number;
}

export interface TrainingData {
  readonly training: ImageDataset;
  readonly validation: ImageDataset | null;
  readonly test: ImageDataset;
  /** Images that there are to train on, before some of them were taken. */
  readonly available: number;
  /** Images that parts share: a score on them measures memory. */
  readonly leaks: readonly string[];
  /** Pictures that were left out because they do not decode. */
  readonly failures: number;
}

export function withTrainingDataOptions(command: Command): Command {
  return withSourceOptions(command)
    .option("--validation <share>", "share to validate on where the data has no such part, 0 for none", share, 0.05)
    .option("--test <share>", "share to test on where the data has no such part", share, 0.2)
    .addOption(new Option("--allow-leaks", "train even if parts of a CSV or a folder share images, with a warning"));
}

/** Reads the data, refuses leaks between the parts of one's own, and divides it by seed. */
export async function trainingData(
  options: TrainingDataOptions,
  images: number | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<TrainingData> {
  if (!isOwn(options)) {
    const { language } = options;
    const { train, test } = await loadFirstImages(options, images, terminal, { signal, language });
    const parts = grouped({ train, test }, options);
    return { ...divided(rolesOf(parts), options), available: train.count, failures: 0 };
  }
  const { parts, failures } = await loadSource(options, terminal);
  signal.throwIfAborted();
  const roles = rolesOf(withSameClasses(parts));
  if (options.allowLeaks !== true) requireNoLeaks(roles);
  const [available, { seed }] = [roles.training.count, options];
  const training = images === undefined ? roles.training : drawn(roles.training, images, seed);
  return { ...divided({ ...roles, training }, options), available, failures };
}

/** Parts as they are used; null for those that the data has not. */
interface Roles {
  readonly training: ImageDataset;
  readonly validation: ImageDataset | null;
  readonly test: ImageDataset | null;
}

/** Names of files and folders say what a part is for; what comes alone is trained on. */
function rolesOf(parts: Parts): Roles {
  const named = Object.entries(parts);
  const of = (role: SplitName): ImageDataset | null => {
    const chosen = named.filter(([, { split }]) => split === role);
    if (chosen.length < 2) return chosen[0]?.[1] ?? null;
    throw new OptionError({ where: "data", expected: `one ${role} part`, got: namesOf(chosen) });
  };
  const [only] = named;
  const training = of("train") ?? (named.length === 1 && only![1].split === "all" ? only![1] : null);
  const nameless = named.filter(([, part]) => part.split === "all" && part !== training);
  if (training !== null && nameless.length === 0) return { training, validation: of("validation"), test: of("test") };
  throw new OptionError({
    where: "data",
    expected: "parts whose names say train, validation or test, a train part among them",
    got: namesOf(named),
    advice: "name them so, such as clothes-train.csv and clothes-test.csv, or give one part alone",
  });
}

const namesOf = (parts: readonly (readonly [string, ImageDataset])[]): string =>
  parts.map(([name]) => `"${name}"`).join(", ");

/** A class must have one number in all parts. A part without the last classes takes the names of the others. */
function withSameClasses(parts: Parts): Parts {
  const lists = Object.values(parts).map(({ classNames }) => classNames);
  const longest = lists.reduce((a, b) => (b.length > a.length ? b : a));
  const odd = Object.entries(parts).find(([, { classNames }]) => classNames.some((name, k) => name !== longest[k]));
  if (odd !== undefined) {
    throw new DataError({
      where: `part "${odd[0]}"`,
      expected: `the classes ${longest.join(", ")}`,
      got: odd[1].classNames.join(", "),
      advice: `say --classes "${[...new Set(lists.flat())].sort().join()}"`,
    });
  }
  return Object.fromEntries(
    Object.entries(parts).map(([name, { count: _, ...part }]) => [
      name,
      imageDataset({ ...part, classNames: longest }),
    ]),
  );
}

function requireNoLeaks({ training, validation, test }: Roles): void {
  const leaks = leakDoubts({ training, validation, test });
  if (leaks.length === 0) return;
  throw new DataError({
    where: "data",
    expected: "parts that share no image",
    got: leaks.join("; "),
    advice: "take them out (`trama data duplicates` lists them), or say --allow-leaks",
  });
}

/** Folders come class by class, and so may tables: some of their images are drawn, not the first ones taken. */
function drawn(part: ImageDataset, images: number, seed: number): ImageDataset {
  const order = Uint32Array.from({ length: part.count }, (_, index) => index);
  return selectImages(part, shuffleInPlace(order, seededRandom(seed)).slice(0, images).sort());
}

/** Sets aside what is missing, class by class; what is left is trained on. */
function divided(
  { training: whole, validation: judges, test: exam }: Roles,
  options: TrainingDataOptions,
): Omit<TrainingData, "available" | "failures"> {
  const { seed } = options;
  if (exam === null && options.test === 0) {
    const got = "neither a test part nor a share of the images";
    throw new OptionError({ where: "--test", expected: "images to test on", got });
  }
  const [rest, test] = exam === null ? parted(whole, options.test, seed, "test") : [whole, exam];
  const isShared = judges === null && options.validation > 0;
  const [training, validation] = isShared ? parted(rest, options.validation, seed, "validation") : [rest, judges];
  return { training, validation, test, leaks: leakDoubts({ training, validation, test }) };
}

function parted(
  images: ImageDataset,
  fraction: number,
  seed: number,
  split: SplitName,
): [rest: ImageDataset, held: ImageDataset] {
  const { train, validation } = stratifiedSplit(images.labels, { fraction, seed });
  return [selectImages(images, train, "train"), selectImages(images, validation, split)];
}
