/**
 * The k greatest elements of each line of the last axis, in descending order, and where they stand.
 *
 *   y[l, r] = x[l, index[l, r]]          dx[l, j] = dy[l, r] where index[l, r] = j, else 0
 *
 * Of equal elements the first comes first. A rank is found by one pass over the line, among those that come after the rank
 * before: k passes, and no list to keep sorted, which would be a scatter into registers. On a GPU a workgroup walks a long
 * line.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, sizeOf, type Tensor } from "../tensor/index.ts";

const uniforms = { n: "u32", k: "u32" } as const;
const outputs = { y: "real", index: "u32" } as const;

/** One pass: the best of the elements `first`, `first + step`, … that come after (value, place) of the rank before. */
const search = (step: number): string => /* wgsl */ `
        var best = x[start]; var place = u.n;              // n: none found
        for (var j = first; j < u.n; j += ${step}u) {
          let value = x[start + j];
          let after = rank == 0u || value < above || (value == above && j > placeAbove);
          let better = after && (place == u.n || value > best);
          best = select(best, value, better); place = select(place, j, better);
        }`;

const narrow = defineKernel({
  name: "topK",
  uniforms,
  inputs: { x: "f32" },
  outputs,
  wgsl: /* wgsl */ `
    fn run(line: u32) {                                    // one thread per line
      let start = line * u.n; let first = 0u;
      var above = 0.0; var placeAbove = 0u;
      for (var rank = 0u; rank < u.k; rank++) {
        ${search(1)}
        place = min(place, u.n - 1u);                      // NaN comes after nothing
        store_y(line * u.k + rank, x[start + place]);
        store_index(line * u.k + rank, place);
        above = best; placeAbove = place;
      }
    }`,
  flops: (threads, u) => threads * u.n * u.k,
});

const LANES = 128;

const wide = defineKernel({
  name: "topK.wide",
  uniforms,
  inputs: { x: "f32" },
  outputs,
  grid: "groups",
  workgroup: LANES,
  wgsl: /* wgsl */ `
    var<workgroup> values: array<f32, ${LANES}>;
    var<workgroup> places: array<u32, ${LANES}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per line
      let start = group.x * u.n; let first = lane;
      var above = 0.0; var placeAbove = 0u;
      for (var rank = 0u; rank < u.k; rank++) {
        ${search(LANES)}
        values[lane] = best; places[lane] = place;
        for (var half = ${LANES / 2}u; half > 0u; half /= 2u) {
          workgroupBarrier();
          if (lane < half) {
            let value = values[lane + half]; let other = places[lane + half];
            let better = other < u.n && (place == u.n || value > best || (value == best && other < place));
            best = select(best, value, better); place = select(place, other, better);
            values[lane] = best; places[lane] = place;
          }
        }
        workgroupBarrier();
        above = values[0]; placeAbove = min(places[0], u.n - 1u);
        workgroupBarrier();
        if (lane == 0u) {
          store_y(group.x * u.k + rank, x[start + placeAbove]);
          store_index(group.x * u.k + rank, placeAbove);
        }
      }
    }`,
  flops: (_, u) => u.n * u.k,
});

const gradient = defineKernel({
  name: "topK.grad",
  uniforms,
  inputs: { dy: "f32", index: "u32" },
  outputs: { dx: "real" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element
      let line = i / u.n; let j = i - line * u.n;
      var d = 0.0;
      for (var at = line * u.k; at < (line + 1u) * u.k; at++) { if (index[at] == j) { d = dy[at]; break; } }
      store_dx(i, d);
    }`,
});

/** Ranks cost a pass each; many of them are a sort, which this is not. */
const MOST = 64;
/** From here on a line is worth a workgroup. */
const LONG = 256;

const valuesOf = defineOp("topK", {
  forward(x: Tensor, k: number, publish: (indices: Tensor) => void) {
    const n = x.shape.at(-1)!;
    const lines = sizeOf(x.shape) / n;
    const shape = [...x.shape.slice(0, -1), k];
    const { variant, gpu } = x.device;
    const byGroups = variant !== "subgroup" && n >= LONG && lines <= gpu.limits.maxComputeWorkgroupsPerDimension;
    const { y, index } = byGroups
      ? run(wide, { x }, { y: shape, index: shape }, { n, k }, { where: "topK", groups: [lines, 1, 1] })
      : run(narrow, { x }, { y: shape, index: shape }, { n, k }, { where: "topK", threads: lines });
    publish(index);
    return { output: y, saved: { index, shape: x.shape, sizes: { n, k } } };
  },
  backward: (dy, { index, shape, sizes }) => [run(gradient, { dy, index }, { dx: shape }, sizes).dx],
});

export interface TopK {
  /** `[…, k]`, in descending order; differentiable. */
  readonly values: Tensor;
  /** `[…, k]`, u32: where along the last axis they stand. */
  readonly indices: Tensor;
}

/** The `k` greatest elements along the last axis, k ≤ 64; of equal ones the first comes first. */
export function topK(x: Tensor, k: number): TopK {
  const where = "topK";
  const n = x.shape.at(-1);
  if (n === undefined) {
    throw new ShapeError({ where, expected: "at least one axis", got: formatShape(x.shape) });
  }
  if (!Number.isInteger(k) || k < 1 || k > Math.min(n, MOST)) {
    throw new OptionError({ where, expected: `a whole k from 1 to ${Math.min(n, MOST)}`, got: String(k) });
  }
  const published: Tensor[] = [];
  const values = valuesOf(x, k, (indices) => published.push(indices));
  return { values, indices: published[0]! };
}
