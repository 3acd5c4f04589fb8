/**
 * A program being recorded: the dispatches of one traced step, in order, over storages that have no memory yet; and what
 * can be told from them: who writes and reads a storage, and which work nobody needs.
 */
import type { Executor } from "./device.ts";
import type { Dispatch } from "./kernel.ts";
import { Storage, type Tensor } from "./tensor.ts";

export class Recorder implements Executor {
  readonly dispatches: Dispatch[] = [];

  allocate(bytes: number): Storage {
    return new Storage(bytes, null);
  }

  dispatch(dispatch: Dispatch): void {
    this.dispatches.push(dispatch);
  }
}

/** A storage that exists only inside the program. */
export function isInternal(storage: Storage): boolean {
  return storage.buffer === null;
}

export function readsOf(dispatch: Dispatch): Tensor[] {
  return [...dispatch.inputs, ...dispatch.epilogue.operands.map(({ tensor }) => tensor), ...dispatch.updates];
}

export function writesOf(dispatch: Dispatch): Tensor[] {
  return [...dispatch.updates, ...dispatch.outputs];
}

/** Drops the work whose results nobody reads. What is written outside the program, or returned by it, is needed. */
export function dropUnread(dispatches: readonly Dispatch[], returned: ReadonlySet<Storage>): Dispatch[] {
  const needed = new Set(returned);
  const kept: Dispatch[] = [];
  for (const dispatch of [...dispatches].reverse()) {
    const useful = writesOf(dispatch).some(({ storage }) => needed.has(storage) || !isInternal(storage));
    if (!useful) continue;
    for (const { storage } of readsOf(dispatch)) needed.add(storage);
    kept.push(dispatch);
  }
  return kept.reverse();
}
