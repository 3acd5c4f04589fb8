/** One result or several. */
export type Results<T> = T | readonly T[];

/** As a list. */
export function flattened<T>(results: Results<T>): T[] {
  return Array.isArray(results) ? [...(results as readonly T[])] : [results as T];
}
