/** Small words for writing unrolled WGSL. */

/** `each(3, (k) => …)`: the pieces for k = 0, 1, 2, one a line. */
export function each(count: number, piece: (index: number) => string, separator = "\n"): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join(separator);
}

/**
 * Lanes 0…lanes − 1 of a workgroup hold `value`; all receive its reduction by `join`, in a tree through workgroup memory
 * named `partial`. `lanes` is a power of two.
 */
export function acrossLanes(lanes: number, join: (a: string, b: string) => string): string {
  return /* wgsl */ `
      partial[lane] = value;
      for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) { partial[lane] = ${join("partial[lane]", "partial[lane + half]")}; }
      }
      workgroupBarrier();
      value = partial[0];
      workgroupBarrier();`;
}
