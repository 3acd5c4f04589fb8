/**
 * Walking an image in strips: an invocation takes several places of one line, one after the other, for one channel (or four).
 * It divides to find where it begins and only counts from there on. On software adapters, where a division costs as much
 * as three loads, a strip is a whole line if that leaves work for all; on GPUs it is one place.
 */
import type { Device } from "../tensor/index.ts";

/** Channels (in fours), places of a line, places of a strip and strips of a line. */
export const stripUniforms = { c: "u32", columns: "u32", strip: "u32", strips: "u32" } as const;

/** Where invocation i stands: the places `begin` … `end − 1` of a line, and its channel. */
export const STRIP = /* wgsl */ `
      let c = u.c; let ordinal = i / c; let channel = i - ordinal * c;
      let line = ordinal / u.strips;
      let begin = (ordinal - line * u.strips) * u.strip; let end = min(begin + u.strip, u.columns);`;

/** Invocations that keep the cores of a software adapter busy. */
const PLENTY = 512;

export interface Strips {
  readonly sizes: Readonly<Record<keyof typeof stripUniforms, number>>;
  readonly threads: number;
}

/** How `lines` of `columns` places with `c` channels (in fours) are cut. */
export function cutIntoStrips({ isSoftware }: Device, lines: number, columns: number, c: number): Strips {
  const wanted = isSoftware ? Math.min(columns, Math.ceil(PLENTY / (lines * c))) : columns;
  const strip = Math.ceil(columns / wanted);
  const strips = Math.ceil(columns / strip);
  return { sizes: { c, columns, strip, strips }, threads: lines * strips * c };
}
