/** Data sets: reading, drawing, splitting and describing them. */
export {
  histogramStatistics,
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
  arrayDataset,
  requireFiniteRows,
  selectRows,
  type ArrayDataset,
  type ArrayFields,
  type NdarrayLike,
} from "./arrayDataset.ts";
export {
  generatorDataset,
  readRows,
  type GeneratorDataset,
  type GeneratorFields,
  type ReadRows,
  type RowReader,
  type SampleBatch,
} from "./generatorDataset.ts";
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
export { openIdxStream, type RangeSource } from "./idxStream.ts";
export { encodeCsv, loadCsv, readCsv, type CsvOptions } from "./csv.ts";
export {
  filesOf,
  loadImageFolder,
  openImageFolder,
  type ClassReport,
  type FailedPicture,
  type FolderFile,
  type FolderReport,
  type ImageFolder,
  type ImageFolderOptions,
  type LoadedFolder,
} from "./imageFolder.ts";
export {
  OUT_OF_DISTRIBUTION,
  preparePicture,
  pictureSettings,
  type Fit,
  type Inversion,
  type PictureOptions,
  type PictureSettings,
  type PreparedPicture,
} from "./picture.ts";
export { decodePicture, encodePng } from "#images";
export type { Picture } from "./images.ts";
export { resample, type ImageSize, type Resampling } from "./resample.ts";
export {
  batches,
  collect,
  epochOrder,
  selectFromStream,
  streamOf,
  type BatchesOptions,
  type ImageBatch,
  type ImageStream,
} from "./stream.ts";
export { prefetch, type PrefetchOptions } from "./prefetch.ts";
export {
  findDuplicates,
  type DuplicateGroup,
  type DuplicateOptions,
  type DuplicateReport,
  type ImagePlace,
  type Parts,
} from "./duplicates.ts";
export { findLeaks, indicesWithoutLeaks, refuseLeaks, type Leak, type LeakLimits, type LeakReport } from "./leaks.ts";
export { sharedImages, type SharedImages } from "./shared.ts";
export { averageImages, classStatistics, classWeights, type ClassStatistics } from "./statistics.ts";
export { multiHot, oneHot } from "./labelVectors.ts";
export { studySplit, type Study, type StudySplit } from "./studies.ts";
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
  mapLabels,
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
