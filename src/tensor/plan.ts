/**
 * Memory of a program: storages whose lives do not overlap share a buffer. Lives are intervals of positions in the
 * list of dispatches; the largest storages choose first and each takes the first buffer that is free all its life.
 */
import { isInternal, readsOf, writesOf } from "./graph.ts";
import type { Dispatch } from "./kernel.ts";
import type { Storage } from "./tensor.ts";

export interface Slot {
  readonly bytes: number;
  readonly storages: readonly Storage[];
}

interface Life {
  readonly storage: Storage;
  readonly first: number;
  last: number;
}

export function planSlots(dispatches: readonly Dispatch[]): Slot[] {
  const slots: { bytes: number; lives: Life[] }[] = [];
  const lives = [...livesOf(dispatches).values()].sort(
    (a, b) => b.storage.bytes - a.storage.bytes || a.first - b.first,
  );
  for (const life of lives) {
    const free = slots.find((slot) => slot.lives.every((other) => other.last < life.first || life.last < other.first));
    if (free) free.lives.push(life);
    else slots.push({ bytes: life.storage.bytes, lives: [life] });
  }
  return slots.map(({ bytes, lives: all }) => ({ bytes, storages: all.map(({ storage }) => storage) }));
}

/** From the first dispatch that touches a storage to the last, both included: a dispatch never writes what it reads. */
function livesOf(dispatches: readonly Dispatch[]): Map<Storage, Life> {
  const lives = new Map<Storage, Life>();
  dispatches.forEach((dispatch, position) => {
    for (const { storage } of [...readsOf(dispatch), ...writesOf(dispatch)]) {
      if (!isInternal(storage)) continue;
      const life = lives.get(storage);
      if (life) life.last = position;
      else lives.set(storage, { storage, first: position, last: position });
    }
  });
  return lives;
}
