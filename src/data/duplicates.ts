/**
 * Images that occur twice, inside the parts of a data set and between them.
 *
 * Exact: the same bytes. Near: the same picture after small changes, see nearDuplicates.ts.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { imageLength, type ImageDataset, type ImageShape } from "./dataset.ts";
import { nearLinks, type NearLink } from "./nearDuplicates.ts";

/** Parts of a data set by name, such as `{ train, validation, test }`. */
export type Parts = Readonly<Record<string, ImageDataset>>;

export interface DuplicateOptions {
  /** Whether near duplicates are searched for. Default: true. */
  readonly near?: boolean;
  /** Bits of 128 in which the hashes of a candidate pair may differ, 0…32. More takes longer. Default: 8. */
  readonly distance?: number;
  /** Least correlation of the pixels of near duplicates, in (0, 1]. Default: 0.998. */
  readonly correlation?: number;
}

/** One image of one part. */
export interface ImagePlace {
  readonly part: string;
  readonly index: number;
  readonly label: number;
}

/** Images that are copies of each other: at least two, in the order of the parts. */
export interface DuplicateGroup {
  readonly places: readonly ImagePlace[];
  /** 1 for the same bytes; else the least correlation of the pairs that hold the group together. */
  readonly correlation: number;
  /** Whether the copies have different labels: then one of them is wrong. */
  readonly labelsDiffer: boolean;
}

export interface DuplicateReport {
  readonly parts: readonly { readonly name: string; readonly count: number }[];
  /** Groups of images with the same bytes. */
  readonly exact: readonly DuplicateGroup[];
  /** Groups in which some are near duplicates and not exact ones; exact copies of members are members too. */
  readonly near: readonly DuplicateGroup[];
  /** The options with every default filled in. */
  readonly options: Required<DuplicateOptions>;
}

/**
 * Finds exact and near duplicates in all parts together. 70,000 images of 28×28 take some seconds. Pictures of one colour are
 * compared exactly only: they have no features.
 * @throws {ShapeError} when the parts' images have different shapes. @throws {OptionError} for options out of range.
 */
export function findDuplicates(parts: Parts, options: DuplicateOptions = {}): DuplicateReport {
  const settings = settle(options);
  const all = gather(parts);
  const exact = exactGroups(all);
  const near = settings.near ? nearGroups(all, exact, settings) : [];
  return {
    parts: Object.entries(parts).map(([name, { count }]) => ({ name, count })),
    exact: exact.map((members) => groupOf(all, members, 1)),
    near: near.map(({ members, correlation }) => groupOf(all, members, correlation)),
    options: settings,
  };
}

/** All images of all parts, one after the other. */
interface Gathered {
  readonly shape: ImageShape;
  readonly images: readonly Uint8Array[];
  readonly placeOf: (position: number) => ImagePlace;
}

function gather(parts: Parts): Gathered {
  const entries = Object.entries(parts);
  const shape = entries[0]?.[1].shape ?? [0, 0, 0];
  for (const [name, part] of entries) {
    if (part.shape.join() === shape.join()) continue;
    const expected = `images of ${shape.join("×")}, as in ${entries[0]?.[0]}`;
    throw new ShapeError({ where: `findDuplicates, ${name}`, expected, got: part.shape.join("×") });
  }
  const length = imageLength(shape);
  const places = entries.flatMap(([part, { labels }]) =>
    Array.from(labels, (label, index): ImagePlace => ({ part, index, label })),
  );
  const images = entries.flatMap(([, { images: bytes, count }]) =>
    Array.from({ length: count }, (_, at) => bytes.subarray(at * length, (at + 1) * length)),
  );
  return { shape, images, placeOf: (position) => places[position]! };
}

/** Positions of images with equal bytes, by a hash of 53 bits and then byte by byte. */
function exactGroups({ images }: Gathered): readonly (readonly number[])[] {
  const buckets = new Map<number, number[][]>();
  images.forEach((image, position) => {
    const key = contentKey(image);
    const groups = buckets.get(key) ?? [];
    const same = groups.find(([first]) => equalBytes(images[first!]!, image));
    if (same === undefined) groups.push([position]);
    else same.push(position);
    buckets.set(key, groups);
  });
  const groups = [...buckets.values()].flat().filter((group) => group.length > 1);
  return groups.sort((a, b) => a[0]! - b[0]!);
}

interface NearGroup {
  readonly members: readonly number[];
  readonly correlation: number;
}

function nearGroups(
  all: Gathered,
  exact: readonly (readonly number[])[],
  options: Required<DuplicateOptions>,
): readonly NearGroup[] {
  // One image stands for all of the same bytes.
  const copies = new Set(exact.flatMap((group) => group.slice(1)));
  const chosen = Array.from(all.images.keys()).filter((position) => !copies.has(position));
  const images = chosen.map((position) => all.images[position]!);
  const links = nearLinks(images, all.shape, options).map(({ a, b, correlation }) => ({
    a: chosen[a]!,
    b: chosen[b]!,
    correlation,
  }));
  return components(all.images.length, links, exact);
}

/** Groups that hang together by links, with the exact copies of their members. */
function components(
  count: number,
  links: readonly NearLink[],
  exact: readonly (readonly number[])[],
): readonly NearGroup[] {
  const parent = Int32Array.from({ length: count }, (_, at) => at);
  const rootOf = (at: number): number => {
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  for (const { a, b } of links) parent[rootOf(a)] = rootOf(b);
  const groups = new Map<number, { members: Set<number>; correlation: number }>();
  for (const { a, b, correlation } of links) {
    const group = groups.get(rootOf(a)) ?? { members: new Set<number>(), correlation: 1 };
    group.members.add(a).add(b);
    group.correlation = Math.min(group.correlation, correlation);
    groups.set(rootOf(a), group);
  }
  for (const copies of exact) {
    const group = groups.get(rootOf(copies[0]!));
    for (const copy of copies) group?.members.add(copy);
  }
  const found = [...groups.values()].map(({ members, correlation }) => ({
    members: [...members].sort((a, b) => a - b),
    correlation,
  }));
  return found.sort((a, b) => b.correlation - a.correlation || a.members[0]! - b.members[0]!);
}

function groupOf(all: Gathered, members: readonly number[], correlation: number): DuplicateGroup {
  const places = members.map(all.placeOf);
  return { places, correlation, labelsDiffer: places.some(({ label }) => label !== places[0]?.label) };
}

/** Two hashes of 32 bits (FNV-1a, and a polynomial in 31) as one number that is exact. */
function contentKey(image: Uint8Array): number {
  let [one, two] = [0x811c9dc5, 0];
  for (const byte of image) {
    one = Math.imul(one ^ byte, 0x01000193);
    two = (Math.imul(two, 31) + byte) | 0;
  }
  return (one >>> 0) * 2 ** 21 + (two & 0x1fffff);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

function settle({ near = true, distance = 8, correlation = 0.998 }: DuplicateOptions): Required<DuplicateOptions> {
  if (!Number.isInteger(distance) || distance < 0 || distance > 32) {
    throw new OptionError({ where: "distance", expected: "a whole number from 0 to 32", got: String(distance) });
  }
  if (!(correlation > 0 && correlation <= 1)) {
    throw new OptionError({ where: "correlation", expected: "a number above 0, at most 1", got: String(correlation) });
  }
  return { near, distance, correlation };
}
