/** The name that was probably meant. */

/** Comparing with more names than these would take longer than reading them. */
const MAX_CANDIDATES = 2000;

/** The candidate with the fewest letters to change, if these are less than half. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = name.length / 2;
  for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
    const distance = editDistance(name, candidate, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance, row by row; gives up with infinity once it cannot be less than `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line++) {
    const next = [line];
    for (let column = 1; column <= b.length; column++) {
      const change = a[line - 1] === b[column - 1] ? 0 : 1;
      next.push(Math.min(row[column]! + 1, next[column - 1]! + 1, row[column - 1]! + change));
    }
    if (Math.min(...next) >= limit) return Number.POSITIVE_INFINITY;
    row = next;
  }
  return row[b.length]!;
}
