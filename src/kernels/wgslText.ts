/** Small words for writing unrolled WGSL. */

/** `each(3, (k) => …)`: the pieces for k = 0, 1, 2, one a line. */
export function each(count: number, piece: (index: number) => string, separator = "\n"): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join(separator);
}
