/**
 * Fashion-MNIST, wherever it is to be had: a folder, the cache, the network; failing all, synthetic garments, and
 * then the data's origin says so.
 */
import { environmentVariable, cachedLocation, fileExists, joinPath, readCached, readFile } from "#files";
import { DataError, OptionError, TramaError } from "../errors.ts";
import type { ImageDataset, SplitName } from "./dataset.ts";
import { downloadToCache, type DownloadProgress, type DownloadTimeouts } from "./download.ts";
import { FASHION_FILES, readFashionFile, type FashionFile } from "./fashionMnistFiles.ts";
import { datasetFromIdx } from "./idxDataset.ts";
import type { IdxArray } from "./idx.ts";
import { FASHION_CLASS_NAMES, requireLanguage, type Language } from "./labels.ts";
import { syntheticGarments, type SyntheticOptions } from "./synthetic.ts";

/** The two published parts: 60,000 and 10,000 grey images of 28×28. */
export interface FashionMnist {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** When to draw synthetic garments instead: never, when the real data cannot be had, or always. */
export type SyntheticPolicy = "never" | "fallback" | "always";

/** What the loader tells while it works. */
export type LoadProgress =
  | ({ readonly kind: "download" } & DownloadProgress)
  /** Something that the user should know, such as a corrupt file in the cache. */
  | { readonly kind: "notice"; readonly message: string };

export interface FashionMnistOptions {
  /**
   * Folder (in a page, address) of the four files, gz or plain. Default: the environment variable `TRAMA_DATA`, else the
   * cache, else the network. A folder that is named must hold the data: there is no falling back from it.
   */
  readonly directory?: string | URL;
  /** Default `fallback`. */
  readonly synthetic?: SyntheticPolicy;
  /** Sizes and seed of the synthetic set, if it comes to that. */
  readonly syntheticOptions?: SyntheticOptions;
  /** Language of the class names. Default `en`. */
  readonly language?: Language;
  /** Base addresses that hold the four gz files, tried in order. Default `FASHION_MIRRORS`. */
  readonly mirrors?: readonly string[];
  readonly timeouts?: DownloadTimeouts;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** Mean and population standard deviation of all pixels of the 60,000 training images, in units of 0…255. */
export const FASHION_PIXEL_STATISTICS = { mean: 72.9404, std: 90.0212 } as const;

/** Where the publishers and two large frameworks keep the four files. */
export const FASHION_MIRRORS: readonly string[] = [
  "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
  "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
  "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
];

const CACHE_FOLDER = "fashion-mnist";
/** Below the named folder, where other tools put the files. */
const SUBFOLDERS: readonly string[] = ["", "fashion-mnist", "FashionMNIST/raw"];
const POLICIES: readonly SyntheticPolicy[] = ["never", "fallback", "always"];

type FileReader = (file: FashionFile) => Promise<IdxArray>;

/**
 * Loads Fashion-MNIST; every file's checksum is verified. See `FashionMnistOptions` for where it looks.
 * @returns the training and test parts; `origin` says where they come from, `synthetic` whether they are the real ones.
 * @throws {DataError} when a named folder lacks the data, a file is not the published one, digit MNIST lies in its
 * place, or the data cannot be had and `synthetic` is `never`.
 * @throws the reason of `signal` when it is aborted.
 */
export async function loadFashionMnist(options: FashionMnistOptions = {}): Promise<FashionMnist> {
  const policy = requirePolicy(options.synthetic ?? "fallback");
  requireLanguage(options.language ?? "en");
  options.signal?.throwIfAborted();
  if (policy === "always") return synthetic(options, "as asked for");
  const directory = options.directory ?? environmentVariable("TRAMA_DATA");
  if (directory !== undefined) return loadFromFolder(directory, options);
  try {
    return await loadFromCacheOrNetwork(options);
  } catch (cause) {
    if (policy === "never" || !(cause instanceof Unavailable)) throw unwrapped(cause);
    return synthetic(options, cause.reason.message);
  }
}

/** The real data is not to be had, through nobody's fault: the one failure that synthetic data may stand in for. */
class Unavailable extends Error {
  readonly reason: TramaError;

  constructor(reason: TramaError) {
    super(reason.message);
    this.reason = reason;
  }
}

function unwrapped(cause: unknown): unknown {
  return cause instanceof Unavailable ? cause.reason : cause;
}

async function loadFromFolder(directory: string | URL, options: FashionMnistOptions): Promise<FashionMnist> {
  const locations = await locateFiles(directory);
  const read: FileReader = async (file) => {
    const location = locations.get(file) ?? "";
    return readFashionFile(await readFile(location), file, location);
  };
  return assemble(read, `${String(directory)}, MD5 verified`, options);
}

/** Which of the four files a folder holds, or that of the usual folders below it which holds most, and where they lie. */
export async function findFashionFiles(directory: string | URL): Promise<ReadonlyMap<FashionFile, string>> {
  const files = Object.values(FASHION_FILES);
  let best = new Map<FashionFile, string>();
  for (const subfolder of SUBFOLDERS) {
    const found = await locateIn(joinPath(directory, subfolder), files);
    if (found.size > best.size) best = found;
    if (found.size === files.length) return found;
  }
  return best;
}

async function locateFiles(directory: string | URL): Promise<ReadonlyMap<FashionFile, string>> {
  const files = Object.values(FASHION_FILES);
  const best = await findFashionFiles(directory);
  if (best.size === files.length) return best;
  const missing = files.filter((file) => !best.has(file)).map((file) => file.name);
  throw new DataError({
    where: `data folder ${String(directory)}`,
    expected: "the four files of Fashion-MNIST (gz or plain IDX)",
    got: best.size === 0 ? "none of them" : `no ${missing.join(", no ")}`,
    advice: "correct the folder's name (option or TRAMA_DATA), or leave it out to have the data downloaded",
  });
}

async function locateIn(folder: string, files: readonly FashionFile[]): Promise<Map<FashionFile, string>> {
  const found = new Map<FashionFile, string>();
  for (const file of files) {
    // Some unpackers turn the hyphen before `idx` into a dot.
    for (const name of [file.name, file.plainName, file.plainName.replace("-idx", ".idx")]) {
      const location = joinPath(folder, name);
      if (found.has(file) || !(await fileExists(location))) continue;
      found.set(file, location);
    }
  }
  return found;
}

async function loadFromCacheOrNetwork(options: FashionMnistOptions): Promise<FashionMnist> {
  let downloaded = false;
  const read: FileReader = async (file) => {
    const cached = await readFromCache(file, options);
    if (cached.array !== undefined) return cached.array;
    downloaded = true;
    return download(file, options, cached.fault);
  };
  const data = await assemble(read, "cache, MD5 verified", options);
  return downloaded ? withOrigin(data, "Fashion-MNIST (downloaded, MD5 verified)") : data;
}

interface CacheReading {
  readonly array?: IdxArray;
  /** Why the cached file cannot be used, when there is one. */
  readonly fault?: TramaError;
}

async function readFromCache(file: FashionFile, options: FashionMnistOptions): Promise<CacheReading> {
  const bytes = await readCached(CACHE_FOLDER, file.name);
  if (bytes === undefined) return {};
  try {
    return { array: await readFashionFile(bytes, file, cachedLocation(CACHE_FOLDER, file.name)) };
  } catch (fault) {
    if (!(fault instanceof TramaError)) throw fault;
    options.onProgress?.({ kind: "notice", message: `${fault.message}. Downloading it again` });
    return { fault };
  }
}

/** A cache that holds a broken file is never papered over with synthetic data: then the fault itself is thrown. */
async function download(
  file: FashionFile,
  options: FashionMnistOptions,
  cacheFault: TramaError | undefined,
): Promise<IdxArray> {
  const { mirrors = FASHION_MIRRORS, onProgress, timeouts, signal } = options;
  const urls = mirrors.map((base) => (base.endsWith("/") ? base : `${base}/`) + file.name);
  const report = (progress: DownloadProgress): void => onProgress?.({ kind: "download", ...progress });
  try {
    const limits = { ...(timeouts && { timeouts }), ...(signal && { signal }) };
    const bytes = await downloadToCache(CACHE_FOLDER, file, urls, { ...limits, onProgress: report });
    return await readFashionFile(bytes, file, file.name);
  } catch (cause) {
    if (!(cause instanceof TramaError)) throw cause;
    throw cacheFault ?? new Unavailable(cause);
  }
}

async function assemble(read: FileReader, from: string, options: FashionMnistOptions): Promise<FashionMnist> {
  const arrays = new Map<FashionFile, IdxArray>();
  for (const file of Object.values(FASHION_FILES)) {
    options.signal?.throwIfAborted();
    arrays.set(file, await read(file));
  }
  const classNames = FASHION_CLASS_NAMES[options.language ?? "en"];
  const part = (images: FashionFile, labels: FashionFile, split: SplitName): ImageDataset =>
    datasetFromIdx(requireArray(arrays, images), requireArray(arrays, labels), {
      classNames,
      split,
      origin: `Fashion-MNIST (${from})`,
    });
  return {
    train: part(FASHION_FILES.trainImages, FASHION_FILES.trainLabels, "train"),
    test: part(FASHION_FILES.testImages, FASHION_FILES.testLabels, "test"),
  };
}

function requireArray(arrays: ReadonlyMap<FashionFile, IdxArray>, file: FashionFile): IdxArray {
  const array = arrays.get(file);
  if (array !== undefined) return array;
  throw new DataError({ where: file.name, expected: "to have been read", got: "nothing" });
}

function withOrigin({ train, test }: FashionMnist, origin: string): FashionMnist {
  return { train: Object.freeze({ ...train, origin }), test: Object.freeze({ ...test, origin }) };
}

function synthetic(options: FashionMnistOptions, reason: string): FashionMnist {
  const { language = "en" } = options;
  const data = syntheticGarments({ language, ...options.syntheticOptions });
  return withOrigin(data, `${data.train.origin} (${reason})`);
}

function requirePolicy(policy: SyntheticPolicy): SyntheticPolicy {
  if (POLICIES.includes(policy)) return policy;
  throw new OptionError({ where: "synthetic", expected: POLICIES.join(", "), got: policy });
}
