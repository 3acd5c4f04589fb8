/**
 * Perceptual hashes: 128 bits an image, alike for images that look alike, and the search for pairs of them.
 *
 *   bits 0…63    right(y, x) > left(y, x) of the image averaged to 8 rows of 9
 *   bits 64…127  lower(y, x) > upper(y, x) of the image averaged to 9 rows of 8
 *
 * (Krawetz's difference hash, 2013, in both directions: silhouettes of one kind share most of the first half.) "Greater" is by more
 * than σ / 64 of the image, so that the noise of a plain background decides nothing.
 *
 * Two hashes that differ in at most d bits agree wholly in one of d + 1 bands of bits. So only images that share a band
 * are compared. A band takes every (d + 1)th bit: neighbouring bits say much the same, and bands of them would be shared by many.
 */
import type { ImageShape } from "./dataset.ts";
import { tapsOf, type Taps } from "./resample.ts";

/** Words of 32 bits a hash. */
export const HASH_WORDS = 4;

const CELLS = 8;
/** Of the image's standard deviation: smaller differences count as none. */
const MARGIN = 1 / 64;

/** One hash an image, shape [count, 4]. */
export function differenceHashes(images: readonly Uint8Array[], shape: ImageShape): Uint32Array {
  const tall = averager(shape, CELLS, CELLS + 1);
  const wide = averager(shape, CELLS + 1, CELLS);
  const hashes = new Uint32Array(images.length * HASH_WORDS);
  images.forEach((image, at) => {
    // Averages of equal values differ by rounding alone.
    const margin = MARGIN * deviationOf(image) + 1e-6;
    const hash = hashes.subarray(at * HASH_WORDS, (at + 1) * HASH_WORDS);
    compareNeighbours(hash, 0, tall(image), CELLS + 1, 1, margin);
    compareNeighbours(hash, CELLS * CELLS, wide(image), CELLS, CELLS, margin);
  });
  return hashes;
}

/**
 * Calls `visit` once for every pair of hashes that differ in at most `distance` bits, b < a. For hashes of pictures that
 * differ, the work grows little faster than their number; for equal ones with its square.
 */
export function visitSimilarHashes(
  hashes: Uint32Array,
  distance: number,
  visit: (a: number, b: number, bits: number) => void,
): void {
  const count = hashes.length / HASH_WORDS;
  const masks = bandMasks(distance + 1);
  const previous = new Int32Array(count);
  masks.forEach((mask, band) => {
    /** Key of a bucket to its last member; `previous` leads to the others. */
    const buckets = new Map<number, number>();
    for (let a = 0; a < count; a++) {
      const key = keyOf(hashes, a, mask);
      let b = buckets.get(key) ?? -1;
      previous[a] = b;
      buckets.set(key, a);
      const at = a * HASH_WORDS;
      const [w0, w1, w2, w3] = [hashes[at]!, hashes[at + 1]!, hashes[at + 2]!, hashes[at + 3]!];
      for (; b >= 0; b = previous[b]!) {
        // Written out, because this line runs a hundred million times for 70,000 images, and mostly ends with the first word.
        const other = b * HASH_WORDS;
        let bits = bitsOf(w0 ^ hashes[other]!);
        if (bits > distance || (bits += bitsOf(w1 ^ hashes[other + 1]!)) > distance) continue;
        bits += bitsOf(w2 ^ hashes[other + 2]!) + bitsOf(w3 ^ hashes[other + 3]!);
        if (bits <= distance && !shareBand(hashes, a, b, masks, band)) visit(a, b, bits);
      }
    }
  });
}

/** Whether the pair was met in an earlier band. */
function shareBand(hashes: Uint32Array, a: number, b: number, masks: readonly Uint32Array[], before: number): boolean {
  for (let band = 0; band < before; band++) {
    const mask = masks[band]!;
    let differs = 0;
    for (let word = 0; word < HASH_WORDS; word++) {
      differs |= (hashes[a * HASH_WORDS + word]! ^ hashes[b * HASH_WORDS + word]!) & mask[word]!;
    }
    if (differs === 0) return true;
  }
  return false;
}

function bandMasks(bands: number): readonly Uint32Array[] {
  return Array.from({ length: bands }, (_, band) => {
    const mask = new Uint32Array(HASH_WORDS);
    for (let bit = band; bit < HASH_WORDS * 32; bit += bands) mask[bit >> 5]! |= 1 << (bit & 31);
    return mask;
  });
}

/** A number of the band's bits; that two bands now and then give the same one costs time and nothing else. */
function keyOf(hashes: Uint32Array, index: number, mask: Uint32Array): number {
  let key = 0;
  for (let word = 0; word < HASH_WORDS; word++) {
    key = Math.imul(key ^ (hashes[index * HASH_WORDS + word]! & mask[word]!), 0x9e3779b1);
    key ^= key >>> 15;
  }
  return key;
}

/** A function that averages a picture's channels and areas to [rows, columns]. */
function averager([height, width, channels]: ImageShape, rows: number, columns: number) {
  const down = tapsOf("area", 0, height, height, rows);
  const across = tapsOf("area", 0, width, width, columns);
  const narrow = new Float64Array(height * columns);
  const cells = new Float64Array(rows * columns);
  return (image: Uint8Array): Float64Array => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < columns; x++) {
        narrow[y * columns + x] = rowAverage(image, y * width * channels, across[x]!, channels);
      }
    }
    for (let y = 0; y < rows; y++) {
      const { first, weights } = down[y]!;
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (let at = 0; at < weights.length; at++) sum += weights[at]! * narrow[(first + at) * columns + x]!;
        cells[y * columns + x] = sum;
      }
    }
    return cells;
  };
}

function rowAverage(image: Uint8Array, start: number, { first, weights }: Taps, channels: number): number {
  let sum = 0;
  let from = start + first * channels;
  for (let at = 0; at < weights.length; at++) {
    for (let channel = 0; channel < channels; channel++) sum += weights[at]! * image[from++]!;
  }
  return sum / channels;
}

/** Sets the bits from `first` on: cell (y, x) of 8 by 8 against the one `step` further, in rows of `columns`. */
function compareNeighbours(
  hash: Uint32Array,
  first: number,
  cells: Float64Array,
  columns: number,
  step: number,
  margin: number,
): void {
  for (let y = 0; y < CELLS; y++) {
    for (let x = 0; x < CELLS; x++) {
      const at = y * columns + x;
      if (cells[at + step]! - cells[at]! <= margin) continue;
      const bit = first + y * CELLS + x;
      hash[bit >> 5]! |= 1 << (bit & 31);
    }
  }
}

function deviationOf(image: Uint8Array): number {
  let [sum, sumOfSquares] = [0, 0];
  for (const value of image) {
    sum += value;
    sumOfSquares += value * value;
  }
  const mean = sum / image.length;
  return Math.sqrt(Math.max(0, sumOfSquares / image.length - mean * mean));
}

/** Bits of a word that are 1, by adding neighbours (Warren, "Hacker's Delight", 5-1). */
function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}
