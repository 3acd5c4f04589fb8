/** The k greatest elements of each line of the last axis in descending order; of equal ones the first comes first. */
import { forEachLine, requireShape, zeros, type Nd } from "./nd.ts";

/** For each result, the flat position of its element. */
function ranked(x: Nd, k: number): number[] {
  const found: number[] = [];
  forEachLine(x.shape, -1, (line) => {
    const order = [...line].sort((i, j) => x.data[j]! - x.data[i]! || i - j);
    found.push(...order.slice(0, k));
  });
  return found;
}

const shapeOf = (x: readonly number[], k: number): number[] => [...x.slice(0, -1), k];

export function topK(x: Nd, k: number): { values: Nd; indices: Nd } {
  const found = ranked(x, k);
  const shape = shapeOf(x.shape, k);
  return {
    values: { shape, data: Float64Array.from(found, (i) => x.data[i]!) },
    indices: { shape, data: Float64Array.from(found, (i) => i % x.shape.at(-1)!) },
  };
}

/** dx = dy at the elements that were found, 0 elsewhere */
export function topKGrad(x: Nd, dy: Nd, k: number): Nd {
  requireShape("topKGrad: dy", dy.shape, shapeOf(x.shape, k));
  const dx = zeros(x.shape);
  ranked(x, k).forEach((i, to) => {
    dx.data[i] = dy.data[to]!;
  });
  return dx;
}
