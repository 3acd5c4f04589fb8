/**
 * Pairs of images that show the same picture after small changes: another compression, a shade lighter, retouched.
 *
 * Candidates are pairs whose perceptual hashes differ in few bits. They are near duplicates when the pixels themselves
 * agree: by Pearson's correlation r, which does not care for brightness and contrast. The hash alone would not do, because
 * many trousers have the same.
 *
 * Most candidates are refused without a look at their pixels. With u and v the images, each less its mean and divided by its
 * length, |u − v|² = 2 (1 − r). Averages over 8×8 cells are a projection P on orthonormal vectors, and |P u − P v|² ≤ |u − v|².
 * So where the averages alone are further apart than 2 (1 − r), r is not reached.
 */
import { imageLength, type ImageShape } from "./dataset.ts";
import { differenceHashes, visitSimilarHashes } from "./differenceHash.ts";

/** Images `a` and `b`, by position. */
export interface NearLink {
  readonly a: number;
  readonly b: number;
  readonly correlation: number;
}

const CELLS = 8;
/** Rounding of a sum of 64 squares in single precision, and more. */
const SLACK = 1e-4;

/** All pairs whose hashes differ in at most `distance` bits of 128 and whose pixels correlate by `correlation` or more. */
export function nearLinks(
  images: readonly Uint8Array[],
  shape: ImageShape,
  { distance, correlation: least }: { readonly distance: number; readonly correlation: number },
): readonly NearLink[] {
  const length = imageLength(shape);
  const means = Float64Array.from(images, (image) => sumOf(image) / length);
  const norms = Float64Array.from(images, (image, at) =>
    Math.sqrt(Math.max(0, productSum(image, image) - length * means[at]! ** 2)),
  );
  // Pictures of one colour have nothing to compare.
  const chosen = Array.from(images.keys()).filter((at) => norms[at]! > 0);
  const hashes = differenceHashes(
    chosen.map((at) => images[at]!),
    shape,
  );
  const cells = projections(images, shape, means, norms);
  const furthest = 2 * (1 - least) + SLACK;
  const links: NearLink[] = [];
  visitSimilarHashes(hashes, distance, (x, y) => {
    const [a, b] = [chosen[x]!, chosen[y]!];
    if (squaredDistance(cells, a, b, furthest) > furthest) return;
    const covariance = productSum(images[a]!, images[b]!) - length * means[a]! * means[b]!;
    const correlation = covariance / (norms[a]! * norms[b]!);
    if (correlation >= least) links.push({ a, b, correlation: Math.min(1, correlation) });
  });
  return links;
}

/** P u of every image: sums of the cells over the root of their sizes, shape [count, 8, 8]. */
function projections(
  images: readonly Uint8Array[],
  [height, width, channels]: ImageShape,
  means: Float64Array,
  norms: Float64Array,
): Float32Array {
  const row = Uint8Array.from({ length: height }, (_, y) => Math.floor((y * CELLS) / height));
  const column = Uint8Array.from({ length: width }, (_, x) => Math.floor((x * CELLS) / width));
  const sizes = new Float64Array(CELLS * CELLS);
  for (const y of row) for (const x of column) sizes[y * CELLS + x]! += channels;
  const all = new Float32Array(images.length * sizes.length);
  const sums = new Float64Array(sizes.length);
  images.forEach((image, at) => {
    sums.fill(0);
    let from = 0;
    for (const y of row) {
      for (const x of column) for (let c = 0; c < channels; c++) sums[y * CELLS + x]! += image[from++]!;
    }
    sizes.forEach((size, cell) => {
      // Pictures of fewer than 8 rows or columns leave cells empty.
      if (size === 0) return;
      all[at * sizes.length + cell] = (sums[cell]! - size * means[at]!) / (Math.sqrt(size) * norms[at]!);
    });
  });
  return all;
}

/** Given up once it is more than `enough`. */
function squaredDistance(cells: Float32Array, a: number, b: number, enough: number): number {
  const [from, other] = [a * CELLS * CELLS, b * CELLS * CELLS];
  let sum = 0;
  for (let at = 0; at < CELLS * CELLS && sum <= enough; at++) sum += (cells[from + at]! - cells[other + at]!) ** 2;
  return sum;
}

function sumOf(image: Uint8Array): number {
  let sum = 0;
  for (const value of image) sum += value;
  return sum;
}

/** Exact: products of bytes sum to less than 2⁵³. */
function productSum(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}
