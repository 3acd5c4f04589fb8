/** What training, evaluation and prediction take, and the questions that they ask of it. */
import { OptionError } from "../errors.ts";
import {
  selectFromStream,
  selectImages,
  selectRows,
  stratifiedSplit,
  type ArrayDataset,
  type GeneratorDataset,
  type ImageDataset,
  type ImageStream,
  type SplitName,
} from "../data/index.ts";

/**
 * Images in memory or read as they are needed (`imageDataset`, `streamOf`, `openImageFolder`), arrays of numbers
 * (`arrayDataset`), or what a generator makes (`generatorDataset`).
 */
export type DataSource = ImageDataset | ImageStream | ArrayDataset | GeneratorDataset;

/** All of it in memory. */
export type DataInMemory = ImageDataset | ArrayDataset;

export const isGenerator = (source: object): source is GeneratorDataset => "batches" in source;

export const isStream = (source: object): source is ImageStream => "read" in source;

export const isInMemory = (source: DataSource): source is DataInMemory => !isStream(source) && !isGenerator(source);

export const holdsPixels = (source: DataSource): boolean =>
  isGenerator(source) ? source.dtype === "u8" : !("values" in source);

/** Class numbers; null where only a generator knows them. */
export const labelsOf = (source: DataSource): Uint8Array | Uint32Array | null =>
  isGenerator(source) ? null : source.labels;

/** A number that changes with any label, and with any pixel or value that is in memory (FNV-1a). */
export function fingerprintOf(source: DataSource): number {
  let hash = 0x811c9dc5;
  for (const { buffer, byteOffset, byteLength } of arraysOf(source)) {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    for (let at = 0; at < byteLength; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  }
  return hash >>> 0;
}

function arraysOf(source: DataSource): (Uint8Array | Uint32Array | Float32Array)[] {
  if (isGenerator(source)) return [];
  if (isStream(source)) return [source.labels];
  return ["values" in source ? source.values : source.images, source.labels];
}

/** Sets a share aside to validate on; it is drawn class by class, so that both parts look alike. */
export function divided(source: DataSource, fraction: number, seed: number): [training: DataSource, held: DataSource] {
  if (isGenerator(source)) {
    throw new OptionError({
      where: "fit",
      expected: "a data set to validate on, because a generator cannot be divided",
      got: `validation: ${fraction}`,
    });
  }
  const select = (indices: Uint32Array, name: SplitName): DataSource => {
    if (isStream(source)) return selectFromStream(source, indices, name);
    return "values" in source ? selectRows(source, indices, name) : selectImages(source, indices, name);
  };
  const { train, validation } = stratifiedSplit(source.labels, { fraction, seed });
  return [select(train, "train"), select(validation, "validation")];
}
