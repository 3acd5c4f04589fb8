/**
 * Work ahead of the reader: the next items are made while the last one is used.
 *
 * One request to the source is under way at a time, and none while `depth` items wait: a source that is faster than its
 * reader is held back. A source that makes an item by parallel work (as streams of pictures do) keeps all cores busy so.
 */
import { OptionError } from "../errors.ts";
import { unlessAborted } from "./concurrency.ts";

export interface PrefetchOptions {
  /** Items that may wait, made but not yet taken: at least 1. Default: 2. */
  readonly depth?: number;
  /** Ends the iteration with its reason, at once, even while the source is busy. */
  readonly signal?: AbortSignal;
}

/**
 * The items of `source` in its order. Nothing is asked of it before the first item is asked for. An error of the source is
 * thrown in its place, after the items before it. When the reader leaves early, the source is told (`return`).
 * @throws {OptionError} for a depth below 1. @throws the reason of `signal` when it is aborted.
 */
export function prefetch<T>(source: AsyncIterable<T>, options: PrefetchOptions = {}): AsyncGenerator<T, void, void> {
  const { depth = 2, signal } = options;
  if (Number.isInteger(depth) && depth >= 1) return readAhead(source[Symbol.asyncIterator](), depth, signal);
  throw new OptionError({ where: "prefetch", expected: "a depth of at least 1", got: String(depth) });
}

/** What the source answered; its failure waits in line like everything else, and is nobody's unhandled rejection. */
type Answer<T> = IteratorResult<T, unknown> | { readonly failure: unknown };

async function* readAhead<T>(
  source: AsyncIterator<T>,
  depth: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const waiting: Answer<T>[] = [];
  const bell = createBell();
  const reader = { hasLeft: false };
  const fill = async (): Promise<void> => {
    for (;;) {
      while (waiting.length >= depth && !reader.hasLeft) await bell.rung();
      if (reader.hasLeft) return;
      const answer = await ask(source);
      waiting.push(answer);
      bell.ring();
      if ("failure" in answer || answer.done === true) return;
    }
  };
  const filling = fill();
  try {
    for (;;) {
      signal?.throwIfAborted();
      while (waiting.length === 0) await unlessAborted(bell.rung(), signal);
      const answer = waiting.shift()!;
      bell.ring();
      if ("failure" in answer) throw answer.failure;
      if (answer.done === true) return;
      yield answer.value;
    }
  } finally {
    reader.hasLeft = true;
    bell.ring();
    const closing = closeAfter(filling, source);
    // A source that is stuck must not hold up whoever aborts because of that.
    if (signal?.aborted !== true) await closing;
  }
}

async function ask<T>(source: AsyncIterator<T>): Promise<Answer<T>> {
  try {
    return await source.next();
  } catch (failure) {
    return { failure };
  }
}

/** Tells the source that nobody reads on, once it is not busy any more. */
async function closeAfter(filling: Promise<void>, source: AsyncIterator<unknown>): Promise<void> {
  await filling;
  try {
    await source.return?.();
  } catch {
    // The reader has left, or has an error of its own: nobody is there to hear this one.
  }
}

/** A condition that several wait for: `rung` resolves at the next `ring`. */
function createBell(): { rung: () => Promise<void>; ring: () => void } {
  let resolve = (): void => undefined;
  let promise = new Promise<void>((set) => (resolve = set));
  return {
    rung: () => promise,
    ring: () => {
      const wake = resolve;
      promise = new Promise<void>((set) => (resolve = set));
      wake();
    },
  };
}
