/** Images that two parts of a data set share byte by byte, in one pass: fast enough to look before every training. */
import { imageLength, type ImageDataset } from "./dataset.ts";

export interface SharedImages {
  /** Images of the second part that lie in the first as well. */
  readonly count: number;
  /** Where the first of them stands in each part. */
  readonly first: readonly [inFirst: number, inSecond: number];
}

type Images = Pick<ImageDataset, "images" | "shape" | "count">;

/** What `second` shares with `first`; null where that is nothing. */
export function sharedImages(first: Images, second: Images): SharedImages | null {
  if (first.shape.join() !== second.shape.join()) return null;
  const known = new Map<number, number[]>();
  keysOf(second).forEach((key, index) => {
    const places = known.get(key);
    if (places) places.push(index);
    else known.set(key, [index]);
  });
  const found = new Map<number, number>();
  keysOf(first).forEach((key, index) => {
    const places = known.get(key);
    if (!places) return;
    const same = places.filter((place) => isSame(first, index, second, place));
    for (const place of same) found.set(place, index);
    if (same.length === 0) return;
    known.set(
      key,
      places.filter((place) => !found.has(place)),
    );
  });
  if (found.size === 0) return null;
  const earliest = [...found.keys()].reduce((a, b) => Math.min(a, b));
  return { count: found.size, first: [found.get(earliest)!, earliest] };
}

/** A number for each image, equal for equal images: FNV-1a by words, stirred so that high bits reach low ones. */
function keysOf({ images, shape, count }: Images): Uint32Array {
  const length = imageLength(shape);
  const words = Math.floor(length / 4);
  const keys = new Uint32Array(count);
  const bytes = new DataView(images.buffer, images.byteOffset, images.byteLength);
  for (let image = 0; image < count; image++) {
    let hash = 0x811c9dc5;
    const stir = (value: number): void => {
      hash = Math.imul(hash ^ value, 0x01000193);
      hash ^= hash >>> 15;
    };
    const begin = image * length;
    for (let word = 0; word < words; word++) stir(bytes.getInt32(begin + 4 * word, true));
    for (let at = begin + 4 * words; at < begin + length; at++) stir(images[at]!);
    keys[image] = hash;
  }
  return keys;
}

function isSame(first: Images, at: number, second: Images, place: number): boolean {
  const length = imageLength(first.shape);
  for (let byte = 0; byte < length; byte++) {
    if (first.images[at * length + byte] !== second.images[place * length + byte]) return false;
  }
  return true;
}
