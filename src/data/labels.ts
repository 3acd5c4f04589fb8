/**
 * Class names in three languages, and label maps that merge classes into groups.
 */
import { DataError, OptionError } from "../errors.ts";
import { imageDataset, selectImages, type ImageDataset } from "./dataset.ts";

/** English, Portuguese, Spanish. */
export type Language = "en" | "pt" | "es";

/** Names of Fashion-MNIST's ten classes, by class number. */
export const FASHION_CLASS_NAMES: Readonly<Record<Language, readonly string[]>> = {
  en: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  pt: ["Camiseta", "Calça", "Pulôver", "Vestido", "Casaco", "Sandália", "Camisa", "Tênis", "Bolsa", "Bota"],
  es: ["Camiseta", "Pantalón", "Suéter", "Vestido", "Abrigo", "Sandalia", "Camisa", "Zapatilla", "Bolso", "Botín"],
};

/** A target class and the source classes that it gathers. */
export interface LabelGroup {
  readonly name: string;
  /** Numbers of the source classes. */
  readonly classes: readonly number[];
}

/** A map from source classes to fewer target classes. Made by `labelMap`, which checks it. */
export interface LabelMap {
  /** Target class of each source class; its length is the number of source classes. */
  readonly targets: Uint8Array;
  /** Names of the target classes. */
  readonly classNames: readonly string[];
}

/**
 * Makes a map in which every source class belongs to exactly one group; target class n is the nth group.
 * @param classCount number of source classes, 1…256.
 * @throws {OptionError} when a class is out of range, in no group or in several, or a group is empty.
 */
export function labelMap(groups: readonly LabelGroup[], classCount: number): LabelMap {
  requireClassCount(classCount);
  const owners = new Array<number | undefined>(classCount).fill(undefined);
  groups.forEach((group, target) => assignGroup(group, target, owners));
  const orphan = owners.indexOf(undefined);
  if (orphan >= 0) {
    throw new OptionError({
      where: "labelMap",
      expected: `each of ${classCount} classes in a group`,
      got: `class ${orphan} in none`,
    });
  }
  return { targets: Uint8Array.from(owners, (target) => target ?? 0), classNames: groups.map((group) => group.name) };
}

/**
 * Renames and merges the classes of a data set; the images are shared, not copied.
 * @throws {DataError} when the map is for another number of classes.
 */
export function applyLabelMap(dataset: ImageDataset, map: LabelMap): ImageDataset {
  if (map.targets.length !== dataset.classNames.length) {
    throw wrongClassCount("applyLabelMap", dataset, map.targets.length);
  }
  const labels = dataset.labels.map((label) => map.targets[label] ?? 0);
  return imageDataset({ ...fieldsOf(dataset), labels, classNames: map.classNames });
}

/**
 * Merges, renames or leaves out classes.
 * @param mapping new class number of each old class; null leaves its examples out.
 * @param names names of the new classes, each of which some class must be mapped to.
 * @throws {OptionError} when a number has no name, or a name no class. @throws {DataError} when `mapping` is for another
 * number of classes, or leaves nothing.
 */
export function mapLabels(
  dataset: ImageDataset,
  mapping: readonly (number | null)[],
  names: readonly string[],
): ImageDataset {
  if (mapping.length !== dataset.classNames.length) throw wrongClassCount("mapLabels", dataset, mapping.length);
  const groups = names.map((name, target) => ({
    name,
    classes: mapping.flatMap((to, at) => (to === target ? [at] : [])),
  }));
  const stray = mapping.find((to) => to !== null && groups[to] === undefined);
  if (stray !== undefined) {
    const expected = `new classes from 0 to ${names.length - 1}, or null`;
    throw new OptionError({ where: "mapLabels", expected, got: String(stray) });
  }
  const dropped = mapping.flatMap((to, at) => (to === null ? [at] : []));
  if (dropped.length === 0) return applyLabelMap(dataset, labelMap(groups, mapping.length));
  // Left out classes get a number of their own for a moment, behind the others.
  const whole = applyLabelMap(dataset, labelMap([...groups, { name: "(left out)", classes: dropped }], mapping.length));
  const kept = Array.from(whole.labels.keys()).filter((index) => whole.labels[index] !== names.length);
  return imageDataset({ ...fieldsOf(selectImages(whole, kept)), classNames: names });
}

const GROUP_CLASSES: readonly (readonly number[])[] = [[0, 2, 4, 6], [1], [3], [5, 7, 9], [8]];

const GROUP_NAMES: Readonly<Record<Language, readonly string[]>> = {
  en: ["Upper part", "Bottom part", "One piece", "Footwear", "Bags"],
  pt: ["Parte superior", "Parte inferior", "Peça única", "Calçado", "Bolsas"],
  es: ["Parte superior", "Parte inferior", "Una pieza", "Calzado", "Bolsos"],
};

/** Fashion-MNIST's ten classes in five groups: upper part, bottom part, one piece, footwear, bags. */
export function fashionGroups(language: Language = "en"): LabelMap {
  const names = GROUP_NAMES[requireLanguage(language)];
  return labelMap(
    GROUP_CLASSES.map((classes, at) => ({ name: names[at] ?? "", classes })),
    10,
  );
}

/** @throws {OptionError} when class names are not offered in that language. */
export function requireLanguage(language: Language): Language {
  if (Object.hasOwn(FASHION_CLASS_NAMES, language)) return language;
  throw new OptionError({ where: "language", expected: "en, pt or es", got: language });
}

function fieldsOf({ images, labels, shape, origin, synthetic, split, classNames }: ImageDataset) {
  return { images, labels, shape, origin, synthetic, split, classNames };
}

function wrongClassCount(where: string, { classNames }: ImageDataset, got: number): DataError {
  return new DataError({ where, expected: `a map of ${classNames.length} classes`, got: `one of ${got}` });
}

function assignGroup(group: LabelGroup, target: number, owners: (number | undefined)[]): void {
  const where = `labelMap group "${group.name}"`;
  if (group.classes.length === 0) throw new OptionError({ where, expected: "at least one class", got: "none" });
  for (const source of group.classes) {
    if (!Number.isInteger(source) || source < 0 || source >= owners.length) {
      throw new OptionError({ where, expected: `classes from 0 to ${owners.length - 1}`, got: String(source) });
    }
    if (owners[source] !== undefined) {
      throw new OptionError({ where, expected: "each class in one group", got: `class ${source} a second time` });
    }
    owners[source] = target;
  }
}

function requireClassCount(classCount: number): void {
  if (Number.isInteger(classCount) && classCount >= 1 && classCount <= 256) return;
  throw new OptionError({ where: "labelMap", expected: "1 to 256 source classes", got: String(classCount) });
}
