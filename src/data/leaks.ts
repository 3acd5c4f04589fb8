/**
 * Leaks: images of a held-out part that training has seen. A score on them measures memory.
 */
import { DataError } from "../errors.ts";
import {
  findDuplicates,
  type DuplicateGroup,
  type DuplicateOptions,
  type DuplicateReport,
  type Parts,
} from "./duplicates.ts";

/** What two parts share. */
export interface Leak {
  readonly from: string;
  readonly to: string;
  /** Images of `to` that lie, byte by byte, in `from` as well. */
  readonly exact: number;
  /** Images of `to` that have a near duplicate in `from`, but no exact one. */
  readonly near: number;
  /** The groups that both parts have images of; exact ones first. */
  readonly groups: readonly DuplicateGroup[];
}

export interface LeakReport {
  /** One for each pair of parts that share images, in the order of the parts. */
  readonly leaks: readonly Leak[];
  readonly duplicates: DuplicateReport;
}

/** How many shared images are put up with. */
export interface LeakLimits {
  /** Default: 0. */
  readonly exact?: number;
  /** Default: 0. */
  readonly near?: number;
}

/**
 * Looks for images that several parts share.
 * @param parts in the order in which they are used, such as `{ train, validation, test }`, or what `findDuplicates` found in them.
 */
export function findLeaks(parts: Parts | DuplicateReport, options: DuplicateOptions = {}): LeakReport {
  const duplicates = isReport(parts) ? parts : findDuplicates(parts, options);
  const names = duplicates.parts.map(({ name }) => name);
  const leaks = names.flatMap((from, at) => names.slice(at + 1).map((to) => leakBetween(from, to, duplicates)));
  return { leaks: leaks.filter(({ exact, near }) => exact + near > 0), duplicates };
}

/**
 * The guard to call before training: throws when parts share more images than `limits` allow.
 * @throws {DataError} naming the parts, how many images they share and the first of them.
 */
export function refuseLeaks(report: LeakReport, limits: LeakLimits = {}): void {
  const { exact = 0, near = 0 } = limits;
  const worst = report.leaks.find((leak) => leak.exact > exact || leak.near > near);
  if (worst === undefined) return;
  const { from, to, groups } = worst;
  const first = groups[0]?.places.find(({ part }) => part === to);
  const twin = groups[0]?.places.find(({ part }) => part === from);
  throw new DataError({
    where: `leak from ${from} to ${to}`,
    expected: `at most ${exact} exact and ${near} near duplicates between them`,
    got: `${worst.exact} exact and ${worst.near} near, such as ${to} ${first?.index} and ${from} ${twin?.index}`,
    advice: `leave them out of ${from}: selectImages(${from}, indicesWithoutLeaks(report, "${from}"))`,
  });
}

/** Positions of a part's images that no later part shares, ascending: what is left of `train` once leaks are closed. */
export function indicesWithoutLeaks({ leaks, duplicates }: LeakReport, part: string): Uint32Array {
  const count = duplicates.parts.find(({ name }) => name === part)?.count;
  if (count === undefined) {
    const expected = duplicates.parts.map(({ name }) => name).join(", ");
    throw new DataError({ where: "indicesWithoutLeaks", expected, got: part });
  }
  const shared = leaks.filter(({ from }) => from === part).flatMap(({ groups }) => groups);
  const leaking = new Set(
    shared.flatMap(({ places }) => places.filter((place) => place.part === part)).map(({ index }) => index),
  );
  return Uint32Array.from({ length: count }, (_, index) => index).filter((index) => !leaking.has(index));
}

function leakBetween(from: string, to: string, { exact, near }: DuplicateReport): Leak {
  const areShared = ({ places }: DuplicateGroup): boolean =>
    places.some(({ part }) => part === from) && places.some(({ part }) => part === to);
  const [same, alike] = [exact.filter(areShared), near.filter(areShared)];
  const exactOnes = indicesIn(to, same);
  const nearOnes = [...indicesIn(to, alike)].filter((index) => !exactOnes.has(index));
  return { from, to, exact: exactOnes.size, near: nearOnes.length, groups: [...same, ...alike] };
}

function indicesIn(part: string, groups: readonly DuplicateGroup[]): ReadonlySet<number> {
  return new Set(
    groups.flatMap(({ places }) => places.filter((place) => place.part === part).map(({ index }) => index)),
  );
}

function isReport(parts: Parts | DuplicateReport): parts is DuplicateReport {
  return Array.isArray((parts as DuplicateReport).parts);
}
