/** Asynchronous work in bounded numbers, and promises that give way to an abort signal. */

/**
 * Applies `work` to each item, at most `limit` at a time; results in the order of the items. After a failure nothing more
 * is begun, and the promise rejects, with the failure of the first such item, once what was begun has ended: nothing goes on behind the caller's back.
 * @throws the reason of `signal` when it is aborted, in the same way.
 */
export async function mapBounded<T, R>(
  items: ArrayLike<T>,
  limit: number,
  work: (item: T, position: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const failures = new Map<number, unknown>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.size === 0) {
      const position = next++;
      try {
        signal?.throwIfAborted();
        results[position] = await work(items[position]!, position);
      } catch (cause) {
        failures.set(position, cause);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failures.size > 0) throw failures.get(Math.min(...failures.keys()));
  return results;
}

/** The promise's value, or an error with the reason of `signal` as soon as that is aborted. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  // Somebody listens even when the signal is faster, so that a late failure is never reported as unhandled.
  promise.catch(() => undefined);
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => (onAbort = resolve));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await Promise.race([promise, aborted]);
    signal.throwIfAborted();
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
