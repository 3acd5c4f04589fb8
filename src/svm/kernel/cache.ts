/**
 * A least-recently-used cache of kernel rows with a byte budget (LIBSVM's `Cache`).
 *
 * Why: the solver comes back to the same support vectors again and again, and a kernel row costs far more than one of its
 * steps. Rows are kept as float32 in slots of one size. Under shrinking a row may hold only its first
 * `length` columns; it is extended in place when more are wanted.
 *
 * Why a missing row is not computed alone: `rows.ts` reads the data once for a whole block of rows. So the solver is asked
 * which rows it will probably want next.
 */
import { OptionError } from "../../errors.ts";
import type { Workspace } from "../wasm/workspace.ts";
import { cachedRowBytes, type KernelRows } from "./rows.ts";

/** Rows computed together: two tiles of the loop. */
export const blockRows = 8;
/** A block, and the two rows of the working set that must not be evicted by it. */
const fewestSlots = blockRows + 4;

/** Slots that fit in the budget; no more than there are rows. Throws `OptionError` when not even one block fits. */
export function slotCount(count: number, cacheBytes: number): number {
  if (!(cacheBytes > 0)) throw new OptionError({ where: "svm", expected: "cacheBytes > 0", got: String(cacheBytes) });
  return Math.min(Math.max(count, fewestSlots), Math.max(fewestSlots, Math.floor(cacheBytes / cachedRowBytes(count))));
}

export class RowCache {
  /** Rows computed, whole or in part: the measure of the cost. */
  computed = 0;
  private readonly rows: KernelRows;
  private readonly base: number;
  private readonly slotBytes: number;
  /** Slot of a sample (by its original number), or −1; and back. */
  private readonly slotOf: Int32Array;
  private readonly ownerOf: Int32Array;
  private readonly lengthOf: Int32Array;
  /** A circle through all slots from most to least recently used; the entry after the last slot is its head. */
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly head: number;

  static bytes(count: number, slots: number): number {
    return slots * cachedRowBytes(count) + 64;
  }

  constructor(workspace: Workspace, rows: KernelRows, slots: number) {
    this.rows = rows;
    this.slotBytes = cachedRowBytes(rows.count);
    this.base = workspace.floats((slots * this.slotBytes) / 4).at;
    this.slotOf = new Int32Array(rows.count).fill(-1);
    this.ownerOf = new Int32Array(slots).fill(-1);
    this.lengthOf = new Int32Array(slots);
    this.head = slots;
    this.next = Int32Array.from({ length: slots + 1 }, (_, i) => (i + 1) % (slots + 1));
    this.previous = Int32Array.from({ length: slots + 1 }, (_, i) => (i + slots) % (slots + 1));
  }

  /** Whether the row of `sample` is here with its first `length` columns. */
  has(sample: number, length: number): boolean {
    const slot = this.slotOf[sample] as number;
    return slot >= 0 && (this.lengthOf[slot] as number) >= length;
  }

  /** Address of the row of `sample`, which must be here (`has`, or just fetched). Marks it as used. */
  address(sample: number): number {
    const slot = this.slotOf[sample] as number;
    this.touch(slot);
    return this.base + slot * this.slotBytes;
  }

  /** Brings in the rows of the samples now at `positions`, up to column `length`. At most `blockRows` of them. */
  fetch(positions: readonly number[], samples: Int32Array, length: number): void {
    const groups = new Map<number, { positions: number[]; outs: number[] }>();
    for (const position of positions) {
      const slot = this.slotFor(samples[position] as number);
      const have = this.lengthOf[slot] as number;
      if (have >= length) continue;
      const group = groups.get(have) ?? { positions: [], outs: [] };
      group.positions.push(position);
      group.outs.push(this.base + slot * this.slotBytes);
      groups.set(have, group);
      this.lengthOf[slot] = length;
      this.computed++;
    }
    for (const [from, group] of groups) this.rows.compute(group.positions, group.outs, from, length);
  }

  /** Follows exchanges of columns (pairs i < j): a row that holds only column i is cut before it. */
  exchangeColumns(pairs: readonly (readonly [number, number])[]): void {
    const { heap } = this.rows;
    for (let slot = 0; slot < this.head; slot++) {
      if ((this.ownerOf[slot] as number) < 0) continue;
      const start = (this.base + slot * this.slotBytes) / 4;
      let length = this.lengthOf[slot] as number;
      for (const [i, j] of pairs) {
        if (j < length) {
          // Not through `exchange`: shared with other kinds of arrays, it runs several times slower here.
          const held = heap[start + i] as number;
          heap[start + i] = heap[start + j] as number;
          heap[start + j] = held;
        } else if (i < length) {
          length = i;
        }
      }
      this.lengthOf[slot] = length;
    }
  }

  private slotFor(sample: number): number {
    const known = this.slotOf[sample] as number;
    if (known >= 0) {
      this.touch(known);
      return known;
    }
    const slot = this.previous[this.head] as number; // least recently used
    const owner = this.ownerOf[slot] as number;
    if (owner >= 0) this.slotOf[owner] = -1;
    this.ownerOf[slot] = sample;
    this.slotOf[sample] = slot;
    this.lengthOf[slot] = 0;
    this.touch(slot);
    return slot;
  }

  private touch(slot: number): void {
    const { next, previous, head } = this;
    const [before, after] = [previous[slot] as number, next[slot] as number];
    next[before] = after;
    previous[after] = before;
    const first = next[head] as number;
    next[head] = slot;
    previous[slot] = head;
    next[slot] = first;
    previous[first] = slot;
  }
}
