/** Data sets: reading, drawing, splitting and describing them. */
export {
  imageDataset,
  imageLength,
  labelStatistics,
  pixelHistogram,
  pixelStatistics,
  selectImages,
  takeImages,
  validateImageDataset,
  type ImageDataset,
  type ImageShape,
  type LabelStatistics,
  type PixelStatistics,
  type SplitName,
} from "./dataset.ts";
export {
  DEFAULT_MAX_IDX_BYTES,
  encodeIdx,
  isGzip,
  parseIdx,
  readIdx,
  type IdxArray,
  type IdxData,
  type IdxReadOptions,
  type IdxType,
} from "./idx.ts";
export { datasetFromIdx, type IdxDatasetFields } from "./idxDataset.ts";
export {
  FASHION_MIRRORS,
  FASHION_PIXEL_STATISTICS,
  findFashionFiles,
  loadFashionMnist,
  type FashionMnist,
  type FashionMnistOptions,
  type LoadProgress,
  type SyntheticPolicy,
} from "./fashionMnist.ts";
export { FASHION_FILES, readFashionFile, type FashionFile } from "./fashionMnistFiles.ts";
export {
  downloadToCache,
  type DownloadOptions,
  type DownloadProgress,
  type DownloadTimeouts,
  type PublishedFile,
} from "./download.ts";
export { drawGarment, syntheticGarments, type SyntheticOptions } from "./synthetic.ts";
export {
  applyLabelMap,
  FASHION_CLASS_NAMES,
  fashionGroups,
  labelMap,
  type LabelGroup,
  type LabelMap,
  type Language,
} from "./labels.ts";
export {
  kFold,
  randomSplit,
  stratifiedKFold,
  stratifiedSplit,
  type FoldOptions,
  type FractionSplitOptions,
  type IndexSplit,
} from "./split.ts";
export { derivedSeed, seededRandom, shuffleInPlace, type RandomSource } from "./random.ts";
export { FileError, type FileContent } from "./files.ts";
export {
  batches,
  selectFromStream,
  streamOf,
  type BatchesOptions,
  type ImageBatch,
  type ImageStream,
} from "./stream.ts";
